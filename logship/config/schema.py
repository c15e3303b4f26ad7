"""JSON Schema of logship.yml and of mapping files: editors complete and explain keys with it."""

from __future__ import annotations

from logship import __version__
from logship.config.language_schema import refined
from logship.config.models import FORMAT, LogshipModel
from logship.mapping.spec import MappingSpec
from logship.sections import Schema, Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"


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
