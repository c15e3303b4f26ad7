"""What users did beside calling the API: stored once each, never merged."""

from __future__ import annotations

from collections.abc import Sequence

from logship import digits
from logship.collector.database import Database, Run
from logship.collector.items import Item
from logship.collector.row import TimeReader

STORED_AT_ONCE = 500
COLUMNS = "application_id, transaction_id, received_at, time_ms, user_id, name, action"
NEXT = "SELECT id, CAST(action AS TEXT) FROM actions WHERE application_id = ? AND id > ? ORDER BY id LIMIT ?"
OF_USER = """
SELECT CAST(action AS TEXT) FROM actions WHERE application_id = ? AND user_id = ? ORDER BY time_ms DESC, id DESC LIMIT ?
"""


def add_actions(run: Run, application_id: str, actions: Sequence[Item], now_ms: int) -> None:
    """Stores the actions whose ids are new, inside a transaction."""
    times = TimeReader()
    for start in range(0, len(actions), STORED_AT_ONCE):
        values: list[str | int | None] = []
        piece = actions[start : start + STORED_AT_ONCE]
        for one in piece:
            moment = one["request"].get("time")
            values += [application_id, one.get("transaction_id") or None, now_ms]
            values += [times.read(moment) if moment else now_ms, one.get("user_id") or None]
            values += [one["action_name"].replace("\x00", "\ufffd"), digits.dumps(one).decode()]
        places = ",".join(["(?,?,?,?,?,?,?)"] * len(piece))
        run(f"INSERT INTO actions ({COLUMNS}) VALUES {places} ON CONFLICT DO NOTHING", values)  # noqa: S608


def actions_of(database: Database, application_id: str, user_id: str, limit: int) -> list[str]:
    """The JSON of a user's newest actions, newest first."""
    return [str(text) for (text,) in database.read(OF_USER, (application_id, user_id, limit))]


def next_actions(database: Database, application_id: str, after: int, limit: int) -> list[tuple[int, str]]:
    """Numbers and JSON of the next actions behind the number `after`, in order of arrival."""
    return [(int(number), str(text)) for number, text in database.read(NEXT, (application_id, after, limit))]
