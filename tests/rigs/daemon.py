"""`logship run` as its own process, the way systemd would have it.

daemon = Daemon(config, directory)         # config: Path of a logship.yml
with daemon:                               # starts, and ends it with SIGTERM (SIGKILL after 15 s)
    daemon.wait_for_log("ready")
    daemon.kill()                          # SIGKILL; daemon.start() again goes on with the same state
    assert daemon.terminate() == 0         # SIGTERM, exit code
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.rigs.waiting import wait_until

STOP_S = 15.0  # longer than the default shutdown_timeout (10 s)


def logship_command(*arguments: str) -> list[str]:
    """The command line of logship in this Python, without relying on PATH."""
    return [sys.executable, "-c", "from logship.cli import main; main()", *arguments]


class Process(Protocol):
    """What is needed of a subprocess.Popen."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Daemon:
    """One daemon and its log file `directory/daemon.log`, which goes on over restarts."""

    def __init__(
        self,
        config: Path,
        directory: Path,
        *,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        """Shapes: `wrapper` stands before the command (`prlimit --nofile=64`); `environ` is added to this process's."""
        self.config = config
        self.log_path = directory / "daemon.log"
        self.arguments = (*arguments,)
        self.environ = {**os.environ, **(environ or {})}
        self.wrapper = (*wrapper,)
        self.process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running():
            self.terminate()

    @property
    def pid(self) -> int:
        assert self.process is not None, "the daemon was not started"
        return self.process.pid

    def start(self) -> None:
        """Starts the daemon; its standard error is appended to the log."""
        assert not self.is_running(), "the daemon runs already"
        command = [*self.wrapper, *logship_command("run", "-c", str(self.config), *self.arguments)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environ, start_new_session=True
            )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: what a power cut looks like to the process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, deadline_s: float = STOP_S) -> int:
        """SIGTERM and the exit code; a daemon that is still there after `deadline_s` is killed and the test fails."""
        self.signal(signal.SIGTERM)
        return self.wait(deadline_s)

    def hang_up(self) -> None:
        """SIGHUP: reload."""
        self.signal(signal.SIGHUP)

    def signal(self, number: int) -> None:
        """Sends a signal that the daemon handles; waits for the handler of one that is still starting."""
        wait_until(lambda: not self.is_running() or self._catches(number), what=f"a handler of signal {number}")
        os.kill(self.pid, number)

    def _catches(self, number: int) -> bool:
        status = Path(f"/proc/{self.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    def wait(self, deadline_s: float = STOP_S) -> int:
        """Exit code of a daemon that ends by itself."""
        assert self.process is not None
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {deadline_s:g} s; its log:\n{self.log()[-4000:]}") from None

    def log(self) -> str:
        """Everything it logged so far, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text: str, deadline_s: float = 20.0, times: int = 1) -> None:
        """Returns once `text` stands `times` times in the log; fails early when the daemon ended meanwhile."""

        def is_there() -> bool:
            if self.log().count(text) >= times:
                return True
            assert self.is_running(), f"the daemon ended before it logged {text!r}:\n{self.log()[-4000:]}"
            return False

        wait_until(is_there, deadline_s, f"{text!r} in the daemon's log {self.log_path}")
