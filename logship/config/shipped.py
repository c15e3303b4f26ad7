"""The YAML that comes with the package: mappings, formats, the commented logship.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from logship.config.yaml_door import parse
from logship.errors import ConfigError
from logship.formats import FormatSpec, load_presets

SHIPPED = Path(__file__).resolve().parent.parent / "shipped"


@cache
def mapping_names() -> tuple[str, ...]:
    """Names of the shipped mappings."""
    return tuple(sorted(path.stem for path in (SHIPPED / "mappings").glob("*.yml")))


def mapping_path(name: str) -> Path:
    """The file of a shipped mapping."""
    return SHIPPED / "mappings" / f"{name}.yml"


@cache
def presets() -> Mapping[str, FormatSpec]:
    """The format presets by name, from every file under formats/.

    Raises: ConfigError for a file that a packager broke.
    """
    found: dict[str, FormatSpec] = {}
    for path in sorted((SHIPPED / "formats").glob("*.yml")):
        document = parse(path.read_text(encoding="utf-8"), str(path))
        if document.problems:
            raise ConfigError(document.problems)
        found |= load_presets(document.tree())
    return found
