"""Bodies are counted exactly, and every byte of a file leaves in exactly one span."""

from __future__ import annotations

import json
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from logship.event import Batch, Chunk, Conversion, LogFile, Span
from logship.route.batcher import LOG_BYTES_MAX, Batcher, Cut

FILE = LogFile(1, "/var/log/access.log", "api", 7, "web-1")


def span_of(chunk: Chunk, start: int, end: int) -> Span:
    return Span(chunk.file, start, end, b"")


def chunk_of(lines: list[bytes], start: int = 0, file: LogFile = FILE) -> Chunk:
    data = b"".join(line + b"\n" for line in lines)
    return Chunk(file, start, start + len(data), data)


def conversion_of(chunk: Chunk, kept: list[bool], sizes: list[int]) -> Conversion:
    """Events of the wanted sizes (at least 2 bytes each) for the kept lines."""
    starts = [chunk.start]
    for line in chunk.data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = [number for number, keep in enumerate(kept) if keep]
    events = ['"' + "x" * (sizes[number] - 2) + '"' for number in lines]
    return Conversion.of(events, lines, starts)


programs = st.lists(
    st.lists(st.tuples(st.booleans(), st.integers(2, 60)), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


@given(programs, st.integers(20, 120))
def test_every_stretch_leaves_once_and_every_body_is_within_the_limit(
    program: list[list[tuple[bool, int]]], limit: int
) -> None:
    batcher = Batcher(limit, 1.0, span_of)
    position = 0
    cuts: list[Cut] = []
    fed = 0
    for rows in program:
        chunk = chunk_of([b"line"] * len(rows), position)
        conversion = conversion_of(chunk, [kept for kept, _ in rows], [size for _, size in rows])
        fed += len(conversion.events)
        cuts.append(batcher.add(chunk, conversion, position, chunk.end, 0.0))
        position = chunk.end
    batches = [batch for cut in cuts for batch in cut.batches] + batcher.flush()
    too_large = [item for cut in cuts for item in cut.too_large]
    for batch in batches:
        assert len(batch.body) <= limit
        decoded = json.loads(batch.body)
        assert [batch.event(index) for index in range(len(batch))] == _spelled(decoded)
        for first, last in combinations(range(len(batch) + 1), 2):
            part = batch.part(first, last)
            assert len(part) == batch.part_bytes(first, last)
            of_one = json.dumps(decoded[first] if isinstance(decoded, list) else decoded).encode()
            assert part == of_one if last - first == 1 else json.loads(part) == decoded[first:last]
        assert isinstance(decoded, list) == (len(batch) > 1)
    assert sum(len(batch) for batch in batches) + len(too_large) == fed
    assert all(len(item.event) > limit for item in too_large)
    spans = [span for batch in batches for span in batch.spans] + [span for cut in cuts for span in cut.settled]
    edge = 0
    for span in sorted(spans, key=lambda span: span.start):
        assert span.start == edge
        edge = span.end
    assert edge == position


def _spelled(decoded: object) -> list[str]:
    return [json.dumps(one) for one in (decoded if isinstance(decoded, list) else [decoded])]


def test_a_batch_knows_the_line_of_each_of_its_events() -> None:
    batcher = Batcher(1000, 1.0, span_of)
    first = chunk_of([b"a", b"bb"], 0)
    other = LogFile(2, "/var/log/other.log", "api", 8, "web-1")
    second = chunk_of([b"ccc"], 50, other)
    batcher.add(first, conversion_of(first, [False, True], [9, 9]), 0, first.end, 0.0)
    batcher.add(second, conversion_of(second, [True], [9]), 50, second.end, 0.0)
    (batch,) = batcher.flush()
    assert (batch.origin(0).position, batch.origin(0).raw) == (2, b"bb")
    assert (batch.origin(1).file, batch.origin(1).position, batch.origin(1).raw) == (other, 50, b"ccc")


def test_a_batch_is_due_when_its_oldest_event_is_of_age() -> None:
    batcher = Batcher(1000, 1.5, span_of)
    chunk = chunk_of([b"a"], 0)
    assert batcher.due_s is None
    batcher.add(chunk, conversion_of(chunk, [True], [9]), 0, chunk.end, 10.0)
    batcher.add(chunk, conversion_of(chunk, [True], [9]), chunk.end, chunk.end, 11.0)
    assert batcher.due_s == 11.5
    batcher.flush()
    assert batcher.due_s is None


def test_an_event_of_exactly_the_limit_travels_bare() -> None:
    batcher = Batcher(100, 1.0, span_of)
    chunk = chunk_of([b"a", b"b"], 0)
    cut = batcher.add(chunk, conversion_of(chunk, [True, True], [100, 101]), 0, chunk.end, 0.0)
    batches: list[Batch] = cut.batches + batcher.flush()
    assert [len(batch.body) for batch in batches] == [100]
    assert [len(item.event) for item in cut.too_large] == [101]


def test_a_batch_keeps_few_lines_of_logs_however_small_their_events_are() -> None:
    """What it keeps for dead letters is bounded: events of 300 bytes may come from lines of 40 kB, or be one in 100."""
    batcher = Batcher(250_000, 1.0, span_of)
    position = 0
    batches: list[Batch] = []
    for number in range(80):
        file = LogFile(number % 3, "/var/log/access.log", "api", 7, "web-1")
        chunk = chunk_of([b"x" * 49_999] * 4, position, file)
        cut = batcher.add(chunk, conversion_of(chunk, [True] * 4, [300] * 4), position, chunk.end, 0.0)
        batches += cut.batches
        position = chunk.end
    held = [sum({id(piece.chunk): len(piece.chunk.data) for piece in batch.pieces}.values()) for batch in batches]
    assert max(held) < LOG_BYTES_MAX + 200_000
    assert len(batches) == 80 * 200_000 // LOG_BYTES_MAX
