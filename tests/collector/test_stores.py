"""One set of claims for both stores: SQLite and a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from logship.collector import CollectorServer, listing
from logship.collector.asked import Asked, Shown
from logship.collector.database import Database, StoreUnavailableError
from logship.collector.filters import EventFilter, FilterCondition
from logship.collector.intake import Intake
from logship.collector.listing import PAGE_CHARS, EventPage, Listing
from logship.collector.overview import Overviews
from logship.collector.postgres_store import PostgresStore
from logship.collector.retention import erase, expire, traces_of
from logship.collector.row import EventRow
from logship.collector.segments import Segments, fold
from logship.collector.server import open_database
from logship.collector.summary import Summaries, Summary
from logship.collector.text_search import SearchBudget, TextSearch
from tests.collector.sending import event, many, post

ARRIVED_MS = 1_791_640_600_000  # 2026-10-10 13:56:40, shortly after the events of `event()`
APP = "shop"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = open_database(str(tmp_path / "events.db"))
    else:
        opened = open_database(request.getfixturevalue("postgres_url"))
        with opened.transaction() as run:
            run("TRUNCATE events, segments, columns RESTART IDENTITY", ())
            run("UPDATE folded SET last_id = 0", ())
    yield opened
    opened.close()


def rows_of(documents: list[dict[str, object]], application_id: str = APP) -> list[EventRow]:
    body = orjson.dumps(documents)
    return Intake().rows(body, batch=True, application_id=application_id, received_ms=ARRIVED_MS, peer="127.0.0.1")


def reader(database: Database) -> Listing:
    return Listing(Segments(database), TextSearch(database))


def summarised(database: Database, wanted: EventFilter) -> Summary:
    return Summaries(Segments(database), TextSearch(database)).of(wanted, ARRIVED_MS)


def where(column: str, text: str = "", **more: Any) -> EventFilter:
    return EventFilter(APP, conditions=(FilterCondition(column, text, **more),))


def listed(database: Database, wanted: EventFilter, limit: int = 100) -> list[str]:
    return [stored.path for stored in reader(database).page(wanted, limit=limit).events]


def test_seen_ids_are_passed_over_in_one_insert_and_in_later_ones(database: Database) -> None:
    database.insert(rows_of([event(1), event(1), event(2)]))
    database.insert(rows_of([event(2), event(3)]))
    assert sorted(listed(database, EventFilter(APP))) == ["/items/1", "/items/2", "/items/3"]


def test_the_same_id_of_two_applications_is_two_events(database: Database) -> None:
    database.insert(rows_of([event(1)]) + rows_of([event(1)], "other"))
    assert listed(database, EventFilter(APP)) == listed(database, EventFilter("other")) == ["/items/1"]
    stored = reader(database).page(EventFilter(APP), limit=1).events[0]
    assert reader(database).one("other", stored.id) is None


@pytest.mark.parametrize("count", [1, 3, 255, 256, 257, 700])
def test_every_row_of_a_group_is_stored(database: Database, count: int) -> None:
    database.insert(rows_of(many(count)))
    assert database.read("SELECT count(*) FROM events") == [(count,)]


def test_pages_meet_without_gap_or_overlap_while_events_arrive(database: Database) -> None:
    database.insert(rows_of(many(25)))
    seen: list[int] = []
    after = None
    while True:
        found = reader(database).page(EventFilter(APP), limit=10, after=after)
        seen.extend(stored.id for stored in found.events)
        database.insert(rows_of(many(5, first=1_000 + len(seen), time="2026-10-10T14:00:00.000Z")))
        if found.next is None:
            break
        after = found.next
    assert seen == list(range(25, 0, -1))


def test_a_page_of_long_events_ends_early_and_the_next_one_goes_on(database: Database) -> None:
    """Five hundred events may have a megabyte each; the cursor leads through all of them."""
    long = [event(number, metadata={"text": "x" * 900_000}) for number in range(1, 8)]
    database.insert(rows_of([*many(3, first=100), *long, *many(3, first=200)]))
    sizes, seen, after = [], [], None
    while True:
        found = reader(database).page(EventFilter(APP), limit=500, after=after)
        sizes.append(sum(len(stored.event) for stored in found.events))
        seen += [stored.id for stored in found.events]
        if found.next is None:
            break
        after = found.next
    assert seen == list(range(13, 0, -1))
    assert len(sizes) == 2
    assert max(sizes) < PAGE_CHARS
    one = event(300, metadata={"text": "x" * 900_000})
    database.insert(rows_of([one]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PAGE_CHARS", 10)
        assert len(reader(database).page(EventFilter(APP), limit=500).events) == 1


@pytest.mark.parametrize("count", [1, 5_000])
def test_a_store_tells_the_last_id_of_new_events_in_their_order(database: Database, count: int) -> None:
    """So events are folded from what is at hand; after a repeat nobody knows which row has which id."""
    database.insert(rows_of([event(1)]))
    rows = rows_of(many(count, first=2, metadata={"text": "x" * 700}))
    last_id = database.insert(rows)
    found = database.read("SELECT id, transaction_id FROM events WHERE id > 1 ORDER BY id")
    assert last_id is not None
    assert found == [(last_id - count + place, row.transaction_id) for place, row in enumerate(rows, 1)]
    assert database.insert(rows_of([event(1), event(count + 2)])) is None


def test_all_events_are_given_out_but_for_those_erased_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places are looked up ten at a time, events read four at a time; who arrives later is newer and not among them."""
    monkeypatch.setattr(listing, "PLACES_AT_ONCE", 10)
    monkeypatch.setattr(listing, "EVENTS_AT_ONCE", 4)
    database.insert(rows_of([event(number, user_id="ann" if number % 5 else "bob") for number in range(1, 31)]))
    given = reader(database).all(EventFilter(APP))
    seen = [stored.id for stored in next(given)]
    assert erase(database, "bob").events == 6
    database.insert(rows_of(many(5, first=100, time="2026-10-10T14:00:00.000Z")))
    seen += [stored.id for events in given for stored in events]
    assert seen == [number for number in range(30, 0, -1) if number % 5 or number == 30]


