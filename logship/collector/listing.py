"""Pages of stored events, newest first, in bounded time however rare the wanted ones are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from logship.collector.database import Database, Value
from logship.collector.filters import EventFilter, bad_parameter

WINDOW_EVENTS = 8_000  # looked through with one statement
SEARCH_BUDGET_S = 0.15  # of one page; then the cursor says where to go on
COLUMNS = (
    "id, time_ms, received_at, verb, status, path, source, user_id, duration_ms, weight, transaction_id, "
    "CAST(event AS TEXT)"  # PostgreSQL's driver would take JSON apart
)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it stands in the store; `event` is its JSON, the rest was taken out of it at arrival."""

    id: int
    time_ms: int
    received_at: int
    verb: str
    status: int | None
    path: str
    source: str
    user_id: str | None
    duration_ms: float | None
    weight: int
    transaction_id: str | None
    event: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the next one begins right behind, whatever arrived since."""

    time_ms: int
    id: int

    def cursor(self) -> str:
        return base64.urlsafe_b64encode(f"{self.time_ms}.{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of_cursor(cls, cursor: str) -> Place:
        """Raises: RefusalError 400 for what `cursor()` never gave."""
        try:
            text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
            time_ms, _, number = text.partition(".")
            place = cls(int(time_ms), int(number))
        except (ValueError, binascii.Error) as exc:
            raise bad_parameter("cursor", cursor, "take it from next_cursor of an answer") from exc
        if max(abs(place.time_ms), abs(place.id)) >= 1 << 62:
            raise bad_parameter("cursor", cursor, "take it from next_cursor of an answer")
        return place


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, and where to go on.

    Shapes: `next` is None when there are no more; `is_complete` is false when the time was over before the page was
    full: everything newer than `next` was looked at.
    """

    events: tuple[StoredEvent, ...]
    next: Place | None
    is_complete: bool = True


def page(
    database: Database, wanted: EventFilter, *, limit: int, after: Place | None, clock: Callable[[], float]
) -> EventPage:
    """Up to `limit` events behind `after`, newest request first."""
    deadline = clock() + SEARCH_BUDGET_S
    found: list[StoredEvent] = []
    while True:
        window_end = _window_end(database, wanted, after) if wanted.among()[0] else None
        found.extend(_matches(database, wanted, after, window_end, limit + 1 - len(found)))
        if len(found) > limit:
            last = found[limit - 1]
            return EventPage(tuple(found[:limit]), Place(last.time_ms, last.id))
        if window_end is None:
            return EventPage(tuple(found), None)
        after = window_end
        if clock() >= deadline:
            return EventPage(tuple(found), after, is_complete=False)


def _window_end(database: Database, wanted: EventFilter, after: Place | None) -> Place | None:
    """The last event of the next window, None when the events end inside it."""
    where, values = _behind(wanted, after)
    records = database.read(
        f"SELECT time_ms, id FROM events WHERE {where} ORDER BY time_ms DESC, id DESC LIMIT 1 OFFSET ?",  # noqa: S608
        (*values, WINDOW_EVENTS - 1),
    )
    return Place(*records[0]) if records else None


def _matches(
    database: Database, wanted: EventFilter, after: Place | None, until: Place | None, limit: int
) -> Iterator[StoredEvent]:
    """The wanted events behind `after`, as far as `until`."""
    where, values = _behind(wanted, after)
    if until is not None:
        where += " AND (time_ms, id) >= (?, ?)"
        values += (until.time_ms, until.id)
    among, among_values = wanted.among()
    if among:
        where += f" AND {among}"
    statement = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY time_ms DESC, id DESC LIMIT ?"  # noqa: S608
    return (StoredEvent(*record) for record in database.read(statement, (*values, *among_values, limit)))


def _behind(wanted: EventFilter, after: Place | None) -> tuple[str, tuple[Value, ...]]:
    where, values = wanted.within()
    if after is None:
        return where, tuple(values)
    return f"{where} AND (time_ms, id) < (?, ?)", (*values, after.time_ms, after.id)


def one(database: Database, application_id: str, number: int) -> StoredEvent | None:
    """The event with this number, None when it is another application's or not there."""
    records = database.read(
        f"SELECT {COLUMNS} FROM events WHERE id = ? AND application_id = ?",  # noqa: S608 - names of columns
        (number, application_id),
    )
    return StoredEvent(*records[0]) if records else None
