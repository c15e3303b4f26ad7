"""Which piece is next and how large it is, so that all workers are busy to the end; and what became of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import field

from logship.backfill.reports import BackfillSummary, LogSummary, Report
from logship.backfill.run_settings import BackfillLog, LogPiece
from logship.counters import Tally
from logship.records import record

MAX_PIECE_BYTES = 64 * 1024 * 1024
MIN_PIECE_BYTES = 4 * 1024 * 1024  # a piece costs its senders and their connections: some 5 ms
PORTION = 2  # a piece is at most half of what is left for each worker: pieces get smaller, so that workers end together
EXPANSION = 8  # bytes of log in a byte of an archive, roughly; only used to find the large ones


def work_of(log: BackfillLog) -> int:
    """Bytes of log in it, estimated from its size; 0 for stdin."""
    return log.size_bytes * (EXPANSION if log.compression else 1)


class Schedule:
    """Logs, oldest first, and those of their pieces that wait; none of it runs yet."""

    def __init__(self, logs: Iterable[BackfillLog]) -> None:
        self._logs = {log.number: log for log in logs}
        self._largest = sorted((log for log in self._logs.values() if not log.is_divisible), key=work_of)
        self._pieces: deque[LogPiece] = deque()
        self._left = sum(map(work_of, self._logs.values()))

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._logs or self._pieces)

    def next_log(self, jobs: int) -> BackfillLog | None:
        """The log to cut into pieces now; None while pieces wait, or where no log is left.

        It is the oldest. But a log that can't be divided and would keep one worker busy when the rest is done begins
        earlier.
        """
        while self._largest and self._largest[-1].number not in self._logs:
            self._largest.pop()
        if self._largest and work_of(self._largest[-1]) * jobs > self._left:
            return self._taken(self._largest.pop())
        if self._pieces or not self._logs:
            return None
        return self._taken(next(iter(self._logs.values())))

    def put(self, pieces: Iterable[LogPiece]) -> None:
        """Pieces to be handed out next, in this order."""
        pieces = list(pieces)
        self._pieces.extendleft(reversed(pieces))
        self._left += sum(map(_piece_work, pieces))

    def next_piece(self) -> LogPiece | None:
        """The next piece; None where none waits."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._left -= _piece_work(piece)
        return piece

    def portion(self, jobs: int, rest_bytes: int) -> int:
        """How large the next piece of a log may be, `rest_bytes` of which are still to be cut."""
        fair_bytes = (self._left + rest_bytes) // (jobs * PORTION)
        return min(MAX_PIECE_BYTES, max(MIN_PIECE_BYTES, fair_bytes))

    def _taken(self, log: BackfillLog) -> BackfillLog:
        del self._logs[log.number]
        self._left -= work_of(log)
        return log


def _piece_work(piece: LogPiece) -> int:
    return work_of(piece.log) if piece.end is None else piece.end - piece.start


@record(frozen=False)
class TaskAttempt:
    """What one attempt at a piece has reported so far."""

    received: int = 0
    latest: Report | None = None
    last: Report | None = None  # the one with an ending


@record(frozen=False)
class Task:
    """A piece that was given to a worker.

    Shapes: `attempts` by their id; `future` None while it waits; `late_at_s` is when missing reports are given up.
    """

    piece: LogPiece
    future: Future[Report] | None = None
    attempts: dict[str, TaskAttempt] = field(default_factory=dict)
    late_at_s: float | None = None

    @property
    def error(self) -> BaseException | None:
        """Why a finished task has no result; None where it has one, or is not finished."""
        if self.future is None or not self.future.done():
            return None
        return CancelledError() if self.future.cancelled() else self.future.exception()

    @property
    def best(self) -> Report | None:
        """The report that got furthest."""
        reports = [attempt.latest for attempt in self.attempts.values() if attempt.latest is not None]
        return max(reports, key=lambda report: (report.decided_to, report.ending is not None), default=None)

    @property
    def decided_to(self) -> int:
        best = self.best
        return self.piece.start if best is None else best.decided_to

    @property
    def tally(self) -> Tally:
        best = self.best
        return Tally() if best is None else best.tally


def done_bytes(summaries: Mapping[int, LogSummary], tasks: Iterable[Task]) -> int:
    """Bytes of all logs, as stored, that are decided or left out; each log's own goes into its summary."""
    for summary in summaries.values():
        summary.done_bytes = summary.unread_bytes
    for task in tasks:
        best = task.best
        if best is None:
            continue
        summary = summaries[task.piece.log.number]
        if task.piece.log.is_plain:
            summary.done_bytes += min(best.read_bytes, best.decided_to - task.piece.start)
        else:
            summary.done_bytes = max(summary.done_bytes, min(best.read_bytes, summary.size_bytes))
    return sum(summary.done_bytes for summary in summaries.values())


def retries(tasks: Iterable[Task]) -> int:
    """How many requests to the receiver were repeated."""
    latest = (attempt.latest for task in tasks for attempt in task.attempts.values())
    return sum(report.retries for report in latest if report is not None)


def summarised(summary: BackfillSummary, summaries: Mapping[int, LogSummary], tasks: Iterable[Task]) -> BackfillSummary:
    """The summary with the sums of all tasks."""
    tasks = list(tasks)
    for one in summaries.values():
        one.tally = Tally()
    for task in tasks:
        summaries[task.piece.log.number].tally.add(task.tally)
    summary.retries = retries(tasks)
    return summary