def test_durations_of_values_are_counted_for_routes_only_and_a_list_says_so(database: Database) -> None:
    database.insert(rows_of([event(1, user_id="ann")]))
    summaries = Summaries(Segments(database), TextSearch(database))
    assert [one.timed for one in summaries.of(EventFilter(APP), ARRIVED_MS, column="route").values] == [1]
    assert [one.timed for one in summaries.of(EventFilter(APP), ARRIVED_MS, column="user_id").values] == [None]


@pytest.mark.parametrize("owner", [APP, None])
def test_erasing_takes_exactly_the_id_whatever_characters_it_has(database: Database, owner: str | None) -> None:
    """Columns hold no NUL: what looks alike there is told apart by the event itself."""
    names = ["a\x00b", "a\ufffdb", "a\x00\x00b", "a\x01b", "a\nb", "é\x00", "\x00", " a", "A", "?", "a\u2028b"]
    database.insert(rows_of([event(number, user_id=name) for number, name in enumerate(names, 1)]))
    left = set(names)
    for name in names:
        assert traces_of(database, name, owner).events == 1, name
        assert erase(database, name, owner).events == 1
        left.remove(name)
        stored = [
            orjson.loads(one.event)["user_id"] for one in reader(database).page(EventFilter(APP), limit=99).events
        ]
        assert sorted(stored) == sorted(left)


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (where("verb", "POST"), ["/cart"]),
        (where("status", statuses=(500, 599)), ["/cart"]),
        (where("status", statuses=(-1, -1)), ["/open"]),
        (where("path", "/items/", is_prefix=True), ["/items/1"]),
        (where("path", "/items/{id}"), ["/items/1"]),
        (where("path", "/items/%"), []),
        (where("user_id", "ann"), ["/cart"]),
        (where("source", "web-1"), ["/open"]),
        (where("source", "web-1", is_excluded=True), ["/cart", "/items/1"]),
        (where("user_id", "ann", is_excluded=True), ["/items/1", "/open"]),
        (where("status", statuses=(500, 599), is_excluded=True), ["/items/1", "/open"]),
        (where("client", "203.0.113.9"), ["/cart", "/items/1", "/open"]),
        (where("agent", "curl"), ["/cart", "/items/1", "/open"]),
        (where("company", "acme"), ["/cart"]),
        (where("referrer", "search.example"), ["/cart"]),
        (where("host", "shop.example.com"), ["/cart", "/items/1"]),
        (EventFilter(APP, search="CURL/8"), ["/cart", "/items/1", "/open"]),
        (EventFilter(APP, search="100%_sure"), []),
        (EventFilter(APP, since_ms=ARRIVED_MS), []),
    ],
)
def test_each_filter_finds_what_it_says(database: Database, wanted: EventFilter, paths: list[str]) -> None:
    cart = event(2, user_id="ann", company_id="acme")
    cart["request"]["headers"]["referer"] = "https://search.example/?q=cart"
    cart["request"] |= {"verb": "POST", "uri": "https://shop.example.com/cart"}
    cart["response"]["status"] = 503
    unanswered = event(3, response=None, metadata={"source": "web-1"})
    unanswered["request"]["uri"] = "/open?x=1"
    database.insert(rows_of([event(1), cart, unanswered]))
    assert sorted(listed(database, wanted)) == paths


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('say "hi" ann', 'say "hi" ann'),
        ("SAY", 'say "hi"'),
        ("back\\slash", "C:\\back\\slash"),
        ("new\nline", "a new\nline"),
        ("tab\there", "tab\there"),
        ("bell\x07", "bell\x07"),
        ("\u00fcn\u00ef", "\u00dcn\u00cf"),
        ("\u0438\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d"),
        ("\u0418\u0412\u0410\u041d%", "\u0438\u0432\u0430\u043d%"),
        ("\u65e5\u672c", "\u65e5\u672c\u8a9e"),
        ("stra\u00dfe", "STRA\u00dfE"),
    ],
)
def test_a_text_is_found_whatever_letters_it_has_and_in_any_case(database: Database, text: str, value: str) -> None:
    database.insert(rows_of([event(1), event(2, user_id=value), event(3, user_id="\u00e1n\u00e1 x%")]))
    database.insert(rows_of(many(250, first=10)))  # more than are read at a time
    wanted = EventFilter(APP, search=text)
    assert listed(database, wanted) == ["/items/2"]
    assert summarised(database, wanted).requests == 1


