"""The values on the route of a chunk, and the id that makes each event unique.

read chunk -> Chunk -> convert -> Conversion -> batch -> Batch -> send -> Outcome -> confirm
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import field
from itertools import accumulate, count
from operator import add
from zlib import crc32

from logship.records import record

ANCHOR_BYTES = 256  # an anchor hashes up to this many bytes before a position
FEW_PARTS = 64  # of a body that is sent without joining them
KEY_BITS = 42  # what a UUID of version 8 leaves between CRC-32 (32 bits) and position (48 bits)


Parts = Sequence[bytes | bytearray | memoryview]  # of a body


@record
class LogFile:
    """One generation of a log, as the route knows it.

    Shapes: `file_id` is unique in the process and stable for this generation; `key` has KEY_BITS bits.
    """

    file_id: int
    path: str  # the name it was last seen under, for people
    source: str
    key: int
    origin: str


@record
class Chunk:
    """Consecutive bytes of one log; positions count decompressed bytes.

    Shapes: data is whole lines, each with its newline (the tailer appends the one that a finished file's last line
    lacks), data[0] is at `start`; `end` is the position after everything the chunk accounts for, so it is one less
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

    @property
    def has_lines(self) -> bool:
        """Whether there are whole lines to convert."""
        return bool(self.data) and not self.oversize


@record(frozen=False)
class Conversion:
    """The events of one chunk, encoded once; bodies are slices of `text`.

    Shapes: `text` is JSON objects in ASCII with one comma between two; ends[i] is the offset after event i, which comes
    from line event_lines[i]; line j spans [line_starts[j], line_starts[j + 1]) as absolute positions; len(line_starts)
    is lines + 1.
    `unmatched` are the lines (indexes) that fit no format, in order. The counts name rules; those of `left_out` name
    ids of more characters than the API takes, which their events lack.
    `outer_lines` are a container log's own lines, without line end, if the converted lines were inside them. They may
    begin before the chunk, and the last line start may be before its end: the rest belongs to an incomplete line.
    For logs with directives they are the lines with their heading; bytes that belong to no line are directives.
    """

    text: bytes | bytearray
    ends: Sequence[int]
    event_lines: Sequence[int]
    line_starts: Sequence[int]
    unmatched: Sequence[int] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    sampled_out: dict[str, int] = field(default_factory=dict)
    too_old: int = 0
    out_of_range: int = 0
    outer_lines: Sequence[bytes] | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    dropped_unmatched: int = 0  # were in `unmatched`; on_unmatched is drop

    def drop_unmatched(self) -> None:
        """Drop and count the lines that fit no format, apart from any rule."""
        self.dropped_unmatched, self.unmatched = len(self.unmatched), ()

    @classmethod
    def of(
        cls,
        events: Sequence[str],
        event_lines: Sequence[int],
        line_starts: Sequence[int],
        unmatched: Sequence[int] = (),
    ) -> Conversion:
        """A conversion of these events, each a JSON object as ASCII text."""
        ends = array("I", map(add, accumulate(map(len, events)), count()))
        return cls(",".join(events).encode("ascii"), ends, event_lines, line_starts, unmatched)

    def without_text(self) -> Conversion:
        """Where each event came from, and its size."""
        return Conversion(b"", self.ends, self.event_lines, self.line_starts, outer_lines=self.outer_lines)

    @property
    def lines(self) -> int:
        return len(self.line_starts) - 1

    def start(self, index: int) -> int:
        """Where event `index` begins in the text."""
        return self.ends[index - 1] + 1 if index else 0

    def event(self, index: int) -> str:
        """One event as text."""
        return self.text[self.start(index) : self.ends[index]].decode("ascii")

    @property
    def events(self) -> list[str]:
        """Each event as text, for people and tests; the route works on slices."""
        return [self.event(index) for index in range(len(self.ends))]


@record
class Window:
    """Which events may be sent, by request.time; ISO texts of equal width compare as times.

    Shapes: each bound is 'YYYY-MM-DDTHH:MM:SS.mmmZ' or '' for none; oldest and since are inclusive, until is exclusive.
    """

    oldest: str = ""
    since: str = ""
    until: str = ""


@record
class Span:
    """A part of a file that a batch settles: once it is delivered or set aside, the position may pass `end`.

    Shapes: spans of a file are issued in order and without gaps; `anchor` is the hash of the bytes before `end`.
    """

    file: LogFile
    start: int
    end: int
    anchor: bytes


