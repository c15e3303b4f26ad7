"""A log's chunks: without gaps, each with what stands before it and the anchor of its end."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.reading import LogReading, Passage
from logship.event import ANCHOR_BYTES
from logship.tail.identity import anchor_of
from tests.backfill.run_settings import log_of

MAX_LINE_BYTES = 100
HALF_LINES = st.text('x"\r\xff', max_size=40).map(lambda text: text.encode("latin-1"))
LINES = st.one_of(
    HALF_LINES.map(lambda line: line + b"\n"),
    st.integers(1, 2_000).map(lambda size: b"x" * size + b"\n"),  # some are over-long
    st.integers(1, 700).map(lambda size: b"\0" * size),
)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@given(st.lists(LINES, max_size=12), HALF_LINES, st.integers(1, 3_000), st.integers(0, 3))
def test_a_chunk_knows_what_stands_before_it_and_before_its_end(
    compress: Callable[[bytes], bytes], lines: list[bytes], tail: bytes, limit_bytes: int, back: int
) -> None:
    data = b"".join((*lines, tail))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "access.log")
        path.write_bytes(compress(data))
        reading = LogReading(log_of(str(path), len(data)), 0, MAX_LINE_BYTES)
        passages = read_all(reading, limit_bytes)
        if passages:
            reading.go_to(passages[back % len(passages)].chunk.start)  # a held format's lines are read again
            passages += read_all(reading, limit_bytes)
        reading.close()
    assert [one.chunk.start for one in passages[:1]] == [0][: len(passages)]
    for passage in passages:
        chunk = passage.chunk
        assert chunk.before == data[max(0, chunk.start - ANCHOR_BYTES) : chunk.start]
        assert passage.anchor == anchor_of(data[: chunk.end])
    assert (passages[-1].chunk.end if passages else 0) == len(data)


def read_all(reading: LogReading, limit_bytes: int) -> list[Passage]:
    """The passages to the end, which follow each other without a gap."""
    passages: list[Passage] = []
    while (passage := reading.passage(limit_bytes, None)) is not None:
        assert not passages or passage.chunk.start == passages[-1].chunk.end
        passages.append(passage)
    return passages
