"""Looking for a text in the events themselves, newest first: the one filter that no column answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import orjson

from logship.collector.columns import Array, held, only
from logship.collector.database import Database
from logship.collector.filters import EventFilter, like_literal
from logship.collector.matching import is_inside, matching
from logship.collector.segments import KnownSegment

SEARCHES_KEPT = 1_000  # segments in which a text was looked for
READ_AT_ONCE = 100  # events that are read themselves, where the database doesn't know the case of letters
FEW = 400  # candidates in a segment that are asked for one by one


class SearchBudget:
    """How long a reader lets the search continue; it always reads one segment more than the readers before it."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._has_begun = False

    def allows(self) -> bool:
        """Whether another segment may be searched."""
        is_first, self._has_begun = not self._has_begun, True
        return is_first or self._clock() < self._deadline


def newest_first(known: Sequence[KnownSegment]) -> list[KnownSegment]:
    return sorted(known, key=lambda one: one.newest_ms, reverse=True)


class TextSearch:
    """Finds which events hold a text; from any thread. It caches what it found, and the next look continues there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: OrderedDict[tuple[object, ...], Array] = OrderedDict()
        self._lock = threading.Lock()

    def searched(
        self, known: Sequence[KnownSegment], wanted: EventFilter, budget: SearchBudget | None
    ) -> tuple[list[KnownSegment], int | None]:
        """Segments of the events that hold the text; where the budget was over, those since the time that is given."""
        ordered = newest_first(known)
        found: list[KnownSegment] = []
        for index, one in enumerate(ordered):
            if not self.goes_on(one, wanted, budget) and index:
                newer = [(known, known.columns.numbers("time_ms") > one.newest_ms) for known in found]
                return [narrowed(known, keep) for known, keep in newer if keep.any()], one.newest_ms + 1
            keep = self.mask(one, wanted)
            if keep.any():
                found.append(narrowed(one, keep))
        return found, None

    def goes_on(self, known: KnownSegment, wanted: EventFilter, budget: SearchBudget | None) -> bool:
        """Whether the search gets into a segment: what was found in it is kept, or the budget allows it."""
        with self._lock:
            is_kept = known.id and self._key(known, wanted) in self._found
        return bool(is_kept) or budget is None or budget.allows()

    def _key(self, known: KnownSegment, wanted: EventFilter) -> tuple[object, ...]:
        bounds = None if is_inside(known, wanted) else (wanted.since_ms, wanted.until_ms)
        return known.id, wanted.search, wanted.conditions, bounds

    def mask(self, known: KnownSegment, wanted: EventFilter) -> Array:
        """Which events of a segment are wanted, the text included."""
        mask = matching(known, wanted)
        ids = known.columns.numbers("id")
        candidates = ids if mask is None else ids[mask]
        if not len(candidates):
            return np.zeros(known.events, bool)
        key = self._key(known, wanted)
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
        """The ids of those candidates that hold a text, as it is or as JSON writes it, and maybe of others."""
        if len(candidates) <= FEW:
            places = ",".join("?" * len(candidates))
            where, values = f"id IN ({places})", [int(one) for one in candidates]
        else:
            where, values = "id BETWEEN ? AND ?", [int(candidates.min()), int(candidates.max())]
        spellings = spellings_of(text)
        holds = " OR ".join([self._database.holds_text] * len(spellings))
        statement = f"SELECT id FROM events WHERE {where} AND ({holds})"  # noqa: S608
        records = self._database.read(statement, (*values, *(f"%{pattern_of(one)}%" for one in spellings)))
        found = [int(record[0]) for record in records]
        return np.array(self._lettered(found, spellings) if other_cases_differ(text) else found, np.int64)

    def _lettered(self, ids: list[int], spellings: list[str]) -> list[int]:
        """Those events that hold one of the spellings in any case, some read at a time: each may have 1 MB."""
        lowered = [one.lower() for one in spellings]
        found: list[int] = []
        for start in range(0, len(ids), READ_AT_ONCE):
            some = ids[start : start + READ_AT_ONCE]
            places = ",".join("?" * len(some))
            statement = f"SELECT id, CAST(event AS TEXT) FROM events WHERE id IN ({places})"  # noqa: S608
            for number, event in self._database.read(statement, some):
                folded = event.lower()
                if any(one in folded for one in lowered):
                    found.append(int(number))
        return found


def spellings_of(text: str) -> list[str]:
    """How a text may stand in stored JSON: as a piece of the JSON, or as a value, with its escapes."""
    escaped = orjson.dumps(text).decode()[1:-1]
    return [text] if escaped == text else [text, escaped]


def other_cases_differ(text: str) -> bool:
    """Whether a text has letters that databases don't find in another case: they know those of ASCII alone."""
    return not text.isascii() and text.lower() != text.upper()


def pattern_of(text: str) -> str:
    """`text` inside a LIKE pattern; in place of letters beyond ASCII that have a case any one letter may stand."""
    pieces = ("_" if other_cases_differ(one) else like_literal(one) for one in text)
    return "".join(pieces)


def narrowed(known: KnownSegment, keep: Array) -> KnownSegment:
    """A segment of those events alone."""
    count = int(keep.sum())
    columns = only(known.columns, keep)
    segment = held(count, columns)
    times = segment.numbers("time_ms")
    return KnownSegment(0, count, known.first_id, known.last_id, int(times.min()), int(times.max()), segment)
