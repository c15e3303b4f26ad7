"""What the wanted events say as a whole: figures, chart, durations, routes and other lists; exact, whatever the filter.

Each segment gives its part; parts of whole segments are kept, so that a page that is looked at again costs what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import tzinfo

import numpy as np

from logship.collector.columns import BUCKETS, NO_STATUS, Array
from logship.collector.digest import part_of_all
from logship.collector.filters import EventFilter
from logship.collector.kept import Kept
from logship.collector.matching import is_inside, matching, overlaps
from logship.collector.segments import KnownSegment, Segments
from logship.collector.summary_part import CLASS_OF_STATUS, CLASSES, Part, Values, histogram_of, part_of, percentiles_of
from logship.collector.text_numbers import NumberedTexts, TextNumbers
from logship.collector.text_search import SearchBudget, TextSearch
from logship.collector.time_grid import TimeGrid
from logship.collector.time_range import AHEAD_MS
from logship.records import record

TOP = 8
SLOW_REQUESTS = 20  # a route with fewer timed requests is not called slow: one of them would decide
KEPT_BYTES = 64_000_000  # of parts
KEY_BYTES = 500  # about what one takes besides
LISTS = ("route", "path", "user_id", "client", "company", "host", "source", "agent", "referrer", "verb")


@record
class Bar:
    """Requests of one step of time by status class, in the order of CLASSES."""

    start_s: int
    requests: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.requests)


@record
class ValueCount:
    """One value of a list: weighted requests and errors; of a route durations too, None where none were measured.

    Shapes: `timed` is the number of requests with a duration, None where these were not counted: only routes are.
    """

    value: str
    requests: int
    client_errors: int
    server_errors: int
    timed: int | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    slowest_ms: float | None = None


@record
class Summary:
    """Shapes: `step_s` is the width of a bar; bars are in order of time, without gaps; counts are sums of `weight`.

    Durations are None where none were measured: all of the events have none, or the same beginning and end. Percentiles
    are within 5 %. `covered_since_ms` is None when the counts are of everything wanted, else how far back they reach.
    """

    step_s: int
    bars: tuple[Bar, ...]
    events: int
    requests: int
    by_class: tuple[int, ...]
    statuses: tuple[tuple[int | None, int], ...]
    timed: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    slowest_ms: float | None
    histogram: tuple[tuple[float, int], ...] = ()
    frequent: tuple[ValueCount, ...] = ()
    slowest: tuple[ValueCount, ...] = ()
    failing: tuple[ValueCount, ...] = ()
    values: tuple[ValueCount, ...] = field(default=())
    values_in_all: int = 0
    covered_since_ms: int | None = None

    @property
    def at_once(self) -> int:
        """Requests that ended when they began, or before: fast ones, or of a log that holds no durations."""
        return self.histogram[0][1] if self.histogram and not self.histogram[0][0] else 0


class Summaries:
    """Makes summaries; any thread."""

    def __init__(self, segments: Segments, search: TextSearch) -> None:
        self._segments = segments
        self._search = search
        self._parts = Kept[tuple[Part | None]](KEPT_BYTES)
        self._numbers = TextNumbers()

    def of(
        self,
        wanted: EventFilter,
        now_ms: int,
        *,
        column: str = "",
        zone: tzinfo | None = None,
        budget: SearchBudget | None = None,
    ) -> Summary:
        """The summary of the events that `wanted` names; `values` are those of `column`, one of LISTS.

        Bars begin at round times of `zone`, None for UTC. `budget` ends the search for a text early; what it covers is
        said.
        """
        return self._segments.look(
            wanted.application_id,
            lambda known: self.of_known(known, wanted, now_ms, column=column, zone=zone, budget=budget),
        )

    def of_known(
        self,
        known: Sequence[KnownSegment],
        wanted: EventFilter,
        now_ms: int,
        *,
        column: str = "",
        zone: tzinfo | None = None,
        budget: SearchBudget | None = None,
    ) -> Summary:
        """The summary of these segments.

        Raises: GoneError when one of them is gone.
        """
        known = [one for one in known if overlaps(one, wanted)]
        first_ms = wanted.since_ms
        if first_ms is None:
            first_ms = min((one.oldest_ms for one in known), default=now_ms)
        until_ms = max([now_ms, *(one.newest_ms + 1 for one in known)])
        if wanted.until_ms is not None:  # a day that is not over is shown whole, the last 24 hours end now
            until_ms = min(until_ms, wanted.until_ms) if wanted.until_ms <= now_ms + AHEAD_MS else wanted.until_ms
        is_ahead = first_ms < now_ms < until_ms <= now_ms + AHEAD_MS  # a minute more must not make bars of hours
        grid = TimeGrid.over(first_ms, now_ms if is_ahead else until_ms, zone)
        covered_ms: int | None = None
        if wanted.search:
            known, covered_ms = self._search.searched(known, wanted, budget)
        found = [(one, part) for one in known if (part := self._part(one, wanted, grid, column)) is not None]
        numbers = self._numbers = TextNumbers() if self._numbers.is_full else self._numbers
        routes, values = (numbers.of([one for one, _ in found], name) for name in ("route", column or "route"))
        return assembled([part for _, part in found], routes, values, grid, first_ms, until_ms, covered_ms)

    def _part(self, known: KnownSegment, wanted: EventFilter, grid: TimeGrid, column: str) -> Part | None:
        if wanted.search or not known.id or not is_inside(known, wanted):
            return part_of_known(known, wanted, grid, column)
        key = (known.id, wanted.conditions, grid, column)
        found = self._parts.get(key)
        if found is None:
            part = part_of_known(known, wanted, grid, column)
            found = (part,)
            self._parts.keep(key, found, KEY_BYTES + (part.size_bytes() if part else 0))
        return found[0]


def part_of_known(known: KnownSegment, wanted: EventFilter, grid: TimeGrid, column: str) -> Part | None:
    """What the wanted events of a segment add, None when there are none."""
    mask = matching(known, wanted)
    if mask is None:
        return part_of_all(known.columns, grid, column) or part_of(known.columns, None, grid, column)
    return part_of(known.columns, mask, grid, column) if mask.any() else None


def assembled(
    parts: Sequence[Part],
    route_texts: NumberedTexts,
    texts: NumberedTexts,
    grid: TimeGrid,
    first_ms: int,
    until_ms: int,
    covered_since_ms: int | None,
) -> Summary:
    """The summary of parts; `texts` are those of the list's values."""
    bars: dict[int, Array] = {}
    for part in parts:
        for row in part.bars:
            start_s = int(row[0])
            bars[start_s] = bars[start_s] + row[1:] if start_s in bars else row[1:]
    statuses = sum((part.statuses for part in parts), np.zeros(len(CLASS_OF_STATUS), np.int64))
    buckets = sum((part.buckets for part in parts), np.zeros(BUCKETS, np.int64))
    total_ms, timed, slowest_ms = sum(p.sums[0] for p in parts), sum(p.sums[1] for p in parts), 0.0
    slowest_ms = max((part.sums[2] for part in parts), default=0.0)
    is_measured = slowest_ms > 0
    by_class = np.bincount(CLASS_OF_STATUS, statuses, len(CLASSES)).astype(np.int64)
    ranked = sorted(((int(count), status - 1) for status, count in enumerate(statuses) if count), key=by_count)
    routes = joined_values([part.routes for part in parts], route_texts, are_measured=is_measured)
    others = [part.values for part in parts if part.values is not None]
    values = joined_values(others, texts) if others else routes
    percentiles = percentiles_of(buckets, slowest_ms) if is_measured else (None, None, None)
    return Summary(
        step_s=grid.step_s,
        bars=tuple(all_bars(bars, grid, first_ms, until_ms)) if parts else (),
        events=sum(part.events for part in parts),
        requests=int(statuses.sum()),
        by_class=tuple(by_class.tolist()),
        statuses=tuple((None if status == NO_STATUS else status, count) for count, status in ranked),
        timed=timed if is_measured else 0,
        mean_ms=total_ms / timed if is_measured else None,
        p50_ms=percentiles[0],
        p95_ms=percentiles[1],
        p99_ms=percentiles[2],
        slowest_ms=slowest_ms if is_measured else None,
        histogram=histogram_of(buckets) if is_measured else (),
        frequent=tuple(sorted(routes, key=lambda c: (-c.requests, c.value))[:TOP]),
        slowest=tuple(
            sorted(
                (one for one in routes if (one.timed or 0) >= SLOW_REQUESTS and one.slowest_ms),
                key=lambda c: (-(c.p95_ms or 0), c.value),
            )[:TOP]
        ),
        failing=tuple(
            sorted(
                (one for one in routes if one.client_errors or one.server_errors),
                key=lambda c: (-c.server_errors - c.client_errors, -c.server_errors, c.value),
            )[:TOP]
        ),
        values=tuple(sorted(values, key=lambda c: (-c.requests, c.value))),
        values_in_all=len(values),
        covered_since_ms=covered_since_ms,
    )