@record
class EventOrigin:
    """Where one event of a batch came from: for dead letters and traces."""

    file: LogFile
    position: int
    raw: bytes  # the line without its newline


@record(frozen=False)
class Batch:
    """The events of one body.

    Shapes: `parts` joined are the decoded body, ASCII: JSON objects joined by commas in brackets, or the bare object
    when there is one; most of them are slices of what was converted. `pieces` are the runs of events in it, in order.
    """

    parts: Parts
    spans: tuple[Span, ...]
    pieces: tuple[Piece, ...]
    number: int = 0
    read_s: float | None = None  # monotonic: when the first of its lines was read
    count: int = field(init=False)
    body_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = sum(piece.last - piece.first for piece in self.pieces)
        self.body_bytes = sum(map(len, self.parts))
        if len(self.parts) > FEW_PARTS:  # one system call takes no more than 1,024
            self.parts = (self.body,)

    @classmethod
    def of(
        cls,
        texts: Parts,
        spans: tuple[Span, ...],
        pieces: tuple[Piece, ...],
        number: int = 0,
    ) -> Batch:
        """The batch of these pieces, at least one event; texts[i] are the events of pieces[i] with commas between."""
        if len(pieces) == 1 and pieces[0].last - pieces[0].first == 1:
            return cls(texts, spans, pieces, number)
        parts: list[bytes | bytearray | memoryview] = [b"["]
        for text in texts:
            parts += (text, b",")
        parts[-1] = b"]"
        return cls(parts, spans, pieces, number)

    def __len__(self) -> int:
        return self.count

    @property
    def body(self) -> bytes:
        """The decoded body in one piece."""
        return b"".join(self.parts)

    def part(self, first: int, last: int) -> bytes:
        """The body of the events [first, last) alone."""
        if last - first == self.count:
            return self.body
        text = self.body[self._start(first) : self._start(last) - 1]
        return text if last - first == 1 else b"[%b]" % text

    def part_bytes(self, first: int, last: int) -> int:
        """The size of that body."""
        if last - first == self.count:
            return self.body_bytes
        text_bytes = self._start(last) - 1 - self._start(first)
        return text_bytes if last - first == 1 else text_bytes + len("[]")

    def event(self, index: int) -> str:
        return self.part(index, index + 1).decode("ascii")

    def _start(self, index: int) -> int:
        """Where an event begins in the body; for the index after the last, after a comma."""
        start = len("[")
        for piece in self.pieces:
            count = piece.last - piece.first
            if index < count:
                return start + piece.conversion.start(piece.first + index) - piece.conversion.start(piece.first)
            index -= count
            start += piece.text_bytes + len(",")
        return start

    def origin(self, index: int) -> EventOrigin:
        """Where event `index` of this batch is in its log."""
        for piece in self.pieces:
            count = piece.last - piece.first
            if index < count:
                return piece.origin(index)
            index -= count
        raise IndexError(index)


@record
class Piece:
    """A run of events of one conversion inside a batch: `first` up to before `last`."""

    chunk: Chunk
    conversion: Conversion
    first: int
    last: int

    @property
    def text_bytes(self) -> int:
        """The size of these events with the commas between them."""
        return self.conversion.ends[self.last - 1] - self.conversion.start(self.first)

    def origin(self, index: int) -> EventOrigin:
        return origin_of_line(self.chunk, self.conversion, self.conversion.event_lines[self.first + index])


def origin_of_line(chunk: Chunk, conversion: Conversion, line: int) -> EventOrigin:
    """Where line `line` of a conversion is in its log."""
    start, end = conversion.line_starts[line], conversion.line_starts[line + 1]
    if conversion.outer_lines is not None:
        return EventOrigin(chunk.file, start, conversion.outer_lines[line])
    return EventOrigin(chunk.file, start, chunk.data[start - chunk.start : end - chunk.start].rstrip(b"\n"))


@record
class RefusedEvent:
    """An event that the receiver refuses for good: its `index` in the batch, the answer's status and an excerpt."""

    index: int
    status: int
    reason: str


@record
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


class Plain(str):
    """A scalar written without quotes: only these may become true, false, null or numbers, only as event constants."""

    __slots__ = ()
