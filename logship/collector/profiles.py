"""Users, companies and subscriptions: one document each, into which every update is merged. And users' actions."""

from __future__ import annotations

from collections.abc import Sequence

from logship import digits
from logship.collector.database import Database, Run
from logship.collector.items import MAX_ITEM_BYTES, Item
from logship.collector.profile_model import COMPANIES, USERS, ItemKind
from logship.collector.refusal import Fault, RefusalError
from logship.collector.row import TimeReader
from logship.records import record

MERGED_AT_ONCE = 50  # updates merged with one statement to read and one to write; 50 MB of profiles at most
MAX_TOKENS = 1_000  # of a profile; the oldest are forgotten
TOKENS, CAMPAIGN = "session_token", "campaign"
UPSERT_END = """
ON CONFLICT (application_id, kind, id) DO UPDATE SET updated_at = excluded.updated_at, document = excluded.document
"""
NEXT = """
SELECT id, CAST(document AS TEXT) FROM profiles
WHERE application_id = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?
"""
STORED_AT_ONCE = 500
COLUMNS = "application_id, transaction_id, received_at, time_ms, user_id, name, action"
NEXT_ACTIONS = "SELECT id, CAST(action AS TEXT) FROM actions WHERE application_id = ? AND id > ? ORDER BY id LIMIT ?"
OF_USER = """
SELECT CAST(action AS TEXT) FROM actions WHERE application_id = ? AND user_id = ? ORDER BY time_ms DESC, id DESC LIMIT ?
"""


def put(run: Run, application_id: str, kind: ItemKind, items: Sequence[Item], now_ms: int) -> None:
    """Merges updates into the profiles they name, in their order, inside a transaction.

    Raises: RefusalError 400 when a merged profile would be over MAX_ITEM_BYTES.
    """
    for start in range(0, len(items), MERGED_AT_ONCE):
        updates: dict[str, list[Item]] = {}
        for update in items[start : start + MERGED_AT_ONCE]:
            updates.setdefault(update[kind.key], []).append(update)
        places = ",".join("?" * len(updates))
        stored = run(
            "SELECT id, CAST(document AS TEXT) FROM profiles "  # noqa: S608 - places for values
            f"WHERE application_id = ? AND kind = ? AND id IN ({places})",
            (application_id, kind.path, *updates),
        )
        known = {str(name): str(text) for name, text in stored}
        values: list[str | int] = []
        for name, said in updates.items():  # one is decoded at a time: each may have MAX_ITEM_BYTES
            profile: Item = digits.loads(known.pop(name, "{}"))
            for update in said:
                merge(profile, update, kind)
            values += [application_id, kind.path, name, now_ms, _encoded(profile, kind)]
        run(f"INSERT INTO profiles VALUES {','.join(['(?,?,?,?,?)'] * len(updates))} {UPSERT_END}", values)  # noqa: S608


def merge(profile: Item, update: Item, kind: ItemKind) -> None:
    """Puts an update into a profile.

    Objects are merged member by member, lists are replaced, session tokens are added. A null of a member that the model
    names says nothing: SDKs send all of them. Elsewhere, in `metadata` above all, null is a value like others.
    """
    said = {key: value for key, value in update.items() if value is not None or key not in kind.typed}
    if CAMPAIGN in kind.typed and isinstance(said.get(CAMPAIGN), dict):
        said[CAMPAIGN] = {key: value for key, value in said[CAMPAIGN].items() if value is not None}
    if TOKENS in kind.typed and TOKENS in said:
        said[TOKENS] = _with_tokens(profile.get(TOKENS, []), said[TOKENS])
    _lay_over(profile, said)


def _lay_over(below: Item, above: Item) -> None:
    """Puts `above` into `below`; where both have a member that is no object in both, `above` counts."""
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _lay_over(old, value)
        else:
            below[key] = value


def _with_tokens(known: list[str], given: str | list[str]) -> list[str]:
    new = dict.fromkeys([given] if isinstance(given, str) else given)
    return [*(one for one in known if one not in new), *new][-MAX_TOKENS:]


def _encoded(profile: Item, kind: ItemKind) -> str:
    text = digits.dumps(profile)
    if len(text) > MAX_ITEM_BYTES:
        reason = f"{kind.key} {str(profile[kind.key])[:40]!r} would be over {MAX_ITEM_BYTES} bytes after the merge"
        raise RefusalError(400, "invalid_items", f"nothing was stored; {reason}", faults=(Fault(0, "", reason),))
    return text.decode()


@record
class UserPage:
    """What is known of a user beside events; documents as they are stored.

    Shapes: `company` is the profile of the company that the user's profile names; None where nothing is stored.
    """

    profile: Item | None
    company: Item | None
    actions: tuple[Item, ...]


def user_page(database: Database, application_id: str, user_id: str, limit: int = 100) -> UserPage:
    """A user's profile and the newest actions, newest first."""
    profile = profile_of(database, application_id, USERS, user_id)
    company_id = profile.get("company_id") if profile else None
    company = profile_of(database, application_id, COMPANIES, company_id) if company_id else None
    return UserPage(profile, company, tuple(map(digits.loads, actions_of(database, application_id, user_id, limit))))


def profile_of(database: Database, application_id: str, kind: ItemKind, name: str) -> Item | None:
    """The document of a profile, None where there is none."""
    found = database.read(
        "SELECT CAST(document AS TEXT) FROM profiles WHERE application_id = ? AND kind = ? AND id = ?",
        (application_id, kind.path, name),
    )
    document: Item | None = digits.loads(found[0][0]) if found else None
    return document


def next_profiles(
    database: Database, application_id: str, kind: ItemKind, after: str, limit: int
) -> list[tuple[str, str]]:
    """Ids and JSON of the next profiles behind the id `after`, in the order of their ids."""
    return [(str(name), str(text)) for name, text in database.read(NEXT, (application_id, kind.path, after, limit))]


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
    return [(int(number), str(text)) for number, text in database.read(NEXT_ACTIONS, (application_id, after, limit))]
