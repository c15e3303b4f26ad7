"""Formats of text lines, as Apache's LogFormat and nginx's log_format write them, and how the kernel reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from logship.errors import FormatError
from logship.fields import Kind, lookup
from logship.formats import line_pattern, times
from logship.formats.escapes import decode
from logship.formats.format import Format, Wanted
from logship.formats.line_pattern import INTEGERS, NUMBERS, Part, Reach, is_bounded, may_hold_spaces
from logship.formats.meaning import may_hold_blanks, meaning_of
from logship.formats.misfit import explain
from logship.formats.pieces import LineShape, Literal
from logship.formats.re2_door import Pattern, compile_pattern
from logship.formats.request_line import NO_REQUEST, PARTS, split_request_line
from logship.formats.slot import DecodeTime, Misfit, Slot, Values
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping, How, Op
from logship.kernel.values import Memo

_TIMES: dict[type, How] = {times.ClfTime: How.CLF, times.IsoTime: How.ISO, times.EpochTime: How.EPOCH}
BOM = b"\xef\xbb\xbf"
_LOOSE = frozenset({Kind.TEXT, Kind.REQUEST_LINE})  # with tolerance they hold spaces where no quotes bound them
TIMES_KEPT = 256  # neighbouring lines share their second
TOLERANT_BYTES = 16_384  # longer lines must fit strictly: RE2 takes 80 ns a byte, and no server logs such a user name


def emit_text_reading(
    parts: Sequence[Part], slots: Sequence[Slot], escaping: Escaping, assembler: Assembler, wanted: Wanted
) -> Escaping | None:  # fmt: skip
    """The instructions of a whole line; None where a time has a form of its own that nothing bounds."""
    unused = assembler.register()
    own = {part.variable.slot.field for part in parts if isinstance(part, Reach)}
    for part in parts:
        if isinstance(part, Literal):
            assembler.literal(part.latin.encode("latin-1"))
            continue
        how, stops = _how(part, escaping)
        if how is None:
            return None
        slot = part.variable.slot
        places = [unused if name in own else wanted.registers.get(name, unused) for name in PARTS]
        is_split = slot.kind is Kind.REQUEST_LINE and places != [unused] * len(PARTS)
        is_checked = slot.time is not None and slot.field not in wanted.moments
        meaning = meaning_of(slot, is_enclosed=part.quoted)
        register = unused if part.variable.repeated else wanted.registers.get(slot.field, unused)
        if register == unused and (is_split or is_checked or meaning) and not part.variable.repeated:
            register = assembler.register()
        lead = ord(part.lead) if part.lead else 0
        assembler.emit(Op.FIELD, register, how, assembler.constant(stops.encode("latin-1")), lead)
        if part.variable.repeated:
            continue
        if is_split:
            assembler.emit(Op.SPLIT, register, *places, 0)
        if is_checked:
            assembler.emit(Op.NUMBER, unused, wanted.time_function(slot), register)
        if meaning is not None:
            meaning.emit(assembler, register)
    assembler.emit(Op.END)
    return escaping


def _how(reach: Reach, escaping: Escaping) -> tuple[How | None, str]:
    """How far a value reaches, and the characters that end it; see line_pattern.strict_value."""
    kind, stop = reach.kind, reach.stop
    if reach.variable.slot.field == "is_args":
        return How.MARK, ""
    if kind is Kind.STATUS:
        return How.STATUS, ""
    if kind in INTEGERS:
        return How.INTEGER, ""
    if kind in NUMBERS:
        return How.NUMBER, ""
    if kind.is_time:
        return (How.BARE, f'{stop}"') if is_bounded(reach) else (_TIMES.get(type(reach.variable.slot.time)), "")
    if kind is Kind.LIST and stop in {" ", ""}:
        return How.LIST, ""
    stops = stop if may_hold_spaces(reach) or " " in stop else f"{stop} "
    if escaping is not Escaping.NONE and '"' not in stops:
        stops += '"'
    return How.TEXT, stops


class TextFormat(Format):
    """A compiled text format."""

    def __init__(self, name: str, shape: LineShape) -> None:
        self.name = name
        self.escaping = shape.escaping
        self.parts = line_pattern.measure(shape)
        reaches = [part for part in self.parts if isinstance(part, Reach) and not part.variable.repeated]
        self._groups = tuple(part.variable.slot for part in reaches)
        if not self._groups:
            raise FormatError(
                "the format has no fields", text=shape.text, width=max(1, len(shape.text)), hint=_other_kind(shape.text)
            )  # fmt: skip
        own = {group.field for group in self._groups}
        self.slots = tuple(
            slot for group in self._groups for slot in with_parts(group) if slot is group or slot.field not in own
        )
        self._kept_parts = tuple(index for index, name in enumerate(PARTS) if name not in own)
        self._without_escaped_quotes = re.compile(self._strict_pattern(has_quotes=False)).fullmatch
        self._request_lines = [at for at, slot in enumerate(self._groups) if slot.kind is Kind.REQUEST_LINE]
        self._times: list[tuple[int, DecodeTime]] = [
            (at, lru_cache(TIMES_KEPT)(slot.time.decoder("UTC"))) for at, slot in enumerate(self._groups) if slot.time
        ]
        self._open = {number for number, part in enumerate(reaches) if part.kind is Kind.TEXT and part.stop == " "}
        self._loose = [number for number, part in enumerate(reaches) if part.kind in _LOOSE and not part.quoted]
        meanings = [meaning_of(part.variable.slot, is_enclosed=part.quoted) for part in reaches]
        self._meanings = [
            (at, Memo(meaning.holds).__getitem__) for at, meaning in enumerate(meanings) if meaning is not None
        ]

    @cached_property
    def _with_escaped_quotes(self) -> Callable[[str], re.Match[str] | None]:
        return re.compile(self._strict_pattern(has_quotes=True)).fullmatch

    def _strict_pattern(self, *, has_quotes: bool) -> str:
        return line_pattern.strict_pattern(self.parts, self.escaping, has_quotes=has_quotes)

    def _strict(self, line: str) -> re.Match[str] | None:
        return self._with_escaped_quotes(line) if '\\"' in line else self._without_escaped_quotes(line)

    @cached_property
    def _tolerant_texts(self) -> tuple[str, ...]:
        """Exact literals first: a value may be spaces."""
        return tuple(self._tolerant_text(any_spaces=any_spaces) for any_spaces in (False, True))

    def _tolerant_text(self, *, any_spaces: bool, is_greedy: bool = False) -> str:
        return line_pattern.tolerant_pattern(self.parts, self.escaping, any_spaces=any_spaces, is_greedy=is_greedy)

    @cached_property
    def _tolerant(self) -> tuple[Pattern, ...]:
        return tuple(map(compile_pattern, self._tolerant_texts))

    @cached_property
    def _greedy(self) -> tuple[Pattern, ...]:
        """The same, but that blanks belong to the first value that may hold them instead of the last."""
        return tuple(compile_pattern(self._tolerant_text(any_spaces=each, is_greedy=True)) for each in (False, True))

    def forget(self) -> None:
        for patterns in ("_tolerant", "_greedy"):
            self.__dict__.pop(patterns, None)  # RE2 keeps up to MAX_MEMORY_BYTES for each pattern

    @property
    def shape(self) -> tuple[object, ...]:
        """Literals and slots in order; columns and spellings of variables are no matter."""
        return (
            self.escaping,
            *(part.text if isinstance(part, Literal) else part.variable.slot.field for part in self.parts),
            *((slot.kind, slot.moment, slot.time) for slot in self._groups),
        )

    def emit_reading(self, assembler: Assembler, wanted: Wanted) -> Escaping | None:
        return emit_text_reading(self.parts, self.slots, self.escaping, assembler, wanted)

    def parse(self, line: bytes) -> Values | None:
        line = bare_line(line)
        is_plain = line.isascii() and b"\\" not in line
        match = self._strict(line.decode("latin-1"))
        values = self._values(match.groups(), is_plain=is_plain) if match is not None else None
        if values is not None or len(line) > TOLERANT_BYTES:
            return values
        for number, pattern in enumerate(self._tolerant):
            found = pattern.fullmatch(line)
            if found is None:
                continue
            is_cut = len(self._loose) > 1 and any(b" " in (found[group] or b"") for group in self._loose)
            if is_cut and self._greedy[number].fullmatch(line) != found:
                return None  # the blanks may be another value's: nobody knows which columns these are
            return self._tolerated([(raw or b"").decode("latin-1") for raw in found])
        return None

    def _tolerated(self, raw_values: Sequence[str]) -> Values | None:
        """The values of a line that fits with tolerance; None where a word among blanks may be another column's."""
        values = list(map(_tolerate, raw_values))
        for number, slot in enumerate(self._groups):
            if slot.field == "remote_user":
                values[number] = values[number].strip(" ")
            elif number in self._open and " " in values[number] and not may_hold_blanks(slot.field, values[number]):
                return None
        return self._values(values)

    def is_exact(self, line: bytes) -> bool:
        return self._strict(bare_line(line).decode("latin-1")) is not None

    def _values(self, raw_values: Sequence[str], *, is_plain: bool = False) -> Values | None:
        """Decoded; `is_plain`: nothing is to be decoded. None where one is not what its field can be."""
        values = [
            "" if raw == "-" else raw if is_plain or (raw.isascii() and "\\" not in raw) else decode(raw, self.escaping)
            for raw in raw_values
        ]
        for at, decode_time in self._times:
            if decode_time(values[at]) is None:
                return None
        for at, holds in self._meanings:
            if values[at] and not holds(values[at]):
                return None
        for at in reversed(self._request_lines):  # their parts stand behind them
            parts = split_request_line(values[at]) if values[at] else NO_REQUEST
            values[at + 1 : at + 1] = [parts[index] for index in self._kept_parts]
        return tuple(values)

    def explain(self, line: bytes) -> Misfit | None:
        if self.parse(line) is not None:
            return None
        return explain(self.parts, self.escaping, bare_line(line).decode("latin-1"), len(line) - len(bare_line(line)))


