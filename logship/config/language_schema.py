"""The language of mappings as JSON Schema, as far as it needs no log: what editors complete and underline."""

from __future__ import annotations

from typing import Any

from logship.config.shipped import mapping_names, presets
from logship.fields import FAMILIES, FIELDS, Kind
from logship.mapping.event_keys import EVENT_KEYS, FALLBACKS, shape_of
from logship.mapping.template import FILTERS

Schema = dict[str, Any]

_NAME = r"[A-Za-z_@][A-Za-z0-9_.@-]*"
_REFERENCE = rf"\$\{{{_NAME}(\|({'|'.join(FILTERS)}))*(:-[^{{}}]*)?\}}"
_ELSEWHERE = r"\$\{(env|file):[^}]*\}"
TEMPLATE: Schema = {
    "description": "a constant, or a template: $name, ${name}, ${name:-default}, ${name|lower}, $$",
    "type": ["string", "number", "boolean", "null", "array"],
    "pattern": rf"^([^$]|\$\$|\$[A-Za-z_][A-Za-z0-9_]*|{_REFERENCE}|{_ELSEWHERE})*$",
}
_PLAIN = {"type": ["string", "number", "boolean"]}
_QUANTITY = {
    "type": ["string", "number"],
    "pattern": r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+) *(ns|us|ms|s|m|h|d|[KkMmGg]?[Ii]?[Bb])?$",
}
_PATTERN = {"type": "string", "not": {"pattern": r"\(\?(<?[=!]|<[A-Za-z])"}, "description": "RE2: no lookahead"}
_TEMPLATES = {"anyOf": [TEMPLATE, {"type": "object", "additionalProperties": {"$ref": "#/$defs/Templates"}}]}
_NETWORK = {"type": "string", "pattern": r"^(private|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$"}
_DURATIONS = (Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS)
_NUMBER = {"type": ["string", "number"], "pattern": r"^-?[0-9]*\.?[0-9]+$"}
_EXACT: dict[Kind, Schema] = {  # what a text that a field is compared with must look like
    Kind.STATUS: {"type": ["string", "integer"], "pattern": "^[1-9]([0-9]{2}|xx)$", "minimum": 100, "maximum": 999},
    Kind.ADDRESS: {"type": "string", "pattern": "^[^/*]*$"},
    Kind.INTEGER: _NUMBER,
    Kind.NUMBER: _NUMBER,
    **dict.fromkeys(_DURATIONS, _NUMBER),
}
_EXACT_OF: dict[str, Schema] = {
    "method": {"type": "string", "pattern": "^[^a-z]*$"},
    "request_method": {"type": "string", "pattern": "^[^a-z]*$"},
    "path": {"type": "string", "pattern": r"^/[^*?]*$"},
    "target": {"type": "string", "pattern": r"^/[^*]*$"},
    "scheme": {"enum": ["http", "https"]},
    "host": {"type": "string", "pattern": "^[^/*]*$"},
}


