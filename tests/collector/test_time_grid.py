"""Bars begin where a reader's clock is round, and every time is in exactly one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.collector.time_grid import DAY_S, MAX_BARS, NICE_STEPS_S, TimeGrid

BERLIN, BEIRUT, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Beirut"), ZoneInfo("Pacific/Apia")
ZONES = (None, BERLIN, BEIRUT, APIA, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/St_Johns"))
YEAR_0_MS, YEAR_10_000_MS = -62_167_219_200_000, 253_402_300_800_000
times = st.integers(YEAR_0_MS, YEAR_10_000_MS)


@given(first=times, spans=st.lists(st.integers(0, 10**12), min_size=1, max_size=30), zone=st.sampled_from(ZONES))
def test_each_time_is_in_the_bar_that_begins_last_before_it(first: int, spans: list[int], zone: ZoneInfo) -> None:
    all_ms = np.array([first, *(first + span for span in spans)], np.int64)
    grid = TimeGrid.over(int(all_ms.min()), int(all_ms.max()) + 1, zone)
    starts = grid.starts(int(all_ms.min()) // 1000, int(all_ms.max()) // 1000)
    assert starts == sorted(set(starts))
    assert len(starts) <= MAX_BARS + 2
    placed, places = grid.placed(all_ms)
    for time_ms, start in zip(all_ms.tolist(), placed[places].tolist(), strict=True):
        assert start == max(one for one in starts if one * 1000 <= time_ms)


def local(zone: ZoneInfo, *when: int) -> int:
    return int(datetime.fromisoformat("{:04}-{:02}-{:02}T{:02}:00".format(*when)).replace(tzinfo=zone).timestamp())


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, (2026, 3, 29), 23),
        (BERLIN, (2026, 10, 25), 25),
        (BERLIN, (2028, 2, 29), 24),
        (BEIRUT, (2026, 3, 29), 23),  # its clocks are put forward at midnight, which that day does not have
        (APIA, (2011, 12, 29), 24),  # the 30th did not exist there
    ],
)
def test_a_local_day_is_one_bar_whatever_its_clocks_do(zone: ZoneInfo, day: tuple[int, ...], hours: int) -> None:
    grid = TimeGrid(DAY_S, zone)
    noon = local(zone, *day, 12)
    start, following = grid.starts(noon, noon + 24 * 3_600)
    assert datetime.fromtimestamp(start, zone).day == day[2]
    assert following - start == hours * 3_600


def test_hours_keep_their_length_over_a_change_of_clocks() -> None:
    first = local(BERLIN, 2026, 10, 25, 0)
    grid = TimeGrid.over(first * 1000, (first + 25 * 3_600) * 1000, BERLIN)
    starts = grid.starts(first, first + 25 * 3_600 - 1)
    assert starts[0] == first
    assert {later - earlier for earlier, later in pairwise(starts)} == {grid.step_s}


def test_times_that_are_far_apart_take_no_room_between_them() -> None:
    starts, places = TimeGrid(60).placed(np.array([YEAR_0_MS, YEAR_10_000_MS, YEAR_0_MS + 1]))
    assert starts.tolist() == [YEAR_0_MS // 1000, YEAR_10_000_MS // 1000]
    assert places.tolist() == [0, 1, 0]


@pytest.mark.parametrize("step_s", NICE_STEPS_S)
def test_utc_is_the_same_with_and_without_its_zone(step_s: int) -> None:
    first = int(datetime(2026, 10, 10, 3, 7, tzinfo=UTC).timestamp())
    last = first + int(timedelta(days=3).total_seconds())
    assert TimeGrid(step_s, ZoneInfo("UTC")).starts(first, last) == TimeGrid(step_s).starts(first, last)
