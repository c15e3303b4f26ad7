"""The hot path of JSON formats: a whole chunk by one parse, and the proof that every line was one flat object.

A chunk without backslashes and beyond-ASCII bytes holds strings that need no escaping; with one brace of each kind a
line, at its ends, an object can't go on in the next line. Lines that break the proof are set aside; so are those with
other keys than most, and values whose types don't fit their field. About a quarter of the cost of line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import orjson

from logship.fields import Kind
from logship.formats.format import Scan
from logship.formats.slot import DecodeTime, Row
from logship.formats.unclean import unclean

MOST_DIRTY = 4  # more than one dirty line in so many: the chunk is better done line by line
ABSENT = "-"
_PLAIN = frozenset({str, int, float})
_LEAST, _GREATEST = 1e-4, 1e16  # floats between are spelled alike by everybody

Document = Mapping[str, object]


def documents(data: bytes, lines: Sequence[bytes]) -> tuple[list[Document], set[int]] | None:
    """The objects of all lines, {} in the place of those that are set aside; None: line by line is better."""
    count = len(lines)
    odd = unclean(data, lines)
    if data.count(b"{") != count or data.count(b"}") != count or data.count(b"}\n{") != count - 1:
        odd.update(index for index, line in enumerate(lines) if not _is_flat(line))
    if len(odd) * MOST_DIRTY > count:
        return None
    if odd:
        lines = [b"{}" if index in odd else line for index, line in enumerate(lines)]
    try:
        found: list[Document] = orjson.loads(b"[%b]" % b",".join(lines))
    except orjson.JSONDecodeError:
        return None
    return (found, odd) if len(found) == count else None


def _is_flat(line: bytes) -> bool:
    return line.startswith(b"{") and line.endswith(b"}") and line.count(b"{") == 1 and line.count(b"}") == 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field that rows hold.

    Shapes: `keys` are those it may stand under, dotted ones as they are; `lines` those of a request line it may be cut
    from instead.
    """

    kind: Kind
    keys: tuple[str, ...]
    lines: tuple[str, ...] = ()


class JsonRows:
    """Makes rows of the wanted fields; `times` are all time fields of the format with their decoders."""

    def __init__(self, wanted: Sequence[Wanted], times: Sequence[tuple[Wanted, DecodeTime]], fewest: int) -> None:
        self._wanted = tuple(wanted)
        self._times = tuple(times)
        self._fewest = fewest

    def scan(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
        """The chunk at once; None: line by line is better."""
        parsed = documents(data, lines)
        if parsed is None:
            return None
        found, dirty = parsed
        shapes = list(map(tuple, found))
        shape = next(one for index, one in enumerate(shapes) if index not in dirty)
        if shapes.count(shape) < len(shapes):
            dirty.update(index for index, one in enumerate(shapes) if one != shape)
            if len(dirty) * MOST_DIRTY > len(shapes):
                return None
            usual = found[shapes.index(shape)]
            found = [usual if index in dirty else one for index, one in enumerate(found)]
        columns = self._columns(found, set(shape), dirty)
        if columns is None or len(dirty) * MOST_DIRTY > len(shapes):
            return None
        made = list(zip(*columns, strict=True))
        if sum(ABSENT not in column for column in columns) < self._fewest:
            dirty |= sparse(made, self._fewest)
        return Scan(made, sorted(dirty))

    def _columns(self, found: Sequence[Document], shape: set[str], dirty: set[int]) -> list[Sequence[str]] | None:
        nothing = (ABSENT,) * len(found)
        columns: list[Sequence[str]] = []
        for wanted in self._wanted:
            keys = shape.intersection(wanted.keys)
            if len(keys) > 1 or (not keys and shape.intersection(wanted.lines)):
                return None
            if not keys and wanted.kind is Kind.STATUS:  # a clean row has three digits there
                return None
            columns.append(_texts(_column(found, keys.pop()), wanted.kind, dirty) if keys else nothing)
        for wanted, decode in self._times:
            for key in shape.intersection(wanted.keys):
                dirty |= impossible_times(_column(found, key), decode)
        return columns


def _column(found: Sequence[Document], key: str) -> list[object]:
    return list(map(itemgetter(key), found))


def _texts(column: Sequence[object], kind: Kind, dirty: set[int]) -> Sequence[str]:
    """One field's values as texts; rows with other types than a text, null or (where it is one) a number are dirty."""
    types = set(map(type, column))
    taken = _taken(kind)
    texts: list[str]
    if types == {int} and int in taken:
        texts = list(map(str, column))
    elif types == {str}:
        texts = [str(text) or ABSENT for text in column] if "" in column else column  # type: ignore[assignment]
    else:
        spelled = [_text(value, taken) for value in column]
        dirty.update(index for index, text in enumerate(spelled) if text is None)
        texts = [text or ABSENT for text in spelled]
    if kind is Kind.STATUS:
        odd = {text for text in set(texts) if not _is_status(text)}
        if odd:
            dirty.update(index for index, text in enumerate(texts) if text in odd)
    return texts


def _taken(kind: Kind) -> frozenset[type]:
    """Types of JSON numbers whose text means the same as the number."""
    if kind in (Kind.INTEGER, Kind.NUMBER, Kind.STATUS) or kind.is_duration:
        return frozenset({int, float})
    return frozenset({int}) if kind.is_time else frozenset()


def _text(value: object, taken: frozenset[type]) -> str | None:
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return value
    if type(value) not in taken:
        return None
    if isinstance(value, float) and value and not _LEAST <= abs(value) < _GREATEST:
        return None
    return str(value)


def _is_status(text: object) -> bool:
    return isinstance(text, str) and len(text) == 3 and text.isdigit() and text[0] != "0"


def impossible_times(column: Sequence[object], decode: DecodeTime) -> set[int]:
    """Indexes of values that are there and no possible time."""
    keys = column if _PLAIN.issuperset(map(type, column)) else list(map(_hashable, column))
    bad = {value for value in set(keys) if value not in (ABSENT, "", None) and decode(value) is None}
    return {index for index, value in enumerate(keys) if value in bad} if bad else set()


def _hashable(value: object) -> object:
    """Lists are no times and can't be looked up."""
    return value if isinstance(value, str | int | float) or value is None else repr(value)


def sparse(made: Sequence[Row], fewest: int) -> set[int]:
    """Indexes of rows in which fewer than `fewest` fields are present."""
    full = len(made[0]) - fewest
    return {index for index, row in enumerate(made) if row.count(ABSENT) > full}
