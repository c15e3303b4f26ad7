"""Conversion: a source's format and mapping ready to run, from the bytes of a chunk to events.

converter = compile_mapping(spec, fmt, Constants(origin="web-1", source="api"))
converter.convert(data, start, file)               # hot path
"""

from __future__ import annotations

from logship.conversion.compile import compile_mapping
from logship.conversion.converter import Converter
from logship.conversion.detection import detect
from logship.conversion.envelope import Envelope, Opened
from logship.conversion.source_converter import PathFields, SourceConverter
from logship.conversion.trace import LineTrace

__all__ = [
    "Converter",
    "Envelope",
    "LineTrace",
    "Opened",
    "PathFields",
    "SourceConverter",
    "compile_mapping",
    "detect",
]
