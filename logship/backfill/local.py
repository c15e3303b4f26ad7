"""Workers on this machine: a pool of spawned processes, at low priority."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from ctypes import c_bool
from multiprocessing import connection, get_context
from multiprocessing.synchronize import Lock
from queue import SimpleQueue

from logship.backfill.executors import P, Work
from logship.backfill.reports import Report
from logship.records import record

NICENESS = 10  # the web server on this machine comes first
COLLECT_EVERY = 100_000  # new containers: rows and events form no cycles, and looking for them costs 10 % of a job
# A terminal and systemd send these to all processes; the driver alone decides what they mean.
DRIVER_SIGNALS = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}


@record(frozen=False)
class Ends:
    """What a worker process gets at its start.

    `alive` gives end-of-file as soon as the driver closes its end or is dead, SIGKILL included.
    """

    writer: connection.Connection
    lock: Lock
    stop: c_bool  # shared memory without a lock: a killed worker could have died holding it
    alive: connection.Connection


_ends: list[Ends] = []  # of this worker process


class LocalChannel:
    """A task's end; it pickles to nothing, because the process has its ends already."""

    def send(self, report: Report) -> None:
        with _ends[0].lock:
            _ends[0].writer.send(report)

    def is_stopping(self) -> bool:
        return _ends[0].stop.value


def prepare(ends: Ends) -> None:
    """First thing in a new worker process."""
    import logship.backfill.worker  # noqa: F401 - loaded once, before the first task, and then frozen

    _ends.append(ends)
    with suppress(PermissionError):  # systemd's sandbox forbids it (~@resources) and has a Nice= of its own
        os.nice(NICENESS)
    logging.getLogger("logship").setLevel(logging.CRITICAL)  # delivery's failures are in the reports
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    threading.Thread(target=_die_with_driver, args=(ends.alive,), name="die-with-driver", daemon=True).start()


def _die_with_driver(alive: connection.Connection) -> None:
    connection.wait([alive])
    os._exit(1)


@contextmanager
def _held_back(signals: set[signal.Signals]) -> Iterator[None]:
    """Processes born inside never get these signals; the driver gets them afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LocalPool:
    """A pool of processes.

    Spawned, not forked: they hold no descriptor of the driver, so neither its state nor its lock. Must be submitted to
    from the main thread, whose signal mask the workers inherit.
    """

    def __init__(self, jobs: int) -> None:
        self.reports: SimpleQueue[Report | None] = SimpleQueue()
        self.slots = jobs
        self._start()

    def submit(self, work: Work[P], /, *args: P.args, **kwargs: P.kwargs) -> Future[Report]:
        with _held_back(DRIVER_SIGNALS):
            return self._pool.submit(work, LocalChannel(), *args, **kwargs)

    def is_loss(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def drain(self) -> None:
        self._ends.stop.value = True

    def replace(self) -> None:
        self.close(at_once=True)
        self._start()

    def close(self, *, at_once: bool = False) -> None:
        self._alive.close()  # ends the workers: they have no task left, or shall not finish it
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ends.writer.close()  # the last copy: the listener reads what is in the pipe, then its end
        self._listener.join()

    def _start(self) -> None:
        context = get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        alive, self._alive = context.Pipe(duplex=False)
        self._ends = Ends(writer, context.Lock(), context.RawValue(c_bool, False), alive)
        self._pool = ProcessPoolExecutor(self.slots, context, prepare, (self._ends,))
        self._listener = threading.Thread(target=self._listen, args=(reader,), name="reports", daemon=True)
        self._listener.start()

    def _listen(self, reader: connection.Connection) -> None:
        with reader:
            while True:
                try:
                    self.reports.put(reader.recv())
                except (EOFError, OSError):  # all writers are gone, the last perhaps in the middle of a report
                    return