def test_counts_are_weighted_and_equal_what_is_stored(database: Database) -> None:
    slow = event(2, weight=10)
    slow["response"] |= {"status": 503, "time": "2026-10-10T13:55:38.123Z"}
    database.insert(rows_of([event(1), slow, event(3, response=None)]))
    assert not fold(database)
    counted = summarised(database, EventFilter(APP))
    looked = summarised(database, where("path", "/items/", is_prefix=True))
    for summary in (counted, looked):
        assert summary.requests == 12
        assert summary.by_class == (1, 0, 0, 10, 1)
        assert summary.mean_ms == pytest.approx((100 + 10 * 2_000) / 11)
        assert (summary.frequent[0].value, summary.frequent[0].server_errors) == ("/items/{id}", 10)
        assert sum(bar.total for bar in summary.bars) == 12


def test_folding_twice_counts_once(database: Database) -> None:
    database.insert(rows_of(many(10)))
    fold(database)
    fold(database)
    assert summarised(database, EventFilter(APP)).requests == 10


def test_an_erased_user_leaves_events_and_counts(database: Database) -> None:
    database.insert(rows_of([*many(5), *many(3, first=100, user_id="ann")]))
    assert erase(database, "ann").events == 3
    assert not erase(database, "ann")
    assert listed(database, where("user_id", "ann")) == []
    assert summarised(database, EventFilter(APP)).requests == 5


def test_old_events_expire_with_their_counts(database: Database) -> None:
    database.insert(rows_of(many(5)))
    younger = [row._replace(received_at=ARRIVED_MS + 1_000) for row in rows_of(many(2, first=50))]
    database.insert(younger)
    assert expire(database, oldest_ms=ARRIVED_MS + 1, max_bytes=None, now_ms=ARRIVED_MS) == 5
    assert expire(database, oldest_ms=ARRIVED_MS + 1, max_bytes=None, now_ms=ARRIVED_MS) == 0
    assert summarised(database, EventFilter(APP)).requests == 2


def test_the_oldest_go_when_the_store_is_too_large(database: Database) -> None:
    database.insert(rows_of(many(50)))
    assert expire(database, oldest_ms=None, max_bytes=1, now_ms=ARRIVED_MS) == 50
    assert listed(database, EventFilter(APP)) == []


