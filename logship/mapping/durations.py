"""Durations of log lines: a number in the field's unit, or written with units as Caddy may."""

from __future__ import annotations

from collections.abc import Callable

from logship.fields import Kind
from logship.mapping import values
from logship.patterns import deferred

MOST_DIGITS = 10  # of a duration that is surely none too long: 10^10 ms are 115 days
LONGEST_S = 366 * 86_400.0  # what claims to have taken longer is no duration
_PER_SECOND = {Kind.DURATION_S: 1, Kind.DURATION_MS: 1e3, Kind.DURATION_US: 1e6, Kind.DURATION_NS: 1e9}
_PARTS_OF_MS = {Kind.DURATION_MS: 1, Kind.DURATION_US: 1_000, Kind.DURATION_NS: 1_000_000}
_SPELLED = deferred(  # `1h2m3.5s`, `1.2ms`: 2,562,047 hours fit into 64 bits of nanoseconds
    r"(?=[0-9])(?:([0-9]{1,7})h)?(?:([0-9]{1,9})m(?!s))?(?:([0-9]{1,19})(?:\.([0-9]{1,9}))?(s|ms|us|µs|μs|ns))?\Z"
)
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1_000, "µs": 1_000, "μs": 1_000, "ns": 1}


def spelled_ns(text: str) -> int | None:
    """The nanoseconds of a duration that is written with its units, as Caddy may; None: it is none.

    Source: Go's time.Duration.String; caddy's `duration_format string`.
    """
    match = _SPELLED.match(text)
    if match is None:
        return None
    hours, minutes, whole, fraction, unit = match.groups("0")
    unit_ns = _NANOSECONDS.get(unit, 0)
    part_ns = int(fraction.ljust(9, "0")) * unit_ns // 10**9
    return (int(hours) * 3600 + int(minutes) * 60) * 10**9 + int(whole) * unit_ns + part_ns


def seconds_of(kind: Kind, text: str) -> float | None:
    """The duration in seconds; None where the log has none."""
    taken = values.number(text)
    if taken is None:
        taken_ns = spelled_ns(text)
        seconds = -1.0 if taken_ns is None else taken_ns / 10**9
    else:
        seconds = taken / _PER_SECOND.get(kind, 1)
    return seconds if 0 <= seconds <= LONGEST_S else None


def seconds_text(kind: Kind) -> Callable[[str], str]:
    """A function from a logged duration to its seconds as text, '' for none."""

    def spelled(text: str) -> str:
        seconds = seconds_of(kind, text)
        return "" if seconds is None else repr(seconds).removesuffix(".0")

    return spelled


def sum_text(text: str) -> str:
    """The sum of seconds with spaces between them, those that are none left out; '' for none at all."""
    seconds = [one for word in text.split() if (one := seconds_of(Kind.DURATION_S, word)) is not None]
    return repr(round(sum(seconds), 9)).removesuffix(".0") if seconds else ""


def milliseconds(kind: Kind) -> Callable[[str], int]:
    """A function from a logged duration to whole milliseconds, 0 for none."""
    parts = _PARTS_OF_MS.get(kind)

    def taken_ms(text: str) -> int:
        if parts and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
            return (int(text) + parts // 2) // parts
        taken_ns = spelled_ns(text)
        if taken_ns is not None and taken_ns <= LONGEST_S * 10**9:
            return (taken_ns + 500_000) // 1_000_000
        return int((seconds_of(kind, text) or 0.0) * 1000 + 0.5)

    return taken_ms
