"""The YAML that comes with the package: mappings, formats, the commented logship.yml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent.parent / "shipped"


@cache
def mapping_names() -> tuple[str, ...]:
    """Names of the shipped mappings."""
    return tuple(sorted(path.stem for path in (SHIPPED / "mappings").glob("*.yml")))


def mapping_path(name: str) -> Path:
    """The file of a shipped mapping."""
    return SHIPPED / "mappings" / f"{name}.yml"