def bare_line(line: bytes) -> bytes:
    """The line without a byte order mark in front and a carriage return behind."""
    if line[-1:] == b"\r":
        line = line[:-1]
    return line[3:] if line.startswith(BOM) else line


def _other_kind(text: str) -> str:
    """What somebody who wrote a format without fields may have meant."""
    if "%" in text:
        return "nginx names fields with $; of an Apache LogFormat write {apache: …}"
    if "$" in text:
        return "Apache names fields with %; of an nginx log_format write {nginx: …}"
    return "a field is $remote_addr in {nginx: …}, %h in {apache: …}; for any other log write {regex: …} or {json: …}"


def with_parts(slot: Slot) -> tuple[Slot, ...]:
    """The slot, and for a request line the parts it holds."""
    if slot.kind is not Kind.REQUEST_LINE:
        return (slot,)
    parts = []
    for name in PARTS:
        field = lookup(name)
        assert field is not None, "the vocabulary has the parts of a request line"
        parts.append(Slot(name, field.kind, slot.spelled, part_of=slot.field))
    return (slot, *parts)


def _tolerate(raw: str) -> str:
    """What the tolerant pattern took for a value: httpd writes an empty user as "", Jetty an absent one as ' - '."""
    return "" if raw == '""' or raw.strip(" ") == "-" else raw
