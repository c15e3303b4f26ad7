"""Where workers run: an executor, a queue of reports and a stop flag, made in one of two ways.

local.py runs them as processes on this machine, cluster.py on a Dask cluster. A task gets a Channel: its end of the
queue and of the flag.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import field
from queue import SimpleQueue
from typing import Concatenate, ParamSpec, Protocol

from logship.backfill.reports import Report
from logship.records import record

P = ParamSpec("P")


class Channel(Protocol):
    """A task's end. It is pickled, and must work wherever the task runs."""

    def send(self, report: Report) -> None: ...

    def is_stopping(self) -> bool: ...


Work = Callable[Concatenate[Channel, P], Report]


class WorkerPool(Protocol):
    """The driver's end.

    Shapes: `reports` holds what tasks sent, in the order of each task (and None, which only wakes
    the reader); `slots` is how many tasks run at a time now.
    """

    @property
    def reports(self) -> SimpleQueue[Report | None]: ...

    @property
    def slots(self) -> int: ...

    def submit(self, work: Work[P], /, *args: P.args, **kwargs: P.kwargs) -> Future[Report]:
        """Run work(channel, …) somewhere.

        Raises: from here or from the future, an error that `is_loss` knows, when the pool must be replaced.
        """
        ...

    def is_loss(self, error: BaseException) -> bool:
        """Whether the error says that workers died, and not that the work is wrong."""
        ...

    def drain(self) -> None:
        """Tell all tasks to stop reading, and to end when everything they read is decided."""
        ...

    def replace(self) -> None:
        """Replace a broken pool's workers; what the old ones had sent is in `reports` afterwards."""
        ...

    def close(self, *, at_once: bool = False) -> None:
        """End the workers; every report sent is in `reports` afterwards.

        Without `at_once` when no task is left, with it in the middle of their tasks.
        """
        ...


@record(frozen=False)
class NearChannel:
    """A task's end in a thread of the driver."""

    reports: SimpleQueue[Report | None]
    stop: threading.Event

    def send(self, report: Report) -> None:
        self.reports.put(report)

    def is_stopping(self) -> bool:
        return self.stop.is_set()


@record(frozen=False)
class NearPool:
    """One thread of the driver itself: stdin can't be read anywhere else."""

    reports: SimpleQueue[Report | None] = field(default_factory=SimpleQueue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "logship-stdin"))

    @property
    def slots(self) -> int:
        return 1

    def submit(self, work: Work[P], /, *args: P.args, **kwargs: P.kwargs) -> Future[Report]:
        return self._threads.submit(work, NearChannel(self.reports, self._stop), *args, **kwargs)

    def is_loss(self, error: BaseException) -> bool:
        return False

    def drain(self) -> None:
        self._stop.set()

    def replace(self) -> None:
        """Nothing to replace: a thread ends only with its process."""

    def close(self, *, at_once: bool = False) -> None:
        self._stop.set()
        self._threads.shutdown(wait=not at_once, cancel_futures=True)
