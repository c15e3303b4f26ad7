"""Constants of an event: what they are as JSON, and those that do not fit their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as quoted

from logship.errors import Location, MappingError
from logship.event import Plain
from logship.fields import FIELDS, Kind, canonical
from logship.kernel.values import json_of, text_of
from logship.mapping.event_keys import FALLBACKS, MAX_ID_CHARS, Path, Shape, shape_of
from logship.mapping.template import Template, parse_template
from logship.mapping.values import NO_ADDRESS, address
from logship.patterns import deferred

_NUMBER = deferred(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_BEGINS_URI = deferred(r"[A-Za-z][A-Za-z0-9+.-]*(?:\Z|:\Z|:/\Z|://)")
_NO_URI = frozenset({"path", "url_path", "target", "host", "query", "query_string", "method", "client_ip"})
_LISTED = frozenset({Shape.ANY, Shape.BODY})  # where a list may be sent
_MAPPED = frozenset({Shape.ANY, Shape.BODY, Shape.HEADERS})
Said = tuple[str, str]  # what is wrong, what to write


def json_constant(leaf: object, shape: Shape, path: Path) -> str:
    """A constant as JSON; '' for none where the event may lack it."""
    if leaf is None:
        return FALLBACKS.get(shape, "")
    if isinstance(leaf, bool | int | float):
        return json_of(leaf if shape is Shape.ANY or path == ("weight",) else text_of(leaf))
    if isinstance(leaf, dict | list):
        return json_of(leaf)
    text = str(leaf)
    is_number = shape is Shape.STATUS or path == ("weight",)  # quoted or not
    if is_number or (shape is Shape.ANY and isinstance(leaf, Plain) and _is_bare(text)):
        return text
    return quoted(text)


def list_constant(values: list[object], location: Location, errors: list[MappingError]) -> list[object]:
    """A list with numbers and words of JSON as such; a template in it is refused."""
    return [_in_list(one, (*location, index), errors) for index, one in enumerate(values)]


def _in_list(value: object, location: Location, errors: list[MappingError]) -> object:
    if isinstance(value, list):
        return list_constant(value, location, errors)
    if isinstance(value, dict):
        return {str(key): _in_list(one, (*location, key), errors) for key, one in value.items()}
    if isinstance(value, str) and "$" in value:
        return _without_fields(value, location, errors)
    if isinstance(value, Plain) and _is_bare(value):
        return {"true": True, "false": False}.get(value) if value in ("true", "false") else _number(value)
    return str(value) if isinstance(value, str) else value


def _without_fields(text: str, location: Location, errors: list[MappingError]) -> str:
    try:
        template = parse_template(text, location)
    except MappingError as exc:
        errors.append(exc)
        return text
    if template.constant is None:
        first = template.references[0]
        said, hint = "a list holds constants, no fields", "give the field a key of its own; $$ is a dollar"
        errors.append(MappingError(said, location=location, column=first.column, width=first.width, hint=hint))
    return template.constant or ""


def _is_bare(text: str) -> bool:
    """A word of JSON, or a number that every reader of JSON has room for."""
    return text in ("true", "false") or (_NUMBER.match(text) is not None and abs(float(text)) < 2**63)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def misfits(path: Path, value: object) -> Iterator[Said]:
    """Why what a mapping writes can't stand at a place of the event: the receiver would refuse it, or read it wrong.

    Shapes: `value` is a constant, or a Template, or a Mapping for a map of keys.
    """
    shape, name = shape_of(path), ".".join(path)
    check, hint = _CHECKS_AT.get(path) or _CHECKS.get(shape) or (None, "")
    if isinstance(value, Template) and value.constant is None:
        known = FIELDS.get(canonical(value.only.name) or "") if value.only else None
        allowed = KINDS.get(shape, KINDS_AT.get(path))
        if known is not None and allowed is not None and known.kind not in allowed:
            yield f"{name} can't be a {known.kind}: ${known.name}", hint
        elif known is not None and path in _NO_FIELD_OF_A_LOG:
            yield f"{name} can't be ${known.name}", hint
        elif known is None and value.only is None and shape is Shape.STATUS and len(value.parts) > 1:
            yield f"{name} is one field: '{shown(value)}' is no status", hint
    elif isinstance(value, Mapping):
        if shape not in _MAPPED:
            yield f"{name} is one value, not a map", "write a text or a field"
    elif isinstance(value, list):
        if shape not in _LISTED:
            yield f"{name} is one value, not a list", "write a text or a field"
    elif value is not None and check is not None:
        text = value.constant if isinstance(value, Template) else text_of(value)
        if not check(text or ""):
            yield f"{name} can't be '{text}'", hint


def shown(template: Template) -> str:
    return "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in template.parts)


def is_no_uri(template: Template) -> bool:
    """Whether what it gives can't begin with a scheme: a path, a host, or a scheme without `://` behind it."""
    first, *rest = template.parts
    text = rest[0] if rest and isinstance(rest[0], str) else ""
    if isinstance(first, str):
        return _BEGINS_URI.match(first) is None
    name = canonical(first.name) or first.name
    return name in _NO_URI or (name == "scheme" and not text.startswith("://"))


