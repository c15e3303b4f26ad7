"""Mappings: YAML that says what event a line's fields become, lowered with a format to a program.

spec = parse_mapping(merge(base, tree))            # raises MappingErrors, all at once
lowered = lower(Setting.of(spec, fmt, Constants(origin="web-1", source="api")), read_plan(spec), Covers(spec))
"""

from __future__ import annotations

from logship.mapping.review import parse_mapping
from logship.mapping.setting import Constants
from logship.mapping.spec import MappingErrors, MappingSpec, merge

__all__ = ["Constants", "MappingErrors", "MappingSpec", "merge", "parse_mapping"]
