"""One findall over a chunk of lines, and the proof that every row it gave is right.

The classes of such a pattern exclude one character each, which is what makes them fast; that no value holds a quote, a
backslash, a control byte or a newline is proved for the chunk as a whole:

- as many matches as lines, and each match holds at least one newline: so each holds exactly one;
- escaping the chunk as JSON makes it longer by what quotes, backslashes and control bytes it holds: if that is what the
  pattern's own literals account for, the values hold none.

Lines that break the proof (escaped quotes, control bytes, bytes beyond ASCII) are set aside. Where escapes are taken, a
backslash is counted in: it stands inside of a value and moves no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import orjson

from logship.formats.slot import Row
from logship.formats.unclean import foreign, indexes_of, lines_with

OTHERWISE = r"|.*\n"  # ends each pattern: a line that fits nothing is a row of nothing


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a chunk, one a line.

    Shapes: the rows of `dirty` lines are not proved to be right; those of `escaped` lines hold backslashes.
    """

    rows: list[Row]
    dirty: set[int]
    escaped: list[int]


class ChunkPattern:
    """A pattern of one line with its newline, or else of any other; `literals` are the texts in it."""

    def __init__(self, pattern: str, groups: int, literals: Iterable[str], *, takes_escapes: bool = False) -> None:
        self.blank: Row = ("",) * groups
        self._findall: Callable[[str], list[Row]] = re.compile(pattern).findall
        self._literal_surplus = sum(map(surplus, literals))
        self._takes_escapes = takes_escapes

    def rows(self, text: str) -> list[Row]:
        """A row for each match, not proved to be right."""
        rows = self._findall(text)
        return rows if len(self.blank) > 1 else [(value,) for value in rows]  # type: ignore[misc]  # one group: texts

    def find(self, text: str, data: bytes, lines: Sequence[bytes]) -> Found | None:
        """The rows of a chunk; None where the proof fails. `text` is `data` as latin-1."""
        rows = self.rows(text)
        count = len(lines)
        if len(rows) != count:  # a value ran over a newline
            return None
        dirty = set(indexes_of(rows, self.blank))
        dirty.update(foreign(data, lines))
        found = lines_with(b"\\", data, lines)
        dirty.update([index for index in found if b'\\"' in lines[index]] if self._takes_escapes else found)
        escaped = [index for index in found if index not in dirty]
        accounted = (count - len(dirty)) * self._literal_surplus + sum(lines[index].count(b"\\") for index in escaped)
        if _surplus_of_clean(text, lines, dirty) != accounted:  # a stray quote or a control byte
            return None
        return Found(rows, dirty, escaped)


def _surplus_of_clean(text: str, lines: Sequence[bytes], dirty: set[int]) -> int:
    """The surplus of the lines that are not dirty, by way of the fewer ones."""
    if 2 * len(dirty) < len(lines):
        return surplus(text) - len(lines) - sum(surplus(_text(lines[index])) for index in dirty)
    clean = "\n".join(_text(line) for index, line in enumerate(lines) if index not in dirty)
    return surplus(clean) - clean.count("\n")


def surplus(text: str) -> int:
    """By how much JSON escaping makes the text longer: 1 for quotes, backslashes, \\n and \\t; 5 for control bytes."""
    return len(orjson.dumps(text)) - 2 - len(text)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("latin-1")
