"""A store of an older version becomes one of this version when it is opened; no event is lost or changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from logship.collector import schema
from logship.collector.callers import Callers
from logship.collector.database import Database, Run
from logship.collector.row import MAX_CLIENT_CHARS, MAX_COMPANY_CHARS, MAX_SOURCE_CHARS, split_uri
from logship.collector.segments import FOLDED_AT_ONCE, add_digest, fold, without_digest

Progress = Callable[[str], None]
EVENTS_AT_ONCE = 5_000
REPORT_EVERY_S = 2.0
NEW_COLUMNS = ("client", "company", "host", "agent", "referrer")
OLD_INDEXES, OLD_TABLES = ("events_by_time", "events_by_user"), ("traffic", "routes")
NEXT = "SELECT id, CAST(event AS TEXT) FROM events WHERE id > ? AND host IS NULL ORDER BY id LIMIT ?"
UPDATE = f"UPDATE events SET {', '.join(f'{name} = ?' for name in NEW_COLUMNS)} WHERE id = ?"  # noqa: S608


class MigrationReporter:
    """Says now and then how far something is, and that it is done if it took long enough to be mentioned."""

    def __init__(self, what: str, total: int, progress: Progress) -> None:
        self._what, self._total, self._progress = what, total, progress
        self._reported_s = time.monotonic()
        self._done = 0

    def add(self, number: int) -> None:
        self._done += number
        if time.monotonic() - self._reported_s >= REPORT_EVERY_S or self._done == self._total:
            self._reported_s = time.monotonic()
            share = 100 * self._done // max(self._total, 1)
            self._progress(f"{self._what}: {share} % ({self._done:,} of {self._total:,} events)")


def migrate(database: Database, version: int, dialect: schema.Dialect, progress: Progress) -> None:
    """Brings the tables from an older version to this one; new tables are made by who opens the store."""
    if version < 2:
        _widen(database, dialect, progress)
    with database.transaction() as run:
        run("UPDATE folded SET version = ?", (schema.VERSION,))


def _widen(database: Database, dialect: schema.Dialect, progress: Progress) -> None:
    """Gives the events of version 1 their new columns; what was interrupted continues where it ended.

    Its counts are dropped first: they are made again, as segments, of the events themselves.
    """
    with database.transaction() as run:
        for name in OLD_INDEXES:
            run(f"DROP INDEX IF EXISTS {name}", ())
        for name in OLD_TABLES:
            run(f"DROP TABLE IF EXISTS {name}", ())
        present = _column_names(run, dialect)
        for name in NEW_COLUMNS:
            if name not in present:
                run(f"ALTER TABLE events ADD COLUMN {name} TEXT", ())
    total = int(database.read("SELECT count(*) FROM events WHERE host IS NULL")[0][0])
    reporter = MigrationReporter("migrating the store", total, progress)
    callers, last_id = Callers(), 0
    while True:
        with database.transaction() as run:
            found = run(NEXT, (last_id, EVENTS_AT_ONCE))
            for number, text in found:
                run(UPDATE, (*columns_of(orjson.loads(text), callers), number))
        if not found:
            break
        last_id = int(found[-1][0])
        reporter.add(len(found))
    with database.transaction() as run:
        run("DELETE FROM folded", ())
        run("INSERT INTO folded VALUES (?, 0)", (schema.VERSION,))


def _column_names(run: Run, dialect: schema.Dialect) -> set[str]:
    if dialect is schema.SQLITE:
        return {str(record[1]) for record in run("PRAGMA table_info(events)", ())}
    statement = "SELECT column_name FROM information_schema.columns WHERE table_name = 'events'"
    return {str(record[0]) for record in run(statement, ())}


def columns_of(event: dict[str, Any], callers: Callers) -> Sequence[str | None]:
    """The values of NEW_COLUMNS of an event, as intake.py gives them."""
    request = event["request"]
    host, _ = split_uri(request["uri"])
    values = (
        (request.get("ip_address") or "")[:MAX_CLIENT_CHARS],
        (event.get("company_id") or "")[:MAX_COMPANY_CHARS] or None,
        host[:MAX_SOURCE_CHARS],
        *callers.of(request.get("headers")),
    )
    return [one.replace("\x00", "\ufffd") if one else one for one in values]


def fold_all(database: Database, progress: Progress) -> None:
    """Puts every stored event into segments and makes their digests, before the first reader comes."""
    left = int(database.read("SELECT count(*) FROM events WHERE id > (SELECT max(last_id) FROM folded)")[0][0])
    reporter = MigrationReporter("preparing the page", left, progress if left > FOLDED_AT_ONCE else lambda text: None)
    while fold(database):
        reporter.add(FOLDED_AT_ONCE)
    found = without_digest(database)
    reporter = MigrationReporter("preparing the figures", sum(events for _, events in found), progress)
    for segment_id, events in found:
        add_digest(database, segment_id, events)
        reporter.add(events)
