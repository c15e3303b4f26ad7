"""What is remembered of times is what decoding each of them gives."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.formats.times import ClfTime
from logship.mapping.memo import Bounds, Times, Unreadable, iso

CLF = ClfTime()
DECODE = CLF.decoder("UTC")
ZONES = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(1971, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001 -- hypothesis adds the zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES)


@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_a_time_made_by_its_minute_is_the_time_decoded_whole(moments: list[datetime]) -> None:
    bounds = Bounds()
    times = Times(DECODE, bounds, CLF.seconds_at)
    texts = [moment.strftime("%d/%b/%Y:%H:%M:%S %z").zfill(26) for moment in moments]
    made = [times[text] for text in texts]
    assert made == [iso(DECODE(text) or 0) for text in texts]
    assert bounds.least <= min(made)
    assert bounds.greatest >= max(made)


def test_a_leap_second_is_the_next_second() -> None:
    times = Times(DECODE, Bounds(), CLF.seconds_at)
    assert times["31/Dec/2016:23:59:60 +0000"] == "2017-01-01T00:00:00.000Z"


@given(st.text(max_size=40))
@example("10/Oct/2000:13:55:61 -0700")
@example("31/Feb/2000:13:55:36 -0700")
@example("10/Oct/2000:13:55:36 -07000")
@example("10/Oct/2000:13:55:36")
@example(":00")
def test_what_is_no_time_by_its_minute_is_none_at_all(text: str) -> None:
    if DECODE(text) is None:
        with pytest.raises(Unreadable):
            Times(DECODE, Bounds(), CLF.seconds_at)[text]
