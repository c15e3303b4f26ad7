"""What became of every log, and of all of them: sums that add up."""

from __future__ import annotations

from collections import deque
from dataclasses import field

from logship.backfill.paths import Remark
from logship.counters import Tally, total
from logship.delivery import DeadLetter
from logship.errors import Exit
from logship.mapping.disclosure import Disclosures
from logship.records import record


@record(frozen=False)
class LogSummary:
    """One log.

    Shapes: `size_bytes` as stored (0: not known, stdin), `done_bytes` of them are read and decided; `unread_bytes` were
    left out by --since and --until without being looked at; `problem` "" is fine.
    """

    path: str
    source: str
    size_bytes: int
    tally: Tally = field(default_factory=Tally)
    done_bytes: int = 0
    unread_bytes: int = 0
    is_done: bool = False
    problem: str = ""


@record(frozen=False)
class BackfillSummary:
    """A whole run.

    Shapes: `months` maps '2026-10' to events and `odd` holds (path, letter), for dry runs; `stopped_by` says why it
    ended early, "" if it did not.
    """

    logs: list[LogSummary] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    months: dict[str, int] = field(default_factory=dict)
    found: Disclosures = field(default_factory=Disclosures)  # what looks like a secret, of a dry run
    odd: list[tuple[str, DeadLetter]] = field(default_factory=list)
    stopped_by: str = ""
    is_dry: bool = False
    elapsed_s: float = 0.0
    retries: int = 0

    @property
    def tally(self) -> Tally:
        return total(log.tally for log in self.logs)

    @property
    def exit_code(self) -> Exit:
        """Fine only if everything was delivered; a dry run is fine if everything could be."""
        is_whole = all(log.is_done and not log.problem for log in self.logs)
        is_failed = any(remark.is_failure for remark in self.remarks)
        if self.stopped_by or is_failed or not is_whole or (self.tally.dead_letters and not self.is_dry):
            return Exit.UNDELIVERED
        return Exit.FINE


@record
class RunProgress:
    """How far a run is, now.

    Shapes: rate is events/s over the last seconds; eta_s None where there is no telling (stdin).
    """

    files_done: int
    files: int
    bytes_done: int
    bytes_total: int
    tally: Tally
    elapsed_s: float
    rate: float
    eta_s: float | None
    in_flight: int
    retries: int
    trouble: str = ""
    is_draining: bool = False


SECONDS = 10.0


@record(frozen=False)
class Speed:
    """A window over what was counted.

    Shapes: `_seen` are (moment, events, bytes), oldest first; the oldest is at most SECONDS old, or the first.
    """

    _seen: deque[tuple[float, int, int]] = field(default_factory=deque)

    def see(self, now_s: float, events: int, done_bytes: int) -> None:
        self._seen.append((now_s, events, done_bytes))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Events a second."""
        seconds = self._seconds
        return max(0, self._seen[-1][1] - self._seen[0][1]) / seconds if seconds else 0.0

    def seconds_for(self, left_bytes: int) -> float | None:
        """How long so many bytes take; None where there is no telling."""
        done = self._seen[-1][2] - self._seen[0][2] if self._seen else 0
        return left_bytes * self._seconds / done if done > 0 else None

    @property
    def _seconds(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
