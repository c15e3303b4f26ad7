"""What SQL says of stored events: the same questions as the page's, answered by one table and GROUP BY.

    python -m tests.collector.view_oracle [--events 1000000] [--views 200] [--store FILE]

compares so many random views of so many random events: figures, lists, chart, pages and exports. A store that is there
already is used as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from logship.collector.columns import BUCKET_GROWTH
from logship.collector.database import Database
from logship.collector.filters import EventFilter, FilterCondition, read_filter
from logship.collector.listing import Listing
from logship.collector.read_api import CSV_HEAD, exported
from logship.collector.segments import Segments
from logship.collector.server import open_database
from logship.collector.sqlite_store import SqliteStore
from logship.collector.summary import LISTS, SLOW_REQUESTS, TOP, Summaries, Summary, ValueCount
from logship.collector.summary_part import status_class
from logship.collector.text_search import TextSearch
from logship.collector.time_range import read_zone
from logship.collector.times import iso_time
from tests.collector.views import APPS, NOW_MS, fill, question

COLUMNS = (
    "application_id", "id", "time_ms", "verb", "status", "path", "route", "user_id", "source", "duration_ms", "weight",
    "transaction_id", "client", "company", "host", "agent", "referrer",
)  # fmt: skip
AT_ONCE = 5_000
DIGEST_BYTES = 8
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PAGED = 1_500  # events that are asked for page by page; of more than that one kind of export is compared, to its end
KINDS = (("ndjson", b"\n"), ("csv", b"\r\n"))  # of exports, and how their lines end


class SqlOracle:
    """The events of a store in one table, with a digest of what an export says of each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sqlite3.connect("")
        names = ", ".join(COLUMNS)
        self._sql.execute(f"CREATE TABLE flat ({names}, ndjson, csv)")
        self._sql.execute("CREATE TABLE holding (application_id, text, id)")
        places = ",".join("?" * (len(COLUMNS) + 2))
        last_id = 0
        while True:
            records = database.read(
                f"SELECT {names}, CAST(event AS TEXT) FROM events WHERE id > ? ORDER BY id LIMIT {AT_ONCE}", (last_id,)
            )
            if not records:
                break
            last_id = records[-1][1]
            self._sql.executemany(f"INSERT INTO flat VALUES ({places})", map(with_digests, records))
        self._sql.execute("CREATE INDEX holding_by_text ON holding (application_id, text, id)")

    def view(self, wanted: EventFilter) -> SqlView:
        """The wanted events, in a table of their own until the next view."""
        where, values = condition_of(wanted)
        if wanted.search:
            self._look_for(wanted.application_id, wanted.search)
            where += " AND id IN (SELECT id FROM holding WHERE application_id = ? AND text = ?)"
            values += [wanted.application_id, wanted.search]
        self._sql.execute("DROP TABLE IF EXISTS wanted")
        self._sql.execute(f"CREATE TEMP TABLE wanted AS SELECT * FROM flat WHERE {where}", values)
        return SqlView(self._sql)

    def _look_for(self, application_id: str, text: str) -> None:
        found = self._sql.execute("SELECT 1 FROM holding WHERE (application_id, text) = (?, ?)", (application_id, text))
        if found.fetchone():
            return
        position = "instr" if isinstance(self._database, SqliteStore) else "strpos"
        statement = f"SELECT id FROM events WHERE application_id = ? AND {position}(lower(CAST(event AS TEXT)), ?) > 0"
        for (number,) in self._database.read(statement, (application_id, text.lower())):
            self._sql.execute("INSERT INTO holding VALUES (?, ?, ?)", (application_id, text, number))


