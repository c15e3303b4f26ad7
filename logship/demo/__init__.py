"""The demo: a collector, live traffic into a real access log, and the daemon between them, each its own process."""

from __future__ import annotations

import contextlib
import http.client
import http.server
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
from collections.abc import Callable, Iterator
from pathlib import Path

from logship.demo.shop import Shop, headers_of, history, line, visit
from logship.records import record

START_S = 15.0  # how long a part may take to start
REQUESTS_PER_S = 25
NGINX_PATHS = ("/usr/sbin/nginx", "/usr/local/sbin/nginx")  # /usr/sbin is not on everybody's PATH
APPLICATION_ID = "demo"

NGINX_CONF = """\
worker_processes 1; daemon off; pid {here}/nginx.pid; error_log {here}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {here}; proxy_temp_path {here}; fastcgi_temp_path {here};
  uwsgi_temp_path {here}; scgi_temp_path {here};
  log_format demo '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" $host $request_time';
  access_log {here}/access.log demo;
  {real_ip}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{shop_port}; proxy_set_header X-Answer $http_x_answer; }}
  }}
}}
"""
REAL_IP = "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;"
VISITORS = 8  # at once, so that a slow answer does not delay the others

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
class DemoMoment:
    """The demo's progress: lines in the log, events that the receiver confirmed."""

    lines_seen: int
    events_confirmed: int


class Demo:
    """All parts of the demo, in a directory of its own.

    Shapes: `page` is the address of the collector's page, `server` says what writes the log.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log_path = directory / "access.log"
        self.page = ""
        self.server = ""
        self._children: list[subprocess.Popen[bytes]] = []
        self._stop_traffic = threading.Event()
        self._traffic: list[threading.Thread] = []
        self._shop: http.server.ThreadingHTTPServer | None = None
        self._port = 0
        self._counted_to = 0
        self._lines = 0

    def start(self, host: str, port: int) -> None:
        """Start the collector, the traffic and the daemon.

        Raises: RuntimeError with a part's output if it does not start.
        """
        if port == 0 or not _is_free(host, port):
            port = free_port()
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.page = f"http://{address}/"
        self._spawn(
            "collector",
            *("--listen", address, "--store", str(self.directory / "events.db")),
            *("--application-id", APPLICATION_ID),
        )
        self._await(host, port, "collector")
        self.log_path.write_text("".join(history(random.Random(), time.time())))
        self._start_server()
        status_port = free_port()
        config = CONFIG.format(
            url=self.page.rstrip("/"), application_id=APPLICATION_ID, here=self.directory, status_port=status_port
        )
        (self.directory / "logship.yml").write_text(config)
        self._spawn("run", "-c", str(self.directory / "logship.yml"))
        self._await("127.0.0.1", status_port, "run")

    def moments(self, seconds: float | None) -> Iterator[DemoMoment]:
        """One a second, for `seconds` or forever.

        Raises: RuntimeError when a part has ended.
        """
        start_s = time.monotonic()
        for tick in itertools.count(1):
            if seconds is not None and tick > seconds:
                return
            time.sleep(max(0.0, start_s + tick - time.monotonic()))
            for child in self._children:
                if child.poll() is not None:
                    raise RuntimeError(f"a part of the demo has ended; see {self.directory}")
            yield self.moment()

    def moment(self) -> DemoMoment:
        """The progress now."""
        return DemoMoment(self._count_lines(), self._count_stored())

    def finish(self, within_s: float = 10.0) -> DemoMoment:
        """Stop the traffic and wait until every line has arrived."""
        self._stop_traffic.set()
        for thread in self._traffic:
            thread.join()
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
        if self._shop:
            self._shop.shutdown()
            self._shop.server_close()
            self._shop = None

    def daemon_summary(self) -> str:
        """The daemon's final sum, from its log; "" while it runs."""
        for said in reversed((self.directory / "run.log").read_text(errors="replace").splitlines()):
            if "stopped" in said:
                return said[said.index("lines ") :] if "lines " in said else said
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
                raise RuntimeError(f"'{name}' did not start:\n{said}")
            time.sleep(0.02)

    def _start_server(self) -> None:
        program = shutil.which("nginx") or next((path for path in NGINX_PATHS if os.access(path, os.X_OK)), None)
        if program is None:
            self.server = "a writer of nginx lines (install nginx to see a real one)"
            self._run_traffic(self._write_lines, 1)
        else:
            self._port = free_port()
            self.server = f"a private nginx on 127.0.0.1:{self._port}"
            self._start_nginx(program)
            self._run_traffic(self._send_requests, VISITORS)

    def _start_nginx(self, program: str) -> None:
        self._shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        threading.Thread(target=self._shop.serve_forever, name="shop", daemon=True).start()
        config = self.directory / "nginx.conf"
        built = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)  # noqa: S603 (nginx)
        real_ip = REAL_IP if "http_realip_module" in built.stderr else ""
        shop_port = self._shop.server_address[1]
        config.write_text(NGINX_CONF.format(here=self.directory, port=self._port, shop_port=shop_port, real_ip=real_ip))
        with (self.directory / "nginx.log").open("wb") as output:
            command = [program, "-c", str(config), "-e", str(self.directory / "error.log")]
            nginx = subprocess.Popen(  # noqa: S603 (nginx, no shell)
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            self._children.append(nginx)
        self._await("127.0.0.1", self._port, "nginx")

    def _run_traffic(self, work: Callable[[float], None], threads: int) -> None:
        for number in range(threads):
            thread = threading.Thread(
                target=work, args=(threads / REQUESTS_PER_S,), name=f"visitor-{number}", daemon=True
            )
            self._traffic.append(thread)
            thread.start()

    def _send_requests(self, every_s: float) -> None:
        """Visits the shop through nginx; a header tells the shop how to answer."""
        choose = random.Random()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop_traffic.wait(choose.uniform(0, 2 * every_s)):
            made = visit(choose)
            try:
                connection.request(made.verb, made.target, headers=headers_of(made))
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()  # nginx ends a keep-alive connection when it likes
        connection.close()

    def _write_lines(self, every_s: float) -> None:
        choose = random.Random()
        with self.log_path.open("a") as log:
            while not self._stop_traffic.wait(every_s):
                log.write(line(visit(choose), time.time()))
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
    """A free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_free(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return False
    return True
