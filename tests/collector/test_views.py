"""Every view of the page and of its API is what SQL says of the stored events, whatever the filter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.collector import listing
from logship.collector.asked import LISTS_SHOWN, Asked
from logship.collector.columns import held, numbers_of, packed_numbers, packed_texts
from logship.collector.database import Database
from logship.collector.filters import FIELDS, EventFilter, kept_whole, read_filter
from logship.collector.intake import Intake
from logship.collector.listing import Listing
from logship.collector.refusal import RefusalError
from logship.collector.segments import FOLDED_AT_ONCE, Segments, fold
from logship.collector.server import open_database
from logship.collector.summary import LISTS, SLOW_REQUESTS, Summaries
from logship.collector.text_search import TextSearch
from logship.collector.times import iso_time
from tests.collector.view_oracle import SqlOracle, assert_lists, assert_views
from tests.collector.views import APPS, NOW_MS, fill, stored

EVENTS = 6_000
VIEWS = 200


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(str(tmp_path_factory.mktemp("views") / "events.db"))
    fill(database, EVENTS)
    yield database
    database.close()


@pytest.fixture(scope="module")
def filled_postgres(postgres_url: str) -> Iterator[Database]:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE views")
    database = open_database(f"{postgres_url.rpartition('/')[0]}/views")
    fill(database, EVENTS)
    yield database
    database.close()


@pytest.fixture(scope="module")
def oracle(filled: Database) -> SqlOracle:
    return SqlOracle(filled)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports go through several looks, as those of large stores do."""
    monkeypatch.setattr(listing, "PLACES_AT_ONCE", 700)
    monkeypatch.setattr(listing, "EVENTS_AT_ONCE", 90)


