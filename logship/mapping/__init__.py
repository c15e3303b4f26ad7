"""Mappings: YAML that says what event a line's fields become, compiled to one converter.

    spec = parse_mapping(merge(base, tree))            # raises MappingErrors, all at once
    converter = compile_mapping(spec, fmt, Constants(origin="web-1", source="api"))
    converter.convert(data, start, file)               # hot path
"""

from __future__ import annotations

from logship.mapping.access import Constants
from logship.mapping.compile import compile_mapping
from logship.mapping.converter import Converter
from logship.mapping.spec import MappingErrors, MappingSpec, merge, parse_mapping
from logship.mapping.trace import LineTrace

__all__ = [
    "Constants",
    "Converter",
    "LineTrace",
    "MappingErrors",
    "MappingSpec",
    "compile_mapping",
    "merge",
    "parse_mapping",
]
