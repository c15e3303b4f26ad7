"""Joins events to bodies that are bounded in bytes, counted exactly, and in age."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import field

from logship.delivery.dead_letter import DeadLetter, too_large
from logship.event import Batch, Chunk, Conversion, Piece, Span
from logship.records import record

BRACKETS_LESS_COMMA = 1  # "[" and "]" around n events and n - 1 commas, where each event is counted with a comma
LOG_BYTES_MAX = 2_000_000  # of chunks that a batch keeps for dead letters: lines of 40 kB may give events of 300 bytes


SpanOf = Callable[[Chunk, int, int], Span]  # (chunk, start, end) with the anchor before `end`


@record(frozen=False)
class Cut:
    """The result of adding a conversion.

    Shapes: batches are full; `too_large` are events that are over the limit alone; `settled` are ranges without an
    event, confirmed as soon as everything before them is.
    """

    batches: list[Batch] = field(default_factory=list)
    too_large: list[DeadLetter] = field(default_factory=list)
    settled: list[Span] = field(default_factory=list)


class Batcher:
    """Collects the events of all files of one receiver.

    Every range of a file that comes in leaves in exactly one span, in order and without gaps.
    """

    def __init__(self, max_bytes: int, max_age_s: float, span_of: SpanOf) -> None:
        self.max_bytes = max_bytes  # becomes smaller if the receiver takes less
        self._event_bytes = max_bytes  # a single event may be larger than the learned limit: the receiver decides
        self.max_age_s = max_age_s
        self._span_of = span_of
        self._texts: list[memoryview] = []  # slices of what was converted, one for each piece
        self._counted_bytes = 0  # the waiting events, each with the comma after it
        self._pieces: list[Piece] = []
        self._spans: list[Span] = []
        self._log_bytes = 0  # of the chunks that they came from
        self._oldest_s = 0.0

    @property
    def waiting(self) -> int:
        """Events that wait for a full body or for their age."""
        return sum(piece.last - piece.first for piece in self._pieces)

    @property
    def due_s(self) -> float | None:
        """The moment at which the oldest waiting event is max_age old; None without one."""
        return self._oldest_s + self.max_age_s if self._pieces else None

    def add(self, chunk: Chunk, conversion: Conversion, start: int, end: int, now_s: float) -> Cut:
        """Take the events of `conversion`; [start, end) is the range of the file that they settle.

        Shapes: `start` is where the file's last range ended, `end` is after the line of the last event.
        """
        cut = Cut()
        whole, text, ends = conversion, memoryview(conversion.text), conversion.ends
        conversion = conversion.without_text()  # what is still needed once the bodies are made
        first, begin = 0, 0  # the next event, and where it begins in the text
        while first < len(ends):
            room = self.max_bytes - BRACKETS_LESS_COMMA - self._counted_bytes
            last = bisect_right(ends, begin + room - len(","), first)
            if last == first:
                if self._pieces:
                    cut.batches += self.flush()
                    continue
                last = first + 1
                if ends[first] - begin > self._event_bytes:  # a bare object needs no brackets
                    origin = Piece(chunk, conversion, first, last).origin(0)
                    cut.too_large.append(too_large(origin, whole.event(first)))
                    first, begin = last, ends[first] + 1
                    continue
            piece_end = conversion.line_starts[conversion.event_lines[last]] if last < len(ends) else end
            self._take(Piece(chunk, conversion, first, last), text[begin : ends[last - 1]], now_s)
            self._spans.append(self._span_of(chunk, start, piece_end))
            first, begin, start = last, ends[last - 1] + 1, piece_end
            if first < len(ends) or self._log_bytes >= LOG_BYTES_MAX:
                cut.batches += self.flush()
        if start < end:
            cut.settled.append(self._span_of(chunk, start, end))
        return cut

    def flush(self) -> list[Batch]:
        """The waiting events as one batch; an empty list if none wait."""
        if not self._pieces:
            return []
        batch = Batch.of(self._texts, joined(self._spans), tuple(self._pieces))
        batch.read_s = self._oldest_s
        self._texts, self._pieces, self._spans = [], [], []
        self._counted_bytes = self._log_bytes = 0
        return [batch]

    def _take(self, piece: Piece, text: memoryview, now_s: float) -> None:
        if not self._pieces:
            self._oldest_s = now_s
        if not self._pieces or self._pieces[-1].chunk is not piece.chunk:
            self._log_bytes += len(piece.chunk.data)
        self._texts.append(text)
        self._pieces.append(piece)
        self._counted_bytes += len(text) + len(",")


def span(chunk: Chunk, start: int, end: int) -> Span:
    """[start, end) of a chunk, for callers that know its anchor."""
    return Span(chunk.file, start, end, b"")


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same spans, with adjacent ones of one file joined."""
    result: dict[tuple[int, int], Span] = {}  # by file and end
    for one in spans:
        before = result.pop((one.file.file_id, one.start), None)
        start = one.start if before is None else before.start
        result[one.file.file_id, one.end] = Span(one.file, start, one.end, one.anchor)
    return tuple(result.values())
