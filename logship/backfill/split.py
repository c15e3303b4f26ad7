"""The pieces of a run: what of each log is still to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from logship.backfill.cutting import Part, Seekable, cut, find_time
from logship.backfill.line_times import TimeOf
from logship.backfill.opening import open_log
from logship.backfill.run_settings import BackfillLog, LogPiece
from logship.backfill.time_arguments import shifted
from logship.checkpoint import Range, merged
from logship.event import ANCHOR_BYTES, Window
from logship.formats.directives import Heading, heading_at
from logship.records import record
from logship.tail.content import Content
from logship.tail.identity import anchor_of

DISORDER_S = 3600.0  # Apache writes a line when its request ends, with the time it began


class _Bytes(Seekable):
    """A content behind seek() and read()."""

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
        """What of a piece is left where its worker is gone."""
        confirmed = clipped(piece.confirmed, decided_to, piece.end)
        return LogPiece(next(self._numbers), piece.log, decided_to, piece.end, confirmed, piece.heading)

    def _within(self, content: Content, log: BackfillLog, time_of: TimeOf) -> Part:
        """The part of a plain log that can hold lines of the window."""
        start, end = 0, log.size_bytes
        if log.converter_spec.is_headed:  # a line has no time but below its heading
            return start, end
        log_bytes = _Bytes(content)
        if self._window.since:
            start = find_time(log_bytes, (start, end), shifted(self._window.since, -DISORDER_S), time_of, "before")
        if self._window.until:
            end = find_time(log_bytes, (start, end), shifted(self._window.until, DISORDER_S), time_of, "after")
        return start, end


def are_of(log: BackfillLog, ranges: Sequence[Range]) -> bool:
    """Whether confirmed ranges are of this plain log: the bytes before each end decide.

    A range may end behind the size that the plan saw: a daemon continues with a live log.
    Raises: OSError, RemoteError.
    """
    content = open_log(log.path)
    try:
        return all(_anchor(content, one.end) == one.anchor for one in ranges)
    finally:
        content.close()


def _anchor(content: Content, position: int) -> bytes:
    size = min(position, ANCHOR_BYTES)
    return anchor_of(content.read_at(position - size, size))


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
