"""A private nginx.

    with Nginx(tmp_path / "nginx", [AccessLog("access.log", MAIN)]) as nginx:
        load = Load(nginx.port, 20_000).start()
        rotate(nginx.log_path("access.log"), nginx.pid)
        load.join()
    assert ids_in_the_receiver == sorted(nginx.truth_ids())

The unique id of a request is `$request_id`: put it into the format (MAIN ends in it).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.rigs.machine import require
from tests.rigs.servers import AccessLog, WebServer

MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    '"$request_id"'
)
STATUSES = (204, 301, 403, 404, 500, 503)


class Nginx(WebServer):
    """nginx with its master as this user; skipped with the reason where nginx is not installed."""

    def __init__(self, directory: Path, logs: Sequence[AccessLog] = (AccessLog("access.log", MAIN),)) -> None:
        self.program = require("nginx", "nginx-light")
        super().__init__(directory, logs)

    def _config(self) -> str:
        here, temporary = self.directory, self.directory / "tmp"
        return f"""
{_user()}
worker_processes 2; daemon off; pid {self.pid_file}; error_log {here}/error.log notice;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {temporary}; proxy_temp_path {temporary}; fastcgi_temp_path {temporary};
  uwsgi_temp_path {temporary}; scgi_temp_path {temporary};
  large_client_header_buffers 4 16k; keepalive_requests 1000000;
  log_format truth '$request_id'; access_log {self.truth} truth;
  {"".join(self._log(number, log) for number, log in enumerate(self.logs))}
  server {{
    listen 127.0.0.1:{self.port};
    {"".join(f"location = /status/{status} {{ return {status}; }} " for status in STATUSES)}
    location / {{ return 200 "ok"; }}
  }}
}}
"""

    def _log(self, number: int, log: AccessLog) -> str:
        name = f"log{number}"
        if log.format == "combined":
            return f"access_log {self.log_path(log.name)} combined {log.options};\n  "
        quoted = log.format.replace("\\", "\\\\").replace("'", "\\'")
        return (
            f"log_format {name} escape={log.escape} '{quoted}';\n  "
            f"access_log {self.log_path(log.name)} {name} {log.options};\n  "
        )

    def _command(self, config: Path) -> list[str]:
        return [self.program, "-c", str(config), "-e", str(self.directory / "error.log")]

    def _stop_signal(self) -> signal.Signals:
        return signal.SIGQUIT  # graceful: running requests are answered and logged


def _user() -> str:
    return "user root;" if os.geteuid() == 0 else ""
