"""The demo: a collector, live traffic into a real access log, and the daemon between them, each its own process."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from logship.records import record

START_S = 15.0  # how long a part may take until it answers
REQUESTS_PER_S = 40
NGINX_PATHS = ("/usr/sbin/nginx", "/usr/local/sbin/nginx")  # /usr/sbin is not on everybody's PATH
APPLICATION_ID = "demo"

PATHS = ("/", "/products/17", "/cart", "/api/v2/orders?page=2", "/search?q=shoes", "/missing", "/login", "/slow", "/e")
VERBS = ("GET", "GET", "GET", "GET", "POST", "HEAD", "PUT", "DELETE")
AGENTS = ("curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", 'odd "agent" \\ 1', "okhttp/4.12.0")

NGINX_CONF = """\
worker_processes 1; daemon off; pid {here}/nginx.pid; error_log {here}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {here}; proxy_temp_path {here}; fastcgi_temp_path {here};
  uwsgi_temp_path {here}; scgi_temp_path {here};
  log_format demo '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" $host $request_time';
  access_log {here}/access.log demo;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "hello\\n"; }}
    location /missing {{ return 404; }}
    location /login {{ return 302 /; }}
    location /e {{ return 503; }}
  }}
}}
"""

CONFIG = """\
endpoint: {{url: "{url}", application_id: {application_id}}}
state_dir: {here}/state
status: {{listen: "127.0.0.1:{status_port}"}}
batch: {{max_age: 200ms}}
formats:
  demo: {{nginx: '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" \
"$http_user_agent" $host $request_time'}}
sources:
  - {{name: demo, paths: ["{here}/access.log"], format: demo, start_at: beginning,
     mapping: {{extends: default, defaults: {{scheme: http}}}}}}
"""


@record
class Moment:
    """How far the demo is: lines in the log, events the receiver confirmed."""

    lines_seen: int
    events_confirmed: int


class Demo:
    """Everything running, in a directory of its own.

    Shapes: `page` is the address of the collector's page, `server` says what writes the log.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log_path = directory / "access.log"
        self.page = ""
        self.server = ""
        self._children: list[subprocess.Popen[bytes]] = []
        self._stop_traffic = threading.Event()
        self._traffic: threading.Thread | None = None
        self._port = 0
        self._counted_to = 0
        self._lines = 0

    def start(self, listen: str) -> None:
        """Bring up the collector, the traffic and the daemon.

        Raises: RuntimeError with the part's own words when one doesn't come up.
        """
        host, _, port = listen.rpartition(":")
        if port == "0" or not _is_free(host, int(port)):
            port = str(free_port())
        self.page = f"http://{host}:{port}/"
        self._spawn(
            "collector",
            *("--listen", f"{host}:{port}", "--store", str(self.directory / "events.db")),
            *("--application-id", APPLICATION_ID),
        )
        self._await(host, int(port), "collector")
        self.log_path.touch()
        self._start_server()
        status_port = free_port()
        config = CONFIG.format(
            url=self.page.rstrip("/"), application_id=APPLICATION_ID, here=self.directory, status_port=status_port
        )
        (self.directory / "logship.yml").write_text(config)
        self._spawn("run", "-c", str(self.directory / "logship.yml"))
        self._await("127.0.0.1", status_port, "run")

    def moments(self, seconds: float | None) -> Iterator[Moment]:
        """One a second, for `seconds` or for ever.

        Raises: RuntimeError when a part has ended by itself.
        """
        start_s = time.monotonic()
        for tick in itertools.count(1):
            if seconds is not None and tick > seconds:
                return
            time.sleep(max(0.0, start_s + tick - time.monotonic()))
            for child in self._children:
                if child.poll() is not None:
                    raise RuntimeError(f"a part of the demo ended by itself; see {self.directory}")
            yield self.moment()

    def moment(self) -> Moment:
        """How far it is now."""
        return Moment(self._count_lines(), self._count_stored())

    def finish(self, within_s: float = 10.0) -> Moment:
        """Stop the traffic and wait until every line has arrived."""
        self._stop_traffic.set()
        if self._traffic:
            self._traffic.join()
        deadline_s = time.monotonic() + within_s
        moment = self.moment()
        while moment.events_confirmed < moment.lines_seen and time.monotonic() < deadline_s:
            time.sleep(0.1)
            moment = self.moment()
        return moment

    def stop(self) -> None:
        """End every process, the daemon first."""
        self._stop_traffic.set()
        for child in reversed(self._children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(START_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def daemon_summary(self) -> str:
        """The daemon's own last sum; it is in its log once it has stopped."""
        for line in reversed((self.directory / "run.log").read_text(errors="replace").splitlines()):
            if "stopped" in line:
                return line[line.index("lines ") :] if "lines " in line else line
        return ""

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 (our own program, no shell)
                [sys.executable, "-m", "logship", name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches only the demo, which ends its parts in order
            )
        self._children.append(child)

    def _await(self, host: str, port: int, name: str) -> None:
        deadline_s = time.monotonic() + START_S
        while _is_free(host, port):
            if self._children[-1].poll() is not None or time.monotonic() > deadline_s:
                said = (self.directory / f"{name}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"'{name}' did not come up:\n{said}")
            time.sleep(0.02)

    def _start_server(self) -> None:
        program = shutil.which("nginx") or next((path for path in NGINX_PATHS if os.access(path, os.X_OK)), None)
        if program is None:
            self.server = "a writer of nginx lines (install nginx to see a real one)"
            self._traffic = threading.Thread(target=self._write_lines, name="traffic", daemon=True)
        else:
            self._port = free_port()
            self.server = f"a private nginx on 127.0.0.1:{self._port}"
            config = self.directory / "nginx.conf"
            config.write_text(NGINX_CONF.format(here=self.directory, port=self._port))
            with (self.directory / "nginx.log").open("wb") as output:
                command = [program, "-c", str(config), "-e", str(self.directory / "error.log")]
                nginx = subprocess.Popen(  # noqa: S603 (nginx, no shell)
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
                self._children.append(nginx)
            self._await("127.0.0.1", self._port, "nginx")
            self._traffic = threading.Thread(target=self._send_requests, name="traffic", daemon=True)
        self._traffic.start()

    def _send_requests(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        while not self._stop_traffic.wait(1 / REQUESTS_PER_S):
            headers = {"User-Agent": random.choice(AGENTS), "Referer": "http://shop.example/"}
            try:
                connection.request(random.choice(VERBS), random.choice(PATHS), headers=headers)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()  # nginx ends a keep-alive connection when it likes
        connection.close()

    def _write_lines(self) -> None:
        with self.log_path.open("a") as log:
            while not self._stop_traffic.wait(1 / REQUESTS_PER_S):
                now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
                verb, path, agent = random.choice(VERBS), random.choice(PATHS), random.choice(AGENTS)
                agent = agent.replace("\\", "\\x5C").replace('"', "\\x22")
                line = f'192.0.2.{random.randrange(256)} - - [{now}] "{verb} {path} HTTP/1.1" 200 17 "-" "{agent}"'
                log.write(f"{line} shop.example 0.004\n")
                log.flush()

    def _count_lines(self) -> int:
        with self.log_path.open("rb") as log:
            log.seek(self._counted_to)
            data = log.read()
        self._counted_to += len(data)
        self._lines += data.count(b"\n")
        return self._lines

    def _count_stored(self) -> int:
        with contextlib.closing(sqlite3.connect(f"file:{self.directory / 'events.db'}?mode=ro", uri=True)) as store:
            count: int = store.execute("SELECT count(*) FROM events").fetchone()[0]
        return count


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_free(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return False
    return True
