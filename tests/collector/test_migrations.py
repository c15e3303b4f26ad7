"""A store of version 0.1's first tables is opened, migrated and shown; no event is lost or changed."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import orjson
import pytest

from logship.collector import migrations, schema
from logship.collector import segments as segments_module
from logship.collector.applications import application_ids
from logship.collector.database import Database, StoreUnavailableError
from logship.collector.digest import DIGEST
from logship.collector.filters import EventFilter, FilterCondition
from logship.collector.listing import Listing
from logship.collector.profile_model import USERS
from logship.collector.profiles import put, user_page
from logship.collector.segments import Segments, add_digest, fold, without_digest
from logship.collector.server import open_database
from logship.collector.summary import Summaries
from logship.collector.text_search import TextSearch
from logship.errors import StateError
from tests.collector.sending import event
from tests.collector.test_crash import process
from tests.collector.test_stores import ARRIVED_MS, rows_of

COUNT = 60
OLD_COLUMNS = ", ".join(schema.COLUMNS[:12])
OLD = """
CREATE TABLE events (
  id {serial}, application_id TEXT NOT NULL, transaction_id TEXT, received_at BIGINT NOT NULL, time_ms BIGINT NOT NULL,
  verb TEXT NOT NULL, status INTEGER, path TEXT NOT NULL, route TEXT NOT NULL, user_id TEXT, source TEXT NOT NULL,
  duration_ms DOUBLE PRECISION, weight BIGINT NOT NULL, event JSON NOT NULL);
CREATE UNIQUE INDEX events_once
  ON events ((substr(transaction_id, 10)), (substr(transaction_id, 1, 9)), application_id);
CREATE INDEX events_by_time ON events (application_id, time_ms, id);
CREATE INDEX events_by_user ON events (user_id, application_id, time_ms, id) WHERE user_id IS NOT NULL;
CREATE TABLE traffic (application_id TEXT NOT NULL, step_s INTEGER NOT NULL);
CREATE TABLE routes (application_id TEXT NOT NULL, step_s INTEGER NOT NULL);
CREATE TABLE folded (version INTEGER PRIMARY KEY, last_id BIGINT NOT NULL);
INSERT INTO folded VALUES (1, 40);
"""
SENT = [
    event(number, user_id="ann" if number % 2 else None, company_id="acme", unknown={"n": number})
    for number in range(COUNT)
]


def fill(path: Path) -> None:
    """A store as the first version left it."""
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.format(serial=schema.SQLITE.serial))
        places = ",".join("?" * 13)
        rows = [(*row[:12], row.event) for row in rows_of(SENT)]
        connection.executemany(f"INSERT INTO events ({OLD_COLUMNS}, event) VALUES ({places})", rows)
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def assert_shown(database: Database) -> None:
    segments, search = Segments(database), TextSearch(database)
    found = Listing(segments, search).page(EventFilter("shop"), limit=500).events
    assert sorted(one.path for one in found) == sorted(f"/items/{number}" for number in range(COUNT))
    summaries = Summaries(segments, search)
    wanted = EventFilter("shop", conditions=(FilterCondition("agent", "curl"), FilterCondition("user_id", "ann")))
    assert summaries.of(wanted, ARRIVED_MS).requests == COUNT // 2
    assert [one.value for one in summaries.of(wanted, ARRIVED_MS, column="company").values] == ["acme"]
    stored = [orjson.loads(text) for (text,) in database.read("SELECT CAST(event AS TEXT) FROM events ORDER BY id")]
    assert stored == SENT
    database.insert(rows_of([SENT[0], event(1_000)]))  # ids are still known
    assert database.read("SELECT count(*) FROM events") == [(COUNT + 1,)]


def test_an_old_store_is_migrated_with_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(migrations, "REPORT_EVERY_S", 0.0)
    fill(tmp_path / "e.db")
    said: list[str] = []
    database = open_database(str(tmp_path / "e.db"), said.append)
    assert said[0] == "migrating the store: 11 % (7 of 60 events)"
    assert "migrating the store: 100 % (60 of 60 events)" in said
    assert_shown(database)
    database.close()
    said.clear()
    open_database(str(tmp_path / "e.db"), said.append).close()
    assert said == []


def test_a_migration_asks_the_service_manager_for_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "e.db")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with process(tmp_path / "e.db"):
            said = [manager.recv(4_096).decode()]
            while "READY=1" not in said[-1]:
                said.append(manager.recv(4_096).decode())
    assert said[0].startswith("EXTEND_TIMEOUT_USEC=")
    assert "STATUS=migrating the store: 100 % (60 of 60 events)" in said


@pytest.mark.parametrize("pieces", [0, 1, 5, 9])
def test_a_migration_that_was_killed_is_finished_at_the_next_start(
    pieces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after some pieces; what was committed by then stays."""
    monkeypatch.setattr(migrations, "EVENTS_AT_ONCE", 7)
    fill(tmp_path / "e.db")
    left = iter(range(pieces))

    def report(self: object, number: int) -> None:
        if next(left, None) is None:
            raise StoreUnavailableError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(migrations.MigrationReporter, "add", report)
        if pieces < COUNT // 7:
            with pytest.raises(StoreUnavailableError):
                open_database(str(tmp_path / "e.db"))
    database = open_database(str(tmp_path / "e.db"))
    assert_shown(database)
    database.close()


