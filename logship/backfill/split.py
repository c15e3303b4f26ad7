"""Pieces: where a log is cut at line starts, where a time begins in it, and which parts are still to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Literal

from logship.backfill.command_line import shifted
from logship.backfill.reading import Seekable, bytes_before, open_log, read_at
from logship.backfill.run_settings import BackfillLog, ConverterSpec, LogPiece
from logship.checkpoint import Range, merged
from logship.clock import iso_time
from logship.event import Window
from logship.formats import Format
from logship.formats.directives import Heading, heading_at
from logship.records import record
from logship.tail.content import Content
from logship.tail.identity import anchor_of

Part = tuple[int, int]  # [start, end), both at line starts

LOOK_BYTES = 65_536  # one read while looking for a newline or a time
NEAR_BYTES = 262_144  # a time is searched this closely; the converter's window is exact
DISORDER_S = 3600.0  # Apache writes a line when its request ends, with the time it began


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


TimeOf = Callable[[bytes], str | None]


def line_clock(converter_spec: ConverterSpec, fmt: Format) -> TimeOf:
    """A function from a line (without its newline) to its moment; None where it has none.

    The moment may be the request's start or its end, whichever the format logs.
    """
    clocks = [_member_clock(member, converter_spec.constants.timezone) for member in fmt.members]

    def time_of(line: bytes) -> str | None:
        for inner in [line] if converter_spec.is_headed else converter_spec.opened([line]):
            member = fmt.choose(inner)
            if member is not None:
                return clocks[member](inner)
        return None

    return time_of


def _member_clock(fmt: Format, timezone: str) -> TimeOf:
    slot = next((slot for slot in fmt.slots if slot.time is not None), None)
    if slot is None or slot.time is None:
        return lambda line: None
    read = fmt.reader([slot.field])
    decode = slot.time.decoder(timezone)

    def time_of(line: bytes) -> str | None:
        values = read(line)
        epoch_ms = decode(values[0]) if values else None
        return None if epoch_ms is None else iso_time(epoch_ms / 1000)

    return time_of


class _Bytes(Seekable):
    """A content with seek() and read()."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._offset = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._offset = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        data = self._content.read_at(self._offset, size)
        self._offset += len(data)
        return data


class Split:
    """Makes pieces; numbers run over the whole run."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._numbers = count()

    def pieces(
        self, log: BackfillLog, confirmed: Sequence[Range], time_of: TimeOf, limit_of: Callable[[int], int]
    ) -> Iterator[LogPiece]:
        """All pieces of a log, one where it can't be divided; `limit_of` says how large the next of the rest may be.

        Raises: OSError, RemoteError.
        """
        if not log.is_divisible:
            yield LogPiece(next(self._numbers), log, 0, None, tuple(merged(confirmed)))
            return
        content = open_log(log.path)
        try:
            start, end = self._within(content, log, time_of)
            heading = Heading()
            for low, high in cut(_Bytes(content), start, end, limit_of):
                if log.converter_spec.is_headed:
                    heading = Heading(low, heading_at(content.read_at, low, heading))
                yield LogPiece(next(self._numbers), log, low, high, clipped(merged(confirmed), low, high), heading)
        finally:
            content.close()

    def rest(self, piece: LogPiece, decided_to: int) -> LogPiece:
        """What is left of a piece whose worker died."""
        confirmed = clipped(piece.confirmed, decided_to, piece.end)
        return LogPiece(next(self._numbers), piece.log, decided_to, piece.end, confirmed, piece.heading)

    def _within(self, content: Content, log: BackfillLog, time_of: TimeOf) -> Part:
        """The part of a plain log that can hold lines of the window."""
        start, end = 0, log.size_bytes
        if log.converter_spec.is_headed:  # a line has no time without its heading
            return start, end
        log_bytes = _Bytes(content)
        if self._window.since:
            start = find_time(log_bytes, (start, end), shifted(self._window.since, -DISORDER_S), time_of, "before")
        if self._window.until:
            end = find_time(log_bytes, (start, end), shifted(self._window.until, DISORDER_S), time_of, "after")
        return start, end


def are_of(log: BackfillLog, ranges: Sequence[Range]) -> bool:
    """Whether confirmed ranges belong to this plain log: the bytes before each end decide.

    A range may end after the size that the plan saw: a daemon continues with a live log.
    Raises: OSError, RemoteError.
    """
    content = open_log(log.path)
    try:
        return all(anchor_of(bytes_before(content, one.end)) == one.anchor for one in ranges)
    finally:
        content.close()


@record
class PieceRange:
    """A part of a piece that is confirmed already, or is still to be done.

    Shapes: end None is the end of the log, wherever that is; `anchor` is the hash of the bytes before a
    confirmed range's end, b"" where it is not known.
    """

    start: int
    end: int | None
    is_confirmed: bool
    anchor: bytes = b""


def clipped(ranges: Iterable[Range], start: int, end: int | None) -> tuple[Range, ...]:
    """The ranges inside [start, end); an end that was cut has no anchor."""
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
