"""Arithmetic of ranges [start, end) of positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a piece that is confirmed already, or is still to be done."""

    start: int
    end: int | None  # None: to the end of the log, wherever that is
    is_confirmed: bool


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same positions in order, without overlaps; neighbours become one, empty ones vanish."""
    result: list[Range] = []
    for start, end in sorted(one for one in ranges if one[0] < one[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def clipped(ranges: Iterable[Range], start: int, end: int | None) -> tuple[Range, ...]:
    """What of the ranges lies in [start, end)."""
    cut = ((max(low, start), high if end is None else min(high, end)) for low, high in ranges)
    return tuple(one for one in cut if one[0] < one[1])


def stretches(start: int, end: int | None, confirmed: Sequence[Range]) -> Iterator[Stretch]:
    """[start, end) in order, cut where it changes between confirmed and not."""
    at = start
    for low, high in clipped(merged(confirmed), start, end):
        if at < low:
            yield Stretch(at, low, False)
        yield Stretch(low, high, True)
        at = high
    if end is None or at < end:
        yield Stretch(at, end, False)


def length(ranges: Iterable[Range]) -> int:
    """Bytes in ranges that do not overlap."""
    return sum(end - start for start, end in ranges)
