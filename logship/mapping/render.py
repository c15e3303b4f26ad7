"""From templates to the pieces of JSON text that make an event, as expressions of generated code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted

from logship.errors import Location
from logship.fields import Kind, canonical
from logship.mapping import values
from logship.mapping.access import Access, Reader
from logship.mapping.clock import iso_time
from logship.mapping.code import Part, choice, constant, either, expression, is_false, joined, melt
from logship.mapping.template import Reference, Template
from logship.scalars import Plain

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})


class Shape(StrEnum):
    """What the API expects at a place of the event."""

    TEXT = "text"
    TIME = "time"
    VERB = "verb"
    URI = "uri"
    CLIENT_ADDRESS = "client address"
    STATUS = "status"
    BODY = "body"
    UUID = "uuid"
    ANY = "any"


SHAPES: dict[tuple[str, ...], Shape] = {
    ("request", "time"): Shape.TIME,
    ("response", "time"): Shape.TIME,
    ("request", "verb"): Shape.VERB,
    ("request", "uri"): Shape.URI,
    ("request", "ip_address"): Shape.CLIENT_ADDRESS,
    ("response", "ip_address"): Shape.TEXT,
    ("response", "status"): Shape.STATUS,
    ("request", "body"): Shape.BODY,
    ("response", "body"): Shape.BODY,
    ("request", "api_version"): Shape.TEXT,
    ("transaction_id",): Shape.UUID,
    ("user_id",): Shape.TEXT,
    ("company_id",): Shape.TEXT,
    ("session_token",): Shape.TEXT,
    ("subscription_id",): Shape.TEXT,
    ("direction",): Shape.TEXT,
}
REQUIRED = frozenset({Shape.TIME, Shape.VERB, Shape.URI, Shape.CLIENT_ADDRESS, Shape.STATUS})


def shape_of(path: tuple[str, ...]) -> Shape:
    if len(path) == 3 and path[1] == "headers":
        return Shape.TEXT
    return SHAPES.get(path, Shape.ANY)


@dataclass(frozen=True, slots=True)
class Piece:
    """A value of the event as JSON text.

    Shapes: `parts` joined are the value; `present` tells whether the line has it, None: always. `is_members`: the parts
    are whole members (`"body":…,"transfer_encoding":…`) without a key of their own.
    """

    parts: tuple[Part, ...]
    present: ast.expr | None = None
    is_members: bool = False


Cover = Callable[[ast.expr], ast.expr]  # wraps a text in its redaction


@dataclass(frozen=True, slots=True)
class Covers:
    """The redactions of one mapping: by place in the event, and by field where a template writes one elsewhere."""

    place: Callable[[Reader, tuple[str, ...]], Cover | None]
    field: Callable[[Reader, str, tuple[str, ...]], Cover | None]
    hidden: frozenset[str] = frozenset()  # headers, in lower case


def render_leaf(reader: Reader, leaf: object, path: tuple[str, ...], location: Location, covers: Covers) -> Piece:
    """The piece of one leaf of the mapping's event: a template or a constant."""
    shape = shape_of(path)
    if not isinstance(leaf, Template):
        return _constant_piece(leaf, shape, path)
    if shape is Shape.TIME and leaf.only:
        return _time_piece(reader, leaf.only)
    if path[1:] == ("headers",) and leaf.only:
        return _headers_piece(reader, leaf.only, covers)
    access = _template(reader, leaf, path, covers)
    place = covers.place(reader, path)
    if place is not None:
        access = _covered(access, place)
    return _RENDER.get(shape, _text_piece)(reader, access, path)


def _constant_piece(leaf: object, shape: Shape, path: tuple[str, ...]) -> Piece:
    if leaf is None:
        return Piece((), constant(False))
    if isinstance(leaf, bool | int | float):
        return Piece((values.json_of(leaf if shape is Shape.ANY or path == ("weight",) else values.text_of(leaf)),))
    if isinstance(leaf, dict | list):
        return Piece((values.json_of(leaf),))
    text = str(leaf)
    if shape is Shape.ANY and isinstance(leaf, Plain) and (text in ("true", "false") or _NUMBER.match(text)):
        return Piece((text,))
    return Piece((quoted(text),))


