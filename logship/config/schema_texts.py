"""Texts of a mapping as JSON Schema: templates, values of the event, matchers, names to redact."""

from __future__ import annotations

from collections.abc import Iterable

from logship.fields import FAMILIES, FIELDS, Kind
from logship.mapping.event_keys import MAX_ID_CHARS, Shape
from logship.mapping.literals import KINDS
from logship.mapping.never import LEAST_S
from logship.mapping.redact_review import (
    EVENT_LIKE,
    FIELD_LIKE,
    INDEX_LIKE,
    LIST_LIKE,
    MIDDLE_STARS,
    ONLY_BEFORE,
    PLACEHOLDER,
    QUERY_LIKE,
)
from logship.mapping.template import FILTERS
from logship.sections import Schema

PLAIN: Schema = {"type": ["string", "number", "boolean"]}

_NAME = r"[A-Za-z_@][A-Za-z0-9_.@-]*"
_REFERENCE = rf"\$\{{{_NAME}(\|({'|'.join(FILTERS)}))*(:-([^{{}}$]|\$\$)*)?\}}"
_ELSEWHERE = r"\$\{(env|file):[^}]*\}"
_WRITTEN = rf"^([^$]|\$\$|\$[A-Za-z_][A-Za-z0-9_]*|{_REFERENCE}|{_ELSEWHERE})*$"
_ELSEWHERE_MEANT = (
    r"\{\{.*\}\}",
    r"%\{.*\}[a-z]?",
    "%[<>]?[A-Za-z]",
    r"\.[A-Za-z_]\w*",
    r"@\{?[A-Za-z_]\w*\}?",
    r"\\+[0-9]",
)
_A_FIELD = r"(^|[^$])(\$\$)*\$([A-Za-z_]|\{)"
_NO_FIELD = r"^([^$]|\$\$)*$"

TEMPLATE: Schema = {
    "description": "a constant, or a template: $name, ${name}, ${name:-default}, ${name|lower}, $$",
    "type": ["string", "number", "boolean", "null"],
    "pattern": _WRITTEN,
    "not": {"type": "string", "pattern": rf"^({'|'.join(_ELSEWHERE_MEANT)})$"},
}
SOURCE: Schema = {"type": "string", "allOf": [{"pattern": _WRITTEN}, {"pattern": _A_FIELD}]}


def templates() -> dict[str, Schema]:
    """What may be written where the API takes anything, by name."""
    inner = {"$ref": "#/$defs/InList"}
    of_lists = {"type": "array", "items": inner}
    below = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Templates"}}
    return {
        "Templates": {"anyOf": [TEMPLATE, of_lists, below]},
        "InList": {
            "description": "a list holds constants, no fields",
            "anyOf": [
                {"type": ["string", "number", "boolean", "null"], "pattern": _NO_FIELD},
                of_lists,
                {"type": "object", "additionalProperties": inner},
            ],
        },
        "Metadata": {"anyOf": [{"type": ["string", "null"], "allOf": SOURCE["allOf"]}, below]},
    }


def value(shape: Shape, *, may_be_null: bool) -> Schema:
    """What may be written at a place of the event where the API expects a shape."""
    null = ["null"] if may_be_null else []
    if shape is Shape.STATUS:
        number = {"type": ["string", "integer", *null], "minimum": 100, "maximum": 999}
        return number | _constant("[1-9][0-9]{2}", shape)
    if shape is Shape.TIME:
        return {"type": ["string", *null], "pattern": rf"^\$({_NAME}|\{{{_NAME}\}})$"} | _no_other_kind(shape)
    if shape in _CONSTANTS:
        return {"type": ["string", *null]} | _constant(_CONSTANTS[shape], shape)
    if shape is Shape.UUID:
        by_clients = r"^\$\{?(http|request_header|arg|cookie)_"
        return {"type": ["string", "null"], "allOf": SOURCE["allOf"], "not": {"type": "string", "pattern": by_clients}}
    if shape is Shape.ID:
        fields = {"enum": sorted(FIELDS), "description": "a field is written with a $"}
        return TEMPLATE | {"maxLength": MAX_ID_CHARS, "not": {"anyOf": [TEMPLATE["not"], fields]}}
    return TEMPLATE


