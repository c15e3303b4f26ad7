"""Workers of a Dask cluster: the only door to distributed."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from logship.backfill.executors import P, Work
from logship.backfill.reports import Report
from logship.errors import LogshipError
from logship.records import record

CONNECT_S = 10.0
HEARTBEAT_S = 5.0  # how often the driver says that it lives
LOOK_S = 0.5  # how often a task looks whether to stop
ORPHAN_S = 60.0  # a task that hears nothing for so long has lost its driver; nobody would confirm its events
LISTEN_S = 0.2
STOP = "stop"


class ClusterError(LogshipError):
    """The scheduler can't be reached, or distributed is not installed."""


@record(frozen=False)
class _Heard:
    value: object
    changed_s: float
    looked_s: float


_heard: dict[str, _Heard] = {}  # of this Dask worker, by flag; tasks may be its threads


@record
class ClusterChannel:
    """A task's end: names that the scheduler knows."""

    name: str

    def send(self, report: Report) -> None:
        from distributed import Queue, get_client

        Queue(self.name, client=get_client()).put(report)

    def is_stopping(self) -> bool:
        now_s = time.monotonic()
        heard = _heard.setdefault(self.name, _Heard(None, now_s, now_s - LOOK_S))
        if now_s - heard.looked_s >= LOOK_S:
            heard.looked_s = now_s
            value = self._flag()
            if value != heard.value:
                heard.value, heard.changed_s = value, now_s
        return heard.value == STOP or now_s - heard.changed_s > ORPHAN_S

    def _flag(self) -> object:
        from distributed import Variable, get_client

        try:
            return Variable(self.name, client=get_client()).get(timeout=LOOK_S)
        except TimeoutError:  # no longer set: its driver is gone, and ORPHAN_S ends the task
            return None


class ClusterPool:
    """The threads of all workers of a running cluster.

    The scheduler starts a lost worker's task again elsewhere, as a new attempt. It accepts new workers at any time.
    """

    def __init__(self, address: str) -> None:
        """Raises: ClusterError."""
        try:
            import distributed
        except ModuleNotFoundError as exc:
            raise ClusterError("--cluster needs Dask: pip install 'logshipd[cluster]'") from exc
        try:
            self._client: Any = distributed.Client(address, timeout=CONNECT_S, name="logship-backfill")
        except (OSError, ValueError) as exc:  # TimeoutError is an OSError
            raise ClusterError(f"--cluster: no scheduler answers at {address}: {exc}") from exc
        self.reports: SimpleQueue[Report | None] = SimpleQueue()
        self._name = f"logship-{uuid.uuid4()}"
        self._flag = distributed.Variable(self._name, client=self._client)
        self._queue = distributed.Queue(self._name, client=self._client)
        self._executor = self._client.get_executor(pure=False)
        self._closing = threading.Event()
        self._is_draining = False
        self._flag.set(0)
        self._listener = threading.Thread(target=self._listen, name="reports", daemon=True)
        self._listener.start()

    @property
    def slots(self) -> int:
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def submit(self, work: Work[P], /, *args: P.args, **kwargs: P.kwargs) -> Future[Report]:
        future: Future[Report] = self._executor.submit(work, ClusterChannel(self._name), *args, **kwargs)
        return future

    def is_loss(self, error: BaseException) -> bool:
        """A task that took its worker with it several times, or a scheduler that forgot it."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError

        return isinstance(error, KilledWorker | FutureCancelledError | CommClosedError)

    def drain(self) -> None:
        self._is_draining = True
        self._flag.set(STOP)

    def replace(self) -> None:
        """Nothing to replace: the cluster manages its workers; a task that failed is submitted again."""

    def close(self, *, at_once: bool = False) -> None:
        self._is_draining = True
        self._flag.set(STOP)  # what still runs, for example a second attempt of a lost worker, ends by itself
        self._executor.shutdown(wait=not at_once)
        self._closing.set()
        self._listener.join()
        self._client.close()

    def _listen(self) -> None:
        beat, said_s = 0, time.monotonic()
        while True:
            is_last_look = self._closing.is_set()
            arrived = self._queue.get(batch=True)  # never waits: a timeout would be a traceback in the scheduler's log
            for report in arrived:
                self.reports.put(report)
            if not arrived:
                if is_last_look:
                    return
                self._closing.wait(LISTEN_S)
            if not self._is_draining and time.monotonic() - said_s >= HEARTBEAT_S:
                beat, said_s = beat + 1, time.monotonic()
                self._flag.set(beat)
