"""The thread that writes and the one that makes it durable: many requests share one commit and one fsync."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import field
from itertools import chain
from typing import Any

from logship.collector.database import Database, Run, StoreUnavailableError
from logship.collector.refusal import RefusalError
from logship.collector.row import EventRow
from logship.collector.segments import Pending, fold
from logship.records import record

log = logging.getLogger(__name__)
GROUP_ROWS = 8_000  # of one commit; more would make the first of them wait
SLICE_CHARS = 2_000_000  # of a long batch; small ones wait for one slice of it, not for 47 MB
FOLD_EVERY_GROUPS = 8  # under load so many commits are read from the events and not from segments
IDLE_FOLD_S = 0.2  # after the last commit, when nothing else is waiting


class Durability:
    """Fulfils futures once what was committed before them is on the disk; all that wait share one fsync.

    An fsync that failed can't be made up for, the next one may succeed without the lost pages: every future fails from
    then on, and `on_death` is called.
    """

    def __init__(self, make_durable: Callable[[], None], on_death: Callable[[], None]) -> None:
        self._make_durable = make_durable
        self._on_death = on_death
        self._waiting: deque[Future[None]] = deque()
        self._failure: BaseException | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collector-durability")

    def promise(self, futures: Iterable[Future[None]]) -> None:
        """To be called when what they stand for was committed."""
        self._waiting.extend(futures)
        self._thread.submit(self._fulfil)

    def close(self) -> None:
        """Fulfils what was promised, and ends."""
        self._thread.shutdown()

    def _fulfil(self) -> None:
        futures = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not futures:  # they shared the fsync of an earlier promise
            return
        if self._failure is None:
            try:
                self._make_durable()
            except BaseException as exc:  # noqa: BLE001 # the thread's top
                log.critical("what was stored may be lost, the collector stops error=%s", exc)
                self._failure = exc
                self._on_death()
        for future in futures:
            if self._failure is None:
                future.set_result(None)
            else:
                future.set_exception(StoreUnavailableError("the disk did not keep it"))


def begun() -> Future[Any]:
    """A future that whoever waits for it can't cancel: what was submitted is done, also for a request that was cut."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


@record(frozen=False)
class Submission:
    """Rows of one request, and who waits for them to be durable; the first `written` are in a commit already."""

    rows: list[EventRow]
    is_long: bool = False  # written in slices
    written: int = 0
    done: Future[None] = field(default_factory=begun)

    def slice(self) -> list[EventRow]:
        """The next rows, all of them where it is not long."""
        if not self.is_long:
            return self.rows
        end, chars = self.written, 0
        while end < len(self.rows) and end - self.written < GROUP_ROWS and chars < SLICE_CHARS:
            chars += len(self.rows[end].event)
            end += 1
        return self.rows[self.written : end]


@record(frozen=False)
class Change:
    """What one request changes in a transaction of its own, and who waits for it to be durable."""

    work: Callable[[Run], None]
    done: Future[None] = field(default_factory=begun)


@record(frozen=False)
class WriterJob:
    """Other work for the writing thread: retention, erasure."""

    work: Callable[[], int]
    done: Future[int] = field(default_factory=begun)


