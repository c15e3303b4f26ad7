"""Formats: how a line's text splits into fields, compiled once to a line pattern.

spec = read_spec(tree)                         # a tree from YAML: 'combined', {nginx: '…'}, ['main', 'combined']
fmt = compile_format(spec, named)              # raises FormatError with the column
read = fmt.reader(["remote_host", "status"])
read(line)                                     # any one line; None: it does not fit
"""

from __future__ import annotations

from logship.formats.compiling import compile_format
from logship.formats.format import Format, Read
from logship.formats.reading import load_presets, read_spec
from logship.formats.slot import DecodeTime, Detection, Misfit, Moment, Slot, TimeFormat, Values
from logship.formats.spec import FormatSpec, KeySpec

__all__ = [
    "DecodeTime",
    "Detection",
    "Format",
    "FormatSpec",
    "KeySpec",
    "Misfit",
    "Moment",
    "Read",
    "Slot",
    "TimeFormat",
    "Values",
    "compile_format",
    "load_presets",
    "read_spec",
]
