"""Where plain logs are cut into pieces, and where a time begins in them."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.split import NEAR_BYTES, cut, find_time

logs = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=40).map(b"".join)


@given(logs, st.integers(1, 80), st.binary(max_size=5))
def test_parts_cover_a_log_and_begin_at_line_starts(data: bytes, limit_bytes: int, tail: bytes) -> None:
    data += tail.replace(b"\n", b"")
    parts = cut(io.BytesIO(data), 0, len(data), lambda rest: limit_bytes)
    assert b"".join(data[start:end] for start, end in parts) == data
    for start, end in parts:
        assert start == 0 or data[start - 1 : start] == b"\n"
        inner_lines = data[start : end - 1].count(b"\n")
        assert end - start <= limit_bytes or inner_lines == 0, "only a single long line may exceed the limit"


def test_lines_longer_than_a_look_are_never_cut() -> None:
    data = b"a" * 200_000 + b"\n" + b"b\n" + b"c" * 150_000 + b"\n"
    parts = cut(io.BytesIO(data), 0, len(data), lambda rest: 100_000)
    assert parts == [(0, 200_001), (200_001, 200_003), (200_003, 350_004)]


def test_what_is_left_may_say_how_large_the_next_part_is() -> None:
    data = b"a\n" * 500
    assert cut(io.BytesIO(data), 0, len(data), lambda rest: rest // 2 + 1)[:3] == [(0, 500), (500, 750), (750, 876)]


def time_of(line: bytes) -> str | None:
    text = line[:6].decode("latin-1")
    return text if text.isdigit() else None


def ordered_log(lines: int, odd_every: int = 7) -> bytes:
    """Lines that carry their number as their time; every so many carries none."""
    return b"".join(
        b"garbage %d\n" % number if number % odd_every == 0 else b"%06d %s\n" % (number, b"x" * 90)
        for number in range(lines)
    )


@given(st.integers(0, 20_100))
def test_a_time_is_found_on_the_safe_side_and_near(wanted: int) -> None:
    data = ordered_log(20_000)
    log, bound = io.BytesIO(data), f"{wanted:06d}"
    before = find_time(log, (0, len(data)), bound, time_of, "before")
    after = find_time(log, (0, len(data)), bound, time_of, "after")
    assert all(time < bound for time in map(time_of, data[:before].split(b"\n")) if time)
    assert all(time >= bound for time in map(time_of, data[after:].split(b"\n")) if time)
    assert after - before <= NEAR_BYTES
    for place in (before, after):
        assert place in {0, len(data)} or data[place - 1 : place] == b"\n"


def test_a_stretch_without_times_leaves_nothing_out() -> None:
    data = ordered_log(3_000) + b"no time here\n" * 100_000 + ordered_log(3_000)[:0]
    log = io.BytesIO(data)
    assert find_time(log, (0, len(data)), "999999", time_of, "after") == len(data)
    assert find_time(log, (0, len(data)), "000000", time_of, "before") == 0
