"""What the editor may complete: keys by where they stand, fields, filters, presets, shipped mappings."""

from __future__ import annotations

from typing import Any

from logship.config.schema import mapping_keys
from logship.config.shipped import mapping_names, presets
from logship.fields import FIELDS
from logship.mapping.event_keys import EVENT_KEYS
from logship.mapping.matchers import MATCHERS
from logship.mapping.template import FILTERS


def words(own_formats: list[str]) -> dict[str, Any]:
    """Shapes: `keys` maps a place, dotted keys with `*` for any name and `-` for a list, to key: description."""
    return {
        "keys": _keys(),
        "fields": {name: field.meaning for name, field in FIELDS.items()},
        "filters": list(FILTERS),
        "matchers": list(MATCHERS),
        "mappings": list(mapping_names()),
        "formats": sorted({*presets(), *own_formats}),
    }


def _keys() -> dict[str, dict[str, str]]:
    schema = mapping_keys()
    found: dict[str, dict[str, str]] = {}
    _walk(schema, schema, "", found)
    for place, keys in EVENT_KEYS.items():
        found[".".join(("event", *place))] = dict.fromkeys(keys, "")
    found["rules.-.if"] = {name: field.meaning for name, field in FIELDS.items()}
    found["rules.-.if.*"] = dict.fromkeys(MATCHERS, "")
    found["rules.-.set"] = dict.fromkeys((*EVENT_KEYS[()], "request.headers.X", "metadata.x"), "")
    return found


def _walk(node: dict[str, Any], schema: dict[str, Any], place: str, found: dict[str, dict[str, str]]) -> None:
    """Collects the keys of every map below."""
    if "$ref" in node:
        node = schema["$defs"][str(node["$ref"]).rpartition("/")[2]]
    for choice in node.get("anyOf", ()):
        _walk(choice, schema, place, found)
    for key, below in node.get("properties", {}).items():
        found.setdefault(place, {})[key] = str(below.get("description", ""))
        _walk(below, schema, f"{place}.{key}".lstrip("."), found)
    if isinstance(node.get("items"), dict):
        _walk(node["items"], schema, f"{place}.-", found)
    if isinstance(node.get("additionalProperties"), dict):
        _walk(node["additionalProperties"], schema, f"{place}.*", found)
