"""Looking for a text in the events themselves, newest first: the one filter that no column answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from logship.collector.columns import Array, held, only
from logship.collector.database import Database
from logship.collector.filters import EventFilter, like_literal
from logship.collector.matching import is_inside, matching
from logship.collector.segments import Known

SEARCHES_KEPT = 1_000  # segments in which a text was looked for
FEW = 400  # candidates in a segment that are asked for one by one
NEVER_MS = -(1 << 62)


class SearchBudget:
    """How long a reader lets the search go on; it always gets through one segment."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline = clock() + seconds

    def is_over(self) -> bool:
        return self._clock() >= self._deadline


def newest_first(known: Sequence[Known]) -> list[Known]:
    return sorted(known, key=lambda one: one.newest_ms, reverse=True)


def behind(ordered: Sequence[Known], index: int) -> int:
    """The newest time of the segments behind that one: what is newer was looked at."""
    return ordered[index + 1].newest_ms if index + 1 < len(ordered) else NEVER_MS


class TextSearch:
    """Finds which events hold a text; any thread. Remembers what it found, so that the next look goes on from there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: OrderedDict[tuple[object, ...], Array] = OrderedDict()
        self._lock = threading.Lock()

    def searched(
        self, known: Sequence[Known], wanted: EventFilter, budget: SearchBudget | None
    ) -> tuple[list[Known], int | None]:
        """Segments of the events that hold the text; where the budget was over, those since the time that is given."""
        ordered = newest_first(known)
        found: list[Known] = []
        for index, one in enumerate(ordered):
            keep = self.mask(one, wanted)
            if keep.any():
                found.append(narrowed(one, keep))
            rest_ms = behind(ordered, index)
            if budget is not None and budget.is_over() and rest_ms != NEVER_MS:
                newer = [(one, one.columns.numbers("time_ms") > rest_ms) for one in found]
                return [narrowed(one, keep) for one, keep in newer if keep.any()], rest_ms + 1
        return found, None

    def mask(self, known: Known, wanted: EventFilter) -> Array:
        """Which events of a segment are wanted, the text included."""
        mask = matching(known, wanted)
        ids = known.columns.numbers("id")
        candidates = ids if mask is None else ids[mask]
        if not len(candidates):
            return np.zeros(known.events, bool)
        bounds = None if is_inside(known, wanted) else (wanted.since_ms, wanted.until_ms)
        key = (known.id, wanted.search, wanted.conditions, bounds)
        with self._lock:
            holding = self._found.get(key) if known.id else None
        if holding is None:
            holding = self._holding(candidates, wanted.search)
            with self._lock:
                self._found[key] = holding
                while len(self._found) > SEARCHES_KEPT:
                    self._found.popitem(last=False)
        found = np.isin(ids, holding)
        return found if mask is None else found & mask

    def _holding(self, candidates: Array, text: str) -> Array:
        """The ids of those candidates that hold a text, and maybe of others."""
        if len(candidates) <= FEW:
            places = ",".join("?" * len(candidates))
            where, values = f"id IN ({places})", [int(one) for one in candidates]
        else:
            where, values = "id BETWEEN ? AND ?", [int(candidates.min()), int(candidates.max())]
        statement = f"SELECT id FROM events WHERE {where} AND {self._database.holds_text}"  # noqa: S608
        records = self._database.read(statement, (*values, f"%{like_literal(text)}%"))
        return np.array([record[0] for record in records], np.int64)


def narrowed(known: Known, keep: Array) -> Known:
    """A segment of those events alone."""
    count = int(keep.sum())
    columns = only(known.columns, keep)
    segment = held(count, columns)
    times = segment.numbers("time_ms")
    return Known(0, count, known.first_id, known.last_id, int(times.min()), int(times.max()), segment)
