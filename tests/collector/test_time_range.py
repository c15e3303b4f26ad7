"""The time that somebody asks for, as they write it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.collector.refusal import RefusalError
from logship.collector.time_range import TimeRange, read_range, read_zone
from logship.collector.times import iso_time

NOW = "2026-11-27T20:30:00.000Z"
NOW_MS = int(datetime.fromisoformat(NOW).timestamp()) * 1000
ZONES = ("", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia")


def asked(**given: str) -> tuple[str | None, str | None]:
    """From and until, without milliseconds and Z."""
    found = read_range(given, NOW_MS, read_zone(given))
    since, until = (None if one is None else iso_time(one)[:19] for one in (found.since_ms, found.until_ms))
    return since, until


@pytest.mark.parametrize(
    ("given", "since", "until"),
    [
        ({}, "2026-11-26T20:30:00", "2026-11-27T20:40:00"),
        ({"range": "90m"}, "2026-11-27T19:00:00", "2026-11-27T20:40:00"),
        ({"range": "2w"}, "2026-11-13T20:30:00", "2026-11-27T20:40:00"),
        ({"range": "all"}, None, None),
        ({"range": "2026-11-27"}, "2026-11-27T00:00:00", "2026-11-28T00:00:00"),
        ({"range": "2026-11-27", "tz": "Europe/Berlin"}, "2026-11-26T23:00:00", "2026-11-27T23:00:00"),
        ({"range": "2026-11"}, "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ({"range": "2028-02"}, "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ({"range": "2028-02-29"}, "2028-02-29T00:00:00", "2028-03-01T00:00:00"),
        ({"range": "2026-11-20..2026-11-22"}, "2026-11-20T00:00:00", "2026-11-23T00:00:00"),
        ({"range": "2026-11-20..2026-11-22T12:00"}, "2026-11-20T00:00:00", "2026-11-22T12:00:00"),
        ({"range": "..2026-11-22"}, None, "2026-11-23T00:00:00"),
        ({"range": "2026-11-22 10:00.."}, "2026-11-22T10:00:00", None),
        ({"range": "today"}, "2026-11-27T00:00:00", "2026-11-28T00:00:00"),
        ({"range": "yesterday"}, "2026-11-26T00:00:00", "2026-11-27T00:00:00"),
        ({"range": "today", "tz": "Asia/Tokyo"}, "2026-11-27T15:00:00", "2026-11-28T15:00:00"),
        ({"since": "2026-11-27", "range": "7d"}, "2026-11-27T00:00:00", None),
        ({"since": "2026-11-27T10:00", "tz": "America/New_York"}, "2026-11-27T15:00:00", None),
        ({"since": "2026-11-27T10:00Z", "tz": "America/New_York"}, "2026-11-27T10:00:00", None),
        ({"until": "2026-11-27T10:00+05:30", "tz": "America/New_York"}, None, "2026-11-27T04:30:00"),
        ({"range": "2026-10-25", "tz": "Europe/Berlin"}, "2026-10-24T22:00:00", "2026-10-25T23:00:00"),  # 25 hours
        ({"range": "2026-03-29", "tz": "Europe/Berlin"}, "2026-03-28T23:00:00", "2026-03-29T22:00:00"),  # 23 hours
        ({"since": "2026-03-29T02:30", "tz": "Europe/Berlin"}, "2026-03-29T01:30:00", None),  # left out there
        ({"since": "2026-10-25T02:30", "tz": "Europe/Berlin"}, "2026-10-25T00:30:00", None),  # the first of two
    ],
)
def test_a_time_is_read_as_people_write_it(given: dict[str, str], since: str | None, until: str | None) -> None:
    assert asked(**given) == (since, until)


@pytest.mark.parametrize(
    "given",
    [
        {"range": "7"},
        {"range": "-1d"},
        {"range": "999999d"},
        {"range": "2026-02-29"},
        {"range": "2026-13"},
        {"range": ".."},
        {"range": "2026-11-22..2026-11-20"},
        {"range": "0m..1h"},
        {"range": "9999-12-31"},
        {"since": "2026-11-27", "until": "2026-11-27"},
        {"since": "yesterday"},
        {"tz": "Europe/Nowhere"},
        {"tz": "../../etc/passwd"},
        {"tz": "Europe"},
        {"tz": "x\0"},
        {"since": "0001-01-01", "tz": "Asia/Tokyo", "until": "0000-01-01"},
    ],
)
def test_what_is_no_time_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(RefusalError) as caught:
        asked(**given)
    assert caught.value.status == 400
    assert "=" in caught.value.message


words = st.text("0123456789-.:TZ+mhdw today yesterday", max_size=30)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("range", "since", "until"), words)), st.sampled_from(ZONES))
def test_any_text_is_a_time_or_is_refused(given: dict[str, Any], zone: str) -> None:
    try:
        found = read_range(given, NOW_MS, read_zone({"tz": zone}))
    except RefusalError:
        return
    assert isinstance(found, TimeRange)
    assert found.since_ms is None or found.until_ms is None or found.since_ms < found.until_ms
