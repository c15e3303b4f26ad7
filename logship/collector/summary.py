"""What the stored events say as a whole: traffic over time, status classes, routes.

Without path, user, source or search the kept counts answer, exactly and for any number of events; with one of them the
newest matching events are looked through, and the summary says how many those were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from logship.collector.database import Database, Record, Value
from logship.collector.filters import EventFilter
from logship.collector.tally import DAY_S, HOUR_S, MINUTE_S, OTHER_VERB, VERBS

MAX_BARS = 96
NICE_STEPS_S = (60, 300, 900, 3_600, 7_200, 21_600, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000)
MINUTES_KEPT_S = 2 * DAY_S  # see tally.RECENT_MS
LOOKED_THROUGH = 20_000  # events, for a filter that the counts can't answer
HOURS_SHOWN_S = 10 * DAY_S  # beyond, days are bars enough
TOP = 8
CLASSES = ("2xx", "3xx", "4xx", "5xx", "other")


@dataclass(frozen=True, slots=True)
class Bar:
    """Requests of one step of time by status class, in the order of CLASSES."""

    start_s: int
    requests: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.requests)


@dataclass(frozen=True, slots=True)
class RouteCount:
    """One route: weighted requests, errors, mean and longest duration (None without responses)."""

    route: str
    requests: int
    client_errors: int
    server_errors: int
    mean_ms: float | None
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Shapes: `step_s` is the width of a bar; bars are in order of time, without gaps; counts are sums of `weight`.

    `looked_through` is None when the counts are of everything, else how many events they are of.
    """

    step_s: int
    bars: tuple[Bar, ...]
    requests: int
    by_class: tuple[int, ...]
    mean_ms: float | None
    frequent: tuple[RouteCount, ...] = ()
    slowest: tuple[RouteCount, ...] = ()
    failing: tuple[RouteCount, ...] = ()
    looked_through: int | None = None
    statuses: tuple[tuple[int | None, int], ...] = field(default=())


def status_class(status: int | None) -> int:
    """Index into CLASSES."""
    return status // 100 - 2 if status is not None and 200 <= status <= 599 else len(CLASSES) - 1


def summarise(database: Database, wanted: EventFilter, now_ms: int) -> Summary:
    """The summary of the events that `wanted` names."""
    if wanted.is_counted and (not wanted.verb or wanted.verb in VERBS or wanted.verb == OTHER_VERB):
        return _from_counts(database, wanted, now_ms)
    return _from_events(database, wanted, now_ms)


def _from_counts(database: Database, wanted: EventFilter, now_ms: int) -> Summary:
    step_s = _counted_step(wanted, now_ms)
    where, values = _count_bounds(wanted, step_s)
    verb_and_status, more_values = _verb_and_status(wanted)
    counts = database.read(
        "SELECT start_s, status, sum(requests), sum(duration_ms), sum(timed) FROM traffic "  # noqa: S608
        f"WHERE {where} AND {verb_and_status} GROUP BY start_s, status",
        (*values, *more_values),
    )
    if more_values:  # the counts of routes know no verb and no status
        routes = _top_routes(_by_route(_looked_through(database, wanted, step_s)))
    else:
        routes = _top_routes(_counted_routes(database, wanted, now_ms))
    return _assemble(counts, wanted, now_ms, step_s, routes, None)


