"""JSON Schemas of logship.yml and of mapping files: what editors complete, explain and underline."""

from __future__ import annotations

from typing import Any

from logship import __version__
from logship.config import schema_texts as texts
from logship.config.models import FORMAT, LogshipModel
from logship.config.schema_texts import NETWORKS, conditions, matchers
from logship.config.shipped import mapping_names, presets
from logship.conversion.examples import OUTCOMES
from logship.fields import FIELDS
from logship.mapping.event_keys import EVENT_KEYS, FALLBACKS, REQUIRED_KEYS, Path, Shape, shape_of
from logship.mapping.spec import MappingSpec
from logship.sections import Schema, Section

_SHARE = r"1 */ *[1-9][0-9]{0,8}|((100|50|25|20|10|5|4|2|1)(\.0+)?|[0-9]{1,2}\.[0-9]*[1-9][0-9]*) *%"
_YES: Schema = {"enum": [True, "true"]}
_NO: Schema = {"enum": [False, "false"]}
_OPEN_KEYS = ("metadata", "body", "span", "tags", "blocked_by", "action_name", "trace_id", "transfer_encoding")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def refined(schema: Schema) -> Schema:
    """The schema of a mapping file with what its keys alone do not say."""
    properties, definitions = schema["properties"], schema["$defs"]
    names = list(mapping_names())
    properties["extends"] |= {"examples": names, "pattern": rf"^({'|'.join(names)})?$|[./]"}
    properties["event"] = _event((), properties["event"]["description"])
    properties["lookups"]["description"] += "; $name in templates and rules"
    properties["lookups"]["propertyNames"] = _own_name()
    properties["trusted_proxies"] |= NETWORKS
    properties["client_ip_header"] |= texts.HEADER
    properties["defaults"]["additionalProperties"] = texts.LITERAL
    definitions["JwtSpec"]["properties"]["claims"] |= {
        "propertyNames": _own_name(),
        "additionalProperties": texts.CLAIM,
    }
    for name in ("LookupSpec", "JwtSpec"):
        definitions[name]["properties"]["from"] |= texts.SOURCE
    _refine_rule(definitions["RuleSpec"])
    _refine_redact(definitions["RedactSpec"]["properties"], definitions["KeepQuery"]["properties"])
    example = definitions["ExampleSpec"]["properties"]
    example["format"] = {
        "description": "its format: a preset, or as in a source",
        "anyOf": [{"enum": list(presets())}, {}],
    }
    example["event"] |= {"anyOf": [{"enum": [*OUTCOMES]}, {"type": "object"}]}
    definitions |= matchers() | texts.templates()
    opened: Schema = _open(schema)
    return opened


def _open(node: Any) -> Any:
    """Texts may be written as numbers or words of YAML, switches as texts, one text where a list may be."""
    if isinstance(node, list):
        return [_open(one) for one in node]
    if not isinstance(node, dict):
        return node
    opened = {key: _open(below) for key, below in node.items()}
    if opened.get("additionalProperties") == {"type": "string"}:
        opened["additionalProperties"] = texts.PLAIN
    if opened.get("type") == "array" and opened.get("items") == {"type": "string"}:
        opened["type"], opened["items"] = ["array", "string"], texts.PLAIN
    if opened.get("type") == "string" and opened.keys() <= {"type", "description", "default"}:
        opened |= texts.PLAIN
    if opened.get("type") == "boolean":
        opened = {key: one for key, one in opened.items() if key != "type"} | {"enum": [True, False, "true", "false"]}
    return opened


def _own_name() -> Schema:
    """Of a field that a mapping makes."""
    return {"pattern": "^[A-Za-z_@][A-Za-z0-9_@-]*$", "not": {"enum": sorted(FIELDS)}}


def _refine_rule(rule: Schema) -> None:
    keys = rule["properties"]
    keys["if"] = conditions(keys["if"]["description"])
    keys["sample"] = keys["sample"] | {"pattern": rf"^ *({_SHARE}) *$|^$"}
    keys["set"] = _set(keys["set"]["description"])
    nothing: Schema = {"maxLength": 0}
    rule["allOf"] = [
        {"anyOf": [{"required": [key]} for key in ("drop", "keep", "sample", "set")]},
        {
            "if": {"properties": {"drop": _YES}, "required": ["drop"]},
            "then": {"properties": {"keep": _NO, "sample": nothing, "set": {"maxProperties": 0}}},
        },
        {
            "if": {"properties": {"keep": _YES}, "required": ["keep"]},
            "then": {"properties": {"sample": nothing}},
        },
    ]


