"""What is remembered of times is what decoding each of them gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.formats.times import ClfTime
from logship.kernel.program import LAST_MS
from logship.kernel.values import Unreadable, iso, within

DECODE = ClfTime().decoder("UTC")
ZONES = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(1971, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001 -- hypothesis adds the zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES)


@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_a_time_made_by_its_minute_is_the_moment_it_names(moments: list[datetime]) -> None:
    for moment in moments:
        moment_ms = DECODE(moment.strftime("%d/%b/%Y:%H:%M:%S %z").zfill(26))
        assert moment_ms is not None
        expected = moment.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert iso(moment_ms) == expected


def test_a_leap_second_is_the_next_second() -> None:
    assert iso(DECODE("31/Dec/2016:23:59:60 +0000") or 0) == "2017-01-01T00:00:00.000Z"


@given(st.integers(0, LAST_MS))
@example(0)
@example(LAST_MS)
def test_an_event_has_the_milliseconds_of_its_moment(moment_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
    assert datetime.fromisoformat(iso(moment_ms)) == moment
    assert len(iso(moment_ms)) == len("2000-10-10T20:55:36.000Z")


@pytest.mark.parametrize("moment_ms", [-1, LAST_MS + 1, None])
def test_no_event_has_a_time_outside_of_what_the_service_takes(moment_ms: int | None) -> None:
    with pytest.raises(Unreadable):
        within(moment_ms)
