"""The counts of rows that were just stored, made while they are at hand: the store need not read them again.

A tally knows which ids it counts. `rollup.fold` adds it only where the counts in the store end right before them; else
(repeats were passed over, another process stored or erased in between) the store counts its events itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from logship.collector.row import EventRow

MINUTE_MS = 60_000
MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
RECENT_MS = 172_800_000  # minutes are counted for events that arrive within two days; older ones only by hour and day
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "UNKNOWN")  # any other counts as OTHER
OTHER_VERB = "OTHER"
NO_STATUS = -1
MAX_KINDS = 4_000  # kept in memory; events of many different minutes have more and are folded sooner


class Kind(NamedTuple):
    """What events have in common that are counted together."""

    application_id: str
    minute: int
    is_recent: bool
    verb: str
    status: int | None
    route: str
    weight: int


TrafficKey = tuple[str, int, int, str, int]  # application_id, step_s, start_s, verb, status
RouteKey = tuple[str, int, int, str]  # application_id, step_s, start_s, route


class Tally:
    """Counts of the events with ids above `after_id` up to `last_id`; one writing thread fills it."""

    def __init__(self) -> None:
        self.after_id = self.last_id = 0
        self._is_known = True
        self._durations: defaultdict[tuple[object, ...], list[float | None]] = defaultdict(list)

    def add(self, rows: Sequence[EventRow], last_id: int | None) -> None:
        """Counts rows that were stored under the ids up to `last_id`; None: it isn't known which of them were."""
        if not rows:
            return
        if last_id is None or (self._durations and last_id - len(rows) != self.last_id):
            self._is_known = False
            self._durations.clear()
        if not self._is_known:
            return
        if not self._durations:
            self.after_id = last_id - len(rows) if last_id is not None else 0
        self.last_id = last_id or 0
        durations = self._durations
        for owner, _, received, time_ms, verb, status, _, route, _, _, lasted_ms, weight, _ in rows:
            kind = (owner, time_ms // MINUTE_MS, time_ms > received - RECENT_MS, verb, status, route, weight)
            durations[kind].append(lasted_ms)

    @property
    def is_full(self) -> bool:
        return len(self._durations) >= MAX_KINDS

    def follows(self, folded_id: int) -> bool:
        """Whether these are the events right behind `folded_id`, all of which can be counted here.

        Before 1970 the databases round the other way.
        """
        is_right_behind = self._is_known and bool(self._durations) and self.after_id == folded_id
        return is_right_behind and all(kind.minute >= 0 for kind in self._kinds())

    def _kinds(self) -> list[Kind]:
        return [Kind(*kind) for kind in self._durations]  # type: ignore[arg-type]

    def traffic(self) -> list[tuple[str | int | float, ...]]:
        """Rows of the table `traffic`, to be added to those that are there."""
        sums: defaultdict[TrafficKey, list[float]] = defaultdict(lambda: [0, 0, 0.0, 0])
        for kind, durations in zip(self._kinds(), self._durations.values(), strict=True):
            verb = kind.verb if kind.verb in VERBS else OTHER_VERB
            status = NO_STATUS if kind.status is None else kind.status
            timed = [duration_ms for duration_ms in durations if duration_ms is not None]
            start_s = kind.minute * MINUTE_S
            for step_s in (MINUTE_S, HOUR_S, DAY_S) if kind.is_recent else (HOUR_S, DAY_S):
                one = sums[kind.application_id, step_s, start_s // step_s * step_s, verb, status]
                one[0] += len(durations)
                one[1] += len(durations) * kind.weight
                one[2] += sum(timed) * kind.weight
                one[3] += len(timed) * kind.weight
        return [(*key, *one) for key, one in sorted(sums.items())]

    def routes(self) -> list[tuple[str | int | float, ...]]:
        """Rows of the table `routes`, likewise."""
        sums: defaultdict[RouteKey, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0, 0, 0.0])
        for kind, durations in zip(self._kinds(), self._durations.values(), strict=True):
            timed = [duration_ms for duration_ms in durations if duration_ms is not None]
            requests = len(durations) * kind.weight
            start_s = kind.minute * MINUTE_S
            for step_s in (HOUR_S, DAY_S):
                one = sums[kind.application_id, step_s, start_s // step_s * step_s, kind.route]
                one[0] += requests
                if kind.status is not None and 400 <= kind.status <= 599:
                    one[1 if kind.status <= 499 else 2] += requests
                one[3] += sum(timed) * kind.weight
                one[4] += len(timed) * kind.weight
                one[5] = max(one[5], *timed, 0.0)
        return [(*key, *one) for key, one in sorted(sums.items())]
