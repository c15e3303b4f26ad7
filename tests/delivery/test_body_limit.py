"""How large a body may be: learned from what failed, and not for ever. Days pass in no time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.delivery.pace import BodyLimit

MOST_BYTES = 250_000
TIMEOUT_S = 30.0


class Way:
    """A receiver that refuses bodies above `taken` and a way to it that carries none above `carried` in time."""

    def __init__(self, *, taken: int = MOST_BYTES, carried: int = MOST_BYTES) -> None:
        self.taken, self.carried = taken, carried
        self.limit = BodyLimit(MOST_BYTES, TIMEOUT_S)
        self.now_s = 1000.0
        self.refused = self.late = 0

    def send_for(self, hours: float, most: int = MOST_BYTES) -> None:
        """A body each minute, as large as it may be."""
        end_s = self.now_s + hours * 3600
        while self.now_s < end_s:
            size = min(most, self.limit.bytes)
            if size > self.taken:
                self.refused += 1
                self.limit.refused(size, self.now_s)
            elif size > self.carried:
                self.late += 1
                self.limit.timed_out(size, self.now_s)
            else:
                self.limit.accepted(size, 0.1, self.now_s)
            self.now_s += 60


@pytest.mark.parametrize("early", [1, 3, 8])
def test_bodies_grow_again_once_large_ones_are_taken(early: int) -> None:
    """Step by step, ten minutes each: an early 413 is no verdict for the life of the process."""
    way = Way(taken=MOST_BYTES // 2**early)
    way.send_for(0.15)
    assert (way.limit.bytes, way.refused) == (MOST_BYTES // 2**early, early)
    way.taken = MOST_BYTES
    way.send_for((early - 1) * 10 / 60)
    assert way.limit.bytes < MOST_BYTES
    way.send_for(0.5)
    assert (way.limit.bytes, way.refused) == (MOST_BYTES, early)


@pytest.mark.parametrize("taken", [200_000, 100_000, 62_500, 999])
def test_a_limit_that_lasts_costs_a_413_an_hour(taken: int) -> None:
    way = Way(taken=taken)
    way.send_for(24)
    assert way.refused <= 24 + 8 + 4
    assert taken / 2 - 1 <= way.limit.safe_bytes <= taken


@pytest.mark.parametrize("taken", [100_000, 999])
def test_little_traffic_teaches_nothing_wrong(taken: int) -> None:
    """A day of small bodies confirms no large one: the first large one is a try, and its refusal costs one step."""
    way = Way(taken=taken)
    way.send_for(0.2)
    way.send_for(24, most=500)
    before = way.refused
    way.send_for(0.1)
    assert way.refused <= before + 8


@pytest.mark.parametrize("carried", [200_000, 60_000, 5_000])
def test_a_way_that_never_carries_large_bodies_is_not_tried_with_them_all_day(carried: int) -> None:
    way = Way(carried=carried)
    way.send_for(24)
    assert way.late <= 24 + 9 + 8


def test_a_small_body_that_was_accepted_says_nothing_of_the_limit() -> None:
    limit = BodyLimit(MOST_BYTES, TIMEOUT_S)
    limit.accepted(300, 0.1, 0.0)
    limit.refused(MOST_BYTES, 1.0)
    assert limit.bytes == MOST_BYTES // 2


@pytest.mark.parametrize("hours", [0.1, 1, 24])
def test_after_a_silence_whole_batches_are_sent_again_soon(hours: float) -> None:
    way = Way(carried=0)
    way.send_for(hours)
    way.carried = MOST_BYTES
    way.send_for(0.2)
    assert way.limit.bytes == MOST_BYTES


def test_answers_that_take_almost_all_of_the_time_make_nothing_larger() -> None:
    limit = BodyLimit(MOST_BYTES, TIMEOUT_S)
    limit.timed_out(MOST_BYTES, 0.0)
    for minute in range(100):
        limit.accepted(limit.bytes, 0.6 * TIMEOUT_S, 60.0 * minute)
    assert limit.bytes == MOST_BYTES // 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["accepted", "refused", "timed_out"]), st.integers(2, MOST_BYTES), st.floats(0, 4000)
        ),
        max_size=100,
    )
)
def test_it_stays_within_its_bounds_whatever_comes(history: list[tuple[str, int, float]]) -> None:
    limit, now_s = BodyLimit(MOST_BYTES, TIMEOUT_S), 0.0
    for what, size, wait_s in history:
        now_s += wait_s
        match what:
            case "accepted":
                limit.accepted(size, 0.1, now_s)
            case "refused":
                limit.refused(size, now_s)
            case _:
                limit.timed_out(size, now_s)
        assert 0 < limit.safe_bytes <= limit.bytes <= MOST_BYTES
