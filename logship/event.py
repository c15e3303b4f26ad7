"""The values that travel the route of a chunk, and the id that makes an event exactly one.

read chunk -> Chunk -> convert -> Conversion -> batch -> Batch -> send -> Outcome -> confirm
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

ANCHOR_BYTES = 256  # an anchor hashes up to this many bytes before a position
KEY_BITS = 42  # what a UUID of version 8 leaves between CRC-32 (32 bits) and position (48 bits)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One generation of a log, as the route knows it.

    Shapes: `file_id` is unique in the process and stable for this generation; `key` has KEY_BITS bits.
    """

    file_id: int
    path: str  # the name it was last seen under, for people
    source: str
    key: int
    origin: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive bytes of one log; positions count decompressed bytes.

    Shapes: data is whole lines, each with its newline (the tailer appends the one that a finished file's last line
    lacks), data[0] stands at `start`; `end` is the position after everything the chunk accounts for, so it is one less
    than start + len(data) where the newline was appended. `before` is up to ANCHOR_BYTES that precede `start`.
    An over-long line comes alone: data is its first bytes plus newline, `oversize` is true, start and end span it all.
    A hole of NUL bytes comes alone: data is empty, `skipped_nul` is its length. So do lines that the receiver has
    already: data is empty, `already_confirmed` is their number.
    """

    file: LogFile
    start: int
    end: int
    data: bytes
    before: bytes = b""
    skipped_nul: int = 0
    oversize: bool = False
    already_confirmed: int = 0


@dataclass(slots=True)
class Conversion:
    """The events of one chunk.

    Shapes: events[i] is a JSON object as ASCII text, so len() is its size in bytes; it comes from line event_lines[i];
    line j spans [line_starts[j], line_starts[j + 1]) as absolute positions; len(line_starts) is lines + 1.
    `unfit` are the lines (indexes) that fit no format, in order. The counts name rules.
    `outer_lines` are a container log's own lines, without line end, where the converted ones stood inside of them; they
    may begin before the chunk, and the last start before its end: what follows belongs to a line that is not complete.
    """

    events: list[str]
    event_lines: Sequence[int]
    line_starts: Sequence[int]
    unfit: Sequence[int] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    sampled_out: dict[str, int] = field(default_factory=dict)
    too_old: int = 0
    out_of_range: int = 0
    outer_lines: Sequence[bytes] | None = None

    @property
    def lines(self) -> int:
        return len(self.line_starts) - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Which events may go out, by request.time; ISO texts of equal width compare as times.

    Shapes: each bound is 'YYYY-MM-DDTHH:MM:SS.mmmZ' or '' for none; oldest and since are inclusive, until is exclusive.
    """

    oldest: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file that a batch settles: delivered or set aside, the file's position may pass `end`.

    Shapes: spans of a file are issued in order and without gaps; `anchor` is the hash of the bytes before `end`.
    """

    file: LogFile
    start: int
    end: int
    anchor: bytes


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """Where one event of a batch came from: for dead letters and traces."""

    file: LogFile
    position: int
    raw: bytes  # the line without its newline


@dataclass(slots=True)
class Batch:
    """Events joined to one body, in which alone they stand: by the time it is sent their texts' memory is used again.

    Shapes: `body` is the decoded one, ASCII: JSON objects joined by commas in brackets, or the bare object when there
    is one. sizes[i] are the bytes of event i. `pieces` says which (conversion, first event, past the last event, chunk)
    each run came from.
    """

    body: bytes
    sizes: Sequence[int]
    spans: tuple[Span, ...]
    pieces: tuple[Piece, ...]
    number: int = 0

    @classmethod
    def of(
        cls, events: Sequence[str], spans: tuple[Span, ...], pieces: tuple[Piece, ...], number: int = 0
    ) -> Batch:
        """The batch of these events, at least one."""
        text = events[0] if len(events) == 1 else f"[{','.join(events)}]"
        return cls(text.encode("ascii"), array("I", map(len, events)), spans, pieces, number)

    def __len__(self) -> int:
        return len(self.sizes)

    def part(self, first: int, last: int) -> bytes:
        """The body of the events [first, last) alone."""
        count = last - first
        if count == len(self):
            return self.body
        start = self._start(first)
        text = self.body[start : start + sum(self.sizes[first:last]) + count - 1]
        return text if count == 1 else b"[%b]" % text

    def event(self, index: int) -> str:
        return self.part(index, index + 1).decode("ascii")

    def _start(self, index: int) -> int:
        """Where an event of several stands in the body."""
        return len("[") + sum(self.sizes[:index]) + index

    def origin(self, index: int) -> EventOrigin:
        """Where event `index` of this batch stands in its log."""
        for piece in self.pieces:
            count = piece.last - piece.first
            if index < count:
                return piece.origin(index)
            index -= count
        raise IndexError(index)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of events of one conversion inside a batch."""

    chunk: Chunk
    conversion: Conversion
    first: int
    last: int

    def origin(self, index: int) -> EventOrigin:
        return origin_of_line(self.chunk, self.conversion, self.conversion.event_lines[self.first + index])


def origin_of_line(chunk: Chunk, conversion: Conversion, line: int) -> EventOrigin:
    """Where line `line` of a conversion stands in its log."""
    start, end = conversion.line_starts[line], conversion.line_starts[line + 1]
    if conversion.outer_lines is not None:
        return EventOrigin(chunk.file, start, conversion.outer_lines[line])
    return EventOrigin(chunk.file, start, chunk.data[start - chunk.start : end - chunk.start].rstrip(b"\n"))


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event the receiver will never take: `index` in its batch, the answer's status and a short excerpt of it."""

    index: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A settled batch: every event was confirmed except the refused ones, which become dead letters."""

    batch: Batch
    refused: tuple[RefusedEvent, ...] = ()


def transaction_id(line: bytes, file_key: int, position: int) -> str:
    """The id of the event made from `line` (without its line end) at `position` of the file with `file_key`.

    Shapes: UUID version 8: CRC-32 of the line, 42 bits of file key, 48 bits of position.
    Source: RFC 9562, 5.8.
    """
    return f"{crc32(line):08x}-{key_digits(file_key)}-{position:012x}"


def key_digits(file_key: int) -> str:
    """The middle of every transaction_id of a file: `kkkk-8kkk-Vkkk`, V carrying the UUID's variant."""
    high = file_key >> 26
    middle = file_key >> 14 & 0xFFF
    low = 0x8000 | file_key & 0x3FFF
    return f"{high:04x}-8{middle:03x}-{low:04x}"
