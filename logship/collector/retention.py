"""What leaves the store: events that are too old, that don't fit any more, or whose user asked for it."""

from __future__ import annotations

import asyncio
import logging
import time

import numpy as np

from logship.collector.applications import application_ids
from logship.collector.columns import Array
from logship.collector.database import Database, StoreUnavailableError
from logship.collector.filters import Condition, EventFilter
from logship.collector.matching import matching
from logship.collector.options import CollectorOptions
from logship.collector.segments import Known, Segments, erase_ids
from logship.collector.writer import Writer

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
IDS_AT_ONCE = 20_000  # events removed in one transaction, so that senders wait for a moment only
DAY_MS = 86_400_000
SHRINK_TO = 0.95  # of the size limit, so that the next event doesn't start the next sweep


def expire(database: Database, *, oldest_ms: int | None, max_bytes: int | None, now_ms: int) -> int:
    """Removes some of the events received before `oldest_ms`, or the oldest while the store is over `max_bytes`.

    Shapes: at most IDS_AT_ONCE of each in one call; 0 when there is nothing left to do.
    """
    gone = 0
    if oldest_ms is not None:
        gone += _remove_oldest(database, received_before=oldest_ms)
    if max_bytes is not None and not gone and database.size_bytes() > max_bytes:
        gone += _remove_oldest(database, received_before=now_ms + DAY_MS)
    return gone


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


def erase(database: Database, user_id: str, application_id: str | None = None) -> int:
    """Removes every event of a user, also from the figures; how many there were."""
    found = events_of(database, user_id, application_id)
    return erase_ids(database, found) if found else 0


def events_of(database: Database, user_id: str, application_id: str | None = None) -> dict[str, Array]:
    """The ids of a user's events by application."""
    owners = [application_id] if application_id is not None else application_ids(database)
    segments = Segments(database)
    found: dict[str, Array] = {}
    for owner in owners:
        wanted = EventFilter(owner, conditions=(Condition("user_id", user_id),))
        ids = [_matching_ids(known, wanted) for known in segments.of(owner)]
        if sum(map(len, ids)):
            found[owner] = np.concatenate(ids)
    return found


def _matching_ids(known: Known, wanted: EventFilter) -> Array:
    mask = matching(known, wanted)
    ids = known.columns.numbers("id")
    return ids.astype(np.int64) if mask is None else ids[mask].astype(np.int64)


async def sweep(database: Database, writer: Writer, options: CollectorOptions) -> None:
    """Expires events now and every minute, in the writing thread; runs until it is cancelled."""
    while True:
        try:
            while await asyncio.wrap_future(writer.run(lambda: _expire_now(database, options))):
                pass
        except StoreUnavailableError as exc:
            log.warning("nothing could be expired, trying again in a minute error=%s", exc)
        await asyncio.sleep(SWEEP_EVERY_S)


def _expire_now(database: Database, options: CollectorOptions) -> int:
    now_ms = time.time_ns() // 1_000_000
    oldest_ms = None if options.max_age_days is None else now_ms - int(options.max_age_days * DAY_MS)
    return expire(database, oldest_ms=oldest_ms, max_bytes=options.max_store_bytes, now_ms=now_ms)