def _template(reader: Reader, template: Template, path: tuple[str, ...], covers: Covers) -> Access:
    accesses = [
        part if isinstance(part, str) else _reference(reader, part, path, covers) for part in template.parts
    ]
    only = accesses[0] if len(accesses) == 1 else None
    if isinstance(only, Access):
        return only
    texts: list[Part] = []
    bodies: list[Part] = []
    for access in accesses:
        if isinstance(access, str):
            texts.append(access)
            bodies.append(values.body(access))
            continue
        texts.append(choice(access.present, reader.shown(access), constant("")))
        body = access.body if isinstance(access.body, str) and access.present is None else None
        bodies.append(body or choice(access.present, joined([access.body]), constant("")))
    named = [access for access in accesses if isinstance(access, Access)]
    present = either([access.present for access in named]) if named else None
    text = joined(texts)
    return Access(Kind.TEXT, text, text if reader.is_exact else joined(bodies), present)


def _reference(reader: Reader, reference: Reference, path: tuple[str, ...], covers: Covers) -> Access:
    access = reader.field(reference.name)
    assert access is not None, f"{reference.name} was checked before"
    cover = covers.field(reader, reference.name, path)
    if cover is not None:
        access = _covered(Access(access.kind, reader.shown(access), access.body, access.present), cover)
    if reference.default is None or access.present is None:
        return access
    if access.kind in NUMBERS and not access.is_typed:
        text = choice(access.present, access.text, constant(reference.default))
        return Access(access.kind, text, text)
    return reader.chain([access, reader.constant(reference.default)])


def _covered(access: Access, cover: Cover) -> Access:
    text = cover(access.text)
    body: Part = cover(joined([access.body]))
    return Access(Kind.TEXT, text, body, access.present, False, access.origin)


def _text_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    """A JSON string."""
    if reader.is_exact:
        return Piece((reader.call(quoted, reader.shown(access)),), access.present)
    return Piece(('"', *_flat(access.body), '"'), access.present)


def _flat(body: Part) -> Sequence[Part]:
    """The pieces of a joined text, so that they melt with their neighbours instead of being joined twice."""
    if not isinstance(body, ast.JoinedStr):
        return (body,)
    return [value.value if isinstance(value, ast.FormattedValue) else value for value in body.values]


def _any_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    """A number stays a number, JSON stays JSON, all else is text."""
    if access.is_typed and access.kind is not Kind.STATUS and access.kind not in NUMBERS:
        return Piece((reader.call(values.json_of, access.text),), access.present)
    if access.kind is Kind.STATUS:
        return Piece((_status(reader, access),), access.present)
    if access.kind in NUMBERS:
        return Piece((_number(reader, access),), access.present)
    return _text_piece(reader, access, path)


def _number(reader: Reader, access: Access) -> ast.expr:
    if access.is_typed:
        return reader.call(values.number_json, access.text)
    return expression("m[x]", m=reader.setting.shared_memo(values.number_json), x=access.text)


def _status(reader: Reader, access: Access) -> ast.expr:
    if not reader.is_exact and isinstance(access.text, ast.Name) and access.kind is Kind.STATUS:
        return access.text  # three digits, which the scanner promises of clean rows
    return reader.call(values.status_json, access.text)


def _status_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    status = _status(reader, access)
    return Piece((choice(None if reader.is_exact or status is access.text else access.present, status, constant("0")),))


def _time_piece(reader: Reader, reference: Reference) -> Piece:
    """start_time, end_time or a logged time, as the API wants it."""
    access = reader.field(reference.name)
    assert access is not None
    slot = reader.setting.slot(canonical(reference.name) or reference.name)
    logged = slot is not None and slot.kind.is_time and slot.field not in ("start_time", "end_time")
    return Piece(('"', iso_time(reader, slot) if slot is not None and logged else access.text, '"'))


