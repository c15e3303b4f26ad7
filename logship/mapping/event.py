"""From the leaves of a mapping to the instructions that write an event."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted

import orjson

from logship.event import Plain
from logship.fields import Kind
from logship.kernel.assembler import Assembler, Label
from logship.kernel.program import NONE, Known, Op
from logship.kernel.values import body, json_of, text_of
from logship.mapping import bodies, values
from logship.mapping.derived import SHARED_ENTRIES, Fields, Value, constant
from logship.mapping.plan import Branch, Leaf, Path
from logship.mapping.redaction_places import Cover, Covers
from logship.mapping.remote_decision import WEIGHT, OwnShares, RemoteDecision
from logship.mapping.template import Reference, Template
from logship.records import record

MAX_ID_CHARS = 256  # of user_id and the like: the API refuses longer ones
NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})
KEEPS_EMPTY: frozenset[Path] = frozenset({("request", "headers"), ("response", "headers"), ("request",), ("response",)})
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


class Shape(StrEnum):
    """What the API expects at a place of the event."""

    TEXT = "text"
    ID = "id"
    TIME = "time"
    VERB = "verb"
    URI = "uri"
    CLIENT_ADDRESS = "client address"
    STATUS = "status"
    BODY = "body"
    UUID = "uuid"
    HEADERS = "headers"
    ANY = "any"


SHAPES: dict[Path, Shape] = {
    ("request", "time"): Shape.TIME,
    ("response", "time"): Shape.TIME,
    ("request", "verb"): Shape.VERB,
    ("request", "uri"): Shape.URI,
    ("request", "ip_address"): Shape.CLIENT_ADDRESS,
    ("response", "ip_address"): Shape.TEXT,
    ("response", "status"): Shape.STATUS,
    ("request", "body"): Shape.BODY,
    ("response", "body"): Shape.BODY,
    ("request", "headers"): Shape.HEADERS,
    ("response", "headers"): Shape.HEADERS,
    ("request", "api_version"): Shape.TEXT,
    ("transaction_id",): Shape.UUID,
    ("user_id",): Shape.ID,
    ("company_id",): Shape.ID,
    ("session_token",): Shape.ID,
    ("subscription_id",): Shape.ID,
    ("direction",): Shape.TEXT,
}
FALLBACKS = {  # of what every event has, where a rule took it away
    Shape.TIME: '"1970-01-01T00:00:00.000Z"',
    Shape.VERB: f'"{values.UNKNOWN_METHOD}"',
    Shape.URI: '"/"',
    Shape.CLIENT_ADDRESS: f'"{values.NO_ADDRESS}"',
    Shape.STATUS: "0",
}


def shape_of(path: Path) -> Shape:
    return Shape.TEXT if len(path) == 3 and path[1] == "headers" else SHAPES.get(path, Shape.ANY)


@record
class Choice:
    """A leaf that stands at its place while a flag has a value; `groups` are the named groups of its rule."""

    number: int
    leaf: Leaf
    groups: Mapping[str, Value]


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


class EventWriter:
    """Writes the event; `choices` are the leaves that rules may change, each with its flag."""

    def __init__(
        self, fields: Fields, covers: Covers, choices: Mapping[Path, tuple[int, Sequence[Choice]]],
        max_body_bytes: int | None = None, remote: RemoteDecision | None = None,
    ) -> None:  # fmt: skip
        self._remote = remote
        self._fields = fields
        self._assembler = fields.assembler
        self._covers = covers
        self._choices = choices
        self._max_body_bytes = max_body_bytes
        self._groups: Mapping[str, Value] = {}

    def write(self, event: Branch, weights: OwnShares | None, is_kept: int) -> None:
        """The whole event; `weights` is what sampling kept, None without sampling; `is_kept` the flag of `keep`."""
        self._assembler.write("{")
        members = Members(self._assembler)
        event = {key: node for key, node in event.items() if key != "weight" or weights is None}
        self._branch(event, (), members)
        if "transaction_id" not in event:
            self._own_id(members)
        if self._remote is not None:
            self._remote.emit(is_kept, weights or ())
            self._remote.emit_weight()
        else:
            self._weights(weights or ())
        self._assembler.write("}")
        self._assembler.emit(Op.DONE)

    def _weights(self, weights: OwnShares) -> None:
        for flag, value, weight in weights:
            skip = Label()
            self._assembler.emit(Op.UNLESS_FLAG, flag, value, skip)
            self._assembler.write(f',"weight":{weight}')
            self._assembler.place(skip)

    def _branch(self, branch: Branch, path: Path, members: Members) -> None:
        for key, node in branch.items():
            here = (*path, key)
            if isinstance(node, Leaf):
                self._place(here, node, members)
            elif here in KEEPS_EMPTY and members.has_one is not None:
                members.begin(f"{quoted(key)}:{{")
                self._branch(node, here, Members(self._assembler))
                self._assembler.write("}")
            else:
                before = members.has_one
                self._assembler.emit(Op.OPEN, self._assembler.constant(f"{quoted(key)}:"))
                self._branch(node, here, Members(self._assembler))
                self._assembler.emit(Op.CLOSE, here not in KEEPS_EMPTY)
                members.optional(before)

    def _place(self, path: Path, leaf: Leaf, members: Members) -> None:
        """The leaf at a place, or what rules put there."""
        if path not in self._choices:
            self._leaf(path, leaf, members)
            return
        flag, choices = self._choices[path]
        end, before, after = Label(), members.has_one, []
        for choice in choices:
            skip = Label()
            members.has_one = before
            if choice is not choices[-1]:
                self._assembler.emit(Op.UNLESS_FLAG, flag, choice.number, skip)
            self._groups = choice.groups
            self._leaf(path, choice.leaf, members)
            after.append(members.has_one)
            if choice is not choices[-1]:
                self._assembler.emit(Op.JUMP, end)
                self._assembler.place(skip)
        self._groups = {}
        self._assembler.place(end)
        members.has_one = after[0] if len(set(after)) == 1 else None

    # -- one leaf

    def _leaf(self, path: Path, leaf: Leaf, members: Members) -> None:
        shape = shape_of(path)
        if isinstance(leaf.value, Template):
            self._template(path, shape, leaf.value, members)
        elif shape is Shape.UUID and leaf.value is None:
            self._own_id(members)
        else:
            text = _constant(leaf.value, shape, path)
            if text and self._notes(path):
                self._note(path, self._assembler.load(text_of(orjson.loads(text))))
            if text and not self._is_last(path):
                members.begin(f"{quoted(path[-1])}:{text}")

    def _notes(self, path: Path) -> bool:
        """Whether the receiver's rules ask for what is at this place."""
        return self._remote is not None and path in self._remote.wanted

    def _note(self, path: Path, register: int) -> None:
        if self._remote is not None and path in self._remote.wanted:
            self._assembler.emit(Op.FIRST, self._remote.wanted[path], register, register)

    def _is_last(self, path: Path) -> bool:
        """Whether it is the weight, which is written when the receiver's rules have been asked."""
        return self._remote is not None and path == WEIGHT

    def _own_id(self, members: Members) -> None:
        members.begin('"transaction_id":"')
        self._assembler.emit(Op.ID)
        self._assembler.write('"')

    def _template(self, path: Path, shape: Shape, template: Template, members: Members) -> None:
        key = f"{quoted(path[-1])}:"
        given = [part if isinstance(part, str) else self._reference(part, path) for part in template.parts]
        references = [part for part in given if isinstance(part, Value)]
        is_always = not references or any(one.is_always for one in references)
        if self._is_last(path):
            self._note(path, self._fields.held(self._whole(given, is_always=is_always)))
        elif shape is Shape.TIME:
            if self._notes(path):
                self._note(path, self._fields.held(references[0]))
            members.begin(f'{key}"')
            self._assembler.emit(Op.TIME, _moment(given[0]))
            self._assembler.write('"')
        elif shape is Shape.HEADERS:
            function = self._fields.function("headers", values.headers_object(self._covers.hidden))
            written = self._fields.call(function, self._fields.held(references[0]))
            self._note(path, written)
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
            is_certain = self._optional(path, shape, self._placed(path, given, is_always=is_always), members, skip)
            self._assembler.place(skip)
            if not (is_always and is_certain):
                members.optional(before)

    def _placed(self, path: Path, parts: Sequence[str | Value], *, is_always: bool) -> list[str | Value]:
        """The parts, or what covers them as a whole."""
        cover = self._covers.of_place(path)
        if cover is None:
            return list(parts)
        return [_covered(self._fields, self._whole(parts, is_always=is_always), cover)]

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
        value = self._groups.get(reference.name) or self._fields.value(reference.name)
        cover = self._covers.of_field(reference.name, path)
        if cover is not None:
            value = _covered(self._fields, value, cover)
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
        is_one = shape in (Shape.BODY, Shape.ID) or self._notes(path)
        whole = self._whole(parts, is_always=True) if is_one else constant("")
        if self._notes(path) and shape is not Shape.ID:
            self._note(path, self._fields.held(whole))
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
            self._note(path, full)  # whoever is excluded is so by an id that is too long to be sent, too
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
            if self._notes(path):
                one = self._whole(parts, is_always=True)
                self._note(path, self._fields.held(one))
                parts = [one]
            self._text(parts)
            return
        whole = self._whole(parts, is_always=is_always)
        if shape is Shape.CLIENT_ADDRESS and whole.name == "client_ip":
            if self._notes(path):
                self._note(path, self._fields.held(whole))
            self._text([whole])
            return
        call, known = _CALLS[shape]
        given = self._fields.call(self._fields.pure(call, known), self._fields.held(whole))
        self._note(path, given)
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