def _refine_redact(redact: Schema, keep: Schema) -> None:
    keep["keep"] = texts.parameters(keep["keep"]["description"])
    query, body, path, headers, hashed = (redact[key] for key in ("query", "body", "path", "headers", "hash"))
    redact["query"] = {
        "description": query["description"],
        "if": {"type": "object"},
        "then": {"$ref": "#/$defs/KeepQuery"},
        "else": texts.parameters(query["description"]),
    }
    redact["body"] = texts.keys(body["description"])
    redact["path"] = texts.paths(path["description"])
    redact["headers"] = texts.headers(headers["description"])
    tops = "|".join(EVENT_KEYS[()])
    required = "|".join(rf"{first}\.{second}" for first, second in REQUIRED_KEYS)
    redact["hash"] = texts.names((rf"^(?!({tops})(\.|$))", f"^({required})$"), hashed["description"])


def _event(path: Path, description: str) -> Schema:
    """The keys of the event or of one of its sides."""
    keys = {key: _at((*path, key), may_be_null=False) for key in EVENT_KEYS[path]}
    event: Schema = {"type": "object", "description": description, "properties": keys, "additionalProperties": False}
    if "body" in keys:
        event |= {
            "if": {"properties": {"body": {"type": "string", "pattern": r"\$"}}, "required": ["body"]},
            "then": {"properties": {"transfer_encoding": {"type": "null"}}},
        }
    return event


def _at(path: Path, *, may_be_null: bool) -> Schema:
    """What may be written at a place of the event."""
    key, shape = path[-1], shape_of(path)
    if path in EVENT_KEYS:
        return _event(path, f"the {key}")
    if key == "headers":
        return {"type": ["object", "string", "null"], "additionalProperties": texts.TEMPLATE}
    if key == "metadata":
        return {"$ref": "#/$defs/Metadata"}
    if key in _OPEN_KEYS:
        return {"$ref": "#/$defs/Templates"}
    if key in ("direction", "weight"):
        return texts.DIRECTION if key == "direction" else texts.WEIGHT
    return texts.value(shape, may_be_null=may_be_null or shape not in FALLBACKS or shape is Shape.CLIENT_ADDRESS)


def _set(description: str) -> Schema:
    """Places of the event, dotted, with what a rule may write there."""
    properties: Schema = {}
    deeper = [r"(request|response)\.headers\..+"]
    for side, keys in EVENT_KEYS.items():
        for key in keys:
            here = (*side, key)
            name = ".".join(here)
            if here in EVENT_KEYS or key == "headers":
                properties[name] = {"type": ["object", "null", "string"]}
            elif shape_of(here) is not Shape.TIME:
                properties[name] = _at(here, may_be_null=True)
            if key in _OPEN_KEYS:
                deeper.append(name.replace(".", r"\.") + r"\..+")
    known = "|".join(name.replace(".", r"\.") for name in properties)
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": f"^({known}|{'|'.join(deeper)})$"},
        "properties": properties,
        "patternProperties": {r"^(request|response)\.headers\.": texts.TEMPLATE},
        "additionalProperties": {"$ref": "#/$defs/Templates"},
    }


def config_schema() -> Schema:
    """The schema of logship.yml; a mapping file's is its `$defs/Mapping`."""
    schema = _schema(LogshipModel)
    mapping, definitions = _mapping()
    schema["$defs"] |= {**definitions, "Format": FORMAT, "Mapping": mapping}
    return _headed(schema, "logship.yml")


def mapping_schema() -> Schema:
    """The schema of a mapping file alone."""
    mapping, definitions = _mapping()
    return _headed({**mapping, "$defs": definitions}, "a mapping of logship")


def mapping_keys() -> Schema:
    """The keys of a mapping file without what may stand in them: for tables of keys."""
    return _schema(MappingSpec)


def _mapping() -> tuple[Schema, Schema]:
    schema = refined(mapping_keys())
    return schema, schema.pop("$defs", {})


def _headed(schema: Schema, title: str) -> Schema:
    return {"$schema": DIALECT, "title": f"{title} (logship {__version__})", **schema}


def _schema(section: type[Section]) -> Schema:
    """Of a file's map and all maps in it."""
    definitions: Schema = {}
    schema = section.schema(definitions)
    return schema | {"$defs": dict(sorted(definitions.items()))}
