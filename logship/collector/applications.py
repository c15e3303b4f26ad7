"""The applications of a store, named by labels: an id is a key and never shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from logship.collector.database import Database
from logship.collector.refusal import RefusalError
from logship.errors import UsageError
from logship.records import record

LABEL_CHARS = 8
NAME = re.compile(r"[\w.-]{1,40}", re.ASCII)
STORED = """
WITH RECURSIVE with_profiles(id) AS (
  SELECT min(application_id) FROM profiles UNION ALL
  SELECT (SELECT min(application_id) FROM profiles WHERE profiles.application_id > with_profiles.id)
  FROM with_profiles WHERE id IS NOT NULL
)
SELECT application_id FROM segments UNION
SELECT application_id FROM events WHERE id > (SELECT max(last_id) FROM folded) UNION
SELECT id FROM with_profiles WHERE id IS NOT NULL ORDER BY 1
"""


@record
class Application:
    """Shapes: `name` is "" where its operator gave it none."""

    id: str
    label: str
    name: str = ""

    @property
    def shown(self) -> str:
        """What people read."""
        return self.name or self.label


def label_of(application_id: str) -> str:
    """A short name for an id that doesn't give it away."""
    return hashlib.blake2b(application_id.encode(), digest_size=LABEL_CHARS // 2, person=b"logship-label").hexdigest()


def application_ids(database: Database) -> list[str]:
    """Every application that has events or profiles."""
    return [str(each[0]) for each in database.read(STORED)]


def applications(database: Database, configured: Mapping[str, str]) -> list[Application]:
    """The configured applications, names by ids, then others that have sent something."""
    ids = [*configured, *(one for one in application_ids(database) if one not in configured)]
    return [Application(one, label_of(one), configured.get(one, "")) for one in ids]


def choose(known: list[Application], text: str) -> Application:
    """The application with this name or label, the first one for "".

    Raises: RefusalError 404 for what no application is called.
    """
    if not text:
        return known[0] if known else Application("", "")
    for one in known:
        if text in (one.name, one.label):
            return one
    raise RefusalError(404, "no_application", f"no application is called {text[:40]!r}")


def named_ids(given: Iterable[str]) -> dict[str, str]:
    """Ids with their names, "" for none, of texts like `shop=eyJhcHAi…` or an id alone.

    An id may end in =, as base64 does: only what has more than that behind the first = begins with a name.
    Raises: UsageError for a name that has other characters or is given twice.
    """
    names: dict[str, str] = {}
    for text in given:
        name, _, rest = text.partition("=")
        if not rest.strip("="):
            name, rest = "", text
        elif not NAME.fullmatch(name):
            raise UsageError(
                f"--application-id: the name {name[:40]!r} may hold A-Z a-z 0-9 _ . -, 40 at most; give NAME=ID"
            )
        if name and name in names.values():
            raise UsageError(f"--application-id: two ids have the name {name!r}; give each its own")
        names[rest] = name
    return names
