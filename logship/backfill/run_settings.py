"""What the driver hands to workers: logs, pieces of them, and how to treat them."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from logship.backfill.converter_spec import ConverterSpec
from logship.checkpoint import Range
from logship.config.settings import EndpointSettings, Settings
from logship.event import LogFile, Window
from logship.formats.directives import Heading
from logship.records import record


class RunPurpose(StrEnum):
    """Why lines are converted."""

    SEND = "send"
    COUNT = "count"  # a dry run, and the look for events that are too old: nothing leaves, nothing is confirmed


@record
class BackfillLog:
    """One log of the plan.

    Shapes: `path` is absolute, a URL, or "-"; size_bytes is as stored (0 for stdin); compression is "" for plain;
    `is_final`: nobody writes to it any more, so that a last line without newline is a line.
    `first_time` is a moment, "" where the first lines have none. `window` says which of its events may go out.
    """

    number: int
    path: str
    file: LogFile
    converter_spec: ConverterSpec
    endpoint: EndpointSettings
    drops_unmatched: bool
    size_bytes: int
    compression: str
    is_final: bool
    first_time: str = ""
    window: Window = field(default_factory=Window)

    @property
    def is_plain(self) -> bool:
        """Whether it can be read from any position, so by several workers."""
        return not self.compression and self.path != "-"

    @property
    def is_divisible(self) -> bool:
        """Whether it may be cut into pieces: a container log's lines may go on in others."""
        return self.is_plain and self.converter_spec.envelope == "none"


@record
class LogPiece:
    """The unit of work: [start, end) of one log, at line starts.

    Shapes: end None is to the end of the log (compressed, stdin); `confirmed` are the ranges in it that need no
    sending; `number` is unique in a run. `heading` is in force at `start`, or at a place before it.
    """

    number: int
    log: BackfillLog
    start: int
    end: int | None
    confirmed: tuple[Range, ...] = ()
    heading: Heading = Heading()


@record
class RunSettings:
    """What holds for all pieces of a run.

    Shapes: `settings` without sources (each log brings its own); `rate` is events/s of one task, 0 for no limit.
    """

    settings: Settings
    purpose: RunPurpose = RunPurpose.SEND
    rate: float = 0.0
