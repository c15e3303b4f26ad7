"""What the page and a report show of a question: figures, chart, lists and the newest events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import tzinfo

from logship.collector.asked import Asked, Shown, previous
from logship.collector.chart import draw
from logship.collector.database import Database
from logship.collector.filters import FIELDS, EventFilter, read_filter
from logship.collector.listing import SEARCH_BUDGET_S, EventPage, Listing, PageEnd
from logship.collector.segments import KnownSegment, Segments
from logship.collector.summary import Summaries, Summary, ValueCount
from logship.collector.text_search import SearchBudget, TextSearch
from logship.collector.time_range import read_zone
from logship.records import record

ROWS = 50
ALL_TIMES = {"range": "all"}


@record
class Overview:
    """A question and what there is to show of it.

    Shapes: `before` is of the time before, as long, None where that can't be; `values` are the rows of the shown list;
    `per_second` are requests, over the whole time; `further` are the summaries of further lists by name.
    """

    asked: Asked
    wanted: EventFilter
    zone: tzinfo | None
    now: int
    shown: Shown
    page: EventPage
    summary: Summary
    before: Summary | None
    values: list[ValueCount]
    per_second: float
    further: Mapping[str, Summary]

    def names(self) -> dict[str, object]:
        """What the templates know of it."""
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "chart": draw(self.summary, self.zone)}


class Overviews:
    """Looks things up for the page, its API and reports; any thread."""

    def __init__(self, database: Database) -> None:
        self._segments, search = Segments(database), TextSearch(database)
        self.listing = Listing(self._segments, search)
        self.summaries = Summaries(self._segments, search)

    def of(
        self,
        asked: Asked,
        application_id: str,
        now: int,
        shown: Shown,
        *,
        after: PageEnd | None = None,
        search_s: float | None = SEARCH_BUDGET_S,
        further: Iterable[str] = (),
    ) -> Overview:
        """What there is to show of a question, all of it of the same events, whatever arrives or is erased meanwhile.

        Shapes: `after` is where the page of events before this one ended; `search_s` is how long a text is looked for,
        None until it is found; `further` are the names of further lists.
        Raises: RefusalError 400 for a question that can't be.
        """
        wanted = read_filter(asked.given, application_id, now)
        zone = read_zone(asked.given)
        if not any(asked.get(name) for name in ("range", "since", "until")) and not self.has_events(wanted):
            asked = replace(asked, given={**asked.given, **ALL_TIMES})  # who backfilled last year wants to see it
            wanted = read_filter(asked.given, application_id, now)

        def at(known: list[KnownSegment]) -> Overview:
            column, budget = FIELDS[shown.name][0], search_budget(search_s)
            found = self.listing.page_of(known, wanted, ROWS, after=after, budget=budget)
            summary = self.summaries.of_known(known, wanted, now, column=column, zone=zone, budget=budget)
            earlier = previous(wanted, now)
            return Overview(
                asked=asked,
                wanted=wanted,
                zone=zone,
                now=now,
                shown=shown,
                page=found,
                summary=summary,
                before=self.summaries.of_known(known, earlier, now) if earlier is not None else None,
                values=shown.listed(summary.values),
                per_second=summary.requests / span_s(wanted, summary, now),
                further={name: self.summaries.of_known(known, wanted, now, column=FIELDS[name][0]) for name in further},
            )

        return self._segments.look(application_id, at)

    def has_events(self, wanted: EventFilter) -> bool:
        return bool(self.listing.page(wanted, limit=1).events)


def span_s(wanted: EventFilter, summary: Summary, now: int) -> float:
    """How long the time is that a summary is of, as far as it has passed; at least a second."""
    first_ms = wanted.since_ms
    if first_ms is None:
        first_ms = summary.bars[0].start_s * 1000 if summary.bars else now
    until_ms = now if wanted.until_ms is None else min(wanted.until_ms, max(now, first_ms))
    return max((until_ms - first_ms) / 1000, 1)


def search_budget(seconds: float | None = SEARCH_BUDGET_S) -> SearchBudget | None:
    return None if seconds is None else SearchBudget(seconds, time.monotonic)