class Writer:
    """Takes rows from any thread and commits them in groups.

    Whoever waits for a commit is told once it is durable; meanwhile the next one is written. `close()` commits
    everything that was submitted before it.
    """

    def __init__(self, database: Database, on_death: Callable[[], None]) -> None:
        self._database = database
        self._on_death = on_death
        self._waiting: deque[Submission | Change | WriterJob] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._unfolded = 0  # groups committed since the last fold
        self._pending = Pending()  # their events
        self._durability = Durability(database.make_durable, on_death)
        self._thread = threading.Thread(target=self._run, name="collector-writer", daemon=True)

    def start(self) -> None:
        self._unfolded = 1  # a predecessor may have died before it put what it stored into segments
        self._thread.start()

    def submit(self, rows: list[EventRow], size_bytes: int = 0) -> Future[None]:
        """A future that is done when the rows are durable, or fails with StoreUnavailableError.

        Shapes: `size_bytes` of the body. Rows with ids are written in several commits where they are many: what was
        written before a failure is passed over when they come again. Others are written as a whole.
        """
        is_long = size_bytes > SLICE_CHARS and all(row.transaction_id for row in rows)
        submission = Submission(rows, is_long)
        self._put(submission)
        return submission.done

    def change(self, work: Callable[[Run], None]) -> Future[None]:
        """A future that is done when what `work` did in a transaction is durable, or fails with what it raised."""
        change = Change(work)
        self._put(change)
        return change.done

    def run(self, work: Callable[[], int]) -> Future[int]:
        """The result of `work`, done in the writing thread between two commits."""
        job = WriterJob(work)
        self._put(job)
        return job.done

    def _put(self, item: Submission | Change | WriterJob) -> None:
        with self._news:
            if self._closing:
                raise StoreUnavailableError("the collector is stopping")
            self._waiting.append(item)
            self._news.notify()

    def close(self) -> None:
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._durability.close()

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except Exception:
            log.critical("the writing thread died; the collector stops", exc_info=True)
            self._fail_waiting()
            self._on_death()

    def _step(self) -> bool:
        """One group, job or fold; False when there is nothing left to do ever."""
        with self._news:
            if not self._waiting and not self._closing:
                self._news.wait(IDLE_FOLD_S if self._unfolded else None)
            group = self._next_group()
            closing = self._closing
        if not group:
            if self._unfolded:
                self._fold()
                return True
            return not closing
        if isinstance(group[0], WriterJob):
            self._work(group[0])
        elif isinstance(group[0], Change):
            self._change(group[0])
        else:
            self._commit([item for item in group if isinstance(item, Submission)])
        if self._unfolded >= FOLD_EVERY_GROUPS:
            self._fold()
        return True

    def _next_group(self) -> list[Submission | Change | WriterJob]:
        """The submissions that share the next commit, or one change or job."""
        group: list[Submission | Change | WriterJob] = []
        rows = 0
        while self._waiting and rows < GROUP_ROWS:
            item = self._waiting[0]
            if not isinstance(item, Submission) or item.is_long:
                return group or [self._waiting.popleft()]
            rows += len(item.rows)
            group.append(self._waiting.popleft())
        return group

    def _commit(self, group: list[Submission]) -> None:
        rows = group[0].slice() if len(group) == 1 else list(chain.from_iterable(one.rows for one in group))
        try:
            last_id = self._database.insert(rows)
        except StoreUnavailableError as exc:
            log.error("nothing stored, the senders will try again error=%s", exc)
            for submission in group:
                submission.done.set_exception(exc)
            return
        except BaseException as exc:  # a mistake of ours: the senders are told before the thread ends
            for submission in group:
                submission.done.set_exception(StoreUnavailableError(f"the collector failed: {type(exc).__name__}"))
            raise
        self._unfolded += 1
        self._pending.add(rows, last_id)
        group[0].written += len(rows)
        if group[0].is_long and group[0].written < len(group[0].rows):
            with self._news:  # behind what came meanwhile
                self._waiting.append(group[0])
        else:
            self._durability.promise(submission.done for submission in group)

    def _change(self, change: Change) -> None:
        try:
            with self._database.transaction() as run:
                change.work(run)
        except (StoreUnavailableError, RefusalError) as exc:
            change.done.set_exception(exc)
            return
        except BaseException as exc:
            change.done.set_exception(StoreUnavailableError(f"the collector failed: {type(exc).__name__}"))
            raise
        self._durability.promise([change.done])

    def _work(self, job: WriterJob) -> None:
        try:
            job.done.set_result(job.work())
        except BaseException as exc:
            job.done.set_exception(exc)
            if not isinstance(exc, StoreUnavailableError):
                raise

    def _fold(self) -> None:
        pending, self._pending = self._pending, Pending()
        try:
            fold(self._database, pending)
            while fold(self._database):
                pass
        except StoreUnavailableError as exc:  # the events are safe; the next fold takes them
            log.warning("the figures are behind error=%s", exc)
        self._unfolded = 0

    def _fail_waiting(self) -> None:
        with self._news:
            self._closing = True
            for item in self._waiting:
                item.done.set_exception(StoreUnavailableError("the collector is stopping"))
            self._waiting.clear()
