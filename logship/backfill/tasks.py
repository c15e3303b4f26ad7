"""What the driver knows of a piece it handed out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import field

from logship.backfill.reports import Report
from logship.backfill.run_settings import LogPiece
from logship.backfill.summary import BackfillSummary, LogSummary
from logship.counters import Tally
from logship.records import record


@record(frozen=False)
class TaskAttempt:
    """What one attempt at a piece has reported so far."""

    received: int = 0
    latest: Report | None = None
    last: Report | None = None  # the one with an ending


@record(frozen=False)
class Task:
    """A piece that was handed out.

    Shapes: `attempts` by their id; `future` None while it waits; `late_at_s` is when reports that are on their way are
    given up.
    """

    piece: LogPiece
    future: Future[Report] | None = None
    attempts: dict[str, TaskAttempt] = field(default_factory=dict)
    late_at_s: float | None = None

    @property
    def error(self) -> BaseException | None:
        """Why a task that is done has no result; None where it has, or is not done."""
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
    """Attempts at the receiver that had to be made again."""
    latest = (attempt.latest for task in tasks for attempt in task.attempts.values())
    return sum(report.retries for report in latest if report is not None)


def summarised(summary: BackfillSummary, summaries: Mapping[int, LogSummary], tasks: Iterable[Task]) -> BackfillSummary:
    """The summary with the sums of all tasks in it."""
    tasks = list(tasks)
    for one in summaries.values():
        one.tally = Tally()
    for task in tasks:
        summaries[task.piece.log.number].tally.add(task.tally)
    summary.retries = retries(tasks)
    return summary
