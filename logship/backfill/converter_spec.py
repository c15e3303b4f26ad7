"""What a converter is made of, in a form that travels to other processes: patterns and compiled code don't."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Literal

from logship.conversion import PathFields, SourceConverter
from logship.conversion.envelope import Envelope, EnvelopeKind
from logship.conversion.headed import headed_lines
from logship.formats import FormatSpec, compile_format
from logship.formats.compiling import is_headed
from logship.mapping import Constants, MappingSpec
from logship.mapping.remote_rules import RemoteRules
from logship.records import record

KEPT_CONVERTERS = 4  # of a thread: sources rarely take turns piece by piece, and each remembers some MB of texts


@record
class ConverterSpec:
    """One source's format and mapping, read and checked, to be compiled where the lines are.

    Shapes: `format` is of any kind but auto; a detected one is there by its name. `envelope` is what a container
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
        """The lines inside of whole lines of the log; the same ones where nothing is wrapped around them."""
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
    """The compiled converter of a spec, with all that it remembers of logs before: a fresh one costs 25 ms of them.

    Never another thread's. What takes lines out of envelopes is made anew: it keeps halves of lines; so is
    what knows the directives above a position of another log.
    """
    if converter_spec.envelope != "none" or converter_spec.is_headed:
        return converter_spec.converter()
    kept = _kept.converters
    at = next((at for at, (other, _) in enumerate(kept) if other == converter_spec), None)
    one = (converter_spec, converter_spec.converter()) if at is None else kept.pop(at)
    _kept.converters = [*kept, one][-KEPT_CONVERTERS:]
    return one[1]
