"""What workers tell the driver."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.formats import Misfit
from logship.mapping.disclosure import Disclosures
from logship.process.logs import escaped
from logship.records import record
from logship.route.unmatched import RUN_LIMIT


class Ending(StrEnum):
    """Why a worker stopped working at its piece."""

    DONE = "done"  # everything of it is decided
    STOPPED = "stopped"  # as it was asked to; what it had read is decided
    REFUSED = "refused"  # the receiver wants a person
    MISFIT = "misfit"  # the lines fit no format
    DAMAGED = "damaged"  # the archive ends or breaks in mid-stream; everything before is decided
    UNREADABLE = "unreadable"  # the system or the store would not give it


@record
class Confirmed:
    """A stretch of a log that the receiver has, and the hash of the bytes before its end."""

    start: int
    end: int
    anchor: bytes


@record
class Sample:
    """What a dry run saw: events by month ('2026-10'), the first unmatched lines, what looks like a secret."""

    months: dict[str, int] = field(default_factory=dict)
    odd: tuple[DeadLetter, ...] = ()
    found: Disclosures = field(default_factory=Disclosures)


@record
class Report:
    """How far one attempt at a piece is.

    Shapes: `tally` counts everything in [piece.start, decided_to) and nothing else, so that what a dead worker did
    behind its last report can be done again without counting twice; `confirmed` and `letters` are what came since the
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
    trouble: str = ""  # what the receiver's last failure was, while it fails
    ending: Ending | None = None
    message: str = ""  # for people: the hint, the caret, the damage


SHOWN_BEFORE = 60  # characters of the line left of the caret
SHOWN_AFTER = 30


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
