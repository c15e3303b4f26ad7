"""A format as a person wrote it: checked for shape, not yet compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from logship.records import record

ESCAPES = ("default", "json", "none")
KINDS = ("apache", "nginx", "json", "ltsv", "w3c", "regex")  # of formats of one's own
FormatKind = Literal["apache", "nginx", "json", "ltsv", "w3c", "regex", "named", "list", "auto"]


@record
class KeySpec:
    """Where a JSON or regex format finds a field: the (dotted) key or group, and the time format if one was given.

    Shapes: `others` are further keys, tried in order where the first holds nothing.
    """

    key: str
    time_format: str = ""
    others: tuple[str, ...] = ()


@record
class FormatSpec:
    """One entry under `format:` or `formats:`.

    Shapes: `text` is the format string of apache and nginx, the pattern of regex, the name of named; `keys` belong to
    json (None: {json: auto}) and give time formats to regex; `members` belong to list.
    `text` of w3c: the fields of a log that does not name them itself, '' for none.
    `meaning` and `example` are shown by `logship formats`.
    """

    kind: FormatKind
    text: str = ""
    keys: Mapping[str, KeySpec] | None = None
    members: tuple[FormatSpec, ...] = ()
    meaning: str = ""
    examples: tuple[str, ...] = ()
    escape: str = "none"  # of a regex's values, as nginx names it