def _is_address(text: str) -> bool:
    return text == NO_ADDRESS or address(text) != NO_ADDRESS


_CHECKS: dict[Shape, tuple[Callable[[str], object], str]] = {
    Shape.STATUS: (re.compile(r"[1-9][0-9]{2}\Z").match, "write $status, or a number from 100 to 999"),
    Shape.VERB: (re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+\Z").match, "write $method, or a method such as GET"),
    Shape.URI: (re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*://.").match, "write ${scheme}://${host}${target}"),
    Shape.CLIENT_ADDRESS: (_is_address, "write $client_ip"),
    Shape.ID: (
        lambda text: text not in ("", "-") and len(text) <= MAX_ID_CHARS,
        f"write a field, null, or a text of up to {MAX_ID_CHARS} characters",
    ),
}
_CHECKS_AT: dict[Path, tuple[Callable[[str], object], str]] = {
    ("direction",): (
        frozenset({"Incoming", "Outgoing", "Internal"}).__contains__,
        "write Incoming, Outgoing or Internal",
    ),
    ("weight",): (re.compile(r"[1-9][0-9]{0,8}\Z").match, "write a whole number from 1, or leave it to sample:"),
    ("metadata",): (lambda text: False, "write a map of keys: {plan: gold}"),
    ("request", "transfer_encoding"): (frozenset({"json", "base64"}).__contains__, "write json or base64"),
    ("response", "transfer_encoding"): (frozenset({"json", "base64"}).__contains__, "write json or base64"),
}
_WORDS = frozenset({Kind.TEXT, Kind.TOKEN})
_NO_FIELD_OF_A_LOG = frozenset(
    {("direction",), ("metadata",), ("request", "transfer_encoding"), ("response", "transfer_encoding")}
)
KINDS_AT: dict[Path, frozenset[Kind]] = {
    ("weight",): frozenset({Kind.INTEGER, Kind.NUMBER}),
    ("transaction_id",): _WORDS,
    ("request", "uri"): _WORDS,
    ("request", "verb"): _WORDS,
    ("request", "headers"): _WORDS,
    ("response", "headers"): _WORDS,
    ("user_id",): _WORDS | {Kind.ADDRESS, Kind.INTEGER},
    ("company_id",): _WORDS | {Kind.ADDRESS, Kind.INTEGER},
    ("session_token",): _WORDS | {Kind.ADDRESS, Kind.INTEGER},
    ("response", "ip_address"): _WORDS | {Kind.ADDRESS, Kind.LIST},
}
KINDS = {  # of fields of the vocabulary
    Shape.STATUS: frozenset({Kind.STATUS, Kind.INTEGER, Kind.NUMBER, Kind.LIST}),
    Shape.CLIENT_ADDRESS: frozenset({Kind.ADDRESS, Kind.LIST}),
}