def by_count(counted: tuple[int, int]) -> tuple[int, int]:
    return -counted[0], counted[1]


def all_bars(bars: dict[int, Array], grid: TimeGrid, first_ms: int, until_ms: int) -> list[Bar]:
    """Every step from the first to the last, empty ones too."""
    starts = grid.starts(min(first_ms // 1000, *bars), max((until_ms - 1) // 1000, *bars))
    empty = np.zeros(len(CLASSES), np.int64)
    return [Bar(start, tuple(int(one) for one in bars.get(start, empty))) for start in starts]


def joined_values(
    parts: Sequence[Values], numbered: NumberedTexts, *, are_measured: bool | None = None
) -> list[ValueCount]:
    """The counts of all parts by value; `are_measured` says whether any duration is, None where that is not asked."""
    indices = [codes[part.codes] for codes, part in zip(numbered.codes, parts, strict=True)]
    is_used = np.zeros(len(numbered.texts), bool)
    for index in indices:
        is_used[index] = True
    used, places = np.flatnonzero(is_used), np.cumsum(is_used) - 1
    indices = [places[index] for index in indices]
    counts = np.zeros((len(used), 3), np.int64)
    for index, part in zip(indices, parts, strict=True):
        for column in range(3):
            np.add.at(counts[:, column], index, part.counts[:, column])
    timed = None if are_measured is None else 0
    made = [
        ValueCount(numbered.texts[number].decode("utf-8", "replace"), requests, client_errors, server_errors, timed)
        for number, (requests, client_errors, server_errors) in zip(used.tolist(), counts.tolist(), strict=True)
    ]
    if not are_measured:
        return made
    sums = np.zeros((len(used), 3))
    spread = np.zeros((len(used), BUCKETS), np.int64)
    for index, part in zip(indices, parts, strict=True):
        if part.durations is not None and part.spread is not None:
            np.add.at(sums[:, :2], index, part.durations[:, :2])
            np.maximum.at(sums[:, 2], index, part.durations[:, 2])
            np.add.at(spread, (index[part.spread[:, 0]], part.spread[:, 1]), part.spread[:, 2])
    return [timed_value(one, row, cells) for one, row, cells in zip(made, sums.tolist(), spread, strict=True)]


def timed_value(value: ValueCount, sums: Sequence[float], spread: Array) -> ValueCount:
    """The same with its durations; none where all of them are 0: nothing measured them."""
    total_ms, timed, slowest_ms = sums
    if not timed or not slowest_ms:
        return value
    p50_ms, p95_ms, p99_ms = percentiles_of(spread, slowest_ms)
    return replace(
        value,
        timed=int(timed),
        mean_ms=total_ms / timed,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        slowest_ms=slowest_ms,
    )
