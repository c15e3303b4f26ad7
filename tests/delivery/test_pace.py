"""When the next attempt may start: rules that hold for any history."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from logship.delivery.pace import HOLD_INTERVAL_S, Attempt, Pace


def make_pace(concurrency: int = 8, seed: int = 0) -> Pace:
    return Pace(concurrency, 0.5, 60.0, random.Random(seed))


def one_failure(pace: Pace, now_s: float, retry_after_s: float | None = None) -> float:
    """Fails one attempt; how long the pause is."""
    pace.failed(now_s, pace.start(), retry_after_s)
    return pace.paused_until_s - now_s


def test_pauses_double_up_to_the_most_and_are_anywhere_below_it() -> None:
    """Full jitter: a thousand shippers that lost one receiver don't come back in step."""
    ceilings = [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    histories = []
    for seed in range(300):
        pace, now_s, pauses = make_pace(seed=seed), 0.0, []
        for _ in ceilings:
            pause_s = one_failure(pace, now_s)
            pauses.append(pause_s)
            now_s += pause_s
        histories.append(pauses)
    for place, ceiling in enumerate(ceilings):
        column = [pauses[place] for pauses in histories]
        assert max(column) <= ceiling
        assert min(column) < 0.1 * ceiling
        assert max(column) > 0.9 * ceiling


def test_a_year_of_outage_does_not_overflow() -> None:
    pace, now_s = make_pace(), 0.0
    for _ in range(5000):
        now_s += one_failure(pace, now_s)
    assert pace.paused_until_s - now_s <= 60


def test_senders_that_meet_one_outage_together_are_one_failure() -> None:
    pace = make_pace()
    for _ in range(7):
        pace.accepted(pace.start())
    together = [pace.start() for _ in range(8)]
    for attempt in together:
        pace.failed(0.0, attempt)
    assert (pace.failures, pace.window, pace.in_flight) == (1, 4, 0)


def test_success_of_an_attempt_older_than_the_pause_does_not_call_it_off() -> None:
    pace = make_pace()
    pace.accepted(pace.start())
    old = pace.start()
    one_failure(pace, 0.0, retry_after_s=30.0)
    pace.accepted(old)
    assert not pace.may_start(29.9)
    assert pace.may_start(30.0)
    assert pace.failures == 1


def test_a_hold_is_tried_one_at_a_time_every_minute() -> None:
    pace = make_pace()
    for _ in range(7):
        pace.accepted(pace.start())
    pace.held(0.0, pace.start())
    assert not pace.may_start(HOLD_INTERVAL_S - 0.1)
    assert pace.next_start_s(0.0) == HOLD_INTERVAL_S
    assert pace.may_start(HOLD_INTERVAL_S)
    attempt = pace.start()
    assert not pace.may_start(HOLD_INTERVAL_S)
    pace.accepted(attempt)
    assert pace.hold is None


def test_a_person_who_knows_more_ends_a_pause_and_the_minute_of_a_hold() -> None:
    pace = make_pace()
    one_failure(pace, 0.0, retry_after_s=3000.0)
    pace.resume(10.0)
    assert pace.may_start(10.0)
    pace.held(10.0, pace.start())
    pace.resume(11.0)
    assert pace.hold
    assert pace.may_start(11.0)
    pace.held(12.0, pace.start())
    assert not pace.may_start(12.0 + HOLD_INTERVAL_S - 0.1)


@given(st.lists(st.sampled_from(["start", "accepted", "refused", "failed", "asked", "held"]), max_size=200), st.data())
def test_the_window_and_the_count_in_flight_never_leave_their_bounds(history: list[str], data: st.DataObject) -> None:
    pace, now_s = make_pace(5), 0.0
    flying: list[Attempt] = []
    for what in history:
        if what == "start":
            if pace.may_start(now_s):
                flying.append(pace.start())
            else:
                start_s = pace.next_start_s(now_s)
                assert start_s is not None or flying, "nothing would ever start again"
                now_s = max(now_s, start_s or 0.0)
            continue
        if not flying:
            continue
        attempt = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        match what:
            case "accepted":
                pace.accepted(attempt)
            case "refused":
                pace.refused(attempt)
            case "held":
                pace.held(now_s, attempt)
            case _:
                pace.failed(now_s, attempt, 100.0 if what == "asked" else None)
        assert 1 <= pace.window <= 5
        assert pace.in_flight == len(flying) <= 5
        assert pace.paused_until_s <= now_s + 100.0
