"""JSON Schema of logship.yml and of mapping files: editors complete and explain keys with it."""

from __future__ import annotations

from typing import Any

from logship import __version__
from logship.config.language_schema import refined
from logship.config.models import FORMAT, LogshipModel
from logship.mapping.spec import MappingSpec

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> Schema:
    """The schema of logship.yml; a mapping file's is its `$defs/Mapping`."""
    schema = _tidy(LogshipModel.model_json_schema(ref_template="#/$defs/{model}"))
    mapping, definitions = _mapping()
    schema["$defs"] |= {**definitions, "Format": FORMAT, "Mapping": mapping}
    return _headed(schema, "logship.yml")


def mapping_schema() -> Schema:
    """The schema of a mapping file alone."""
    mapping, definitions = _mapping()
    return _headed({**mapping, "$defs": definitions}, "a mapping of logship")


def mapping_keys() -> Schema:
    """The keys of a mapping file without what may stand in them: for tables of keys."""
    return _tidy(MappingSpec.model_json_schema(ref_template="#/$defs/{model}"))  # type: ignore[no-any-return]


def _mapping() -> tuple[Schema, Schema]:
    schema = refined(mapping_keys())
    return schema, schema.pop("$defs", {})


def _headed(schema: Schema, title: str) -> Schema:
    return {"$schema": DIALECT, "title": f"{title} (logship {__version__})", **schema}


def _tidy(schema: Any, *, is_names: bool = False) -> Any:
    """Without the titles pydantic makes of key names, and without defaults that are whole maps."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    maps_of_names = set() if is_names else {"properties", "$defs"}
    tidy = {key: _tidy(value, is_names=key in maps_of_names) for key, value in schema.items()}
    if is_names:
        return tidy
    if "x-ref" in tidy:  # ours: pydantic knows no definitions but its own
        tidy["$ref"] = f"#/$defs/{tidy.pop('x-ref')}"
    if isinstance(tidy.get("title"), str):
        del tidy["title"]
    if isinstance(tidy.get("default"), dict) or tidy.get("default", "") is None:
        del tidy["default"]
    return tidy
