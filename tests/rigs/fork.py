"""Real daemons by the dozen: a process that has loaded logship is forked for each start, a fifth of its price.

with ForkedDaemon(config, directory) as daemon:   # as daemon.Daemon: start(), kill(), pid, log(), wait_for_log()
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.rigs.daemon import Daemon, logship_command

# Everything a running daemon loads, so that a fork has it; nothing of it may start a thread before the fork.
MOTHER = """
import os, signal, sys
import logship.cli, logship.daemon, logship.config.loading, logship.delivery.http, watchdog.observers
logship.config.loading.load_settings(None, os.environ)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("loaded", flush=True)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        logship.cli.main()
    print(pid, flush=True)
"""


class Forked:
    """A grandchild, known by its descriptor: what Daemon needs of a subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)
        self._ends = select.poll()  # not select(), which knows no descriptor above 1,023
        self._ends.register(self._fd, select.POLLIN)

    def poll(self) -> int | None:
        """None while it runs; the exit code is its mother's to know."""
        return 0 if self._ends.poll(0) else None

    def kill(self) -> None:
        signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired."""
        if not self._ends.poll(None if timeout is None else timeout * 1_000):
            raise subprocess.TimeoutExpired("a forked daemon", timeout or 0.0)
        return 0


class ForkedDaemon(Daemon):
    """A daemon whose starts are forks."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", MOTHER, *logship_command("run", "-c", str(self.config))[3:]]
        self._log = self.log_path.open("ab")
        self._mother = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**self.environ, "LOGSHIP_CONFIG": str(self.config)},
            bufsize=0,
        )
        assert self._said() == "loaded"
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._mother.kill()
        self._mother.communicate()
        self._log.close()

    def start(self) -> None:
        """The next life."""
        assert not self.is_running(), "the daemon runs already"
        assert self._mother.stdin is not None
        self._mother.stdin.write(b"\n")
        self.process = Forked(int(self._said()))

    def _said(self) -> str:
        assert self._mother.stdout is not None
        return self._mother.stdout.readline().decode().strip()
