"""Formats: how a line's text splits into fields, compiled once to a line pattern.

    spec = read_spec(tree)                         # a tree from YAML: 'combined', {nginx: '…'}, ['main', 'combined']
    fmt = compile_format(spec, named)              # raises FormatError with the column
    scanner = fmt.scanner(["remote_host", "status"])
    scanner.scan(data, lines)                      # hot path, clean lines of a chunk
    scanner.parse(line)                            # any one line
"""

from __future__ import annotations

from logship.formats.compiling import compile_format
from logship.formats.detection import detect
from logship.formats.envelope import Envelope, Opened
from logship.formats.format import Format, Scan, Scanner
from logship.formats.reading import load_presets, read_spec
from logship.formats.slot import DecodeTime, Detection, Fields, Misfit, Moment, Row, Slot, TimeFormat, Value
from logship.formats.spec import FormatSpec, KeySpec

__all__ = [
    "DecodeTime",
    "Detection",
    "Envelope",
    "Fields",
    "Format",
    "FormatSpec",
    "KeySpec",
    "Misfit",
    "Moment",
    "Opened",
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
