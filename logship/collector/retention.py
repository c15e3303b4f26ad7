"""What leaves the store: events that are too old, that don't fit any more, or whose user asked for it."""

from __future__ import annotations

import asyncio
import logging
import time

import numpy as np
import orjson

from logship.collector.applications import application_ids
from logship.collector.columns import Array
from logship.collector.database import Database, StoreUnavailableError
from logship.collector.filters import EventFilter, FilterCondition
from logship.collector.matching import matching
from logship.collector.options import CollectorOptions
from logship.collector.segments import KnownSegment, Segments, erase_ids
from logship.collector.writer import Writer
from logship.records import record
from logship.words import counted

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
IDS_AT_ONCE = 20_000  # events removed in one transaction, so that senders wait for a moment only
EVENTS_AT_ONCE = 50  # read whole; each may have a megabyte
DAY_MS = 86_400_000
OF_USER = (("profiles", "kind = 'users' AND id = ?"), ("actions", "user_id = ?"))
UNLIKE = "\ufffd"  # in columns for each NUL, which PostgreSQL does not take
OLDEST_ACTIONS = """
DELETE FROM actions WHERE id IN (SELECT id FROM actions ORDER BY id LIMIT ?) AND received_at < ? RETURNING 1
"""


def expire(database: Database, *, oldest_ms: int | None, max_bytes: int | None, now_ms: int) -> int:
    """Removes some events and actions received before `oldest_ms`, or the oldest while the store is over `max_bytes`.

    Shapes: at most IDS_AT_ONCE of each in one call; 0 when there is nothing left to do.
    """
    gone = 0
    if oldest_ms is not None:
        gone += _remove_oldest(database, received_before=oldest_ms)
        gone += _remove_oldest_actions(database, received_before=oldest_ms)
    if max_bytes is not None and not gone and database.size_bytes() > max_bytes:
        gone += _remove_oldest(database, received_before=now_ms + DAY_MS)
        gone = gone or _remove_oldest_actions(database, received_before=now_ms + DAY_MS)
    return gone


def _remove_oldest_actions(database: Database, *, received_before: int) -> int:
    """Removes the next actions in order of arrival, as long as they arrived before that time."""
    with database.transaction() as run:
        return len(run(OLDEST_ACTIONS, (IDS_AT_ONCE, received_before)))


def _remove_oldest(database: Database, *, received_before: int) -> int:
    """Removes the next events in order of arrival, as long as they arrived before that time."""
    found = database.read(
        "SELECT application_id, id FROM (SELECT application_id, id, received_at FROM events ORDER BY id LIMIT ?) "
        "AS oldest WHERE received_at < ?",
        (IDS_AT_ONCE, received_before),
    )
    ids: dict[str, list[int]] = {}
    for application_id, number in found:
        ids.setdefault(application_id, []).append(int(number))
    return erase_ids(database, {owner: np.array(numbers) for owner, numbers in ids.items()}) if ids else 0


@record
class Traces:
    """How much the store has of a user."""

    events: int
    profiles: int = 0
    actions: int = 0

    def __bool__(self) -> bool:
        return bool(self.events or self.profiles or self.actions)

    def __str__(self) -> str:
        parts = ((self.events, "event"), (self.profiles, "profile"), (self.actions, "action"))
        shown = [counted(number, noun) for number, noun in parts if number or noun == "event"]
        return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def traces_of(database: Database, user_id: str, application_id: str | None = None) -> Traces:
    """What is stored of a user, in one application or in all of them."""
    events = sum(map(len, events_of(database, user_id, application_id).values()))
    counts = []
    for table, condition in _tables(user_id):
        where, values = _of_user(condition, user_id, application_id)
        counts.append(int(database.read(f"SELECT count(*) FROM {table} {where}", values)[0][0]))  # noqa: S608
    return Traces(events, *counts)


def erase(database: Database, user_id: str, application_id: str | None = None) -> Traces:
    """Removes every event of a user, also from the figures, the profile and the actions; how many there were."""
    found = events_of(database, user_id, application_id)
    counts: list[int] = []
    with database.transaction() as run:
        for table, condition in _tables(user_id):
            where, values = _of_user(condition, user_id, application_id)
            counts.append(len(run(f"DELETE FROM {table} {where} RETURNING 1", values)))  # noqa: S608
    events = erase_ids(database, found) if found else 0
    database.make_durable()
    return Traces(events, *counts)


def _tables(user_id: str) -> tuple[tuple[str, str], ...]:
    """Where else than among events something of a user may be: ids of profiles and actions have no NUL."""
    return () if "\x00" in user_id else OF_USER


def _of_user(condition: str, user_id: str, application_id: str | None) -> tuple[str, list[str]]:
    if application_id is None:
        return f"WHERE {condition}", [user_id]
    return f"WHERE {condition} AND application_id = ?", [user_id, application_id]


def events_of(database: Database, user_id: str, application_id: str | None = None) -> dict[str, Array]:
    """The ids of a user's events by application."""
    owners = [application_id] if application_id is not None else application_ids(database)
    segments = Segments(database)
    found: dict[str, Array] = {}
    for owner in owners:
        wanted = EventFilter(owner, conditions=(FilterCondition("user_id", user_id.replace("\x00", UNLIKE)),))
        ids = [_matching_ids(known, wanted) for known in segments.of(owner)]
        if UNLIKE in wanted.conditions[0].text:
            ids = [_exactly(database, user_id, some) for some in ids]
        if sum(map(len, ids)):
            found[owner] = np.concatenate(ids)
    return found


def _matching_ids(known: KnownSegment, wanted: EventFilter) -> Array:
    mask = matching(known, wanted)
    ids = known.columns.numbers("id")
    return ids.astype(np.int64) if mask is None else ids[mask].astype(np.int64)


def _exactly(database: Database, user_id: str, ids: Array) -> Array:
    """Those of the events that name this user, and not one that only looks alike in a column."""
    found: list[int] = []
    for start in range(0, len(ids), EVENTS_AT_ONCE):
        some = [int(one) for one in ids[start : start + EVENTS_AT_ONCE]]
        places = ",".join("?" * len(some))
        statement = f"SELECT id, CAST(event AS TEXT) FROM events WHERE id IN ({places})"  # noqa: S608 - places
        found += [
            int(number) for number, text in database.read(statement, some) if orjson.loads(text)["user_id"] == user_id
        ]
    return np.array(found, np.int64)


async def sweep(database: Database, writer: Writer, options: CollectorOptions) -> None:
    """Expires events now and every minute, in the writing thread; runs until it is cancelled."""
    while True:
        try:
            while await asyncio.wrap_future(writer.run(lambda: _expire_now(database, options))):
                pass
        except StoreUnavailableError as exc:
            log.warning("expiring old events failed, trying again in a minute error=%s", exc)
        await asyncio.sleep(SWEEP_EVERY_S)


def _expire_now(database: Database, options: CollectorOptions) -> int:
    now_ms = time.time_ns() // 1_000_000
    oldest_ms = None if options.max_age_days is None else now_ms - int(options.max_age_days * DAY_MS)
    return expire(database, oldest_ms=oldest_ms, max_bytes=options.max_store_bytes, now_ms=now_ms)
