"""What is in it? The next whole lines at a position, whatever stands there: holes, monsters, half lines."""

from __future__ import annotations

from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content

_SCAN_BYTES = 262_144


class ReplacedError(Exception):
    """The content before a position is not what stood there: the content is another one."""


@record
class Stretch:
    """Bytes that become one chunk; see event.Chunk for the shapes.

    `before_end` are the last bytes before `end` (ANCHOR_BYTES, or less at the start of the stretch).
    """

    end: int
    before_end: bytes
    data: bytes = b""
    skipped_nul: int = 0
    oversize: bool = False


@record(frozen=False)
class Lookahead:
    """How far an unfinished monster (line or hole) has been looked through, so that no byte is looked at twice."""

    scanned_to: int = 0


@record
class Bounds:
    """How much may be read: `end` is a position not to read past (None: the present end).

    `is_final`: nothing will follow, so a last line without newline counts as complete.
    """

    limit_bytes: int
    max_line_bytes: int
    end: int | None = None
    is_final: bool = False

    def room(self, position: int, size: int) -> int:
        """How much of `size` bytes at a position may be read; not above 0 where that is nothing."""
        return size if self.end is None else min(size, self.end - position)


def next_stretch(content: Content, start: int, bounds: Bounds, ahead: Lookahead, before: bytes = b"") -> Stretch | None:
    """The stretch at `start` (a line start); None while there is none to be had.

    `before` is what must stand before `start`: one read brings both, so that a look at it costs nothing.
    Raises: ReplacedError where something else stands there; OSError as reading gives it.
    """
    head = len(before)
    block = content.read_at(start - head, head + max(0, bounds.room(start, bounds.limit_bytes)))
    if not block.startswith(before):
        raise ReplacedError
    if len(block) == head:
        return None
    if block[head] == 0:
        return _hole(content, start, bounds, ahead)
    cut = block.rfind(b"\n", head) + 1
    if not cut:
        return _unfinished_line(content, start, bounds, ahead)
    # one byte is looked for at memory speed, two are not: the usual chunk holds no NUL at all
    nul = block.find(b"\n\0", head, cut) if b"\0" in block else -1
    data = block[head : cut if nul < 0 else nul + 1]
    monster = over_long_line(data, bounds.max_line_bytes)
    if monster is None:
        return _lines(start, data)
    if monster:
        return _lines(start, data[:monster])
    end = start + data.index(b"\n") + 1
    return _oversize(content, data, end, bounds)


def over_long_line(data: bytes, max_line_bytes: int) -> int | None:
    """Where the first line longer than `max_line_bytes` starts; None if there is none. `data` is whole lines.

    A line that long holds a whole window of half its size, so looking for windows without a newline finds it.
    """
    window = max(max_line_bytes // 2, 1)
    at = 0
    while at + window <= len(data):
        if data.find(b"\n", at, at + window) < 0:
            line = data.rfind(b"\n", 0, at) + 1
            end = data.index(b"\n", at)
            if end - line > max_line_bytes:
                return line
            at = end - end % window
        at += window
    return None


def _read(content: Content, position: int, size: int, bounds: Bounds) -> bytes:
    size = bounds.room(position, size)
    return content.read_at(position, size) if size > 0 else b""


def _unfinished_line(content: Content, start: int, bounds: Bounds, ahead: Lookahead) -> Stretch | None:
    """No newline within the limit: a line longer than that, an over-long one, or one still being written."""
    head = _read(content, start, bounds.max_line_bytes + 1, bounds)
    newline = head.find(b"\n")
    if newline >= 0:
        return _lines(start, head[: newline + 1])
    if len(head) <= bounds.max_line_bytes:
        if not (bounds.is_final and head):
            return None
        return Stretch(start + len(head), head[-ANCHOR_BYTES:], head + b"\n")
    position = max(start + len(head), ahead.scanned_to)
    while block := _read(content, position, _SCAN_BYTES, bounds):
        newline = block.find(b"\n")
        if newline >= 0:
            return _oversize(content, head, position + newline + 1, bounds)
        position += len(block)
    ahead.scanned_to = position
    return _oversize(content, head, position, bounds) if bounds.is_final else None


def _oversize(content: Content, head: bytes, end: int, bounds: Bounds) -> Stretch:
    first = max(0, end - ANCHOR_BYTES)
    before_end = content.read_at(first, end - first)
    return Stretch(end, before_end, head[: bounds.max_line_bytes] + b"\n", oversize=True)


def _lines(start: int, data: bytes) -> Stretch:
    return Stretch(start + len(data), data[-ANCHOR_BYTES:], data)


def _hole(content: Content, start: int, bounds: Bounds, ahead: Lookahead) -> Stretch | None:
    """NUL bytes up to the first other byte; at the end of the file they may yet be filled in, so they wait."""
    position = max(start, ahead.scanned_to)
    while True:
        position = max(position, content.next_data(position))
        block = _read(content, position, _SCAN_BYTES, bounds)
        if not block:
            break
        rest = block.lstrip(b"\0")
        if rest:
            return _skipped(start, position + len(block) - len(rest))
        position += len(block)
    ahead.scanned_to = position
    return _skipped(start, position) if bounds.is_final and position > start else None


def _skipped(start: int, end: int) -> Stretch:
    return Stretch(end, b"\0" * min(end - start, ANCHOR_BYTES), skipped_nul=end - start)
