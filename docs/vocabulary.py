"""docs/fields.md, made from the vocabulary: `python docs/vocabulary.py` writes it, a test fails when it is stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from logship.fields import FAMILIES, FIELDS, Field

PAGE = Path(__file__).resolve().parent / "fields.md"
HEAD = """\
# Fields

Made from `logship/fields.py`; a test fails when it is stale. `logship fields [TEXT]` prints the same.

A format gives the fields that it logs, a mapping names them with a dollar: `$status`, `${request_method}`. One name
for nginx and Apache; every nginx variable below works in a mapping too (`$http_user_agent` is
`$request_header_user_agent`). nginx variables that are not here keep their own name, keys of JSON logs are
`${user.id}`. A field that a format lacks is absent, and a key whose fields are all absent is left out; a name that
neither knows is a mistake.
"""
DERIVED = """\
## For every format

Made from what the line holds, or taken as logged where a format logs them itself.
"""
LOGGED = """\
## Logged

Times and durations are read by their type: the same time taken whether a log says `0.250`, `250000` or (Go) `250ms`.
"""
FAMILY = """\
## By name

NAME is a header, cookie or variable; in a mapping lower case with `_`: `$request_header_x_request_id`.
"""


def markdown() -> str:
    """The whole page."""
    derived = [field for field in FIELDS.values() if field.derived]
    logged = [field for field in FIELDS.values() if not field.derived]
    families = (
        (f"`{family.prefix}…`", _code([family.apache]), _code([family.nginx]), family.meaning) for family in FAMILIES
    )
    parts = [
        HEAD,
        DERIVED,
        *_table(("field", "type", "meaning"), ((f"`{field.name}`", field.kind, field.meaning) for field in derived)),
        "",
        LOGGED,
        *_table(("field", "Apache", "nginx", "type", "meaning"), map(_row, logged)),
        "",
        FAMILY,
        *_table(("field", "Apache", "nginx", "meaning"), families),
        "",
    ]
    return "\n".join(parts)


def _row(field: Field) -> tuple[str, ...]:
    kind = f"{field.kind} ({field.unit})" if field.unit else str(field.kind)
    return f"`{field.name}`", _code(field.apache), _code(field.nginx), kind, field.meaning


def _code(spellings: Iterable[str]) -> str:
    return " ".join(f"`{spelling}`" for spelling in spellings if spelling)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