def _counted_step(wanted: EventFilter, now_ms: int) -> int:
    """The coarsest kept step that still gives enough bars."""
    if wanted.since_ms is None:
        return DAY_S
    span_s = max((_until(wanted, now_ms) - wanted.since_ms) // 1000, 1)
    is_recent = now_ms - wanted.since_ms <= MINUTES_KEPT_S * 1000
    if span_s <= 1.5 * DAY_S and is_recent:
        return MINUTE_S
    return HOUR_S if span_s <= HOURS_SHOWN_S else DAY_S


def _until(wanted: EventFilter, now_ms: int) -> int:
    return now_ms if wanted.until_ms is None else wanted.until_ms


def _count_bounds(wanted: EventFilter, step_s: int) -> tuple[str, list[Value]]:
    """Steps that begin inside the wanted time; the first one counts as a whole."""
    parts = "application_id = ? AND step_s = ?"
    bounds: list[Value] = [wanted.application_id, step_s]
    if wanted.since_ms is not None:
        parts += " AND start_s >= ?"
        bounds.append(wanted.since_ms // 1000 // step_s * step_s)
    if wanted.until_ms is not None:
        parts += " AND start_s < ?"
        bounds.append(-(-wanted.until_ms // 1000))
    return parts, bounds


def _verb_and_status(wanted: EventFilter) -> tuple[str, list[Value]]:
    parts = ["1 = 1"]
    values: list[Value] = []
    if wanted.verb:
        parts.append("verb = ?")
        values.append(wanted.verb)
    if wanted.no_response:
        parts.append("status = ?")
        values.append(-1)
    if wanted.statuses is not None:
        parts.append("status BETWEEN ? AND ?")
        values.extend(wanted.statuses)
    return " AND ".join(parts), values


def _from_events(database: Database, wanted: EventFilter, now_ms: int) -> Summary:
    """Counts of the newest LOOKED_THROUGH events within time and user that match the rest."""
    step_s = _bar_step(wanted, now_ms)
    looked = _looked_through(database, wanted, step_s)
    where, values = wanted.within()
    newest = f"SELECT 1 FROM events WHERE {where} ORDER BY time_ms DESC, id DESC LIMIT {LOOKED_THROUGH}"  # noqa: S608
    number = int(database.read(f"SELECT count(*) FROM ({newest}) AS newest", tuple(values))[0][0])  # noqa: S608
    counts = [(one.start_s, one.status, one.requests, one.duration_ms, one.timed) for one in looked]
    limit = number if number >= LOOKED_THROUGH else None
    return _assemble(counts, wanted, now_ms, step_s, _top_routes(_by_route(looked)), limit)


class Looked(NamedTuple):
    """Counts of one bar, status and route among the events that were looked through."""

    start_s: int
    status: int
    route: str
    requests: int
    duration_ms: float
    timed: int
    slowest_ms: float


def _looked_through(database: Database, wanted: EventFilter, step_s: int) -> list[Looked]:
    """One pass over the newest events."""
    where, values = wanted.within()
    among, among_values = wanted.among()
    columns = "time_ms, verb, status, path, route, source, weight, duration_ms" + (", event" if wanted.search else "")
    records = database.read(
        "SELECT time_ms / 1000 / ? * ?, coalesce(status, -1), route, sum(weight), "  # noqa: S608
        "coalesce(sum(duration_ms * weight), 0), sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE weight END), "
        f"coalesce(max(duration_ms), 0) FROM (SELECT {columns} FROM events WHERE {where} "
        f"ORDER BY time_ms DESC, id DESC LIMIT {LOOKED_THROUGH}) AS newest WHERE {among or '1 = 1'} GROUP BY 1, 2, 3",
        (step_s, step_s, *values, *among_values),
    )
    return [Looked(int(r[0]), int(r[1]), r[2], int(r[3]), float(r[4]), int(r[5]), float(r[6])) for r in records]


def _by_route(looked: list[Looked]) -> list[Record]:
    """The same counts for whole routes, as `_top_routes` takes them."""
    routes: dict[str, list[float]] = {}
    for one in looked:
        sums = routes.setdefault(one.route, [0, 0, 0, 0.0, 0, 0.0])
        sums[0] += one.requests
        sums[1] += one.requests if 400 <= one.status <= 499 else 0
        sums[2] += one.requests if 500 <= one.status <= 599 else 0
        sums[3] += one.duration_ms
        sums[4] += one.timed
        sums[5] = max(sums[5], one.slowest_ms)
    return [(route, *sums) for route, sums in routes.items()]


def _counted_routes(database: Database, wanted: EventFilter, now_ms: int) -> list[Record]:
    step_s = DAY_S if _counted_step(wanted, now_ms) == DAY_S else HOUR_S
    where, values = _count_bounds(wanted, step_s)
    return database.read(
        "SELECT route, sum(requests), sum(client_errors), sum(server_errors), sum(duration_ms), sum(timed), "  # noqa: S608
        f"max(slowest_ms) FROM routes WHERE {where} GROUP BY route",
        tuple(values),
    )


def _top_routes(records: list[Record]) -> Sequence[tuple[RouteCount, ...]]:
    """The most frequent, the slowest, and those with most errors."""
    counts = [
        RouteCount(r[0], int(r[1]), int(r[2]), int(r[3]), float(r[4]) / int(r[5]) if r[5] else None, float(r[6]))
        for r in records
    ]
    failing = [count for count in counts if count.client_errors or count.server_errors]
    timed = [count for count in counts if count.mean_ms is not None]
    return (
        tuple(sorted(counts, key=lambda c: (-c.requests, c.route))[:TOP]),
        tuple(sorted(timed, key=lambda c: (-(c.mean_ms or 0), c.route))[:TOP]),
        tuple(sorted(failing, key=lambda c: (-c.server_errors, -c.client_errors, c.route))[:TOP]),
    )


def _assemble(
    counts: Sequence[Record],
    wanted: EventFilter,
    now_ms: int,
    fine_s: int,
    routes: Sequence[tuple[RouteCount, ...]],
    looked_through: int | None,
) -> Summary:
    """A Summary of counts (start, status, requests, duration, timed requests)."""
    first_s = wanted.since_ms // 1000 if wanted.since_ms is not None else min((int(c[0]) for c in counts), default=0)
    last_s = _until(wanted, now_ms) // 1000
    step_s = _nice_step(max(last_s - first_s, 1), fine_s)
    by_class = [0] * len(CLASSES)
    bars: dict[int, list[int]] = {}
    by_status: dict[int, int] = {}
    for start_s, status, weighted, _, _ in counts:
        index = status_class(status if status >= 0 else None)
        requests = int(weighted)
        by_class[index] += requests
        bars.setdefault(int(start_s) // step_s * step_s, [0] * len(CLASSES))[index] += requests
        by_status[status] = by_status.get(status, 0) + requests
    starts = range(first_s // step_s * step_s, last_s + 1, step_s) if counts else range(0)
    empty = [0] * len(CLASSES)
    timed = sum(int(count[4]) for count in counts)
    ranked = sorted(by_status.items(), key=lambda item: -item[1])
    return Summary(
        step_s=step_s,
        bars=tuple(Bar(start, tuple(bars.get(start, empty))) for start in starts),
        requests=sum(by_class),
        by_class=tuple(by_class),
        mean_ms=sum(float(count[3]) for count in counts) / timed if timed else None,
        frequent=routes[0],
        slowest=routes[1],
        failing=routes[2],
        looked_through=looked_through,
        statuses=tuple((status if status >= 0 else None, requests) for status, requests in ranked),
    )


def _bar_step(wanted: EventFilter, now_ms: int) -> int:
    if wanted.since_ms is None:
        return DAY_S
    return _nice_step(max((_until(wanted, now_ms) - wanted.since_ms) // 1000, 1), MINUTE_S)


def _nice_step(span_s: int, finest_s: int) -> int:
    """A round width of bars, a multiple of `finest_s`, that gives at most MAX_BARS of them."""
    fitting = (step for step in NICE_STEPS_S if step % finest_s == 0 and step * MAX_BARS >= span_s)
    return next(fitting, -(-span_s // MAX_BARS // DAY_S) * DAY_S)
