"""Counts of the stored events by time, verb, status and route, kept exact by adding and taking away whole events.

The counts are made from the stored events themselves, some moments later and in their own transaction, so a crash can't
make them differ: `folded` says up to which id they are counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from logship.collector.database import Database, Run, Value
from logship.collector.tally import OTHER_VERB, RECENT_MS, VERBS, Tally

IDS_AT_ONCE = 20_000
ROWS_AT_ONCE = 100  # of counts added with one statement

ADD_TRAFFIC = """
ON CONFLICT (application_id, step_s, start_s, verb, status) DO UPDATE SET
  events = traffic.events + excluded.events, requests = traffic.requests + excluded.requests,
  duration_ms = traffic.duration_ms + excluded.duration_ms, timed = traffic.timed + excluded.timed
"""

ADD_ROUTES = """
ON CONFLICT (application_id, step_s, start_s, route) DO UPDATE SET
  requests = routes.requests + excluded.requests, client_errors = routes.client_errors + excluded.client_errors,
  server_errors = routes.server_errors + excluded.server_errors,
  duration_ms = routes.duration_ms + excluded.duration_ms, timed = routes.timed + excluded.timed,
  slowest_ms = CASE WHEN excluded.slowest_ms > routes.slowest_ms THEN excluded.slowest_ms ELSE routes.slowest_ms END
"""

TRAFFIC = """
WITH fine AS (
  SELECT application_id, time_ms / 60000 * 60 AS minute_s, time_ms > received_at - {recent} AS is_recent,
    CASE WHEN verb IN ({verbs}) THEN verb ELSE '{other}' END AS verb, coalesce(status, -1) AS status,
    count(*) AS events, sum(weight) AS requests, coalesce(sum(duration_ms * weight), 0) AS duration_ms,
    coalesce(sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE weight END), 0) AS timed
  FROM events WHERE {where} GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO traffic
SELECT application_id, step_s, minute_s / step_s * step_s, verb, status, {sign} * sum(events), {sign} * sum(requests),
  {sign} * sum(duration_ms), {sign} * sum(timed)
FROM fine CROSS JOIN (SELECT 60 AS step_s UNION ALL SELECT 3600 UNION ALL SELECT 86400) AS steps
WHERE step_s > 60 OR is_recent
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""

ROUTES = """
WITH fine AS (
  SELECT application_id, time_ms / 3600000 * 3600 AS hour_s, route, sum(weight) AS requests,
    sum(CASE WHEN status BETWEEN 400 AND 499 THEN weight ELSE 0 END) AS client_errors,
    sum(CASE WHEN status BETWEEN 500 AND 599 THEN weight ELSE 0 END) AS server_errors,
    coalesce(sum(duration_ms * weight), 0) AS duration_ms,
    coalesce(sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE weight END), 0) AS timed,
    coalesce(max(duration_ms), 0) AS slowest_ms
  FROM events WHERE {where} GROUP BY 1, 2, 3
)
INSERT INTO routes
SELECT application_id, step_s, hour_s / step_s * step_s, route, {sign} * sum(requests), {sign} * sum(client_errors),
  {sign} * sum(server_errors), {sign} * sum(duration_ms), {sign} * sum(timed), max(slowest_ms)
FROM fine CROSS JOIN (SELECT 3600 AS step_s UNION ALL SELECT 86400) AS steps
WHERE step_s > 0
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""

NEXT_IDS = "SELECT max(id) FROM (SELECT id FROM events WHERE id > ? ORDER BY id LIMIT ?) AS following"
LAST_ID = "SELECT max(id) FROM events"


def fold(database: Database) -> bool:
    """Counts the next stored events; whether there may be more."""
    with database.transaction() as run:
        first = _folded(run)
        last = run(NEXT_IDS, (first, IDS_AT_ONCE))[0][0]
        if last is None:
            return False
        _fold_up_to(run, first, int(last))
    return int(last) - first >= IDS_AT_ONCE


def fold_tally(database: Database, tally: Tally) -> bool:
    """Adds a tally if it counts just the next stored events; else nothing is changed, `fold` has to count them."""
    with database.transaction() as run:
        if not tally.follows(_folded(run)):
            return False
        _add(run, "traffic", tally.traffic(), ADD_TRAFFIC)
        _add(run, "routes", tally.routes(), ADD_ROUTES)
        run("UPDATE folded SET last_id = ?", (tally.last_id,))
    return True


def _folded(run: Run) -> int:
    """Up to which id the events are counted."""
    return int(run("SELECT last_id FROM folded", ())[0][0])


def _fold_up_to(run: Run, first: int, last: int) -> None:
    count(run, "id > ? AND id <= ?", (first, last), sign=1)
    run("UPDATE folded SET last_id = ?", (last,))


def _add(run: Run, table: str, rows: Sequence[Sequence[Value]], on_conflict: str) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        piece = rows[start : start + ROWS_AT_ONCE]
        places = ",".join([f"({','.join('?' * len(piece[0]))})"] * len(piece))
        run(f"INSERT INTO {table} VALUES {places}{on_conflict}", [value for row in piece for value in row])  # noqa: S608


def count(run: Run, where: str, values: tuple[Value, ...], *, sign: int) -> None:
    """Adds (sign 1) or takes away (sign -1) the events that `where` names, inside the caller's transaction."""
    verbs = ", ".join(f"'{verb}'" for verb in VERBS)
    traffic = TRAFFIC.format(where=where, sign=sign, verbs=verbs, other=OTHER_VERB, recent=RECENT_MS)
    run(traffic + ADD_TRAFFIC, values)
    run(ROUTES.format(where=where, sign=sign) + ADD_ROUTES, values)


def remove(database: Database, where: str, values: tuple[Value, ...]) -> int:
    """Deletes the events that `where` names and takes them out of the counts, durably; how many there were.

    All of them in one transaction: an event is stored and counted, or neither. What is not counted yet is counted
    first, so that no tally that holds a removed event can be added any more.
    """
    while fold(database):
        pass
    with database.transaction() as run:
        last = run(LAST_ID, ())[0][0]
        first = _folded(run)
        if last is not None and int(last) > first:
            _fold_up_to(run, first, int(last))
        found = run(f"SELECT count(*) FROM events WHERE {where}", values)  # noqa: S608 - `where` is a constant of ours
        if not found[0][0]:
            return 0
        count(run, where, values, sign=-1)
        run(f"DELETE FROM events WHERE {where}", values)  # noqa: S608
        run("DELETE FROM traffic WHERE events <= 0", ())
        run("DELETE FROM routes WHERE requests <= 0", ())
    database.make_durable()
    return int(found[0][0])