def test_a_store_of_postgresql_is_migrated(postgres_url: str) -> None:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in ("events", "segments", "columns", "traffic", "routes", "folded"):
            connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
        for statement in OLD.format(serial=schema.POSTGRES.serial).split(";"):
            if statement.strip():
                connection.execute(statement.encode())
        places = ",".join(["%s"] * 13)
        for row in rows_of(SENT):
            connection.execute(
                f"INSERT INTO events ({OLD_COLUMNS}, event) VALUES ({places})".encode(), (*row[:12], row.event)
            )
    database = open_database(postgres_url)
    assert_shown(database)
    database.close()


def as_version_2(database: Database) -> None:
    """Makes of a store one that the program before this one left."""
    with database.transaction() as run:
        run("DROP TABLE profiles", ())
        run("DROP TABLE actions", ())
        run("UPDATE folded SET version = 2", ())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_of_version_2_keeps_its_segments_and_takes_profiles(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = str(tmp_path / "e.db") if kind == "sqlite" else request.getfixturevalue("postgres_url")
    database = open_database(store)
    database.insert(rows_of([event(number + 5_000) for number in range(COUNT)]))
    while fold(database):
        pass
    before = database.read("SELECT id, events, first_id, last_id FROM segments ORDER BY id")
    as_version_2(database)
    if kind == "sqlite":
        with database.transaction() as run:
            run("PRAGMA user_version = 2", ())
    database.close()
    database = open_database(store)
    assert database.read("SELECT id, events, first_id, last_id FROM segments ORDER BY id") == before
    assert database.read("SELECT version FROM folded") == [(schema.VERSION,)]
    with database.transaction() as run:
        put(run, "without-events", USERS, [{"user_id": "ann"}], ARRIVED_MS)
    assert user_page(database, "without-events", "ann").profile == {"user_id": "ann"}
    assert {"shop", "without-events"} <= set(application_ids(database))
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_segments_without_a_digest_get_theirs_with_progress_also_after_a_kill(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "SEGMENT_EVENTS", 20)
    monkeypatch.setattr(migrations, "REPORT_EVERY_S", 0.0)
    store = str(tmp_path / "e.db") if kind == "sqlite" else request.getfixturevalue("postgres_url")
    database = open_database(store)
    for first in range(0, COUNT, 20):
        database.insert(rows_of([event(9_000 + first + number) for number in range(20)]))
        fold(database)
    made = "SELECT segment_id, name, data FROM columns ORDER BY segment_id, name"
    before = database.read(made)
    shown = Summaries(Segments(database), TextSearch(database)).of(EventFilter("shop"), ARRIVED_MS)
    for number in (1, 3):  # what a program without digests left, and one that was killed while it made them
        with database.transaction() as run:
            run(f"DELETE FROM columns WHERE name IN ({','.join('?' * len(DIGEST))})", DIGEST)
        missing = without_digest(database)
        for segment_id, events in missing[number:]:
            add_digest(database, segment_id, events)
        total = sum(events for _, events in missing[:number])
        assert Summaries(Segments(database), TextSearch(database)).of(EventFilter("shop"), ARRIVED_MS) == shown
        said: list[str] = []
        open_database(store, said.append).close()
        assert said[-1] == f"preparing the figures: 100 % ({total:,} of {total:,} events)"
        assert database.read(made) == before
    database.close()


def test_a_newer_store_is_not_touched(tmp_path: Path) -> None:
    open_database(str(tmp_path / "e.db")).close()
    with sqlite3.connect(tmp_path / "e.db") as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = (tmp_path / "e.db").read_bytes()
    with pytest.raises(StateError, match="this program knows 3"):
        open_database(str(tmp_path / "e.db"))
    assert (tmp_path / "e.db").read_bytes() == before
