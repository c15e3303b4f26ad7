"""Durations, sizes and addresses as people write them."""

from __future__ import annotations

import re

from logship.sections import UnfitError

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
BYTES = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "m": 1000**2,
    "mb": 1000**2,
    "g": 1000**3,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


def duration(value: object) -> float:
    """Seconds of `500ms`, `1s`, `5m`, `24h`, `30d`.

    Raises: UnfitError, also for a bare number: seconds and milliseconds are too easily confused.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)  # a default of ours, already in seconds
    text = scalar_text(value, "a duration such as 500ms, 30s, 5m, 24h or 30d")
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UnfitError(f"'{text}' is no duration", "write a number and a unit: 500ms, 30s, 5m, 24h, 30d")
    number, unit = match.groups()
    if not unit and float(number) == 0:
        return 0.0
    if not unit:
        raise UnfitError(f"'{text}' has no unit", f"write {number}s for seconds, {number}ms for milliseconds")
    if unit.lower() not in SECONDS:
        raise UnfitError(f"'{unit}' is no unit of time", "the units are ms, s, m, h, d, w")
    return float(number) * SECONDS[unit.lower()]


def size(value: object) -> int:
    """Bytes of `250000`, `250kB`, `1GB`, `64KiB`.

    Raises: UnfitError.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = scalar_text(value, "a size such as 250000, 250kB or 1GB")
    match = QUANTITY.fullmatch(text.strip().replace("_", "").replace(",", ""))
    if match is None:
        raise UnfitError(f"'{text}' is no size", "write bytes, or a number and a unit: 250000, 250kB, 1GB")
    number, unit = match.groups()
    if unit.lower() not in BYTES:
        raise UnfitError(f"'{unit}' is no unit of size", "the units are kB, MB, GB, KiB, MiB, GiB")
    return int(float(number) * BYTES[unit.lower()])


def listen_address(value: object) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9640`, `[::1]:9640` or `:9640` (loopback).

    Raises: UnfitError.
    """
    text = scalar_text(value, "an address such as 127.0.0.1:9640")
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise UnfitError(f"'{text}' is no address with a port", 'write "127.0.0.1:9640"')
    host = host.removeprefix("[").removesuffix("]")
    return host or "127.0.0.1", int(port)


def scalar_text(value: object, wanted: str) -> str:
    """The text of a scalar.

    Raises: UnfitError for lists, maps and null, naming what was wanted.
    """
    if isinstance(value, str):
        return value
    raise UnfitError(f"{kind_of(value)} stands where {wanted} belongs")


def kind_of(value: object) -> str:
    """What a person calls this piece of YAML."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "text"
