"""Arithmetic of confirmed ranges [start, end) of positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from logship.checkpoint import Range, merged
from logship.records import record


@record
class PieceRange:
    """A part of a piece that is confirmed already, or is still to be done.

    Shapes: end None is the end of the log, wherever that is; `anchor` is the hash of the bytes before a
    confirmed stretch's end, b"" where it is not known.
    """

    start: int
    end: int | None
    is_confirmed: bool
    anchor: bytes = b""


def clipped(ranges: Iterable[Range], start: int, end: int | None) -> tuple[Range, ...]:
    """What of the ranges lies in [start, end); a cut end has no anchor."""
    cut = (one if end is None or one.end <= end else Range(one.start, end) for one in ranges)
    inside = (Range(max(one.start, start), one.end, one.anchor) for one in cut)
    return tuple(one for one in inside if one.start < one.end)


def stretches(start: int, end: int | None, confirmed: Sequence[Range]) -> Iterator[PieceRange]:
    """[start, end) in order, cut where it changes between confirmed and not."""
    at = start
    for one in clipped(merged(confirmed), start, end):
        if at < one.start:
            yield PieceRange(at, one.start, False)
        yield PieceRange(one.start, one.end, True, one.anchor)
        at = one.end
    if end is None or at < end:
        yield PieceRange(at, end, False)
