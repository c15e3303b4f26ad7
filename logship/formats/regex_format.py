"""Formats by a regular expression with named groups, run by RE2: linear time whatever the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from logship.errors import FormatError
from logship.fields import Kind, closest
from logship.formats.escapes import ESCAPINGS, decode
from logship.formats.format import Format
from logship.formats.json_format import TIMES_KEPT, keyed_slot
from logship.formats.meaning import meaning_of
from logship.formats.re2_door import Pattern, compile_pattern
from logship.formats.request_line import NO_REQUEST, split_request_line
from logship.formats.slot import DecodeTime, Misfit, Slot, Values
from logship.formats.spec import KeySpec
from logship.formats.text_format import bare_line, with_parts

MAX_CUTS = 80  # how many beginnings of the pattern are tried to say where a line stopped fitting
WAYS_BYTES = 65_536  # bytes of a line times ways to match it: RE2 takes about 40 ns for each to tell what is in groups
_WILD = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*+\]|(\.[*+{])", re.DOTALL)
_GROUP = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>")


class RegexFormat(Format):
    """A compiled regex format: each named group is a field; the pattern may match anywhere in the line.

    Shapes: lines of more than `longest` bytes do not fit. Each `.*` of a pattern may reach over all that follows, and
    RE2 goes all these ways at once: a pattern without `.*` takes lines of 64 kB, one with four of them lines of 13 kB.
    """

    time_hint = "name the group that holds it: (?P<time_received>…)"

    def __init__(self, name: str, text: str, keys: Mapping[str, KeySpec], escape: str = "none") -> None:
        self.name = name
        self._escaping = ESCAPINGS[escape]
        self._text = text
        self._pattern = compile_pattern(text)
        self._wild = sum(match[1] is not None for match in _WILD.finditer(text))
        self.longest = WAYS_BYTES // (1 + self._wild)
        self._groups = tuple(self._slot(group, text, keys) for group in self._pattern.groups)
        self._check(text, keys)
        self._numbers = tuple(number - 1 for number in self._pattern.groups.values())
        fields = {slot.field for slot in self._groups}
        self.slots = tuple(
            slot
            for group in self._groups
            for slot in with_parts(group)
            if slot is group or slot.field not in fields
        )  # fmt: skip
        self._times: tuple[DecodeTime | None, ...] = tuple(
            lru_cache(TIMES_KEPT)(slot.time.decoder("UTC")) if slot.time else None for slot in self._groups
        )
        self._meanings = tuple(meaning_of(slot, is_free=True) for slot in self._groups)

    @staticmethod
    def _slot(group: str, text: str, keys: Mapping[str, KeySpec]) -> Slot:
        """The slot of a group; `fields:` may give it another name and a time format."""
        for name, key in keys.items():
            if group == key.key:
                return keyed_slot(name, KeySpec(group, key.time_format))
        return keyed_slot(group, KeySpec(group))

    def _check(self, text: str, keys: Mapping[str, KeySpec]) -> None:
        names = _GROUP.findall(text)
        if not names:
            raise FormatError(
                "the regex has no named groups, so no fields", text=text, column=0, width=len(text),
                hint="write (?P<status>[0-9]+)",
            )  # fmt: skip
        fields: dict[str, str] = {}
        for name, slot in zip(self._pattern.groups, self._groups, strict=True):
            if slot.field in fields or names.count(name) > 1:
                raise FormatError(f"the group {name} appears twice", text=text, column=text.rfind(f"<{name}>"))
            fields[slot.field] = name
        for name, key in keys.items():
            if key.key not in names:
                near = closest(key.key, names)
                raise FormatError(
                    f"fields: {name} names {key.key}, which is no group of the regex",
                    text=key.key, column=0, width=len(key.key),
                    hint=f"did you mean {near}?" if near else "",
                )  # fmt: skip

    def parse(self, line: bytes) -> Values | None:
        bare = bare_line(line)
        found = self._pattern.search(bare) if len(bare) <= self.longest else None
        if found is None:
            return None
        values: dict[str, str] = {}
        for slot, number, decode_time, meaning in zip(
            self._groups, self._numbers, self._times, self._meanings, strict=True
        ):
            raw = found[number]
            value = "" if raw is None or raw == b"-" else decode(raw.decode("latin-1"), self._escaping)
            if decode_time is not None and decode_time(value) is None:
                return None
            if meaning is not None and value and not meaning.holds(value):
                return None
            values[slot.field] = value
            if slot.kind is Kind.REQUEST_LINE:
                parts = split_request_line(value) if value else NO_REQUEST
                for part, text in zip(with_parts(slot)[1:], parts, strict=True):
                    values.setdefault(part.field, text)
        return tuple([values[slot.field] for slot in self.slots])

    def explain(self, line: bytes) -> Misfit | None:
        if self.parse(line) is not None:
            return None
        bare = bare_line(line)
        of = len(self._groups)
        if len(bare) > self.longest:
            return Misfit(self.longest, f"the end of a line (the regex has {self._wild} × .*; write [^ ]*)", 0, of)
        found = self._pattern.named(bare)
        if found is not None:
            return self._explain_value(found, bare, of)
        for cut in _cuts(self._text):
            pattern = _try(self._text[:cut])
            if pattern is None:
                continue
            spans = pattern.spans(bare, 1)
            if spans:
                at = spans[0][0][1]
                return Misfit(at, f"what matches {self._text[cut : cut + 30]}", len(pattern.groups), of)
        return Misfit(0, f"what matches {self._text[:30]}", 0, of)

    def _explain_value(self, found: Mapping[str, bytes], line: bytes, of: int) -> Misfit:
        for number, (slot, decode_time, meaning) in enumerate(
            zip(self._groups, self._times, self._meanings, strict=True)
        ):
            raw = found.get(slot.spelled, b"")
            value = "" if raw == b"-" else raw.decode("utf-8", "replace")
            if slot.time and decode_time is not None and decode_time(value) is None:
                return Misfit(max(line.find(raw), 0), f"a time like {slot.time.example} ({slot.spelled})", number, of)
            if meaning is not None and value and not meaning.holds(value):
                return Misfit(max(line.find(raw), 0), f"{meaning.words} ({slot.spelled})", number, of)
        raise AssertionError("a line that the pattern matches is refused for a value only")


def _cuts(text: str) -> list[int]:
    """Places where the pattern may be cut, outside groups and classes, from the end; at most MAX_CUTS of them."""
    cuts: list[int] = []
    depth, in_class, at = 0, False, 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        at += 1
        if depth == 0 and not in_class and text[at : at + 1] not in {"*", "+", "?", "{"}:
            cuts.append(at)
    step = len(cuts) // MAX_CUTS + 1
    return cuts[::-1][::step]


def _try(text: str) -> Pattern | None:
    """The pattern of a piece of the text; None where the cut left no pattern."""
    try:
        return compile_pattern(text)
    except FormatError:
        return None