def refined(schema: Schema) -> Schema:
    """The schema of a mapping file with what its keys alone do not say."""
    properties, definitions = schema["properties"], schema["$defs"]
    names = list(mapping_names())
    properties["extends"] |= {"examples": names, "pattern": rf"^({'|'.join(names)})?$|[./]"}
    properties["event"] = _event((), properties["event"]["description"])
    properties["lookups"]["description"] += "; $name in templates and rules"
    rule = definitions["RuleSpec"]["properties"]
    rule["if"] = {
        "description": rule["if"]["description"],
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{_matcher_of(name)}"} for name in FIELDS},
        "patternProperties": {f"^({'|'.join(family.prefix for family in FAMILIES)})": {"$ref": "#/$defs/Matcher"}},
        "additionalProperties": {"$ref": "#/$defs/Matcher"},
    }
    rule["sample"] = rule["sample"] | {"pattern": r"^ *(1/[1-9][0-9]*|[0-9]+(\.[0-9]+)? *%) *$|^$"}
    tops = "|".join(EVENT_KEYS[()])
    rule["set"] = {
        "description": rule["set"]["description"],
        "type": "object",
        "propertyNames": {"pattern": rf"^({tops})(\..+)?$"},
        "additionalProperties": {"anyOf": [TEMPLATE, {"type": "object"}]},
    }
    for name in ("LookupSpec", "JwtSpec"):
        definitions[name]["properties"]["from"] |= {"pattern": TEMPLATE["pattern"]}
    example = definitions["ExampleSpec"]["properties"]
    example["format"] = {
        "description": "its format: a preset, or as in a source",
        "anyOf": [{"enum": list(presets())}, {}],
    }
    example["event"] |= {"anyOf": [{"enum": ["dropped", "sampled out", "unfit"]}, {"type": "object"}]}
    definitions |= {_matcher_name(None): _matcher(_PLAIN), "Tests": _tests(_PLAIN), "Templates": _TEMPLATES}
    definitions |= {_matcher_of(name): _matcher(exact) for name in FIELDS if (exact := _exact(name)) is not None}
    opened: Schema = _open(schema)
    return opened


def _open(node: Any) -> Any:
    """Texts may be written as numbers or words of YAML, and one text where a list may stand."""
    if isinstance(node, list):
        return [_open(one) for one in node]
    if not isinstance(node, dict):
        return node
    opened = {key: _open(below) for key, below in node.items()}
    if opened.get("additionalProperties") == {"type": "string"}:
        opened["additionalProperties"] = _PLAIN
    if opened.get("type") == "array" and opened.get("items") == {"type": "string"}:
        opened["type"], opened["items"] = ["array", "string"], _PLAIN
    return opened


def _event(path: tuple[str, ...], description: str) -> Schema:
    """The keys of the event or of one of its sides."""
    keys: Schema = {}
    for key in EVENT_KEYS[path]:
        here = (*path, key)
        if here in EVENT_KEYS:
            keys[key] = _event(here, f"the {key}")
        elif key == "headers":
            keys[key] = {"type": ["object", "string", "null"], "additionalProperties": TEMPLATE}
        elif key in ("metadata", "body", "span", "tags"):
            keys[key] = {"$ref": "#/$defs/Templates"}
        elif shape_of(here) in FALLBACKS and key != "ip_address":
            keys[key] = TEMPLATE | {"type": "string"}
        else:
            keys[key] = TEMPLATE
    return {"type": "object", "description": description, "properties": keys, "additionalProperties": False}


def _exact(name: str) -> Schema | None:
    if name in _EXACT_OF or name == "remote_host":  # a name, with HostnameLookups
        return _EXACT_OF.get(name)
    return _EXACT.get(FIELDS[name].kind)


def _matcher_name(kind: str | None) -> str:
    return f"Matcher of {kind}" if kind else "Matcher"


def _matcher_of(name: str) -> str:
    exact = _exact(name)
    if exact is None:
        return _matcher_name(None)
    return _matcher_name(name if name in _EXACT_OF else str(FIELDS[name].kind))


def _matcher(exact: Schema) -> Schema:
    """A scalar, a list of matchers, or tests that must all hold."""
    inner: Schema = {"anyOf": [exact, {"$ref": "#/$defs/Tests"}]}
    return {"anyOf": [exact, {"type": "array", "items": inner, "minItems": 1}, _tests(exact)]}


def _tests(exact: Schema) -> Schema:
    networks = _NETWORK if exact is _EXACT[Kind.ADDRESS] else {"anyOf": [_NETWORK, exact]}
    return {
        "type": "object",
        "properties": {
            "matches": _PATTERN,
            "in": {"anyOf": [networks, {"type": "array", "items": networks, "minItems": 1}]},
            "min": _QUANTITY,
            "max": _QUANTITY,
            "not": {"anyOf": [exact, {"type": "array", "items": exact}, {"$ref": "#/$defs/Tests"}]},
            "absent": {"enum": [True, False, "true", "false"]},
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