def _headers_piece(reader: Reader, reference: Reference, covers: Covers) -> Piece:
    """A logged object of headers; clean rows hold texts only, so they have none."""
    access = reader.field(reference.name)
    assert access is not None
    if not access.is_typed:
        return Piece(("{}",))
    hidden = reader.bind(covers.hidden, "hidden")
    return Piece(("{", reader.call(values.headers_members, access.text, hidden), "}"))


def _verb_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    return _text_piece(reader, _required(reader, access, values.UNKNOWN_METHOD, "method"), path)


def _uri_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    return _text_piece(reader, _required(reader, access, "/", "target"), path)


def _required(reader: Reader, access: Access, fallback: str, name: str) -> Access:
    derived = reader.field(name) or reader.constant(fallback)
    if access.present is None or access.text is derived.text:  # derived fields fall back by themselves
        return Access(access.kind, access.text, access.body, None, access.is_typed, access.origin)
    return reader.chain([access, reader.constant(fallback)])


def _client_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    if access.origin == "client_ip":
        return _text_piece(reader, access, path)
    shown = choice(access.present, reader.shown(access), constant(""))
    memo = reader.setting.shared_memo(values.address)
    return Piece(('"', expression("m[x]", m=memo, x=shown), '"'))


def _body_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    return Piece((reader.call(values.body_members, access.text),), access.present, is_members=True)


def _uuid_piece(reader: Reader, access: Access, path: tuple[str, ...]) -> Piece:
    shown = choice(access.present, reader.shown(access), constant(""))
    text = expression("u(x) or d", u=reader.bind(values.transaction_id, "uuid"), x=shown, d=joined(own_id()))
    return Piece(('"', text, '"'))


def own_id() -> tuple[Part, ...]:
    """The derived transaction_id: CRC digits, the file key between dashes, position digits."""
    return (ast.Name("crc", ast.Load()), ast.Name("middle", ast.Load()), ast.Name("place", ast.Load()))


_RENDER: dict[Shape, Callable[[Reader, Access, tuple[str, ...]], Piece]] = {
    Shape.ANY: _any_piece,
    Shape.STATUS: _status_piece,
    Shape.VERB: _verb_piece,
    Shape.URI: _uri_piece,
    Shape.CLIENT_ADDRESS: _client_piece,
    Shape.BODY: _body_piece,
    Shape.UUID: _uuid_piece,
}


def render_object(members: Sequence[tuple[str, Piece]], *, keeps_empty: bool) -> Piece:
    """`{…}` of the members that are present; without any: `{}`, or nothing where the object may be left out."""
    written = [(_member(key, piece), piece.present) for key, piece in members]
    written = [(parts, present) for parts, present in written if not is_false(present)]
    if not written:
        return Piece(("{}",), None if keeps_empty else constant(False))
    anchor = next((index for index, (_, present) in enumerate(written) if present is None), None)
    if anchor is None:
        optional = [(parts, present) for parts, present in written if present is not None]
        inner = _optional_members(optional)
        return Piece(("{", inner, "}"), None if keeps_empty else either([present for _, present in optional]))
    parts: list[Part] = ["{"]
    for index, (member, present) in enumerate(written):
        before, after = ("", ",") if index < anchor else ("," if index > anchor else "", "")
        if present is None:
            parts += [before, *member, after]
        else:
            parts.append(choice(present, joined([before, *member, after]), constant("")))
    return Piece((*melt(parts), "}"))


def _member(key: str, piece: Piece) -> list[Part]:
    return list(piece.parts) if piece.is_members else [quoted(key) + ":", *piece.parts]


def _optional_members(members: Sequence[tuple[list[Part], ast.expr]]) -> ast.expr:
    """Members each of which may be absent: up to three by nested choices, more by cutting the first comma off."""
    if len(members) > 3:
        each = [choice(present, joined([",", *parts]), constant("")) for parts, present in members]
        return expression("x[1:]", x=joined(each))
    return _nested(members, [])


def _nested(members: Sequence[tuple[list[Part], ast.expr]], before: list[Part]) -> ast.expr:
    if not members:
        return joined(before)
    (parts, present), *rest = members
    comma: list[Part] = [","] if before else []
    return choice(present, _nested(rest, [*before, *comma, *parts]), _nested(rest, before))
