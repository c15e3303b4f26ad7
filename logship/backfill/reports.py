"""What workers report to the driver, and what the driver makes of it: progress and a summary."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from enum import StrEnum

from logship.backfill.paths import Remark
from logship.counters import Tally, total
from logship.delivery import DeadLetter
from logship.errors import Exit
from logship.formats import Misfit
from logship.mapping.disclosure import Disclosures
from logship.process.logs import escaped
from logship.records import record
from logship.route.unmatched import RUN_LIMIT

SHOWN_BEFORE = 60  # characters of the line left of the caret
SHOWN_AFTER = 30
WINDOW_S = 10.0


class Ending(StrEnum):
    """Why a worker stopped working at its piece."""

    DONE = "done"  # all of it is decided
    STOPPED = "stopped"  # on request; what it had read is decided
    REFUSED = "refused"  # by the receiver; somebody must act
    MISFIT = "misfit"  # the lines fit no format
    DAMAGED = "damaged"  # the archive ends or breaks in mid-stream; everything before is decided
    UNREADABLE = "unreadable"  # the system or the store can't read it


@record
class Confirmed:
    """A range of a log that the receiver has, and the hash of the bytes before its end."""

    start: int
    end: int
    anchor: bytes


@record
class Sample:
    """What a dry run saw: events by month ('2026-10'), the first dead letters, what looks like a secret."""

    months: dict[str, int] = field(default_factory=dict)
    dead_letters: tuple[DeadLetter, ...] = ()
    found: Disclosures = field(default_factory=Disclosures)


@record
class Report:
    """How far one attempt at a piece is.

    Shapes: `tally` counts everything in [piece.start, decided_to) and nothing else, so that what a dead worker did
    after its last report can be repeated without counting twice; `confirmed` and `letters` are what came since the
    report before. Reports of an attempt are numbered from 1; the one with an `ending` is the last.
    `read_bytes` is how much of the file as it is on disk is read.
    """

    piece: int
    attempt: str
    number: int
    decided_to: int
    tally: Tally
    confirmed: tuple[Confirmed, ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    sample: Sample = field(default_factory=Sample)
    read_bytes: int = 0
    in_flight: int = 0
    retries: int = 0
    trouble: str = ""  # the receiver's last failure, while it lasts
    ending: Ending | None = None
    message: str = ""  # for people: the hint, the caret, the damage


def misfit_text(line: bytes, position: int, misfit: Misfit | None) -> str:
    """A sentence and, below it, the line with a caret under the place.

    Shapes: `position` is that of the line in its log; control bytes come out escaped.
    """
    head = f"{RUN_LIMIT} lines in a row fit no format, from byte {position:,} on; give the right --format"
    return "\n".join((head, *caret_lines(line, misfit)))


def caret_lines(line: bytes, misfit: Misfit | None) -> list[str]:
    """The line around the place where it stopped fitting, and a caret with what was expected there."""
    at = misfit.at if misfit else 0
    cut = max(0, at - SHOWN_BEFORE)
    before = escaped(line[cut:at].decode("utf-8", "replace"))
    after = escaped(line[at : at + SHOWN_AFTER].decode("utf-8", "replace"))
    shown = f"  {'…' if cut else ''}{before}{after}{'…' if at + SHOWN_AFTER < len(line) else ''}"
    if misfit is None:
        return [shown]
    indent = " " * (2 + bool(cut) + len(before))
    return [shown, f'{indent}^ expected "{escaped(misfit.expected)}"; {misfit.fits} of {misfit.of} fields fit']


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

    Shapes: `months` maps '2026-10' to events and `dead_letters` holds (path, letter), for dry runs; `stopped_by` says
    why it ended early, "" if it did not.
    """

    logs: list[LogSummary] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    months: dict[str, int] = field(default_factory=dict)
    found: Disclosures = field(default_factory=Disclosures)  # what looks like a secret, of a dry run
    dead_letters: list[tuple[str, DeadLetter]] = field(default_factory=list)
    stopped_by: str = ""
    is_dry: bool = False
    elapsed_s: float = 0.0
    retries: int = 0

    @property
    def tally(self) -> Tally:
        return total(log.tally for log in self.logs)

    @property
    def exit_code(self) -> Exit:
        """FINE only if everything was delivered, or could be (a dry run)."""
        is_whole = all(log.is_done and not log.problem for log in self.logs)
        is_failed = any(remark.is_failure for remark in self.remarks)
        if self.stopped_by or is_failed or not is_whole or (self.tally.dead_letters and not self.is_dry):
            return Exit.UNDELIVERED
        return Exit.FINE


@record
class RunProgress:
    """How far a run is, now.

    Shapes: rate is events/s over the last seconds; eta_s None where it is unknown (stdin).
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


@record(frozen=False)
class Speed:
    """Speed over the last seconds.

    Shapes: `_seen` are (moment, events, bytes), oldest first; the oldest is at most WINDOW_S old, or the first.
    """

    _seen: deque[tuple[float, int, int]] = field(default_factory=deque)

    def see(self, now_s: float, events: int, done_bytes: int) -> None:
        self._seen.append((now_s, events, done_bytes))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Events a second."""
        seconds = self._seconds
        return max(0, self._seen[-1][1] - self._seen[0][1]) / seconds if seconds else 0.0

    def seconds_for(self, left_bytes: int) -> float | None:
        """How long so many bytes take; None where it is unknown."""
        done = self._seen[-1][2] - self._seen[0][2] if self._seen else 0
        return left_bytes * self._seconds / done if done > 0 else None

    @property
    def _seconds(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
