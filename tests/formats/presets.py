"""The shipped presets, read as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from logship.formats import Format, FormatSpec, compile_format, load_presets
from logship.kernel.values import Bare

FOLDER = Path(__file__).parents[2] / "configs" / "formats"


@cache
def presets() -> Mapping[str, FormatSpec]:
    found: dict[str, FormatSpec] = {}
    for path in sorted(FOLDER.glob("*.yml")):
        found |= load_presets(yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader))  # texts only, nothing built
    return found


@cache
def preset(name: str) -> Format:
    return compile_format(FormatSpec("named", name), presets())


def nginx(text: str) -> Format:
    return compile_format(FormatSpec("nginx", text), presets())


def apache(text: str) -> Format:
    return compile_format(FormatSpec("apache", text), presets())


def parsed(fmt: Format, line: str | bytes) -> dict[str, object]:
    """The fields of a line that hold something; fails if the line does not fit."""
    raw = line if isinstance(line, bytes) else line.encode("utf-8")
    values = fmt.parse(raw)
    assert values is not None, fmt.explain(raw)
    found = {slot.field: value for slot, value in zip(fmt.slots, values, strict=True) if value}
    return {field: json.loads(value) if isinstance(value, Bare) else value for field, value in found.items()}
