"""Durations that logs write with their units, as Go does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.config.shipped import presets
from logship.conversion import Converter
from logship.event import Window
from logship.formats import compile_format, read_spec
from logship.mapping.durations import LONGEST_S, spelled_ns
from tests.mapping.world import at, convert, converter, event, exact, format_named

BEGINNINGS = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
CADDY = presets()["caddy_json"].examples[0]


def written(taken_ns: int) -> str:
    """Go's time.Duration.String of a duration that is not negative."""
    for unit, unit_ns, digits in (("ns", 1, 0), ("µs", 1_000, 3), ("ms", 10**6, 6)):
        if taken_ns < 1_000 * unit_ns:
            return _decimal(taken_ns, unit_ns, digits) + unit if taken_ns else "0s"
    minutes, rest_ns = divmod(taken_ns, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    before = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{before}{_decimal(rest_ns, 10**9, 9)}s"


def _decimal(taken_ns: int, unit_ns: int, digits: int) -> str:
    whole, part = divmod(taken_ns, unit_ns)
    return f"{whole}.{part:0{digits}d}".rstrip("0").rstrip(".") if digits else str(whole)


def caddy(duration: object) -> dict[str, object]:
    """The event of a line of Caddy's that ended at 2022-03-09T21:30:01.524Z, after `duration`."""
    line = json.dumps(json.loads(CADDY) | {"duration": duration}, ensure_ascii=False)
    return event(line.encode(), "event: {metadata: {took: $duration}}", format_named("caddy_json"))


@given(st.integers(0, 2**63 - 1))
@example(0)
@example(1_100)
@example(60 * 10**9)
@example(3_600 * 10**9 + 1)
def test_what_go_writes_is_read_to_the_nanosecond(taken_ns: int) -> None:
    assert spelled_ns(written(taken_ns)) == taken_ns


@pytest.mark.parametrize(
    ("duration", "start", "took"),
    [
        ("1.2ms", "01.523", 0.0012),
        ("350µs", "01.524", 0.00035),
        ("350μs", "01.524", 0.00035),
        ("929.675us", "01.523", 0.000929675),
        ("2m3s", None, 123),
        ("1h0m0.5s", None, 3600.5),
        ("1h", None, 3600),
        ("0s", "01.524", 0),
    ],
)
def test_caddys_durations_with_units_are_durations(duration: str, start: str | None, took: float) -> None:
    found = caddy(duration)
    assert at(found, "metadata", "took") == took
    assert at(found, "request", "time") == at(caddy(took), "request", "time")
    assert at(found, "response", "time") == "2022-03-09T21:30:01.524Z"
    assert start is None or at(found, "request", "time") == f"2022-03-09T21:30:{start}Z"


@cache
def apache(text: str) -> Converter:
    return converter(text, compile_format(read_spec({"apache": '%h %l %u %t "%r" %>s %b %D'}), presets()))


def request(began: datetime, taken_us: int) -> bytes:
    return f'192.0.2.1 - - [{began:%d/%b/%Y:%H:%M:%S +0000}] "GET / HTTP/1.1" 200 5 {taken_us}'.encode()


@given(st.lists(st.tuples(BEGINNINGS, st.integers(0, 5_000_000)), min_size=1, max_size=9))
def test_a_request_that_began_at_a_second_ends_so_many_milliseconds_later(taken: list[tuple[datetime, int]]) -> None:
    made = apache("{}")
    lines = [request(began, taken_us) for began, taken_us in taken]
    events = convert(made, *lines).events
    assert events == exact(made, *lines)
    ends = [at(json.loads(each), "response", "time") for each in events]
    later = [began + timedelta(milliseconds=(taken_us + 500) // 1_000) for began, taken_us in taken]
    assert ends == [f"{end:%Y-%m-%dT%H:%M:%S}.{end.microsecond // 1_000:03}Z" for end in later]


@given(BEGINNINGS, st.integers(0, 2_500_000), st.integers(-2_500, 2_500))
@example(datetime(2024, 6, 10, 1, 2, 59, tzinfo=UTC), 600_000, -100)  # in a minute's last second
def test_a_window_sees_the_fraction_that_a_duration_gives_a_time(began: datetime, taken_us: int, off_ms: int) -> None:
    """Whether lines need to be looked at one by one is told from the bounds of the times of a chunk."""
    made = apache("event: {request: {time: $end_time}}")
    (whole,) = convert(made, request(began, taken_us)).events
    time = str(at(json.loads(whole), "request", "time"))
    limit = datetime.fromisoformat(time) + timedelta(milliseconds=off_ms)
    window = Window(until=f"{limit:%Y-%m-%dT%H:%M:%S}.{limit.microsecond // 1_000:03}Z")
    assert convert(made, request(began, taken_us), window=window).events == ([whole] if off_ms > 0 else [])


@pytest.mark.parametrize(
    "duration", ["", "ms", "-1s", "1 s", "1.s", ".5s", "1e3s", "1s2m", "2mm", "2m3", "1.5m", "１s", "1s\n", "9000h"]
)
def test_what_is_no_duration_is_left_out(duration: str) -> None:
    assert (spelled_ns(duration) or 0) / 1e9 > LONGEST_S or spelled_ns(duration) is None
    found = caddy(duration)
    assert at(found, "metadata") is None
    assert at(found, "request", "time") == at(found, "response", "time")