_TIMES = frozenset(kind for kind in Kind if kind.is_time)
_CONSTANTS = {
    Shape.VERB: r"[!#$%&'*+.^_`|~0-9A-Z-]+",
    Shape.URI: r"(/|[A-Za-z][A-Za-z0-9+.-]*://.).*",
    Shape.CLIENT_ADDRESS: r"\[?[0-9A-Fa-f:.]+[.:][0-9A-Fa-f.:%\]]*",
}
DIRECTION: Schema = {
    "type": ["string", "null"],
    "allOf": [{"pattern": _WRITTEN}, {"pattern": rf"^(Incoming|Outgoing|Internal)$|{_A_FIELD}"}],
}
WEIGHT: Schema = {
    "type": ["integer", "string", "null"],
    "minimum": 1,
    "allOf": [{"pattern": _WRITTEN}, {"pattern": rf"^[1-9][0-9]*$|{_A_FIELD}"}],
}


def _constant(pattern: str, shape: Shape) -> Schema:
    return {"allOf": [{"pattern": _WRITTEN}, {"pattern": rf"^({pattern})$|{_A_FIELD}"}]} | _no_other_kind(shape)


def _no_other_kind(shape: Shape) -> Schema:
    """Not one field of the vocabulary that is nothing like it."""
    kinds = _TIMES if shape is Shape.TIME else KINDS.get(shape)
    if kinds is None:
        return {}
    others = sorted(name for name, field in FIELDS.items() if field.kind not in kinds)
    return {"not": {"type": "string", "pattern": rf"^\$\{{?({'|'.join(others)})\}}?$"}}


# -- names under redact

_LIKE = (LIST_LIKE.pattern, rf"^{FIELD_LIKE.pattern}", rf"^{EVENT_LIKE.pattern}", "^/")
_NO_KEY = (
    r"^[.\[\]]*$", r"^(\*\*[.\[\]]*)+$", r"^\$[.\[{]", r"^\^", r"\$$", r"\\", r"[^.\[\]*]\*", r"\*[^.\[\]*]",
    INDEX_LIKE.pattern, MIDDLE_STARS.pattern, *_LIKE,
)  # fmt: skip
KEY = "a key, such as password, card.number or '**.token'"


def names(no: Iterable[str], description: str) -> Schema:
    """One name or a list of them; none may fit one of these patterns."""
    wrong = "|".join(f"({pattern.removesuffix(chr(92) + 'Z').replace('(?i)', '')})" for pattern in no)
    name = {"not": {"type": "string", "pattern": wrong}}
    return {"type": ["array", "string"], "items": PLAIN | name, "description": description} | name


def parameters(description: str) -> Schema:
    """Names of parameters."""
    return names((*_NO_KEY, "[=&#]"), description)


def keys(description: str) -> Schema:
    """Keys of bodies."""
    return names(_NO_KEY, description)


HEADER: Schema = {"type": "string", "pattern": r"^[!#%&'*+.^_`|~0-9A-Za-z-]*$"}
LITERAL: Schema = PLAIN | {"pattern": rf"^([^$]|{_ELSEWHERE})*$"}
CLAIM: Schema = PLAIN | {"pattern": "^[^$]"}


def headers(description: str) -> Schema:
    """Names of headers."""
    return names((r"[^!#$%&'+.^_`|~0-9A-Za-z-]", "^$", rf"^{FIELD_LIKE.pattern}"), description)


def paths(description: str) -> Schema:
    """Patterns of paths."""
    return names((QUERY_LIKE.pattern, PLACEHOLDER.pattern, f"^{ONLY_BEFORE.pattern}"), description)


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
    """What may be under `if`: the matchers of fields by their names, nginx's too."""
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