def _covered(fields: Fields, value: Value, cover: Cover) -> Value:
    """What covers a text; it is there where the text is."""
    if cover.call is None or value.register is None:
        text = cover.call(value.text) if cover.call is not None and value.text else cover.name
        return Value(Kind.TEXT, None, text, value.is_always) if cover.call is None or value.text else value
    function = fields.function(cover.name, cover.call, cover.known, entries=SHARED_ENTRIES, names=cover.names)
    return Value(Kind.TEXT, fields.call(function, fields.held(value)), is_always=value.is_always, name=value.name)


def _is_number(text: str) -> bool:
    """A number that every reader of JSON has room for."""
    return _NUMBER.match(text) is not None and abs(float(text)) < 2**63


def _constant(leaf: object, shape: Shape, path: Path) -> str:
    """A constant as JSON; '' for none where the event may lack it."""
    if leaf is None:
        return FALLBACKS.get(shape, "")
    if isinstance(leaf, bool | int | float):
        return json_of(leaf if shape is Shape.ANY or path == ("weight",) else text_of(leaf))
    if isinstance(leaf, dict | list):
        return json_of(leaf)
    text = str(leaf)
    if shape is Shape.ANY and isinstance(leaf, Plain) and (text in ("true", "false") or _is_number(text)):
        return text
    return quoted(text)
