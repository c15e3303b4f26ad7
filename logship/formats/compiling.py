"""Compiles format specs, also lists of formats, of which the first that fits reads a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from logship.errors import FormatError
from logship.fields import closest
from logship.formats.format import Format, Read
from logship.formats.slot import Misfit, Slot, Values
from logship.formats.spec import KINDS, FormatSpec

MAX_DEPTH = 8  # of names that stand for names; more is a circle


class EitherFormat(Format):
    """Several formats, tried in order.

    Shapes: slots are those of all members, the first member's where several have a field. As members may write a field
    in different ways, compile against each of `members` and `choose` by line; parse here gives each member's own text.
    """

    def __init__(self, name: str, members: Sequence[Format]) -> None:
        if not members:
            raise FormatError("a list of formats needs at least one")
        headed = next((member.name for member in members if member.is_headed and len(members) > 1), "")
        if headed:
            raise FormatError(
                f"{headed} can not be one of several: its lines say what they are only below their #Fields"
            )
        self.name = name
        self._members = tuple(members)
        slots: dict[str, Slot] = {}
        for member in members:
            for slot in member.slots:
                slots.setdefault(slot.field, slot)
        self.slots = tuple(slots.values())
        self.is_open = any(member.is_open for member in members)

    @property
    def members(self) -> tuple[Format, ...]:
        return self._members

    def slot(self, field: str) -> Slot | None:
        return next((slot for member in self._members if (slot := member.slot(field))), None)

    def choose(self, line: bytes) -> int | None:
        return next((index for index, member in enumerate(self._members) if member.parse(line) is not None), None)

    def reader(self, needed: Sequence[str]) -> Read:
        """By the first member that fits; a field that the member lacks is ''."""
        for field in needed:
            if self.slot(field) is None:
                raise KeyError(field)
        readers: list[tuple[Read, tuple[int, ...]]] = []
        for member in self._members:
            there = [field for field in needed if member.slot(field) is not None]
            places = tuple(there.index(field) if field in there else -1 for field in needed)
            readers.append((member.reader(there), places))

        def read(line: bytes) -> Values | None:
            for read_member, places in readers:
                values = read_member(line)
                if values is not None:
                    return tuple([values[place] if place >= 0 else "" for place in places])
            return None

        return read

    def parse(self, line: bytes) -> Values | None:
        for member in self._members:
            values = member.parse(line)
            if values is not None:
                found = {slot.field: value for slot, value in zip(member.slots, values, strict=True)}
                return tuple([found.get(slot.field, "") for slot in self.slots])
        return None

    def explain(self, line: bytes) -> Misfit | None:
        """The misfit of the member that got furthest."""
        misfits: list[Misfit] = []
        for member in self._members:
            misfit = member.explain(line)
            if misfit is None:
                return None
            misfits.append(misfit)
        return max(misfits, key=lambda misfit: (misfit.fits / misfit.of, misfit.at))


def compile_format(spec: FormatSpec, named: Mapping[str, FormatSpec], name: str = "") -> Format:
    """The compiled format; `named` are the presets and the configuration's own formats.

    Raises: FormatError with the column in the format string, the reason, and what to write instead.
    """
    return _compile(spec, named, name, 0)


def _compile(spec: FormatSpec, named: Mapping[str, FormatSpec], name: str, depth: int) -> Format:
    """Each kind is imported when it is asked for: a daemon that reads one kind starts without the others."""
    if spec.kind == "apache":
        from logship.formats import apache
        from logship.formats.text_format import TextFormat

        return TextFormat(name or "apache", apache.read_log_format(spec.text))
    if spec.kind == "nginx":
        from logship.formats import nginx
        from logship.formats.text_format import TextFormat

        return TextFormat(name or "nginx", nginx.read_log_format(spec.text))
    if spec.kind == "named":
        return _compile(_resolve(spec.text, named, depth), named, spec.text, depth + 1)
    if spec.kind == "json":
        from logship.formats.json_format import JsonFormat

        return JsonFormat(name or "json", spec.keys)
    if spec.kind == "ltsv":
        from logship.formats.ltsv_format import LtsvFormat

        return LtsvFormat(name or "ltsv", spec.keys)
    if spec.kind == "w3c":
        from logship.formats.w3c import W3cFormat

        return W3cFormat(name or "w3c", spec.text)
    if spec.kind == "regex":
        from logship.formats.regex_format import RegexFormat

        return RegexFormat(name or "regex", spec.text, spec.keys or {}, spec.escape)
    if spec.kind == "list":
        from logship.formats.compiling import EitherFormat

        members = [_compile(member, named, "", depth + 1) for member in spec.members]
        flat = [single for member in members for single in member.members]
        return EitherFormat(name or ", ".join(member.name for member in flat), flat)
    raise FormatError("auto is not a format by itself: detect the format from lines first")


def is_headed(spec: FormatSpec, named: Mapping[str, FormatSpec]) -> bool:
    """Whether the format's lines mean something below their directives only."""
    for _ in range(MAX_DEPTH):
        if spec.kind != "named" or spec.text not in named:
            break
        spec = named[spec.text]
    return spec.kind == "w3c"


def _resolve(name: str, named: Mapping[str, FormatSpec], depth: int) -> FormatSpec:
    if depth > MAX_DEPTH:
        raise FormatError(f"format {name!r} refers to itself", text=name, column=0, width=len(name))
    if name in named:
        return named[name]
    kind, colon, text = name.partition(":")
    near = next((word for word in re.split("[-_ ]", name) if word in named), None) or closest(name, named)
    hint = f"did you mean '{near}'?" if near else "see `logship formats` for the presets"
    if colon and kind.strip() in KINDS:
        hint = f"write {{{kind.strip()}: {text.strip()}}}"
    raise FormatError(f"no preset '{name}'", text=name, column=0, width=len(name), hint=hint)
