"""Drives a backfill: gives pieces to workers, takes their reports, and alone records what is confirmed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from queue import Empty

from logship.backfill.executors import NearPool, WorkerPool
from logship.backfill.paths import STDIN, Remark
from logship.backfill.plan import BackfillPlan
from logship.backfill.range_store import RangeStore
from logship.backfill.remote import RemoteError
from logship.backfill.reports import BackfillSummary, Ending, LogSummary, Report, RunProgress, Speed
from logship.backfill.run_settings import BackfillLog, LogPiece, RunPurpose, RunSettings
from logship.backfill.schedule import Schedule, Task, TaskAttempt, done_bytes, retries, summarised
from logship.backfill.split import Split, are_of
from logship.backfill.worker import work
from logship.checkpoint import Range
from logship.clock import SystemClock
from logship.counters import total, with_counts

log = logging.getLogger(__name__)

LOOK_S = 0.1  # how often progress is shown and signals are seen
LATE_S = 10.0  # a report that was sent has arrived by then, or its worker died with it
MAX_BREAKS = 5  # in a row without progress: then the piece is the cause, or the machine's memory
DEAD_LETTERS_SHOWN = 5
FATAL = {Ending.REFUSED, Ending.MISFIT}
BROKEN_LOGS = {Ending.DAMAGED, Ending.UNREADABLE}


class Driver:
    """One pass over a plan; used from one thread."""

    def __init__(
        self,
        plan: BackfillPlan,
        run_settings: RunSettings,
        pool: WorkerPool,
        split: Split,
        range_store: RangeStore | None,
        clock: SystemClock,
        *,
        is_restart: bool = False,
        obeying: Callable[[LogPiece], LogPiece] = lambda piece: piece,
    ) -> None:
        """`range_store` None: nothing is looked up or written (the count of events that are too old).

        `obeying` adds the receiver's current rules to a piece.
        """
        self._obeying = obeying
        self._plan, self._run_settings, self._pool, self._range_store = plan, run_settings, pool, range_store
        self._near = NearPool()
        self._clock = clock
        self._split = split
        self._is_restart = is_restart
        self._started_s = clock.monotonic()
        self._summaries = {one.number: LogSummary(one.path, one.file.source, one.size_bytes) for one in plan.logs}
        self._summary = BackfillSummary([self._summaries[one.number] for one in plan.logs], list(plan.remarks))
        self._summary.is_dry = run_settings.purpose is RunPurpose.COUNT
        self._unrecorded = set(plan.unsure)
        self._schedule = Schedule(plan.logs)
        self._tasks: dict[int, Task] = {}  # all that were handed out, by the piece's number
        self._running: dict[int, Task] = {}
        self._pieces_left: dict[int, int] = {}  # by log
        self._speed = Speed()
        self._stops = 0
        self._is_draining = False
        self._breaks = 0
        self._decided_at_break = -1

    def stop(self) -> None:
        """Once: end in order, with what is in flight; twice: at once. May be called by a signal handler."""
        self._stops += 1

    def run(self, show: Callable[[RunProgress], None]) -> BackfillSummary:
        """Everything, until the end or a stop; `show` is called a few times a second.

        Raises: only what is a mistake in the program.
        """
        try:
            while self._step():
                show(self.progress())
        except BaseException:
            self._pool.close(at_once=True)
            self._near.close(at_once=True)
            raise
        self._finish()
        show(self.progress())
        self._summary.elapsed_s = self._clock.monotonic() - self._started_s
        return summarised(self._summary, self._summaries, self._tasks.values())

    def progress(self) -> RunProgress:
        """How far it is."""
        tally = total(task.tally for task in self._tasks.values())
        done = done_bytes(self._summaries, self._tasks.values())
        size = sum(one.size_bytes for one in self._summaries.values())
        running = [best for task in self._running.values() if (best := task.best) is not None]
        now_s = self._clock.monotonic()
        self._speed.see(now_s, tally.sent, done)
        problem = self._range_store.problem if self._range_store else ""
        return RunProgress(
            files_done=sum(one.is_done for one in self._summaries.values()),
            files=len(self._summaries),
            bytes_done=done,
            bytes_total=size,
            tally=tally,
            elapsed_s=now_s - self._started_s,
            rate=self._speed.rate,
            eta_s=self._speed.seconds_for(size - done),
            in_flight=sum(best.in_flight for best in running),
            retries=retries(self._tasks.values()),
            trouble=problem or next((best.trouble for best in running if best.trouble), ""),
            is_draining=self._is_draining,
        )

    # one pass

    def _step(self) -> bool:
        """False when nothing is left, or the run must end."""
        if self._stops:
            self._summary.stopped_by = self._summary.stopped_by or "stopped; the same command continues from here"
            self._drain()
        if self._stops > 1:
            return False
        self._submit()
        self._listen()
        self._collect()
        if self._range_store is not None:
            self._range_store.flush()
            if self._range_store.is_full:
                self._summary.stopped_by = self._summary.stopped_by or self._range_store.problem
                self._drain()
        return bool(self._running) or (not self._is_draining and bool(self._schedule))

    def _submit(self) -> None:
        while not self._is_draining and len(self._running) < 2 * self._pool.slots:
            piece = self._next_piece()
            if piece is None:
                return
            piece = self._obeying(piece)
            task = self._tasks[piece.number] = self._running[piece.number] = Task(piece)
            pool: WorkerPool = self._near if piece.log.path == STDIN else self._pool
            try:
                task.future = pool.submit(work, self._run_settings, piece)
            except Exception as exc:
                if not pool.is_loss(exc):
                    raise
                return  # _collect finds the task without a future
            task.future.add_done_callback(lambda _: self._pool.reports.put(None))

    def _next_piece(self) -> LogPiece | None:
        while (one := self._schedule.next_log(self._pool.slots)) is not None:
            self._assign(one)
        return self._schedule.next_piece()

    def _assign(self, one: BackfillLog) -> None:
        summary = self._summaries[one.number]
        try:
            confirmed = self._confirmed(one)
            limit_of = partial(self._schedule.portion, self._pool.slots)
            pieces = list(self._split.pieces(one, confirmed, self._plan.clocks[one.number], limit_of))
        except (OSError, RemoteError) as exc:
            summary.problem = f"can't be read: {getattr(exc, 'strerror', None) or exc}"
            return
        if one.is_plain:
            in_pieces = sum((piece.end or 0) - piece.start for piece in pieces)
            summary.unread_bytes = one.size_bytes - in_pieces
        self._pieces_left[one.number] = len(pieces)
        summary.is_done = not pieces
        self._schedule.put(pieces)

    def _confirmed(self, one: BackfillLog) -> list[Range]:
        if self._range_store is None:
            return []
        if self._is_restart and self._run_settings.purpose is RunPurpose.SEND:
            self._range_store.forget(one)
        if self._is_restart or one.number in self._unrecorded:
            return []
        ranges = self._range_store.confirmed(one)
        if one.is_plain and not are_of(one, ranges):
            self._unrecorded.add(one.number)
            message = "what is confirmed under its name belongs to another log; it is sent from its beginning"
            self._summary.remarks.append(Remark(one.path, message, is_failure=False))
            return []
        return ranges

    def _listen(self) -> None:
        """Waits a moment for a report and takes all there are."""
        with suppress(Empty):
            self._take(self._pool.reports.get(timeout=LOOK_S))
        self._take_all()

    def _take_all(self) -> None:
        for reports in (self._pool.reports, self._near.reports):
            while not reports.empty():
                self._take(reports.get())

    def _take(self, report: Report | None) -> None:
        task = self._tasks.get(report.piece) if report is not None else None
        if report is None or task is None:
            return
        attempt = task.attempts.setdefault(report.attempt, TaskAttempt())
        attempt.received += 1
        attempt.latest = report
        if report.ending is not None:
            attempt.last = report
        if self._range_store is not None and (report.letters or report.confirmed):
            one = task.piece.log
            self._range_store.write(one, report.letters, report.confirmed, records=one.number not in self._unrecorded)

    def _collect(self) -> None:
        """Settles the tasks whose futures are done, and replaces a broken pool."""
        lost: list[Task] = []
        for task in list(self._running.values()):
            if task.future is not None and not task.future.done():
                continue
            error = self._outcome(task)
            if error is not None:
                lost.append(task)
        if lost:
            self._redo(lost)

    def _outcome(self, task: Task) -> BaseException | str | None:
        """Takes a finished task's last report; gives the reason why its worker is lost, if it is.

        Raises: what the worker raised.
        """
        if task.future is None:
            return "not submitted"
        error = task.error
        if error is not None:
            if isinstance(error, CancelledError) and self._is_draining:
                del self._running[task.piece.number]
                return None
            if isinstance(error, CancelledError) or self._pool.is_loss(error):
                return error
            raise error
        last = task.future.result()
        attempt = task.attempts.setdefault(last.attempt, TaskAttempt())
        if attempt.last is None:
            if attempt.received < last.number - 1 and not self._is_late(task):
                return None  # reports sent before it are on their way
            if attempt.received < last.number - 1:
                return "reports are missing"
            self._take(last)
        del self._running[task.piece.number]
        self._end(task, last)
        return None

    def _is_late(self, task: Task) -> bool:
        now_s = self._clock.monotonic()
        if task.late_at_s is None:
            task.late_at_s = now_s + LATE_S
        return now_s >= task.late_at_s

    def _end(self, task: Task, last: Report) -> None:
        one = task.piece.log
        summary = self._summaries[one.number]
        self._pieces_left[one.number] -= 1
        self._summary.months = with_counts(self._summary.months, last.sample.months)
        self._summary.found.add(last.sample.found)
        room = DEAD_LETTERS_SHOWN - len(self._summary.dead_letters)
        self._summary.dead_letters += [(one.path, letter) for letter in last.sample.dead_letters[:room]]
        if last.ending in FATAL:
            where = f"{one.path}: " if last.ending is Ending.MISFIT else ""
            self._summary.stopped_by = self._summary.stopped_by or where + last.message
            self._drain()
        elif last.ending in BROKEN_LOGS:
            summary.problem = summary.problem or last.message
        summary.is_done = last.ending is Ending.DONE and not self._pieces_left[one.number] and not summary.problem

    def _redo(self, lost: Iterable[Task]) -> None:
        """New workers for the rest of what the lost ones had; their last reports are taken first."""
        log.warning("workers died, the rest of their pieces is done again")
        self._pool.replace()
        self._take_all()
        lost = {task.piece.number: task for task in (*lost, *filter(self._is_lost, self._running.values()))}.values()
        decided = sum(task.decided_to - task.piece.start for task in self._tasks.values())
        self._breaks = 1 if decided > self._decided_at_break else self._breaks + 1
        self._decided_at_break = decided
        for task in lost:
            self._running.pop(task.piece.number, None)
            if not self._is_draining:
                self._schedule.put([self._split.rest(task.piece, task.decided_to)])
        if self._breaks >= MAX_BREAKS:
            names = ", ".join(sorted({task.piece.log.path for task in lost}))
            self._summary.stopped_by = f"workers died {self._breaks} times in a row at {names}; is there enough memory?"
            self._drain()

    def _is_lost(self, task: Task) -> bool:
        if task.future is None:
            return True
        error = task.error
        return error is not None and (isinstance(error, CancelledError) or self._pool.is_loss(error))

    def _drain(self) -> None:
        if self._is_draining:
            return
        self._is_draining = True
        self._pool.drain()
        self._near.drain()
        for task in self._running.values():
            if task.future is not None:
                task.future.cancel()

    def _finish(self) -> None:
        at_once = self._stops > 1
        self._near.close(at_once=at_once)
        self._pool.close(at_once=at_once)
        self._take_all()
        if self._range_store is not None:
            self._range_store.flush(at_once=True)
            if self._range_store.problem:
                self._summary.stopped_by = self._summary.stopped_by or self._range_store.problem
