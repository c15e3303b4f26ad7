"""Logs and what converts them, as a plan makes them."""

from __future__ import annotations

from logship.backfill.run_settings import BackfillLog, ConverterSpec
from logship.endpoint import Compression, Endpoint
from logship.event import LogFile
from logship.formats import read_spec
from logship.mapping import Constants, parse_mapping

RECEIVER = "http://127.0.0.1:9"
EVENT = {
    "request": {"time": "$start_time", "verb": "$method", "uri": "$target"},
    "response": {"time": "$end_time", "status": "$status"},
}


def converter_spec_of(source: str) -> ConverterSpec:
    """The common format, and a mapping without anything but the required keys."""
    common = read_spec({"apache": r'%h %l %u %t "%r" %>s %b'})
    return ConverterSpec(source, common, {}, parse_mapping({"event": EVENT}), Constants("web-1", source))


def log_of(path: str, size_bytes: int, *, number: int = 0, compression: str = "") -> BackfillLog:
    """A log that nobody writes to any more."""
    return BackfillLog(
        number=number,
        path=path,
        file=LogFile(number, path, "web", 1, "web-1"),
        converter_spec=converter_spec_of("web"),
        endpoint=Endpoint(RECEIVER, compression=Compression.NONE, timeout_s=1.0),
        drops_unmatched=False,
        size_bytes=size_bytes,
        compression=compression,
        is_final=True,
    )
