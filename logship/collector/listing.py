"""Pages of stored events, newest first, however rare the wanted ones are and however old."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from logship.collector.columns import GoneError
from logship.collector.filters import EventFilter
from logship.collector.matching import matching, overlaps
from logship.collector.refusal import bad_parameter
from logship.collector.segments import KnownSegment, Segments
from logship.collector.text_search import SearchBudget, TextSearch, newest_first
from logship.records import record

SEARCH_BUDGET_S = 0.1  # of one answer for a text; then the cursor says where to go on
PAGE_CHARS = 4_000_000  # of the events of a page together: five hundred may have a megabyte each
LAST_ID = (1 << 62) - 1
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
    """Some events, and where to go on.

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
        places, following, is_complete = self._places(known, wanted, limit, after, budget)
        fitting = self._fitting(places)
        following = following if len(fitting) == len(places) else fitting[-1]
        return EventPage(self._stored(fitting), following, is_complete)

    def _places(
        self,
        known: Sequence[KnownSegment],
        wanted: EventFilter,
        limit: int,
        after: PageEnd | None,
        budget: SearchBudget | None,
    ) -> tuple[list[PageEnd], PageEnd | None, bool]:
        """Where the events of the page are, where the next one begins, and whether the page is as full as it can be."""
        known = [one for one in known if overlaps(one, wanted)]
        if after is not None:
            known = [one for one in known if one.oldest_ms <= after.time_ms]
        found: list[PageEnd] = []
        for index, one in enumerate(newest_first(known)):
            if len(found) > limit and found[-1].time_ms > one.newest_ms:
                break
            if wanted.search and not self._search.goes_on(one, wanted, budget) and index:
                newer = [place for place in found if place.time_ms > one.newest_ms][:limit]
                return newer, PageEnd(one.newest_ms, LAST_ID), False
            found += self._newest(one, wanted, limit + 1, after)
            found = sorted(found, reverse=True)[: limit + 1]
        return found[:limit], found[limit - 1] if len(found) > limit else None, True

    def _newest(self, known: KnownSegment, wanted: EventFilter, limit: int, after: PageEnd | None) -> list[PageEnd]:
        """The newest wanted events of a segment behind `after`."""
        mask = self._search.mask(known, wanted) if wanted.search else matching(known, wanted)
        times, ids = known.columns.numbers("time_ms"), known.columns.numbers("id")
        if mask is not None:
            times, ids = times[mask], ids[mask]
        if after is not None:
            is_behind = (times < after.time_ms) | ((times == after.time_ms) & (ids < after.id))
            times, ids = times[is_behind], ids[is_behind]
        if len(times) > 4 * limit:
            oldest = np.partition(times, len(times) - limit)[len(times) - limit]
            times, ids = times[times >= oldest], ids[times >= oldest]
        order = np.lexsort((ids, times))[::-1][:limit]
        return [PageEnd(int(times[one]), int(ids[one])) for one in order]

    def _fitting(self, places: list[PageEnd]) -> list[PageEnd]:
        """The first of them, at least one, whose events are not over PAGE_CHARS together."""
        marks = ",".join("?" * len(places))
        statement = f"SELECT id, length(CAST(event AS TEXT)) FROM events WHERE id IN ({marks})"  # noqa: S608
        records = self._database.read(statement, [place.id for place in places]) if places else []
        lengths = {int(number): int(length) for number, length in records}
        sums = accumulate(lengths.get(place.id, 0) for place in places)
        return places[: max(1, sum(total <= PAGE_CHARS for total in sums))]

    def _stored(self, places: list[PageEnd]) -> tuple[StoredEvent, ...]:
        """The events themselves."""
        if not places:
            return ()
        marks = ",".join("?" * len(places))
        statement = f"SELECT {COLUMNS} FROM events WHERE id IN ({marks})"  # noqa: S608 - names of columns
        records = {int(one[0]): one for one in self._database.read(statement, [place.id for place in places])}
        if len(records) < len(places):
            raise GoneError
        return tuple(StoredEvent(*records[place.id]) for place in places)

    def one(self, application_id: str, number: int) -> StoredEvent | None:
        """The event with this number, None when it is another application's or not there."""
        records = self._database.read(
            f"SELECT {COLUMNS} FROM events WHERE id = ? AND application_id = ?",  # noqa: S608 - names of columns
            (number, application_id),
        )
        return StoredEvent(*records[0]) if records else None
