"""Fields without what is redacted of them, wherever a template writes them."""

from __future__ import annotations

from dataclasses import replace

from logship.fields import Kind, canonical, lookup
from logship.mapping import values
from logship.mapping.derived import SHARED_ENTRIES, Fields, Value
from logship.mapping.event_keys import Path
from logship.mapping.redaction_places import Cover, Covers

NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})


class Clearing:
    """Emits what redacts a value."""

    def __init__(self, fields: Fields, covers: Covers) -> None:
        self._fields = fields
        self._covers = covers

    def field(self, name: str, value: Value, path: Path) -> Value:
        """A field without what is redacted of it."""
        cover = self._covers.of_field(name, path)
        if cover is not None:
            return covered(self._fields, value, cover)
        is_known = lookup(canonical(name) or name) is not None or name in self._fields.setting.made
        is_open = value.may_be_bare and value.kind not in NUMBERS
        mask = self._covers.member_mask(name, path) if is_open or not is_known else None
        if mask is None or value.register is None or value.is_moment:
            return value
        function, texts = self._fields.function, [value.register, *self._tokens()]
        text = function(f"mask of {name}", mask.text, arity=len(texts), entries=SHARED_ENTRIES)
        json = function(f"JSON mask of {name}", mask.json, arity=len(texts), entries=SHARED_ENTRIES)
        chosen = self._fields.chain([Value(Kind.TEXT, self._fields.call(text, *texts)), value])
        masked = self._fields.call(json, *texts)
        return replace(chosen, kind=value.kind, is_always=value.is_always, masked=masked)

    def _tokens(self) -> list[int]:
        """A register with the tokens that must not be sent, none where the mapping reads no token."""
        held = [self._fields.held(self._fields.value(name)) for name in self._covers.tokens]
        if len(held) < 2:
            return held
        return [self._fields.assembler.join([part for one in held for part in (one, " ")])]

    def part(self, value: Value, group: Value, path: Path) -> Value:
        """A part that a rule cut out of a field, if it can be seen in what is sent of that field."""
        if group.cut_from is None or value.register is None:
            return value
        name, whole = group.cut_from
        cleared = self.field(name, whole, path)
        if cleared is whole:
            return value
        seen = self._fields.pure(values.seen_part, arity=2)
        return replace(value, register=self._fields.call(seen, value.register, self._fields.held(cleared)))


def covered(fields: Fields, value: Value, cover: Cover) -> Value:
    """What covers a text; it is there where the text is."""
    if cover.call is None or value.register is None:
        text = cover.call(value.text) if cover.call is not None and value.text else cover.name
        return Value(Kind.TEXT, None, text, value.is_always) if cover.call is None or value.text else value
    function = fields.function(cover.name, cover.call, cover.known, entries=SHARED_ENTRIES, names=cover.names)
    return Value(Kind.TEXT, fields.call(function, fields.held(value)), is_always=value.is_always, name=value.name)
