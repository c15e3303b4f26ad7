"""The hot path of text formats: a whole chunk by one findall, proved to be right.

Where the proof fails, a pattern with precise classes, three times slower, does the chunk. nginx's escapes for quotes,
backslashes and bytes beyond ASCII become what JSON writes where the value is only written into the event, all values of
a field at once; where something looks at the value, the line is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from logship.fields import Kind
from logship.formats import line_pattern
from logship.formats.bodies import bodies, odd_escape
from logship.formats.chunk_pattern import OTHERWISE, ChunkPattern
from logship.formats.escapes import Escaping, decode
from logship.formats.format import Scan, Scanner
from logship.formats.pieces import Literal
from logship.formats.slot import Row, Value
from logship.formats.unclean import indexes_of

if TYPE_CHECKING:
    from logship.formats.text_format import TextFormat

MENDED_BYTES = 8_192  # of a line whose row is kept; in longer ones the many escapes cost more than a new match
ESCAPED_KINDS = frozenset({Kind.TEXT, Kind.TOKEN, Kind.LIST})
# Printable ASCII with the escapes of nginx for printable characters and for bytes beyond ASCII.
_PLAIN_ESCAPES = re.compile(
    rb"[ -\[\]-~]*+(?:\\x(?:2[1-9A-Fa-f]|[3-6][0-9A-Fa-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f])[ -\[\]-~]*+)*+"
).fullmatch
_any_escape = re.compile(r"\\").search


class TextScanner(Scanner):
    """Reads the needed fields of a text format."""

    def __init__(self, fmt: TextFormat, needed: Sequence[str], written: Collection[str] = ()) -> None:
        names = [slot.field for slot in fmt.slots]
        self._indexes = tuple(_index(names, field) for field in needed)
        self.slots = tuple(fmt.slots[index] for index in self._indexes)
        self._has_empty = fmt.escaping is not Escaping.BACKSLASH or any(
            isinstance(part, line_pattern.Reach) and part.lead == "?" for part in fmt.parts
        )
        self._fmt = fmt
        captured = sorted(set(self._indexes)) or [0]
        self._captured = frozenset(names[index] for index in captured)
        self._reorder = _reorder([captured.index(index) for index in self._indexes], len(captured))
        self._quotes = sum(part.text.count('"') for part in fmt.parts if isinstance(part, Literal))
        self._takes_escapes = tuple(slot.kind in ESCAPED_KINDS for slot in self.slots)
        self._written = tuple(slot.kind in ESCAPED_KINDS and slot.field in written for slot in self.slots)
        is_whole = not any(isinstance(part, line_pattern.Reach) and _cuts_escapes(part.stop) for part in fmt.parts)
        has_bodies = fmt.escaping is Escaping.BACKSLASH and is_whole and any(self._written)
        self._pattern = self._compiled(takes_escapes=has_bodies)
        self._guarded: ChunkPattern | None = None

    def scan(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
        text = data.decode("latin-1")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        found = self._pattern.find(text, data, lines)
        if found is None:
            return self._scan_guarded(text)
        rows = self._finished(found.rows)
        if found.escaped:
            found.dirty.update(self._spell(rows, found.escaped))
        return Scan(rows, sorted(found.dirty))

    def _spell(self, rows: list[Row], escaped: Sequence[int]) -> set[int]:
        """Puts what escaped values become in their rows; gives the lines for which it can't."""
        columns: list[Sequence[str]] = list(zip(*[rows[index] for index in escaped], strict=True))
        left: set[int] = set()
        for number, column in enumerate(columns):
            text = "\n".join(column)
            if "\\" not in text:
                continue
            is_odd = odd_escape if self._written[number] else _any_escape
            if is_odd(text):
                left.update(index for index, value in zip(escaped, column, strict=True) if is_odd(value))
                text = "\n".join(["" if is_odd(value) else value for value in column])
            columns[number] = bodies(text)
        for index, row in zip(escaped, zip(*columns, strict=True), strict=True):
            if index not in left:
                rows[index] = row
        return left

    def _scan_guarded(self, text: str) -> Scan | None:
        """The chunk by precise classes: whatever fits is right by construction."""
        if self._guarded is None:
            self._guarded = self._compiled(line_pattern.DIRTY)
        rows = self._guarded.rows(text)
        return Scan(self._finished(rows), indexes_of(rows, self._guarded.blank))

    def _compiled(self, guard: str = "", *, takes_escapes: bool = False) -> ChunkPattern:
        fmt, names = self._fmt, self._captured
        pattern = line_pattern.fast_pattern(fmt.parts, fmt.escaping, names, guard) + OTHERWISE
        literals = [part.text for part in fmt.parts if isinstance(part, Literal)]
        return ChunkPattern(pattern, len(names), literals, takes_escapes=takes_escapes)

    def _finished(self, rows: list[Row]) -> list[Row]:
        """In the order asked for, an empty value as '-'; rows that fit nothing stay blank."""
        if self._has_empty:
            rows = [tuple([value or "-" for value in row]) if "" in row and any(row) else row for row in rows]
        return self._reorder(rows)

    def parse_row(self, row: Row, line: bytes) -> tuple[Value, ...] | None:
        """A row that is dirty for nothing but escapes is right as it stands: only its values want decoding.

        Half the cost of `parse`. Quotes prove that no value ran over a delimiter; escaped spaces would move the parts
        of a request line.
        """
        is_right = self._fmt.escaping is Escaping.BACKSLASH and any(row) and line.count(b'"') == self._quotes
        if not is_right or len(line) > MENDED_BYTES or not _PLAIN_ESCAPES(line):
            return self.parse(line)
        values: list[Value] = []
        for raw, takes_escapes in zip(row, self._takes_escapes, strict=True):
            if "\\" not in raw:
                values.append("" if raw == "-" else raw)
            elif takes_escapes:
                values.append(decode(raw, Escaping.BACKSLASH))
            else:
                return self.parse(line)
        return tuple(values)

    def parse(self, line: bytes) -> tuple[Value, ...] | None:
        values = self._fmt.parse(line)
        return None if values is None else tuple([values[index] for index in self._indexes])


def _cuts_escapes(stop: str) -> bool:
    """Whether a value may end within an escape."""
    return any(char in "x0123456789abcdefABCDEF" for char in stop)


def _index(names: list[str], field: str) -> int:
    if field not in names:
        raise KeyError(field)
    return names.index(field)


def _reorder(order: list[int], width: int) -> Callable[[list[Row]], list[Row]]:
    """From rows in the pattern's order to rows in the order asked for; nothing to do when they agree."""
    if order == list(range(width)):
        return lambda rows: rows
    if len(order) > 1:
        take = itemgetter(*order)
        return lambda rows: list(map(take, rows))
    return lambda rows: [tuple(row[index] for index in order) for row in rows]
