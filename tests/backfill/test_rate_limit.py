"""--rate: the time that is lost between batches is made good, that of a pause is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.piece_sender import CATCH_UP_S, RateLimit

BATCHES = st.lists(st.tuples(st.integers(1, 600), st.floats(0.0, 2.0)), min_size=1, max_size=50)


@given(BATCHES)
def test_no_stretch_of_time_brings_more_than_the_rate_and_what_may_be_caught_up(
    batches: list[tuple[int, float]],
) -> None:
    pace, now_s, sent = RateLimit(1_000.0), 5.0, []
    for events, late_s in batches:
        now_s = max(now_s, pace.due_s) + late_s
        pace.take(events, now_s)
        sent.append((now_s, events))
    for first, (since_s, _) in enumerate(sent):
        for until, (until_s, _) in enumerate(sent[first:], first):
            before_last = sum(events for _, events in sent[first:until])
            assert before_last <= 1_000.0 * (until_s - since_s + CATCH_UP_S) * (1 + 1e-9)


def test_a_busy_machine_keeps_the_rate() -> None:
    pace, now_s = RateLimit(1_000.0), 0.0
    for _ in range(100):
        pace.take(100, now_s)
        now_s = max(now_s + 0.02, pace.due_s) + 0.02  # converting takes a while, waking up too
    assert now_s == pytest.approx(100 * 0.1, abs=0.3)


def test_without_a_rate_nothing_waits() -> None:
    pace = RateLimit(0.0)
    pace.take(1_000_000, 7.0)
    assert pace.due_s == -math.inf
