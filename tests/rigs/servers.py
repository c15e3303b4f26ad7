"""What the private web servers have in common: a process on a free loopback port, and a truth log."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rigs.waiting import wait_until

START_ATTEMPTS = 5  # a port that was free may be taken before the server binds it


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class AccessLog:
    """One access log of a server.

    Shapes: `format` as it stands in the server's configuration, without the quotes around it; `name` is its file name;
    `options` follow the format's name in nginx's access_log (`buffer=64k flush=1s`).
    """

    name: str
    format: str
    escape: str = "default"  # nginx: default | json | none
    options: str = ""


class WebServer(ABC):
    """A private web server; `with` starts and stops it. Any path answers 200, /status/NNN answers NNN.

    Shapes: logs stand in `directory/log/NAME`; `truth` is the never-rotated log of unique ids, one a logged request.
    """

    def __init__(self, directory: Path, logs: Sequence[AccessLog]) -> None:
        self.directory = directory
        self.logs = (*logs,)
        self.log_dir = directory / "log"
        self.truth = directory / "truth.ids"
        self.pid_file = directory / "server.pid"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        for folder in (directory, self.log_dir, directory / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    def log_path(self, name: str) -> Path:
        return self.log_dir / name

    def truth_ids(self) -> list[str]:
        """Ids of all requests logged so far, in the order they were logged."""
        return self.truth.read_text().split() if self.truth.exists() else []

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        for _ in range(START_ATTEMPTS):
            self.port = free_port()
            config = self.directory / "server.conf"
            config.write_text(self._config())
            with (self.directory / "server.out").open("ab") as out:
                self.process = subprocess.Popen(
                    self._command(config), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )
            wait_until(lambda: self._answers() or not self._lives(), 20, f"{type(self).__name__} answers")
            if self._lives():
                return
        raise AssertionError(f"{type(self).__name__} does not start:\n{self.errors()}")

    def get(self, path: str = "/", headers: dict[str, str] | None = None) -> int:
        """Status of one GET, which is logged like any other."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def reopen_logs(self) -> None:
        """SIGUSR1: the server opens its logs anew (Apache: graceful restart)."""
        os.kill(self.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """Ends the server once running requests are answered; its logs are complete then."""
        if self.process is None or not self._lives():
            return
        self.process.send_signal(self._stop_signal())
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{type(self).__name__} did not stop:\n{self.errors()}") from None

    def errors(self) -> str:
        """What the server says about itself."""
        files = (self.directory / "server.out", self.directory / "error.log")
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def _lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    @abstractmethod
    def _config(self) -> str: ...

    @abstractmethod
    def _command(self, config: Path) -> list[str]: ...

    def _stop_signal(self) -> signal.Signals:
        return signal.SIGTERM
