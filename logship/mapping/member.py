"""One member of an event: from the parts of a template to the instructions that write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring_ascii as quoted

from logship.fields import Kind, canonical, lookup
from logship.kernel.assembler import Assembler, Label
from logship.kernel.program import NONE, Known, Op
from logship.kernel.values import body
from logship.mapping import bodies, values
from logship.mapping.clearing import NUMBERS, Clearing, covered
from logship.mapping.derived import Fields, Value, constant
from logship.mapping.event_keys import FALLBACKS, MAX_ID_CHARS, Path, Shape
from logship.mapping.redaction_places import Covers
from logship.mapping.remote_decision import WEIGHT, RemoteDecision
from logship.mapping.template import Reference, Template


class Members:
    """Commas: whether the object that is being written has a member already, as far as it is known beforehand."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self.has_one: bool | None = False  # None: it depends on the line

    def begin(self, text: str) -> None:
        """A member begins, with this text."""
        if self.has_one is None:
            self._assembler.emit(Op.MEMBER, self._assembler.constant(text))
        else:
            self._assembler.write(("," if self.has_one else "") + text)
        self.has_one = True

    def optional(self, before: bool | None) -> None:
        """What was written since `before` may be left out."""
        self.has_one = True if before else None


class MemberWriter:
    """Writes what a template gives at a place of the event."""

    def __init__(
        self, fields: Fields, covers: Covers, max_body_bytes: int | None, remote: RemoteDecision | None
    ) -> None:
        self._remote = remote
        self._fields = fields
        self._assembler = fields.assembler
        self._covers = covers
        self._cleared = Clearing(fields, covers)
        self._max_body_bytes = max_body_bytes
        self.groups: Mapping[str, Value] = {}  # named groups of the rule that sets the place

    def notes(self, path: Path) -> bool:
        """Whether the receiver's rules ask for what is at this place."""
        return self._remote is not None and path in self._remote.wanted

    def note(self, path: Path, register: int) -> None:
        """Keeps what is written at a place for the receiver's rules."""
        if self._remote is not None and path in self._remote.wanted:
            self._assembler.first(self._remote.wanted[path], [register])

    def _note_bare(self, path: Path, parts: Sequence[str | Value]) -> None:
        """Keeps what is written at a place as it is before it is hashed."""
        if self._remote is not None and path in self._remote.bare:
            held = self._fields.held(self._whole(parts, is_always=True))
            self._assembler.first(self._remote.bare[path], [held])

    def is_last(self, path: Path) -> bool:
        """Whether it is the weight, which is written when the receiver's rules have been asked."""
        return self._remote is not None and path == WEIGHT

    def own_id(self, members: Members) -> None:
        """The id that every event has."""
        members.begin('"transaction_id":"')
        self._assembler.emit(Op.ID)
        self._assembler.write('"')

    def template(self, path: Path, shape: Shape, template: Template, members: Members) -> None:
        """The member, or nothing where no field of the template is there and the event may lack it."""
        key = f"{quoted(path[-1])}:"
        given = [part if isinstance(part, str) else self._reference(part, path) for part in template.parts]
        references = [part for part in given if isinstance(part, Value)]
        is_always = not references or any(one.is_always for one in references)
        if self.is_last(path):
            self.note(path, self._fields.held(self._whole(given, is_always=is_always)))
        elif shape is Shape.TIME:
            if self.notes(path):
                self.note(path, self._fields.held(references[0]))
            members.begin(f'{key}"')
            self._assembler.emit(Op.TIME, _moment(given[0]))
            self._assembler.write('"')
        elif shape is Shape.HEADERS:
            function = self._fields.function("headers", values.headers_object(self._covers.header_text))
            written = self._fields.call(function, self._fields.held(references[0]))
            self.note(path, written)
            members.begin(key)
            self._assembler.emit(Op.PLAIN, written)
        elif shape in FALLBACKS or shape is Shape.UUID:
            whole = self._placed(path, given, is_always=is_always)
            members.begin(key)
            self._required(path, shape, whole, is_always=is_always)
        elif is_always or any(one.register is not None for one in references):
            before, skip = members.has_one, Label()
            if not is_always:
                self._unless_any(references, skip)
            if shape is Shape.BODY and self._max_body_bytes is not None:
                measure = self._fields.function("is longer", bodies.is_longer(self._max_body_bytes))
                self._unless_left_out(path, self._whole(given, is_always=False), measure, skip)
                is_always = False
            self._note_bare(path, given)
            is_certain = self._optional(path, shape, self._placed(path, given, is_always=is_always), members, skip)
            self._assembler.place(skip)
            if not (is_always and is_certain):
                members.optional(before)

    def _placed(self, path: Path, parts: Sequence[str | Value], *, is_always: bool) -> list[str | Value]:
        """The parts, or what covers them as a whole."""
        cover = self._covers.of_place(path)
        if cover is None:
            return list(parts)
        return [covered(self._fields, self._whole(parts, is_always=is_always), cover)]

    def _whole(self, parts: Sequence[str | Value], *, is_always: bool) -> Value:
        """The parts in one text."""
        if len(parts) == 1:
            return parts[0] if isinstance(parts[0], Value) else Value(Kind.TEXT, None, parts[0], True)
        texts = [part if isinstance(part, str) else self._text_or_register(part) for part in parts]
        return Value(Kind.TEXT, self._assembler.join(texts), is_always=is_always)

    def _text_or_register(self, value: Value) -> str | int:
        return value.text if value.register is None else self._fields.held(value)

    def _reference(self, reference: Reference, path: Path) -> Value:
        """A field in a template, covered, with its default."""
        name, group = reference.name, self.groups.get(reference.name)
        if group is None:
            value = self._cleared.field(name, self._fields.value(name), path)
        else:
            value = self._cleared.field(name, group, path) if lookup(canonical(name) or name) else group
            value = self._cleared.part(value, group, path)
        return self._fields.with_default(self._fields.filtered(value, reference.filters), reference.default)

    def _unless_any(self, references: Sequence[Value], skip: Label) -> None:
        """Goes on where one of the fields is there."""
        registers = [one.register for one in references if one.register is not None]
        found = Label()
        for register in registers[:-1]:
            following = Label()
            self._assembler.emit(Op.EMPTY, register, following)
            self._assembler.emit(Op.JUMP, found)
            self._assembler.place(following)
        self._assembler.emit(Op.EMPTY, registers[-1], skip)
        self._assembler.place(found)

    def _unless_left_out(self, path: Path, value: Value, measure: int, skip: Label) -> None:
        """Goes on where `measure` gives one character of the text, else counts."""
        measured = self._fields.call(measure, self._fields.held(value))
        fitting = self._assembler.register()
        self._assembler.emit(Op.LIMIT, fitting, measured, 1, self._assembler.counter("left out", ".".join(path)))
        self._assembler.emit(Op.EMPTY, fitting, skip)

    def _optional(
        self, path: Path, shape: Shape, parts: Sequence[str | Value], members: Members, skip: Label
    ) -> bool:  # fmt: skip
        """Writes a member that is there; False where it may be left out yet."""
        key = f"{quoted(path[-1])}:"
        is_one = shape in (Shape.BODY, Shape.ID) or self.notes(path)
        whole = self._whole(parts, is_always=True) if is_one else constant("")
        is_open = any(isinstance(part, Value) and part.may_be_bare for part in parts)
        if self.notes(path) and shape is not Shape.ID:
            self.note(path, self._fields.held(whole))
        if shape is Shape.BODY:
            is_masked = self._covers.of_place(path) is not None
            if is_masked:
                self._unless_left_out(path, whole, self._fields.pure(bodies.is_missing), skip)
            function = self._fields.function("body", bodies.body_members)
            members.begin("")
            self._assembler.emit(Op.PLAIN, self._fields.call(function, self._fields.held(whole)))
            return not is_masked
        elif shape is Shape.ID:
            counter = self._assembler.counter("left out", ".".join(path))
            kept, full = self._assembler.register(), self._fields.held(whole)
            for sign in "{[" if is_open else "":  # a JSON object is nobody's id
                other = Label()
                self._assembler.emit(Op.UNLESS_PREFIX, full, self._assembler.constant(sign), other)
                self._assembler.emit(Op.EMPTY, self._fields.call(self._fields.pure(values.no_object), full), skip)
                self._assembler.place(other)
            self.note(path, full)  # whoever is excluded is so by an id that is too long to be sent, too
            self._assembler.emit(Op.LIMIT, kept, full, MAX_ID_CHARS, counter)
            self._assembler.emit(Op.EMPTY, kept, skip)
            members.begin(key)
            self._text([Value(Kind.TEXT, kept)])
            return False
        else:
            members.begin(key)
            if shape is Shape.ANY and len(parts) == 1 and isinstance(parts[0], Value):
                self._any(parts[0])
            else:
                self._text(parts)
        return True

    def _required(self, path: Path, shape: Shape, parts: Sequence[str | Value], *, is_always: bool) -> None:
        """Writes what every event has, or what stands for it."""
        if shape in (Shape.VERB, Shape.URI):
            if not is_always:
                fallback = constant(values.UNKNOWN_METHOD if shape is Shape.VERB else "/")
                parts = [self._fields.chain([self._whole(parts, is_always=False), fallback])]
            if self.notes(path):
                one = self._whole(parts, is_always=True)
                self.note(path, self._fields.held(one))
                parts = [one]
            self._text(parts)
            return
        whole = self._whole(parts, is_always=is_always)
        if shape is Shape.CLIENT_ADDRESS and whole.name == "client_ip":
            if self.notes(path):
                self.note(path, self._fields.held(whole))
            self._text([whole])
            return
        call, known = _CALLS[shape]
        given = self._fields.call(self._fields.pure(call, known), self._fields.held(whole))
        self.note(path, given)
        if shape is not Shape.UUID:
            quote = '"' if shape is Shape.CLIENT_ADDRESS else ""
            self._assembler.write(quote)
            self._assembler.emit(Op.PLAIN, given)
            self._assembler.write(quote)
            return
        own, end = Label(), Label()
        self._assembler.write('"')
        self._assembler.emit(Op.EMPTY, given, own)
        self._assembler.emit(Op.PLAIN, given)
        self._assembler.emit(Op.JUMP, end)
        self._assembler.place(own)
        self._assembler.emit(Op.ID)
        self._assembler.place(end)
        self._assembler.write('"')

    def _any(self, value: Value) -> None:
        """A number stays a number, JSON stays JSON, all else is text."""
        if value.masked is not None:
            as_it_is, end = Label(), Label()
            self._assembler.emit(Op.EMPTY, value.masked, as_it_is)
            self._assembler.emit(Op.PLAIN, value.masked)
            self._assembler.emit(Op.JUMP, end)
            self._assembler.place(as_it_is)
            self._any(replace(value, masked=None))
            self._assembler.place(end)
            return
        if value.register is None or value.is_moment:
            self._text([value])
        elif value.kind is Kind.STATUS:
            status = self._fields.call(self._fields.pure(values.status_json, Known.STATUS), value.register)
            self._assembler.emit(Op.PLAIN, status)
        elif value.kind in NUMBERS:
            self._assembler.emit(Op.VALUE, value.register, self._fields.pure(values.number_json, Known.NUMBER))
        elif value.may_be_bare:
            self._assembler.emit(Op.VALUE, value.register, NONE)
        else:
            self._text([value])

    def _text(self, parts: Sequence[str | Value]) -> None:
        """A JSON string."""
        self._assembler.write('"')
        for part in parts:
            if isinstance(part, str):
                self._assembler.write(body(part))
            elif part.register is None:
                self._assembler.write(body(part.text))
            elif part.is_moment:
                self._assembler.emit(Op.TIME, part.register)
            else:
                self._assembler.emit(Op.TEXT, part.register)
        self._assembler.write('"')


_CALLS = {
    Shape.CLIENT_ADDRESS: (values.address, Known.ADDRESS),
    Shape.STATUS: (values.status_json, Known.STATUS),
    Shape.UUID: (values.transaction_id, Known.NOTHING),
}


def _moment(value: str | Value) -> int:
    assert isinstance(value, Value)
    assert value.is_moment
    assert value.register is not None, "the lowering knows times only"
    return value.register
