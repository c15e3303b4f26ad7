"""Formats: how a line's text splits into fields, compiled once to a line pattern.

    spec = read_spec(tree)                         # a tree from YAML: 'combined', {nginx: '…'}, ['main', 'combined']
    fmt = compile_format(spec, named)              # raises FormatError with the column
    scanner = fmt.scanner(["remote_host", "status"])
    scanner.scan(data, lines)                      # hot path, clean lines of a chunk
    scanner.parse(line)                            # any one line
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from logship.formats.format import Format, Scan, Scanner
from logship.formats.slot import DecodeTime, Detection, Misfit, Moment, Row, Slot, TimeFormat, Value
from logship.formats.spec import FormatSpec, KeySpec

__all__ = [
    "DecodeTime",
    "Detection",
    "Format",
    "FormatSpec",
    "KeySpec",
    "Misfit",
    "Moment",
    "Row",
    "Scan",
    "Scanner",
    "Slot",
    "TimeFormat",
    "Value",
    "compile_format",
    "detect",
    "load_presets",
    "read_spec",
]


def read_spec(tree: object) -> FormatSpec:
    """The format that a YAML tree (a name, a mapping with one key, a list) describes.

    Raises: FormatError saying what is wrong with the shape.
    """
    raise NotImplementedError


def compile_format(spec: FormatSpec, named: Mapping[str, FormatSpec]) -> Format:
    """The compiled format; `named` are the presets and the configuration's own formats.

    Raises: FormatError with the column in the format string, the reason, and what to write instead.
    """
    raise NotImplementedError


def load_presets(tree: object) -> dict[str, FormatSpec]:
    """The presets of one parsed preset file (`configs/formats/*.yml`), by name.

    Raises: FormatError for a file that is not shaped like one.
    """
    raise NotImplementedError


def detect(samples: Sequence[bytes], named: Mapping[str, FormatSpec]) -> list[Detection]:
    """The named formats that fit at least one sample line, best first: most lines, then most fields."""
    raise NotImplementedError
