"""Matchers as JSON Schema: what a field may be compared with, as far as it needs no log."""

from __future__ import annotations

from logship.config.schema_texts import PLAIN
from logship.fields import FAMILIES, FIELDS, Kind
from logship.mapping.never import LEAST_S
from logship.sections import Schema

_QUANTITY = {
    "type": ["string", "number"],
    "pattern": r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *(ns|us|ms|s|m|h|d|[KkMmGg]?[Ii]?[Bb])?$",
}
_PATTERN = {
    "type": "string",
    "not": {"pattern": r"(^|[^\\\[])\(\?(<?[=!]|<[A-Za-z])|^/(\^.*|.*\$)/[a-z]*$"},
    "description": "RE2: no lookahead",
}
_NETWORK = {
    "type": "string",
    "pattern": r"^(private|[0-9.]+(/([12]?[0-9]|3[0-2]))?"
    r"|[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$",
}
NETWORKS: Schema = {"type": ["array", "string"], "items": _NETWORK, "pattern": _NETWORK["pattern"]}
_NUMBER = {"type": ["string", "number"], "pattern": r"^-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$"}
_EXACT: dict[Kind, Schema] = {  # what a text that a field is compared with must look like
    Kind.STATUS: {"type": ["string", "integer"], "pattern": "^[1-9]([0-9]{2}|xx)$", "minimum": 100, "maximum": 999},
    Kind.ADDRESS: {"type": "string", "pattern": "^[^/*]*$|^unix:"},
    Kind.INTEGER: _NUMBER,
    Kind.NUMBER: _NUMBER,
    **dict.fromkeys((Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS), _NUMBER),
}
_DURATION_NAMES = frozenset(f"Matcher of {kind}" for kind in Kind if kind.is_duration)
_AGENTS = ("request_header_user_agent", "http_user_agent", "request_header_referer", "http_referer", "remote_user")
_METHOD = {"type": "string", "pattern": r"^[^a-z,;|\s]*$"}
_EXACT_OF: dict[str, Schema] = {
    "method": _METHOD,
    "request_method": _METHOD,
    "path": {"type": "string", "pattern": r"^/\*$|^/([^*?,;|\s]|[,;|](?!\s*/))*$"},
    "target": {"type": "string", "pattern": r"^/\*$|^/([^*,;|\s]|[,;|](?!\s*/))*$"},
    "scheme": {"enum": ["http", "https"]},
    "host": {"type": "string", "pattern": r"^[^/*A-Z,;|\s]*$"},
}


def conditions(description: str) -> Schema:
    """What may stand under `if`: the matchers of fields by their names, nginx's too."""
    properties: Schema = {}
    for name, field in FIELDS.items():
        spelled = (spelling.removeprefix("$") for spelling in field.nginx if spelling.startswith("$"))
        for one in (name, *spelled):
            properties.setdefault(one, {"$ref": f"#/$defs/{_matcher_of(name)}"})
    for one in _AGENTS:
        properties[one] = {"$ref": "#/$defs/Matcher of header"}
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"not": {"enum": ["not", "or", "any", "and", "all"]}},
        "properties": properties,
        "patternProperties": {f"^({'|'.join(family.prefix for family in FAMILIES)})": {"$ref": "#/$defs/Matcher"}},
        "additionalProperties": {"$ref": "#/$defs/Matcher"},
    }


def matchers() -> dict[str, Schema]:
    """Every matcher by the name that conditions() refers to."""
    starless = PLAIN | {"not": {"type": "string", "pattern": r"^\*.|.\*$"}}
    made = {"Matcher": _matcher(PLAIN, "Matcher"), "Matcher of header": _matcher(starless, "Matcher of header")}
    for name in FIELDS:
        exact, matcher = _exact(name), _matcher_of(name)
        if exact is not None:
            made[matcher] = _matcher(exact, matcher)
    return made


def _exact(name: str) -> Schema | None:
    if name in _EXACT_OF or name == "remote_host":  # a name, with HostnameLookups
        return _EXACT_OF.get(name)
    return _EXACT.get(FIELDS[name].kind)


def _matcher_of(name: str) -> str:
    if _exact(name) is None:
        return "Matcher"
    return f"Matcher of {name if name in _EXACT_OF else FIELDS[name].kind}"


def _matcher(exact: Schema, name: str) -> Schema:
    """A scalar, a list of matchers, or tests that must all hold."""
    itself = {"$ref": f"#/$defs/{name}"}
    networks = _NETWORK if exact is _EXACT[Kind.ADDRESS] else {"anyOf": [_NETWORK, exact]}
    limit = _QUANTITY | {"exclusiveMaximum": LEAST_S} if name in _DURATION_NAMES else _QUANTITY
    tests = {
        "type": "object",
        "properties": {
            "matches": _PATTERN,
            "in": {"anyOf": [networks, {"type": "array", "items": networks, "minItems": 1}]},
            "min": limit,
            "max": limit,
            "not": itself,
            "absent": {"enum": [True, False, "true", "false"]},
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {"anyOf": [exact, {"type": "array", "items": itself, "minItems": 1}, tests]}