def test_collectors_that_store_the_same_ids_at_once_store_them_once(database: Database, tmp_path: Path) -> None:
    second = database.url if isinstance(database, PostgresStore) else str(tmp_path / "events.db")
    other = open_database(second)
    rows = rows_of(many(200))
    failures: list[StoreUnavailableError] = []

    def store(target: Database, order: list[EventRow]) -> None:
        try:
            for start in range(0, len(order), 20):
                target.insert(order[start : start + 20])
        except StoreUnavailableError as exc:
            failures.append(exc)

    orders = ((database, rows), (other, rows[::-1]))
    threads = [threading.Thread(target=store, args=order) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failures == []
    assert database.read("SELECT count(*), count(DISTINCT transaction_id) FROM events") == [(200, 200)]


def test_nul_and_unpaired_things_in_texts_are_stored(database: Database) -> None:
    odd = event(1, user_id="a\x00b", metadata={"source": "\x00"})
    odd["request"] |= {"uri": "https://x/\x00?\u2028", "verb": "\x00"}
    database.insert(rows_of([odd]))
    assert listed(database, where("user_id", "a\ufffdb")) == ["/\ufffd"]


def test_a_search_ends_in_time_says_how_far_it_came_and_continues_there(database: Database) -> None:
    for number, count in enumerate((300, 100, 33, 11)):
        database.insert(rows_of(many(count, first=1_000 * number, time=f"2026-10-10T1{number}:00:00.000Z")))
        fold(database)  # each smaller than half of the one before: they stay four
    pages = reader(database)
    wanted = EventFilter(APP, search="ITEMS/3?")
    places = []
    found = pages.page(wanted, limit=5, budget=SearchBudget(0.0, lambda: 0.0))
    while found.next is not None:
        assert (found.events, found.is_complete) == ((), False)
        places.append(found.next)
        found = pages.page(wanted, limit=5, after=found.next, budget=SearchBudget(0.0, lambda: 0.0))
    assert [stored.path for stored in found.events] == ["/items/3"]
    assert len(places) == 3
    assert places == sorted(places, reverse=True)


def test_figures_and_list_of_an_answer_cover_the_same_and_each_answer_gets_one_segment_further(
    database: Database,
) -> None:
    for number, count in enumerate((300, 100, 33, 11)):
        database.insert(rows_of(many(count, first=1_000 * number, time=f"2026-10-10T1{number}:00:00.000Z")))
        fold(database)
    overviews = Overviews(database)
    asked = Asked("", {"range": "all", "q": "ITEMS/3?"})
    seen: list[int | None] = []
    for _ in range(4):
        found = overviews.of(asked, APP, ARRIVED_MS, Shown(), search_s=0.0)
        seen.append(found.summary.covered_since_ms)
        assert found.page.is_complete == (seen[-1] is None)
        if found.page.next is not None:
            assert found.page.next.time_ms + 1 == seen[-1]
    assert seen == [*sorted((one for one in seen[:3] if one is not None), reverse=True), None]
    assert len(set(seen)) == 4
    assert found.summary.requests == len(found.page.events) == 1


@pytest.mark.parametrize("change", ["arrive", "erase"])
def test_all_numbers_of_an_answer_are_of_the_same_events(
    change: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events arrive, or a user is erased, after the list was made and before the figures."""
    database.insert(rows_of([event(number, user_id="ann" if number % 3 else "bob") for number in range(30)]))
    fold(database)
    database.insert(rows_of([event(number, user_id="ann") for number in range(30, 40)]))
    overviews = Overviews(database)
    made, changes = overviews.listing.page_of, iter([None])

    def page_of(*arguments: Any, **named: Any) -> EventPage:
        found = made(*arguments, **named)
        for _ in changes:
            if change == "erase":
                assert erase(database, "ann").events == 30
            else:
                database.insert(rows_of([event(number, user_id="new") for number in range(50, 63)]))
        return found

    monkeypatch.setattr(overviews.listing, "page_of", page_of)
    lists = ("client", "verb")
    for expected in ({"arrive": 40, "erase": 10}[change], {"arrive": 50, "erase": 10}[change]):
        found = overviews.of(Asked("", {"range": "all"}), APP, ARRIVED_MS, Shown("user"), further=lists)
        assert len(found.page.events) == expected
        requests = 53 if expected == 50 else expected  # a page has fifty
        assert found.summary.requests == sum(one.requests for one in found.values) == requests
        assert [one.requests for one in found.further.values()] == [requests, requests]


def test_collectors_behind_a_balancer_share_one_database(postgres_url: str) -> None:
    with (
        CollectorServer(store=postgres_url, application_ids=("balanced",)) as left,
        CollectorServer(store=postgres_url, application_ids=("balanced",)) as right,
    ):
        for number in range(10):
            batch = many(20, first=10 * number)  # each half of it was sent before
            target = (left, right)[number % 2]
            assert post(target.url, batch, application_id="balanced").status_code == 201
        for reader in (left, right):
            found = requests.get(reader.url + "/api/events?range=all&limit=500", timeout=20).json()["events"]
            assert len({one["event"]["transaction_id"] for one in found}) == len(found) == 110
        assert "/items/109" in requests.get(left.url + "/", timeout=20).text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "postgresql://me:hush@127.0.0.1:9/events",
            'connection to server at "127.0.0.1", port 9 failed: Connection refused',
        ),
        ("postgresql://me:x@hush@nowhere.invalid/events", "the host in its URL is not known"),
        ("postgresql://me:hush@/events?host=/nowhere", "No such file or directory"),
        ("postgresql://me:hush@nowhere.invalid/events?bad=hush", "ProgrammingError"),
    ],
)
def test_why_a_server_is_out_of_reach_is_said_without_the_url(url: str, words: str) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        PostgresStore(url)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
