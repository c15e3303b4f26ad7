"""The applications of a store, named by labels: an id is a key and never shown."""

from __future__ import annotations

import hashlib

from logship.collector.database import Database
from logship.collector.refusal import RefusalError
from logship.records import record

LABEL_CHARS = 8
STORED = """
SELECT application_id FROM segments UNION
SELECT application_id FROM events WHERE id > (SELECT max(last_id) FROM folded) ORDER BY 1
"""


@record
class Application:
    id: str
    label: str


def label_of(application_id: str) -> str:
    """A short name for an id that doesn't give it away."""
    return hashlib.blake2b(application_id.encode(), digest_size=LABEL_CHARS // 2, person=b"logship-label").hexdigest()


def application_ids(database: Database) -> list[str]:
    """Every application that has events."""
    return [str(record[0]) for record in database.read(STORED)]


def applications(database: Database, configured: tuple[str, ...]) -> list[Application]:
    """The configured applications, then others that have events."""
    ids = list(configured)
    ids += [one for one in application_ids(database) if one not in ids]
    return [Application(one, label_of(one)) for one in ids]


def choose(known: list[Application], label: str) -> Application:
    """The application with this label, the first one for "".

    Raises: RefusalError 404 for a label nobody has.
    """
    if not label:
        return known[0] if known else Application("", "")
    for one in known:
        if one.label == label:
            return one
    raise RefusalError(404, "no_application", f"no application has the label {label[:40]!r}")
