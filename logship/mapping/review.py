"""Mistakes of a mapping that need a look at the whole of it."""

from __future__ import annotations

from logship.errors import MappingError
from logship.mapping.spec import MappingSpec


def review(spec: MappingSpec) -> tuple[list[MappingError], tuple[MappingError, ...]]:
    """Errors and warnings of a mapping alone, without a format."""
    from logship.mapping.plan import read_plan

    plan = read_plan(spec)
    return plan.errors, ()