@pytest.mark.parametrize("piece", range(10))
def test_every_view_equals_sql(filled: Database, oracle: SqlOracle, piece: int) -> None:
    assert_views(filled, oracle, piece, VIEWS // 10)


def test_every_view_of_postgresql_equals_sql(filled_postgres: Database) -> None:
    assert_views(filled_postgres, SqlOracle(filled_postgres), 0, VIEWS // 10)


@given(st.lists(st.floats() | st.integers(-(1 << 62), 1 << 62).map(float) | st.integers(0, 300).map(float), max_size=5))
def test_packed_numbers_come_back_whatever_they_are(numbers: list[float]) -> None:
    given_ones = np.array(numbers, np.float64)
    found = numbers_of(packed_numbers(given_ones), len(numbers))
    assert np.array_equal(found.astype(np.float64), given_ones, equal_nan=True)


LIKE_ONE_ANOTHER = st.builds(
    lambda cut, tail: "/api/us\u00e9rs/17/orders/3"[:cut] + tail, st.integers(0, 25), st.text("a\u00e9", max_size=2)
)


@given(st.lists(LIKE_ONE_ANOTHER, min_size=1), LIKE_ONE_ANOTHER.filter(bool))
def test_texts_that_begin_so_are_found_whatever_their_length(texts: list[str], prefix: str) -> None:
    data = dict(zip(("path", "path.texts"), packed_texts(texts), strict=True))
    found = held(len(texts), data).begin_with("path", prefix)
    assert found.tolist() == [text.startswith(prefix) for text in dict.fromkeys(texts)]


@pytest.mark.parametrize("column", LISTS)
def test_each_list_is_read_by_a_reader_that_has_nothing_kept(filled: Database, oracle: SqlOracle, column: str) -> None:
    wanted = EventFilter(APPS[0])
    summary = Summaries(Segments(filled), TextSearch(filled)).of(wanted, NOW_MS, column=column)
    assert_lists(summary, oracle.view(wanted), column)


def test_a_route_of_few_requests_is_not_called_slow(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    intake = Intake()
    choose = random.Random(1)
    events = [{**stored(choose, number), "weight": 1} for number in range(SLOW_REQUESTS + 3)]
    for number, event in enumerate(events):
        route = "rare" if number < SLOW_REQUESTS - 1 else "usual"
        event["request"]["uri"] = (
            f"https://a.example/{route}" if number % 2 or route == "rare" else "https://a.example/usual"
        )
        start = event["request"]["time"] = "2026-10-10T10:00:00.000Z"
        event["response"] = {"time": start.replace("00.000", "01.000"), "status": 200}
    database.insert(intake.rows(orjson.dumps(events), batch=True, application_id="a", received_ms=NOW_MS, peer=""))
    summary = Summaries(Segments(database), TextSearch(database)).of(EventFilter("a"), NOW_MS)
    assert [one.value for one in summary.frequent] == ["/rare", "/usual"]
    assert summary.slowest == ()
    assert summary.p50_ms == pytest.approx(1_000, rel=0.05)
    database.close()


def test_a_clock_that_is_wrong_does_not_stretch_the_chart_of_the_last_day(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    events = [stored(random.Random(number), number) for number in range(3)]
    times = (iso_time(NOW_MS), iso_time(NOW_MS + 60_000), "9999-12-31T23:59:59.999Z")
    for one, time in zip(events, times, strict=True):
        one["request"]["time"] = time
    database.insert(Intake().rows(orjson.dumps(events), batch=True, application_id="a", received_ms=NOW_MS, peer=""))
    summaries = Summaries(Segments(database), TextSearch(database))
    day = summaries.of(read_filter({"range": "24h"}, "a", NOW_MS), NOW_MS)
    assert (day.events, day.step_s) == (2, 900)
    assert summaries.of(read_filter({"range": "all"}, "a", NOW_MS), NOW_MS).events == 3
    today = summaries.of(read_filter({"range": "today"}, "a", NOW_MS), NOW_MS)
    assert (today.events, len(today.bars), today.step_s) == (2, 96, 900)
    database.close()


def test_small_segments_are_merged_and_full_ones_are_left(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    intake, choose = Intake(), random.Random(2)
    for number in range(200):
        body = orjson.dumps([stored(choose, number)])
        database.insert(intake.rows(body, batch=True, application_id="a", received_ms=NOW_MS, peer=""))
        assert not fold(database)
    known = Segments(database).of("a")
    assert sum(one.events for one in known) == 200
    assert len(known) <= 9
    assert FOLDED_AT_ONCE < 65_536
    ids = np.concatenate([one.columns.numbers("id") for one in known])
    assert ids.tolist() == list(range(1, 201))
    database.close()


ASKED = Asked("", {"range": "all"})
HOSTILE_TEXTS = (
    "*", "/a*", "/a\\*", "/a\\", " ", " x", "x ", "get", "GET", "none", "5xx", "a/b/../c", "%2F", "'\"><", "a&b=c#d",
    "é", "\u202e", "x\ny", "\\none", "\\\\none", "/users/17", "/users/18", "(other)", "\ufffd", "..", "🚢",
)  # fmt: skip


def test_events_without_a_value_are_taken_alone_and_left_out(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    request: dict[str, Any] = {"time": iso_time(NOW_MS), "verb": "GET", "uri": "/"}
    events = [{"request": request, "user_id": one} for one in ("ann", "none", "none", None, None, None, None)]
    database.insert(Intake().rows(orjson.dumps(events), batch=True, application_id="a", received_ms=NOW_MS, peer=""))
    summaries = Summaries(Segments(database), TextSearch(database))
    for asked, requests in (("none", 4), ("\\none", 2), ("ann", 1), ("\\\\none", 0), ("", 7)):
        assert summaries.of(read_filter({"user": asked}, "a", NOW_MS), NOW_MS).requests == requests, asked
        if asked:
            assert summaries.of(read_filter({"not-user": asked}, "a", NOW_MS), NOW_MS).requests == 7 - requests, asked
    database.close()


def test_a_value_that_may_be_cut_says_so_and_its_filter_finds_it(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    request: dict[str, Any] = {"time": iso_time(NOW_MS), "verb": "GET"}
    events = [{"request": {**request, "uri": f"/{'x' * 500}{end}"}} for end in "AB"]
    database.insert(Intake().rows(orjson.dumps(events), batch=True, application_id="a", received_ms=NOW_MS, peer=""))
    (path,) = Summaries(Segments(database), TextSearch(database)).of(EventFilter("a"), NOW_MS, column="path").values
    assert kept_whole("path", path.value) == f"/{'x' * 399}…"
    assert kept_whole("path", "/short") == "/short"
    with pytest.raises(RefusalError, match="of longer values only the first are kept"):
        read_filter({"path": f"/{'x' * 500}A"}, "a", NOW_MS)
    for asked in (path.value, f"{path.value}*"):
        wanted = read_filter({"path": asked}, "a", NOW_MS)
        assert len(Listing(Segments(database), TextSearch(database)).page(wanted, limit=5).events) == 2
    database.close()


def test_each_value_of_a_list_is_a_link_to_exactly_its_events(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "e.db"))
    events = []
    for number, text in enumerate(HOSTILE_TEXTS):
        path = text if text.startswith("/") else f"/{text}"
        request: dict[str, Any] = {"time": iso_time(NOW_MS), "verb": text, "uri": f"https://{number}.example{path}"}
        request["ip_address"] = text
        request["headers"] = {"User-Agent": text, "Referer": f"https://{text}/"}
        made = {
            "request": request,
            "user_id": text,
            "company_id": text,
            "metadata": {"source": text},
            "weight": number + 1,
        }
        events.append({**made, "response": {"time": iso_time(NOW_MS), "status": 200}})
    body = orjson.dumps([*events, {"request": {"time": iso_time(NOW_MS), "verb": "GET", "uri": "/"}}])
    database.insert(Intake().rows(body, batch=True, application_id="a", received_ms=NOW_MS, peer=""))
    summaries = Summaries(Segments(database), TextSearch(database))
    total = summaries.of(EventFilter("a"), NOW_MS).requests
    for name in LISTS_SHOWN:
        listed = summaries.of(EventFilter("a"), NOW_MS, column=FIELDS[name][0]).values
        assert len(listed) > 3, name
        for one in listed:
            for link, requests in ((ASKED.only, one.requests), (ASKED.but, total - one.requests)):
                address = unescape(str(link(name, one.value))).split('"')[1]
                given = dict(parse_qsl(address.partition("?")[2], keep_blank_values=True))
                assert summaries.of(read_filter(given, "a", NOW_MS), NOW_MS).requests == requests, (name, one.value)
    database.close()
