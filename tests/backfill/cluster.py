"""A Dask cluster of real processes on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rigs.waiting import wait_until

ADDRESS = re.compile(r"tcp://127\.0\.0\.1:\d+")


class Cluster:
    """A scheduler, and workers that can be added and killed.

    Shapes: `workers` are the processes, oldest first; each has one thread.
    """

    def __init__(self, directory: Path, workers: int) -> None:
        self._directory = directory
        self._count = workers
        self.address = ""
        self.scheduler_log = directory / "scheduler.log"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        log = self.scheduler_log
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self._scheduler = self._start("scheduler", log, *options)
        wait_until(lambda: ADDRESS.search(log.read_text()), 60, "the scheduler's address")
        found = ADDRESS.search(log.read_text())
        assert found is not None
        self.address = found.group()
        for _ in range(self._count):
            self.add_worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        processes = [*self.workers, self._scheduler]
        for process in processes:
            if process is not None:
                process.kill()
                process.wait()

    def add_worker(self) -> None:
        """One more, which the scheduler knows when this returns."""
        log = self._directory / f"worker-{len(self.workers)}.log"
        options = (self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        self.workers.append(self._start("worker", log, *options))
        wait_until(lambda: "Registered to" in log.read_text(), 60, "the worker's registration")

    def kill_worker(self, index: int) -> None:
        self.workers[index].kill()
        self.workers[index].wait()

    def _start(self, what: str, log: Path, *options: str) -> subprocess.Popen[bytes]:
        program = "import sys; from distributed.cli import dask_" + what + " as cli; cli.main(sys.argv[1:])"
        environ = {**os.environ, "PYTHONPATH": os.getcwd(), "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False"}
        with log.open("wb") as stream:
            command = [sys.executable, "-c", program, *options]
            return subprocess.Popen(command, stdout=stream, stderr=stream, cwd=self._directory, env=environ)
