"""Numbers with units as people write them in a mapping: 500ms, 1.5s, 10kB."""

from __future__ import annotations

from logship.mapping.values import number
from logship.patterns import deferred

_DURATION = deferred(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|ms|s|m|h|d)\Z")
_SIZE = deferred(r"(?i)([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb|kib|mib|gib)\Z")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def quantity(text: str) -> float | None:
    """A number with an optional unit of time (in seconds) or size (in bytes); None: it is none."""
    match = _DURATION.match(text)
    return float(match[1]) * _SECONDS[match[2]] if match else size(text)


def size(text: str) -> float | None:
    """Bytes; None: it is no size."""
    match = _SIZE.match(text)
    return float(match[1]) * _BYTES[match[2].lower()] if match else number(text)
