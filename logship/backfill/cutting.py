"""Positions of line starts in a plain log: where pieces are cut, and where a time begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Part = tuple[int, int]  # [start, end), both at line starts

LOOK_BYTES = 65_536  # one read while looking for a newline or a time
NEAR_BYTES = 262_144  # a time found to within this many bytes is near enough, the converter's window is exact


class Seekable(Protocol):
    """A plain log, open for reading anywhere."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


def read_at(log: Seekable, offset: int, size: int) -> bytes:
    """Up to `size` bytes at `offset`; fewer only at the end of the log."""
    log.seek(offset)
    data = b""
    while len(data) < size and (more := log.read(size - len(data))):
        data += more
    return data


def line_start_at_or_before(log: Seekable, offset: int, lowest: int) -> int:
    """The last line start in (lowest, offset]; `lowest` where there is none."""
    high = offset
    while high > lowest:
        low = max(lowest, high - LOOK_BYTES)
        newline = read_at(log, low, high - low).rfind(b"\n")
        if newline >= 0:
            return low + newline + 1
        high = low
    return lowest


def line_start_after(log: Seekable, offset: int, highest: int) -> int:
    """The first line start in (offset, highest]; `highest` where there is none."""
    low = offset
    while low < highest:
        newline = (data := read_at(log, low, min(LOOK_BYTES, highest - low))).find(b"\n")
        if newline >= 0:
            return low + newline + 1
        if not data:
            return highest
        low += len(data)
    return highest


def cut(log: Seekable, start: int, end: int, limit_of: Callable[[int], int]) -> list[Part]:
    """[start, end) in parts that begin at line starts, each of at most so many bytes as `limit_of` says of the rest.

    A line longer than the limit makes its part longer. An empty range gives no part.
    """
    parts: list[Part] = []
    at = start
    while end - at > (limit_bytes := limit_of(end - at)):
        border = line_start_at_or_before(log, at + limit_bytes, at)
        if border == at:
            border = line_start_after(log, at + limit_bytes, end)
        parts.append((at, border))
        at = border
    if at < end:
        parts.append((at, end))
    return parts


def find_time(
    log: Seekable,
    within: Part,
    bound: str,
    time_of: Callable[[bytes], str | None],
    side: Literal["before", "after"],
) -> int:
    """A line start near the first line whose time is not before `bound`, in a log that is in order.

    Shapes: `side` says on which side of that line the result lies, and where it goes when lines have no time: the
    result of "before" leaves out only lines that are older, that of "after" is followed only by lines that are not.
    """
    low, high = within
    while high - low > NEAR_BYTES:
        middle = line_start_at_or_before(log, low + (high - low) // 2, low)
        if middle == low:
            middle = line_start_after(log, low + (high - low) // 2, high)
        if middle == high:
            break
        time = first_time(log, middle, high, time_of)
        if time is None:
            goes_up = side == "after"
        else:
            goes_up = time < bound
        low, high = (middle, high) if goes_up else (low, middle)
    return low if side == "before" else high


def first_time(log: Seekable, start: int, end: int, time_of: Callable[[bytes], str | None]) -> str | None:
    """The time of the first line from `start` that has one; None if none of the next LOOK_BYTES has."""
    data = read_at(log, start, min(LOOK_BYTES, end - start))
    for line in data[: data.rfind(b"\n") + 1].split(b"\n"):
        time = time_of(line)
        if time is not None:
            return time
    return None
