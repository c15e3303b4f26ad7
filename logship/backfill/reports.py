"""What workers tell the driver."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.mapping.disclosure import Disclosures
from logship.records import record


class Ending(StrEnum):
    """Why a worker stopped working at its piece."""

    DONE = "done"  # everything of it is decided
    STOPPED = "stopped"  # it was told to; what it had read is decided
    REFUSED = "refused"  # the receiver wants a person
    MISFIT = "misfit"  # the lines fit no format
    DAMAGED = "damaged"  # the archive ends or breaks in mid-stream; everything before is decided
    UNREADABLE = "unreadable"  # the system or the store would not give it


@record
class Confirmed:
    """A stretch of a log that the receiver has, and the hash of what stands before its end."""

    start: int
    end: int
    anchor: bytes


@record
class Sample:
    """What a dry run saw: events by month ('2026-10'), the first odd lines, what looks like a secret."""

    months: dict[str, int] = field(default_factory=dict)
    odd: tuple[DeadLetter, ...] = ()
    found: Disclosures = field(default_factory=Disclosures)


@record
class Report:
    """How far one attempt at a piece is.

    Shapes: `tally` counts everything in [piece.start, decided_to) and nothing else, so that what a dead worker did
    behind its last report can be done again without counting twice; `confirmed` and `letters` are what came since the
    report before. Reports of an attempt are numbered from 1; the one with an `ending` is the last.
    `read_bytes` is how much of the file as it stands on disk is read.
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
