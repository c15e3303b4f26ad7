"""What is remembered of a log file: the record that the tailer keeps and the state stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from logship.records import record


@record
class Anchor:
    """What stood before a position.

    Shapes: `digest` is the hash of the up to ANCHOR_BYTES decompressed bytes before `position`.
    """

    position: int
    digest: bytes


@record
class Range:
    """Confirmed bytes [start, end) of a log; `anchor` is the hash of the content before `end`, empty if unknown."""

    start: int
    end: int
    anchor: bytes = b""


@record
class Checkpoint:
    """One generation of a log, as it is known after a restart.

    Shapes: `generation` is unique in a state and grows with age: of two generations of a log the smaller is the older.
    `directory` and `stem` name the log it belongs to; `path` is the name the content was last seen under.
    device, inode, size_bytes (decompressed) and mtime_ns are hints: first line and anchors decide.
    `position` is the end of the range [range_start, position) that is confirmed for `receiver`.
    `anchors` are those of its last positions; while nothing is confirmed, that of its size when it was seen.
    """

    generation: int
    source: str
    receiver: str
    directory: str
    stem: str
    origin: str
    path: str
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    first_line: bytes  # hash of the first line
    key: int | None  # None: the first line was not complete yet
    range_start: int
    position: int
    anchors: tuple[Anchor, ...] = field(default=())  # oldest first, at most 16
    is_finished: bool = False  # rotated away and read to its end: not looked for any more
    lost_bytes: int = 0  # counted as lost so far
    gone_at_s: float = 0.0  # wall clock since when no name holds it; 0 while one does


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes in order, without overlaps; neighbours become one (with the later anchor), empty ones vanish."""
    result: list[Range] = []
    for one in sorted((one for one in ranges if one.start < one.end), key=lambda one: (one.start, one.end)):
        if not result or one.start > result[-1].end:
            result.append(one)
        elif one.end > result[-1].end or (one.end == result[-1].end and not result[-1].anchor):
            result[-1] = Range(result[-1].start, one.end, one.anchor)
    return result
