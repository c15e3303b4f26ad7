"""A JSON log that a real nginx wrote: its escapes, its bare numbers, its empty values; only times are spread out after.

The requests are the generator's, sent as fast as nginx takes them: within seconds, so that all lines would have the
same few times. Each line gets its request's time in place of nginx's own, which is as long.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.generator import Request, requests
from benchmarks.peers import SBIN

AT_ONCE = 200  # requests in one write; nginx answers them in order, and after a 500 it would close
START_LIMIT_S = 10.0
TIME = re.compile(rb'"time_iso8601":"[^"]*"')
VERBS = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"}
CONFIG = """
{user} worker_processes 1; daemon off; pid {here}/pid; error_log {here}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {here}/t; proxy_temp_path {here}/t; fastcgi_temp_path {here}/t; uwsgi_temp_path {here}/t;
  scgi_temp_path {here}/t; keepalive_requests 10000000; keepalive_timeout 60s;
  set_real_ip_from unix:; real_ip_header X-Client;
  log_format api escape=json '{{"time_iso8601":"$time_iso8601","remote_addr":"$remote_addr",'
    '"remote_user":"$remote_user","request_method":"$request_method","request_uri":"$request_uri",'
    '"server_protocol":"$server_protocol","status":$status,"body_bytes_sent":$body_bytes_sent,'
    '"request_time":$request_time,"http_host":"$http_host","http_referer":"$http_referer",'
    '"http_user_agent":"$http_user_agent","http_x_forwarded_for":"$http_x_forwarded_for",'
    '"upstream_addr":"$upstream_addr"}}';
  access_log {log} api buffer=64k;
  server {{
    listen unix:{here}/socket;
    location / {{
      if ($http_x_status = 304) {{ return 304; }} if ($http_x_status = 404) {{ return 404; }}
      if ($http_x_status = 301) {{ return 301 /; }} if ($http_x_status = 500) {{ return 502; }}
      return 200 "ok";
    }}
  }}
}}
"""


def write_with_nginx(path: Path, lines: int, kind: str = "nginx", seed: int = 20240611) -> None:
    """Write `lines` lines to `path`.

    Raises: RuntimeError where nginx is not installed or wrote something else.
    """
    program = shutil.which("nginx", path=SBIN)
    if program is None:
        raise RuntimeError("no nginx for the row of its JSON; on Debian: apt-get install nginx-light")
    here = path.with_suffix(".nginx")
    shutil.rmtree(here, ignore_errors=True)
    (here / "t").mkdir(parents=True)
    user = "user root;" if Path("/proc/self").owner() == "root" else ""
    (here / "nginx.conf").write_text(CONFIG.format(here=here, log=here / "log", user=user))
    with subprocess.Popen([program, "-c", str(here / "nginx.conf")]) as nginx:
        try:
            _ask(here / "socket", lines, seed)
        finally:
            nginx.terminate()
    with (here / "log").open("rb") as written, path.open("wb") as out:
        out.writelines(_spread(written, seed, lines))
    shutil.rmtree(here)


def _wanted(lines: int, seed: int) -> Iterator[Request]:
    """Requests that HTTP/1.1 can carry."""
    fitting = (one for one in requests(2 * lines + 100, random.Random(seed)) if one.request.split(" ")[0] in VERBS)
    return islice((one for one in fitting if one.request.count(" ") == 2), lines)


def _ask(address: Path, lines: int, seed: int) -> None:
    """Send the requests over one connection, many in each write, and read the answers beside."""
    end_s = time.monotonic() + START_LIMIT_S
    while not address.exists():
        if time.monotonic() > end_s:
            raise RuntimeError(f"nginx did not start; see {address.with_name('error.log')}")
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as nginx:
        nginx.connect(str(address))
        reader = threading.Thread(target=_read_all, args=(nginx,))
        reader.start()
        asked = _wanted(lines, seed)
        while several := list(islice(asked, AT_ONCE)):
            nginx.sendall("".join(map(_request, several)).encode("latin-1"))
        nginx.sendall(b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        reader.join()


def _read_all(nginx: socket.socket) -> None:
    while nginx.recv(1 << 20):
        pass


def _request(one: Request) -> str:
    verb, target, _ = one.request.split(" ")
    agent = one.agent if one.second % 7 else one.agent.replace("(", '("')  # a quote to be escaped
    referer = "" if one.referer == "-" else f"Referer: {one.referer}\r\n"
    forwarded = f"X-Forwarded-For: {one.address}, 10.0.0.{one.second % 250}\r\n" if one.second % 3 == 0 else ""
    length = "Content-Length: 0\r\n" if verb in ("POST", "PUT") else ""
    return (
        f"{verb} {target} HTTP/1.1\r\nHost: www.shop.example\r\nX-Client: {one.address}\r\nX-Status: {one.status}\r\n"
        f"User-Agent: {agent}\r\n{referer}{forwarded}{length}\r\n"
    )


def _spread(written: Iterator[bytes], seed: int, lines: int) -> Iterator[bytes]:
    """nginx's lines with their requests' times."""
    count = 0
    for one, line in zip(_wanted(lines, seed), written, strict=False):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(one.second + 7200))
        count += 1
        yield TIME.sub(b'"time_iso8601":"%b"' % stamp.encode(), line, count=1)
    if count != lines:
        raise RuntimeError(f"nginx wrote {count} lines of {lines}")
