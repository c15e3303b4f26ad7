"""What the driver hands to workers: logs, pieces of them, and how to treat them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Literal

from logship.checkpoint import Range
from logship.config.settings import Settings
from logship.conversion import PathFields, SourceConverter
from logship.conversion.envelope import Envelope, EnvelopeKind
from logship.conversion.headed import headed_lines
from logship.endpoint import Endpoint
from logship.event import LogFile, Window
from logship.formats import FormatSpec, compile_format
from logship.formats.compiling import is_headed
from logship.formats.directives import Heading
from logship.mapping import Constants, MappingSpec
from logship.mapping.remote_rules import RemoteRules
from logship.records import record

KEPT_CONVERTERS = 4  # a thread: sources rarely change with every piece, and each converter's cache takes some MB


@record
class ConverterSpec:
    """One source's format and mapping, read and checked, to be compiled where the lines are.

    Shapes: `format` is of any kind but auto; a detected one is stored under its name. `envelope` is what a container
    runtime wrapped around each line.
    """

    source: str
    format: FormatSpec
    named: Mapping[str, FormatSpec]
    mapping: MappingSpec
    constants: Constants
    path_fields: str | None = None
    envelope: EnvelopeKind | Literal["none"] = "none"
    rules: bytes = b""  # the receiver's, as RemoteRules.text

    @property
    def is_headed(self) -> bool:
        return self.envelope == "none" and is_headed(self.format, self.named)

    def converter(self) -> SourceConverter:
        """The compiled converter."""
        pattern = PathFields() if self.path_fields is None else PathFields.of(self.path_fields)
        compiled = compile_format(self.format, self.named)
        rules = RemoteRules.of(self.rules) if self.rules else None
        return SourceConverter(
            self.source, compiled, self.mapping, self.constants, pattern, self.named, self.envelope, rules
        )

    def opened(self, lines: Sequence[bytes]) -> list[bytes]:
        """The lines without their envelopes."""
        if self.is_headed:
            return headed_lines(lines)
        if self.envelope == "none":
            return [line.removesuffix(b"\r") for line in lines]
        return Envelope(self.envelope).open(b"".join(line + b"\n" for line in lines), 0).lines


class _Kept(threading.local):
    """The converters that this thread has used last, the newest at the end."""

    def __init__(self) -> None:
        self.converters: list[tuple[ConverterSpec, SourceConverter]] = []


_kept = _Kept()


def converter_of(converter_spec: ConverterSpec) -> SourceConverter:
    """The compiled converter of a spec, with its cache from earlier logs: compiling takes some 25 ms.

    Each thread has its own. A converter for envelopes or for logs with directives is always a new one: it holds halves
    of lines, or directives, of the log before.
    """
    if converter_spec.envelope != "none" or converter_spec.is_headed:
        return converter_spec.converter()
    kept = _kept.converters
    at = next((at for at, (other, _) in enumerate(kept) if other == converter_spec), None)
    one = (converter_spec, converter_spec.converter()) if at is None else kept.pop(at)
    _kept.converters = [*kept, one][-KEPT_CONVERTERS:]
    return one[1]


class RunPurpose(StrEnum):
    """Why lines are converted."""

    SEND = "send"
    COUNT = "count"  # a dry run, and the count of events that are too old: nothing is sent or confirmed


@record
class BackfillLog:
    """One log of the plan.

    Shapes: `path` is absolute, a URL, or "-"; size_bytes is as stored (0 for stdin); compression is "" for plain;
    `is_final`: nobody writes to it any more, so a last line without newline is a line.
    `first_time` is a moment, "" where the first lines have none. `window` says which of its events may go out.
    """

    number: int
    path: str
    file: LogFile
    converter_spec: ConverterSpec
    endpoint: Endpoint
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
        """Whether it may be cut into pieces: a line of a container log may continue in the next piece."""
        return self.is_plain and self.converter_spec.envelope == "none"


@record
class LogPiece:
    """The unit of work: [start, end) of one log, at line starts.

    Shapes: end None is the end of the log (compressed, stdin); `confirmed` are the ranges in it that the
    receiver has; `number` is unique in a run. `heading` is in force at `start`, or at a place before it.
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
