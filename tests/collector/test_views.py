"""Every view of the page and of its API is what SQL says of the stored events, whatever the filter."""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import tzinfo
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.collector.asked import LISTS_SHOWN, Asked
from logship.collector.columns import BUCKET_GROWTH, numbers_of, packed_numbers
from logship.collector.database import Database
from logship.collector.filters import FIELDS, EventFilter, read_filter
from logship.collector.intake import Intake
from logship.collector.listing import Listing
from logship.collector.retention import erase
from logship.collector.row import EventRow
from logship.collector.segments import FOLDED_AT_ONCE, Segments, fold
from logship.collector.server import open_database
from logship.collector.sqlite_store import SqliteStore
from logship.collector.summary import LISTS, SLOW_REQUESTS, TOP, Summaries, Summary
from logship.collector.summary_part import status_class
from logship.collector.text_search import TextSearch
from logship.collector.time_range import read_zone
from logship.collector.times import iso_time

EVENTS = int(os.environ.get("LOGSHIP_VIEW_EVENTS", "3000"))  # `make soak`: 1,000,000
VIEWS = 200
BATCH = max(EVENTS // 10, 1)
NOW_MS = 1_791_640_600_000
SPAN_MS = 40 * 86_400_000
APPS = ("shop", "other")
PATHS = (
    "/", "/cart", "/pay", "/search", "/api/users/{}", "/api/items/{}/reviews", "/\u00e9/{}", "/100%_sure",
    "/\x00nul/{}", "/\U0001f6a2/\u202e{}", "/long/" + "x" * 500, "/<b>{}</b>",
)  # fmt: skip
WRONG_TIMES_MS = (
    0, 1, -2_500_000_000_123, -62_000_000_000_000, 253_402_300_799_999, NOW_MS, NOW_MS + 30_000, NOW_MS + 86_400_000,
    1_792_889_999_999, 1_792_890_000_000, 1_792_893_599_000,  # around the end of Berlin's summer time
)  # fmt: skip
AGENTS = ("curl/8.5.0", "Mozilla/5.0 (X11) Firefox/128.0", "Mozilla/5.0 (compatible; Googlebot/2.1)", "", "okhttp/4")
ZONES = (
    "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Europe/Amsterdam", "Pacific/Apia",
)  # fmt: skip
TEXTS = ("cart", "GOOGLE", "items/7", '"status":50', "nowhere", "100%_", "\u00e9")


def stored(choose: random.Random, number: int) -> dict[str, Any]:
    """An event of any kind."""
    at = choose.choice(WRONG_TIMES_MS) if choose.random() < 0.03 else NOW_MS - choose.randrange(SPAN_MS)
    path = choose.choice(PATHS).format(choose.randrange(300))
    headers = {"User-Agent": choose.choice(AGENTS)}
    if choose.random() < 0.3:
        headers["Referer"] = f"https://{choose.choice(('a', 'b'))}.example/x"
    event: dict[str, Any] = {
        "request": {
            "time": iso_time(at),
            "verb": choose.choice(("GET", "GET", "POST", "DELETE", "BREW")),
            "uri": f"https://{choose.choice(('a', 'b', 'c'))}.example{path}?n={number}",
            "ip_address": f"203.0.113.{choose.randrange(200)}",
            "headers": headers,
        },
        "transaction_id": f"00000000-0000-8000-8000-{number:012x}",
    }
    if choose.random() < 0.95:
        lasted = choose.choice((0, 1, 12, 40, 250, 1_900, 60_000, -5_000, 10**10))
        status = choose.choice((200, 200, 200, 204, 301, 404, 429, 500, 502, 599, 600, 999, 0))
        event["response"] = {"time": iso_time(at + lasted), "status": status}
    if choose.random() < 0.5:
        event["user_id"] = choose.choice(
            (f"user-{choose.randrange(100)}", f"\x00{choose.randrange(3)}", "\u202e\U0001f6a2")
        )
    if choose.random() < 0.2:
        event["company_id"] = f"company-{choose.randrange(5)}"
    if choose.random() < 0.2:
        event["metadata"] = {"source": choose.choice(("web-1", "web-2"))}
    if choose.random() < 0.3:
        event["weight"] = choose.choice((1, 2, 10, 1_000_000_000))
    return event


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(str(tmp_path_factory.mktemp("views") / "events.db"))
    fill(database)
    yield database
    database.close()


@pytest.fixture(scope="module")
def filled_postgres(postgres_url: str) -> Iterator[Database]:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE views")
    database = open_database(f"{postgres_url.rpartition('/')[0]}/views")
    fill(database)
    yield database
    database.close()


def fill(database: Database) -> None:
    """Stores random events: in large and small segments, the last ones in none, some of them erased."""
    choose = random.Random(EVENTS)
    intake = Intake()
    for first in range(0, EVENTS, BATCH):
        rows: list[EventRow] = []
        for application_id in APPS:
            body = orjson.dumps([stored(choose, first + number) for number in range(BATCH)])
            rows += intake.rows(body, batch=True, application_id=application_id, received_ms=NOW_MS, peer="")
        choose.shuffle(rows)
        database.insert(rows)
        if first % (3 * BATCH) and first < EVENTS - BATCH:
            fold(database)
    assert erase(database, "user-7", "shop").events > 0
    database.insert([row._replace(transaction_id=None) for row in rows[:500]])


def question(choose: random.Random) -> dict[str, str]:
    """A random query string: none to four filters, each kind of value, and a time."""
    values = {
        "verb": ("GET", "POST", "BREW", "PUT"),
        "status": ("200", "404", "5xx", "2xx", "none", "502", "418"),
        "route": ("/", "/cart", "/api/users/{id}", "/none"),
        "path": (
            "/cart",
            "/api/users/17",
            "/api/*",
            "/\u00e9*",
            "/100%_sure",
            "/api/users/{id}",
            "/none",
            "*",
            "/\ufffdnul/*",
            "/\U0001f6a2/*",
            "/long/*",
            "/<b>*",
        ),
        "user": ("user-3", "user-7", "nobody", "\u202e\U0001f6a2", "\ufffd1"),
        "company": ("company-1", "company-9"),
        "client": ("203.0.113.5", "203.0.113.250"),
        "source": ("web-1", "a.example", "none"),
        "host": ("a.example", "b.example"),
        "agent": ("curl", "Firefox", "Googlebot", "okhttp", "wget"),
        "referrer": ("a.example", "c.example"),
    }
    asked = {}
    for name in choose.sample(sorted(values), choose.choice((0, 1, 1, 2, 2, 3, 4))):
        asked[("not-" if choose.random() < 0.3 else "") + name] = choose.choice(values[name])
    if choose.random() < 0.15:
        asked["q"] = choose.choice(TEXTS)
    if choose.random() < 0.4:
        asked["tz"] = choose.choice(ZONES)
    kind = choose.random()
    if kind < 0.5:
        asked["range"] = choose.choice(
            ("15m", "1h", "24h", "7d", "30d", "all", "all", "today", "2026-09-20", "2026-09")
        )
    else:
        since = NOW_MS - choose.randrange(SPAN_MS)
        asked["since"] = iso_time(since)
        if kind < 0.9:
            asked["until"] = iso_time(since + choose.choice((1, 60_000, 3_600_000, 86_400_000, 10**9)))
    return asked


COLUMNS = ("id", "time_ms", "verb", "status", "path", "route", "user_id", "source", "duration_ms", "weight")
MORE = ("client", "company", "host", "agent", "referrer")


class Oracle:
    """The same events by SQL alone."""

    def __init__(self, database: Database, wanted: EventFilter) -> None:
        where, values = wanted.sql()
        if wanted.search:
            position = "instr" if isinstance(database, SqliteStore) else "strpos"
            where += f" AND {position}(lower(CAST(event AS TEXT)), ?) > 0"
            values.append(wanted.search.lower())
        statement = f"SELECT {', '.join(COLUMNS + MORE)} FROM events WHERE {where} ORDER BY time_ms DESC, id DESC"
        self.events = [dict(zip(COLUMNS + MORE, one, strict=True)) for one in database.read(statement, values)]

    def by(self, column: str) -> Counter[Any]:
        counted: Counter[Any] = Counter()
        for one in self.events:
            counted[one[column]] += one["weight"]
        return counted

    def durations(self, route: str | None = None) -> list[tuple[float, int]]:
        return [
            (one["duration_ms"], one["weight"])
            for one in self.events
            if one["duration_ms"] is not None and route in (None, one["route"])
        ]


def percentile(durations: list[tuple[float, int]], share: int) -> float:
    """The duration that so many of hundred requests stay below."""
    durations = sorted(durations)
    below, needed = 0, sum(weight for _, weight in durations) * share / 100
    for lasted_ms, weight in durations:
        below += weight
        if below >= needed:
            return lasted_ms
    raise AssertionError


def assert_durations(found: Any, durations: list[tuple[float, int]]) -> None:
    if not any(lasted_ms for lasted_ms, _ in durations):
        assert (found.mean_ms, found.p50_ms, found.p99_ms, found.slowest_ms) == (None, None, None, None)
        return
    total = sum(weight for _, weight in durations)
    assert found.timed == total
    assert found.mean_ms == pytest.approx(sum(lasted * weight for lasted, weight in durations) / total)
    assert found.slowest_ms == max(lasted_ms for lasted_ms, _ in durations)
    for share, shown in ((50, found.p50_ms), (95, found.p95_ms), (99, found.p99_ms)):
        exact = percentile(durations, share)
        assert exact / BUCKET_GROWTH <= shown <= max(exact, 1) * BUCKET_GROWTH


def assert_figures(summary: Summary, oracle: Oracle, zone: tzinfo | None) -> None:
    assert summary.covered_since_ms is None
    assert summary.events == len(oracle.events)
    assert summary.requests == sum(one["weight"] for one in oracle.events)
    assert dict(summary.statuses) == dict(oracle.by("status"))
    by_class = Counter[int]()
    bars: defaultdict[int, Counter[int]] = defaultdict(Counter)
    starts = [bar.start_s for bar in summary.bars]
    for one in oracle.events:
        by_class[status_class(one["status"])] += one["weight"]
        bars[starts[bisect_right(starts, one["time_ms"] // 1000) - 1]][status_class(one["status"])] += one["weight"]
    assert summary.by_class == tuple(by_class[number] for number in range(5))
    shown = {bar.start_s: bar.requests for bar in summary.bars if bar.total}
    assert shown == {start_s: tuple(counted[number] for number in range(5)) for start_s, counted in bars.items()}
    assert starts == sorted(set(starts))
    steps = {later - earlier for earlier, later in pairwise(starts)}
    # Samoa has left a day out and had one twice
    assert all(abs(step - summary.step_s) <= (90_000 if zone and summary.step_s % 86_400 == 0 else 0) for step in steps)
    assert_durations(summary, oracle.durations())


def assert_lists(summary: Summary, oracle: Oracle, column: str) -> None:
    errors: dict[int, Counter[Any]] = {4: Counter(), 5: Counter()}
    for one in oracle.events:
        if (one["status"] or 0) // 100 in errors:
            errors[one["status"] // 100][one[column] or ""] += one["weight"]
    counted = Counter[str]()
    for value, weight in oracle.by(column).items():
        counted[value or ""] += weight
    shown = {one.value: (one.requests, one.client_errors, one.server_errors) for one in summary.values}
    assert shown == {value: (weight, errors[4][value], errors[5][value]) for value, weight in counted.items()}
    assert summary.values_in_all == len(counted)
    routes = oracle.by("route")
    assert [one.requests for one in summary.frequent] == sorted(routes.values(), reverse=True)[:TOP]
    for route in summary.slowest:
        assert (route.timed or 0) >= SLOW_REQUESTS
        assert_durations(route, oracle.durations(route.value))


def assert_events(listing: Listing, wanted: EventFilter, oracle: Oracle, choose: random.Random) -> None:
    """Pages, through all events where they are few, are the events in order; the export is made of them."""
    expected = [one["id"] for one in oracle.events]
    seen: list[int] = []
    after = None
    limit = choose.choice((7, 50, 500))
    while len(seen) < 1_500:
        found = listing.page(wanted, limit=limit, after=after)
        assert found.is_complete
        seen += [event.id for event in found.events]
        after = found.next
        if after is None:
            assert len(seen) == len(expected)
            break
    assert seen == expected[: len(seen)]


@pytest.mark.parametrize("piece", range(10))
def test_every_view_equals_sql(filled: Database, piece: int) -> None:
    assert_views(filled, piece)


def test_every_view_of_postgresql_equals_sql(filled_postgres: Database) -> None:
    assert_views(filled_postgres, 0)


def assert_views(filled: Database, seed: int) -> None:
    """Twenty random views of a store are what SQL says."""
    choose = random.Random(seed)
    segments, search = Segments(filled), TextSearch(filled)
    listing, summaries = Listing(segments, search), Summaries(segments, search)
    for _ in range(VIEWS // 10):
        asked = question(choose)
        wanted = read_filter(asked, choose.choice(APPS), NOW_MS)
        column = choose.choice(LISTS)
        oracle = Oracle(filled, wanted)
        for _ in range(2):  # the second time from what was kept
            summary = summaries.of(wanted, NOW_MS, column=column, zone=read_zone(asked))
            assert_figures(summary, oracle, read_zone(asked))
            assert_lists(summary, oracle, column)
        assert_events(listing, wanted, oracle, choose)


@given(st.lists(st.floats() | st.integers(-(1 << 62), 1 << 62).map(float) | st.integers(0, 300).map(float), max_size=5))
def test_packed_numbers_come_back_whatever_they_are(numbers: list[float]) -> None:
    given_ones = np.array(numbers, np.float64)
    found = numbers_of(packed_numbers(given_ones), len(numbers))
    assert np.array_equal(found.astype(np.float64), given_ones, equal_nan=True)


@pytest.mark.parametrize("column", LISTS)
def test_each_list_is_read_by_a_reader_that_has_nothing_kept(filled: Database, column: str) -> None:
    wanted = EventFilter(APPS[0])
    summary = Summaries(Segments(filled), TextSearch(filled)).of(wanted, NOW_MS, column=column)
    assert_lists(summary, Oracle(filled, wanted), column)


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
    "é", "\u202e", "x\ny", "/users/17", "/users/18", "(other)", "\ufffd", "..", "🚢",
)  # fmt: skip


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
            if not one.value:
                continue
            for link, requests in ((ASKED.only, one.requests), (ASKED.but, total - one.requests)):
                address = unescape(str(link(name, one.value))).split('"')[1]
                given = dict(parse_qsl(address.partition("?")[2], keep_blank_values=True))
                assert summaries.of(read_filter(given, "a", NOW_MS), NOW_MS).requests == requests, (name, one.value)
    database.close()
