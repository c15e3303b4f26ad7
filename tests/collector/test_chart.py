"""The chart's labels are where people look for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from logship.collector.chart import LABELS, draw
from logship.collector.summary import Bar, assembled
from logship.collector.text_numbers import NumberedTexts
from logship.collector.time_grid import TimeGrid

MIDNIGHT_S = 1_791_590_400  # 2026-10-10 00:00 UTC
QUARTER_S = 900
NO_TEXTS = NumberedTexts([], [])


def labels(first_s: int, bars: int, step_s: int) -> list[str]:
    made = tuple(Bar(first_s + number * step_s, (1, 0, 0, 0, 0)) for number in range(bars))
    chart = draw(replace(assembled([], NO_TEXTS, NO_TEXTS, TimeGrid(step_s), 0, 0, None), bars=made))
    return [text for _, text in chart.labels]


def test_a_day_that_begins_at_any_time_is_labelled_at_round_hours() -> None:
    assert labels(MIDNIGHT_S + 7 * QUARTER_S, 96, QUARTER_S) == ["04:00", "08:00", "12:00", "16:00", "20:00", "00:00"]


def test_a_week_is_labelled_by_days() -> None:
    assert labels(MIDNIGHT_S + 22 * 3_600, 84, 7_200) == ["12 Oct", "14 Oct", "16 Oct"]


@pytest.mark.parametrize("step_s", [60, 300, 900, 3_600, 7_200, 21_600, 86_400, 604_800, 2_592_000])
@pytest.mark.parametrize("bars", [1, 2, 15, 60, 96])
@pytest.mark.parametrize("late", [0, 1, 5])
def test_every_chart_has_labels_and_not_too_many(step_s: int, bars: int, late: int) -> None:
    first_s = MIDNIGHT_S // step_s * step_s + late * step_s
    assert 1 <= len(labels(first_s, bars, step_s)) <= LABELS + 1
