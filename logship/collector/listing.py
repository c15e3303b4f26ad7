"""Pages of stored events, newest first, however rare the wanted ones are and however old."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

import numpy as np

from logship.collector.columns import Array, GoneError
from logship.collector.filters import EventFilter
from logship.collector.matching import matching, overlaps
from logship.collector.refusal import bad_parameter
from logship.collector.segments import KnownSegment, Segments
from logship.collector.text_search import SearchBudget, TextSearch, newest_first
from logship.records import record

SEARCH_BUDGET_S = 0.1  # of one answer for a text; then the cursor says where to continue
PAGE_CHARS = 4_000_000  # of the events of a page together: five hundred may have a megabyte each
LAST_ID = (1 << 62) - 1
PLACES_AT_ONCE = 20_000  # of all events that are given out: each time every segment is looked at
EVENTS_AT_ONCE = 500  # of them in memory
COLUMNS = (
    "id, time_ms, received_at, verb, status, path, source, user_id, duration_ms, weight, transaction_id, "
    "route, client, company, host, agent, referrer, "
    "CAST(event AS TEXT)"  # PostgreSQL's driver would take JSON apart
)


@record
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
    route: str
    client: str | None
    company: str | None
    host: str
    agent: str
    referrer: str
    event: str


@record(order=True)
class PageEnd:
    """Where a page ended: the next one begins right behind, whatever arrived since."""

    time_ms: int
    id: int

    def cursor(self) -> str:
        return base64.urlsafe_b64encode(f"{self.time_ms}.{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of_cursor(cls, cursor: str) -> PageEnd:
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


@record
class EventPage:
    """Some events, and where to continue.

    Shapes: `next` is None when there are no more; a page ends early where its events are long. `is_complete` is false
    when the time was over before the page was full: everything newer than `next` was looked at.
    """

    events: tuple[StoredEvent, ...]
    next: PageEnd | None
    is_complete: bool = True


class Listing:
    """Gives pages of events; any thread."""

    def __init__(self, segments: Segments, search: TextSearch) -> None:
        self._segments = segments
        self._search = search
        self._database = segments.database

    def page(
        self, wanted: EventFilter, *, limit: int, after: PageEnd | None = None, budget: SearchBudget | None = None
    ) -> EventPage:
        """Up to `limit` events behind `after`, newest request first, however old they are.

        `budget` ends the search for a text early.
        """
        return self._segments.look(
            wanted.application_id, lambda known: self.page_of(known, wanted, limit, after=after, budget=budget)
        )

    def page_of(
        self,
        known: Sequence[KnownSegment],
        wanted: EventFilter,
        limit: int,
        *,
        after: PageEnd | None = None,
        budget: SearchBudget | None = None,
    ) -> EventPage:
        """The page of these segments.

        Raises: GoneError when one of them, or an event of the page, is gone.
        """
        places, searched = self._places(known, wanted, limit + 1, after, budget)
        fitting = self._fitting(places[:limit])
        following = fitting[-1] if len(fitting) < len(places) else searched
        return EventPage(self._stored(fitting), following, searched is None)

    def all(self, wanted: EventFilter) -> Iterator[tuple[StoredEvent, ...]]:
        """Every wanted event, newest request first, some at a time; those erased meanwhile are left out."""
        after: PageEnd | None = None
        while True:
            at = partial(self._places, wanted=wanted, limit=PLACES_AT_ONCE, after=after)
            places, _ = self._segments.look(wanted.application_id, at)
            start = 0
            while start < len(places):
                fitting = self._fitting(places[start : start + EVENTS_AT_ONCE])
                start += len(fitting)
                yield self._stored(fitting, may_be_gone=True)
            if len(places) < PLACES_AT_ONCE:
                return
            after = places[-1]

    def _places(
        self,
        known: Sequence[KnownSegment],
        wanted: EventFilter,
        limit: int,
        after: PageEnd | None,
        budget: SearchBudget | None = None,
    ) -> tuple[list[PageEnd], PageEnd | None]:
        """Where the newest wanted events behind `after` are, and how far the search came where its budget was over."""
        known = [one for one in known if overlaps(one, wanted)]
        if after is not None:
            known = [one for one in known if one.oldest_ms <= after.time_ms]
        times, ids = np.zeros(0, np.int64), np.zeros(0, np.int64)
        searched: PageEnd | None = None
        for index, one in enumerate(newest_first(known)):
            oldest_ms = int(times[-1]) if len(times) == limit else None
            if oldest_ms is not None and oldest_ms > one.newest_ms:
                break
            if wanted.search and not self._search.goes_on(one, wanted, budget) and index:
                searched = PageEnd(one.newest_ms, LAST_ID)
                times, ids = times[times > one.newest_ms], ids[times > one.newest_ms]
                break
            more_times, more_ids = self._newest(one, wanted, limit, after, oldest_ms)
            times, ids = newest(np.append(times, more_times), np.append(ids, more_ids), limit)
        return [PageEnd(*place) for place in zip(times.tolist(), ids.tolist(), strict=True)], searched

    def _newest(
        self, known: KnownSegment, wanted: EventFilter, limit: int, after: PageEnd | None, oldest_ms: int | None
    ) -> tuple[Array, Array]:
        """Times and ids of the newest wanted events of a segment behind `after`, none older than `oldest_ms`."""
        times, ids = known.columns.numbers("time_ms"), known.columns.numbers("id")
        masks = [self._search.mask(known, wanted) if wanted.search else matching(known, wanted)]
        if after is not None and after.time_ms <= known.newest_ms:
            masks.append((times < after.time_ms) | ((times == after.time_ms) & (ids < after.id)))
        if oldest_ms is not None and oldest_ms > known.oldest_ms:
            masks.append(times >= oldest_ms)
        some = [mask for mask in masks if mask is not None]
        if some:
            chosen = np.flatnonzero(np.logical_and.reduce(some))
            times, ids = times[chosen], ids[chosen]
        if len(times) > 4 * limit:
            chosen = times >= np.partition(times, len(times) - limit)[len(times) - limit]
            times, ids = times[chosen], ids[chosen]
        return newest(times, ids, limit)

    def _fitting(self, places: list[PageEnd]) -> list[PageEnd]:
        """The first of them, at least one, whose events are not over PAGE_CHARS together."""
        marks = ",".join("?" * len(places))
        statement = f"SELECT id, length(CAST(event AS TEXT)) FROM events WHERE id IN ({marks})"  # noqa: S608
        records = self._database.read(statement, [place.id for place in places]) if places else []
        lengths = {int(number): int(length) for number, length in records}
        sums = accumulate(lengths.get(place.id, 0) for place in places)
        return places[: max(1, sum(total <= PAGE_CHARS for total in sums))]

    def _stored(self, places: list[PageEnd], *, may_be_gone: bool = False) -> tuple[StoredEvent, ...]:
        """The events themselves.

        Raises: GoneError when one of them is gone, unless it may be.
        """
        if not places:
            return ()
        marks = ",".join("?" * len(places))
        statement = f"SELECT {COLUMNS} FROM events WHERE id IN ({marks})"  # noqa: S608 - names of columns
        records = {int(one[0]): one for one in self._database.read(statement, [place.id for place in places])}
        if len(records) < len(places) and not may_be_gone:
            raise GoneError
        return tuple(StoredEvent(*records[place.id]) for place in places if place.id in records)

    def one(self, application_id: str, number: int) -> StoredEvent | None:
        """The event with this number, None when it is another application's or not there."""
        records = self._database.read(
            f"SELECT {COLUMNS} FROM events WHERE id = ? AND application_id = ?",  # noqa: S608 - names of columns
            (number, application_id),
        )
        return StoredEvent(*records[0]) if records else None


def newest(times: Array, ids: Array, limit: int) -> tuple[Array, Array]:
    """The newest of some events, newest first; of one time the one that arrived last."""
    order = np.lexsort((ids, times))[::-1][:limit]
    return times[order], ids[order]
