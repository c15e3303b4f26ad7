"""Ranges: what is confirmed and what is not cover a log exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.split import clipped, stretches
from logship.checkpoint import Range, merged

some_ranges = st.lists(
    st.builds(lambda start, end: Range(start, end, b"%d" % end), st.integers(0, 60), st.integers(0, 60)), max_size=8
)


def positions(ranges: Sequence[Range]) -> set[int]:
    return {at for one in ranges for at in range(one.start, one.end)}


@given(some_ranges)
def test_merged_ranges_hold_the_same_positions_in_order_and_apart(ranges: list[Range]) -> None:
    result = merged(ranges)
    assert positions(result) == positions(ranges)
    assert all(one.anchor == b"%d" % one.end for one in result), "an anchor belongs to its end"
    assert all(before.end < after.start for before, after in pairwise(result))


@given(some_ranges, st.integers(0, 60), st.integers(0, 60))
def test_clipped_ranges_are_what_lies_inside(ranges: list[Range], start: int, end: int) -> None:
    assert positions(clipped(ranges, start, end)) == positions(ranges) & set(range(start, end))


@given(some_ranges, st.integers(0, 30), st.integers(30, 60))
def test_stretches_cover_a_piece_without_gap_or_overlap(ranges: list[Range], start: int, end: int) -> None:
    parts = list(stretches(start, end, ranges))
    at = start
    for part in parts:
        assert part.start == at
        assert part.end is not None
        assert part.end > at
        at = part.end
        assert {position in positions(ranges) for position in range(part.start, part.end)} == {part.is_confirmed}
    assert at == end or start == end


def test_the_last_stretch_of_a_log_of_unknown_length_is_open() -> None:
    parts = stretches(0, None, [Range(0, 10), Range(20, 30)])
    assert [(part.start, part.end, part.is_confirmed) for part in parts] == [
        (0, 10, True),
        (10, 20, False),
        (20, 30, True),
        (30, None, False),
    ]