class SqlView:
    """The table `wanted`, asked."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._answers: dict[str, list[Any]] = {}

    def rows(self, statement: str) -> list[Any]:
        """What SQL answers, asked once."""
        if statement not in self._answers:
            self._answers[statement] = self._sql.execute(statement).fetchall()
        return self._answers[statement]

    def by(self, column: str) -> dict[str, tuple[int, int, int]]:
        """Requests, 4xx and 5xx by value."""
        found = self.rows(
            f"SELECT coalesce({column}, ''), sum(weight), sum(weight * (coalesce(status, 0) BETWEEN 400 AND 499)), "
            f"sum(weight * (coalesce(status, 0) BETWEEN 500 AND 599)) FROM wanted GROUP BY 1"
        )
        return {value: tuple(counts) for value, *counts in found}

    def in_time(self, unit_s: int) -> list[tuple[int, int | None, int]]:
        """Requests by second since 1970, in units of `unit_s`, and status."""
        unit = unit_s * 1_000
        start = f"(time_ms - ((time_ms % {unit}) + {unit}) % {unit}) / 1000"
        return self.rows(f"SELECT {start}, status, sum(weight) FROM wanted GROUP BY 1, 2")

    def durations(self) -> dict[str, list[tuple[float, int]]]:
        """Durations and how often they occur by route, in order."""
        found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for route, lasted_ms, weight in self.rows(
            "SELECT route, duration_ms, sum(weight) FROM wanted WHERE duration_ms IS NOT NULL GROUP BY 1, 2 ORDER BY 2"
        ):
            found[route].append((lasted_ms, weight))
        return found

    def newest(self, name: str, limit: int = -1) -> list[Any]:
        """A column of the newest events, newest first."""
        return [one for (one,) in self.rows(f"SELECT {name} FROM wanted ORDER BY time_ms DESC, id DESC LIMIT {limit}")]


def condition_of(wanted: EventFilter) -> tuple[str, list[Any]]:
    """A filter, without its text, as a condition on the table."""
    parts: list[str] = ["application_id = ?"]
    values: list[Any] = [wanted.application_id]
    for condition, bound in (("time_ms >= ?", wanted.since_ms), ("time_ms < ?", wanted.until_ms)):
        if bound is not None:
            parts.append(condition)
            values.append(bound)
    for one in wanted.conditions:
        condition, more = fits(one)
        parts.append(f"NOT ({condition})" if one.is_excluded else condition)
        values += more
    return " AND ".join(parts), values


def fits(one: FilterCondition) -> tuple[str, list[Any]]:
    if one.statuses is not None:
        return "coalesce(status, -1) BETWEEN ? AND ?", [*one.statuses]
    if one.is_prefix:
        parts = " OR ".join(f"substr({column}, 1, ?) = ?" for column in one.columns)
        return f"({parts})", [len(one.text), one.text] * len(one.columns)
    parts = " OR ".join(f"coalesce({column}, '') = ?" for column in one.columns)
    return f"({parts})", [one.text] * len(one.columns)


def with_digests(record: tuple[Any, ...]) -> tuple[Any, ...]:
    *columns, text = record
    one = dict(zip(COLUMNS, columns, strict=True))
    request = orjson.loads(text)["request"]
    cells = [iso_time(one["time_ms"]), one["verb"], one["status"], one["path"], one["source"], one["user_id"]]
    cells += [one["duration_ms"], one["weight"], one["transaction_id"], request["uri"], request["ip_address"]]
    return *columns, digest(text.encode()), digest(",".join(map(cell_of, cells)).encode())


def cell_of(value: object) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, str) and text.startswith(FORMULA):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=DIGEST_BYTES).digest()


def digests(stream: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    """Those of the lines of a stream whose pieces end with a line."""
    for piece in stream:
        assert piece.endswith(end)
        yield from map(digest, piece[: -len(end)].split(end))


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


def percentile(durations: list[tuple[float, int]], share: int) -> float:
    """The duration that so many of hundred requests stay below."""
    below, needed = 0, sum(weight for _, weight in durations) * share / 100
    for lasted_ms, weight in sorted(durations):
        below += weight
        if below >= needed:
            return lasted_ms
    raise AssertionError


def assert_figures(summary: Summary, view: SqlView, zone: tzinfo | None) -> None:
    assert summary.covered_since_ms is None
    assert summary.events == view.rows("SELECT count(*) FROM wanted")[0][0]
    by_status, by_class = Counter[int | None](), Counter[int]()
    bars: defaultdict[int, Counter[int]] = defaultdict(Counter)
    starts = [bar.start_s for bar in summary.bars]
    for start_s, status, weight in view.in_time(1 if any(start % 60 for start in starts) else 60):
        by_status[status] += weight
        by_class[status_class(status)] += weight
        bars[starts[bisect_right(starts, start_s) - 1]][status_class(status)] += weight
    assert summary.requests == by_status.total()
    assert dict(summary.statuses) == dict(by_status)
    assert summary.by_class == tuple(by_class[number] for number in range(5))
    shown = {bar.start_s: bar.requests for bar in summary.bars if bar.total}
    assert shown == {start_s: tuple(counted[number] for number in range(5)) for start_s, counted in bars.items()}
    assert starts == sorted(set(starts))
    steps = {later - earlier for earlier, later in pairwise(starts)}
    # Samoa has left a day out and had one twice
    assert all(abs(step - summary.step_s) <= (90_000 if zone and summary.step_s % 86_400 == 0 else 0) for step in steps)
    assert_durations(summary, [one for of_route in view.durations().values() for one in of_route])


def assert_lists(summary: Summary, view: SqlView, column: str) -> None:
    expected = view.by(column)
    assert {one.value: counts_of(one) for one in summary.values} == expected
    assert [one.requests for one in summary.values] == sorted((one[0] for one in expected.values()), reverse=True)
    assert summary.values_in_all == len(expected)
    routes, durations = view.by("route"), view.durations()
    assert [one.requests for one in summary.frequent] == sorted((one[0] for one in routes.values()), reverse=True)[:TOP]
    failed = sorted((one[1] + one[2] for one in routes.values() if one[1] or one[2]), reverse=True)[:TOP]
    assert [one.client_errors + one.server_errors for one in summary.failing] == failed
    for one in (*summary.frequent, *summary.failing, *summary.slowest):
        assert counts_of(one) == routes[one.value]
        assert_durations(one, durations[one.value])
    slow = [route for route, of_route in durations.items() if is_slow(of_route)]
    assert len(summary.slowest) == min(len(slow), TOP)
    assert {one.value for one in summary.slowest} <= set(slow)


def counts_of(one: ValueCount) -> tuple[int, int, int]:
    return one.requests, one.client_errors, one.server_errors


def is_slow(durations: list[tuple[float, int]]) -> bool:
    return sum(weight for _, weight in durations) >= SLOW_REQUESTS and any(lasted_ms for lasted_ms, _ in durations)


def assert_events(listing: Listing, wanted: EventFilter, view: SqlView, choose: random.Random) -> None:
    """Pages are the events in order, and so are exports."""
    expected = view.newest("id", PAGED)
    seen: list[int] = []
    limit = choose.choice((7, 50, 500))
    after = None
    while len(seen) < PAGED:
        found = listing.page(wanted, limit=limit, after=after)
        assert found.is_complete
        seen += [event.id for event in found.events]
        after = found.next
        if after is None:
            assert len(seen) == len(expected)
            break
    assert seen[:PAGED] == expected
    for kind, end in KINDS if len(expected) < PAGED else (choose.choice(KINDS),):
        pieces = exported(listing, wanted, kind)
        assert kind == "ndjson" or next(pieces) == CSV_HEAD.encode()
        assert b"".join(digests(pieces, end)) == b"".join(view.newest(kind))


def assert_views(database: Database, oracle: SqlOracle, seed: int, views: int) -> None:
    """So many random views of a store are what SQL says."""
    choose = random.Random(seed)
    segments, search = Segments(database), TextSearch(database)
    listing, summaries = Listing(segments, search), Summaries(segments, search)
    for number in range(views):
        asked = question(choose)
        wanted = read_filter(asked, choose.choice(APPS), NOW_MS)
        column, zone = choose.choice(LISTS), read_zone(asked)
        try:
            view = oracle.view(wanted)
            for _ in range(2):  # the second time from what was kept
                summary = summaries.of(wanted, NOW_MS, column=column, zone=zone)
                assert_figures(summary, view, zone)
                assert_lists(summary, view, column)
            assert_events(listing, wanted, view, choose)
        except AssertionError as exc:
            exc.add_note(f"view {number} of seed {seed}: {wanted.application_id} list={column} {asked}")
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--views", type=int, default=200)
    parser.add_argument("--store", help="a file to use again; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = Path(options.store or f"{directory}/events.db")
        is_new = not store.exists()
        database = open_database(str(store))
        if is_new:
            fill(database, options.events)
        oracle = SqlOracle(database)
        started = time.monotonic()
        for first in range(0, options.views, 10):
            assert_views(database, oracle, first, min(10, options.views - first))
            sys.stdout.write(f"{first + 10} views are equal, {time.monotonic() - started:.0f} s\n")
            sys.stdout.flush()
        database.close()


if __name__ == "__main__":
    main()
