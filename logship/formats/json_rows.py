"""The hot path of JSON formats: a whole chunk by one findall or by one parse.

Lines of one skeleton are read by its pattern (json_skeleton.py). A chunk that it does not fit is parsed at once where
every line is proved to be one flat object: without backslashes and beyond-ASCII bytes it holds strings that need no
escaping; with one brace of each kind a line, at its ends, an object can't go on in the next line. Lines that break the
proof are set aside; so are those with other keys than most, and values whose types don't fit their field. About a
quarter of the cost of line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from logship.fields import Kind
from logship.formats.format import Scan
from logship.formats.json_skeleton import Skeleton, Type, learn
from logship.formats.slot import DecodeTime, Fields, Row
from logship.formats.unclean import indexes_of, unclean

MOST_SHAPES = 4  # that are learned of one log; one that has more is parsed
MOST_DIRTY = 4  # more than one dirty line in so many: the chunk is better done line by line
ABSENT = "-"
_PLAIN = frozenset({str, int, float})
_PROTOCOLS = frozenset({"HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"})
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

    Shapes: `keys` are those it may stand under, dotted ones as they are; `lines` those of a request line that it is
    `part` of where it does not stand under its own.
    """

    kind: Kind
    keys: tuple[str, ...]
    lines: tuple[str, ...] = ()
    part: int = -1


@dataclass(frozen=True, slots=True)
class Learned:
    """A skeleton and which of its keys is which wanted field, or the request line that it is cut from.

    Shapes: None for a field that such lines lack; no keys at all: such lines go another way. `fields` are those of the
    pattern's own rows; None where a row has to be made of them.
    """

    skeleton: Skeleton
    keys: tuple[str | None, ...]
    fields: Fields | None


class JsonRows:
    """Makes rows of the wanted fields; `times` are all time fields of the format with their decoders."""

    def __init__(self, wanted: Sequence[Wanted], times: Sequence[tuple[Wanted, DecodeTime]], fewest: int) -> None:
        self._wanted = tuple(wanted)
        self._times = tuple(times)
        self._fewest = fewest
        self._known: list[Learned] = []
        self._last: Learned | None = None

    def scan(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
        """The chunk at once; None: line by line is better."""
        return self._by_skeleton(data, lines) or self._by_parse(data, lines)

    # -- by a learned pattern

    def _by_skeleton(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
        learned = self._learned(lines[len(lines) // 2])
        if learned is None or not learned.keys:
            return None
        skeleton = learned.skeleton
        found = skeleton.pattern.find(data.decode("latin-1"), data, lines)
        if found is None or len(found.dirty) * MOST_DIRTY > len(lines):
            return None
        rows, dirty = found.rows, found.dirty
        for wanted, decode in self._times:
            for key in set(wanted.keys).intersection(skeleton.columns):
                texts = _column(rows, skeleton.columns.index(key))
                is_number = skeleton.types[key] is Type.NUMBER
                dirty |= impossible_times([_number(text) for text in texts] if is_number else texts, decode)
        made = self._as_they_are(learned, rows, dirty) or self._scan(self._made(learned, rows, dirty), dirty)
        if len(dirty) * MOST_DIRTY > len(lines):
            return None
        self._last = learned
        return made

    def _as_they_are(self, learned: Learned, rows: list[Row], dirty: set[int]) -> Scan | None:
        """The pattern's own rows (a fifth of a JSON log); None where numbers are not spelled as events spell them."""
        if learned.fields is None:
            return None
        full = 0
        for place, wanted in enumerate(learned.fields):
            if wanted < 0:
                continue
            kind = self._wanted[wanted].kind
            is_number = learned.skeleton.types[learned.skeleton.columns[place]] is Type.NUMBER
            if full >= self._fewest and not is_number and kind is not Kind.STATUS:
                continue
            column = _column(rows, place)
            if is_number and "." in "".join(column):
                return None
            _checked(column, kind, dirty)
            full += ABSENT not in column and "" not in column
        if full < self._fewest and -1 in learned.fields:  # two of them may be the same time's
            return None
        if full < self._fewest:
            dirty |= sparse(rows, self._fewest)
        return Scan(rows, sorted(dirty), learned.fields)

    def _made(self, learned: Learned, rows: list[Row], dirty: set[int]) -> list[Sequence[str]]:
        """The columns of all wanted fields."""
        skeleton = learned.skeleton
        raw = dict(zip(skeleton.columns, zip(*rows, strict=True), strict=True))
        nothing = (ABSENT,) * len(rows)
        columns: list[Sequence[str]] = []
        for wanted, key in zip(self._wanted, learned.keys, strict=True):
            if key is None:
                columns.append(nothing)
            elif key in wanted.lines and key not in wanted.keys:
                columns.append(_part(raw[key], wanted.part, dirty))
            elif skeleton.types[key] is Type.NUMBER:
                columns.append(_numbers(raw[key], wanted.kind, dirty))
            else:
                columns.append(_strings(raw[key], wanted.kind, dirty))
            if key in wanted.keys and not raw.keys().isdisjoint(wanted.lines):
                dirty.update(indexes_of(list(columns[-1]), ABSENT))
        return columns

    def _learned(self, line: bytes) -> Learned | None:
        """What is known of lines like this one; of one that nothing can be learned from: of the lines before."""
        text = line.decode("latin-1")
        for known in self._known:
            if known.skeleton.line.fullmatch(text):
                return known
        if len(self._known) == MOST_SHAPES:
            return self._last
        every = (*self._wanted, *(wanted for wanted, _ in self._times))
        skeleton = learn(line, {key for wanted in every for key in (*wanted.keys, *wanted.lines)})
        if skeleton is None:
            return self._last
        keys = self._keys(skeleton) or ()
        self._known.append(Learned(skeleton, keys, self._fields(skeleton, keys)))
        return self._known[-1]

    def _fields(self, skeleton: Skeleton, keys: Sequence[str | None]) -> Fields | None:
        """Which wanted field each column is; None where one is cut from a request line or is two fields."""
        named = {key: index for index, key in enumerate(keys) if key is not None}
        if len(named) < len(keys) - keys.count(None):
            return None
        if any(not set(wanted.lines).isdisjoint(skeleton.columns) for wanted in self._wanted):
            return None
        return tuple(named.get(column, -1) for column in skeleton.columns)

    def _keys(self, skeleton: Skeleton) -> tuple[str | None, ...] | None:
        """The key of each wanted field; None where such lines go another way."""
        shape = {key for key, kind in skeleton.types.items() if kind is not Type.NULL}  # null is absent
        times = {key for wanted, _ in self._times for key in shape.intersection(wanted.keys)}
        if any(skeleton.types[key] is Type.BOOLEAN for key in times):
            return None
        keys: list[str | None] = []
        for wanted in self._wanted:
            found = shape.intersection(wanted.keys) or shape.intersection(wanted.lines)
            key = next(iter(found), None)
            kind = skeleton.types[key] if key else Type.NULL
            if kind is Type.BOOLEAN or (kind is Type.NUMBER and not _taken(wanted.kind)):
                return None
            if len(found) > 1 or (key in wanted.lines and kind is not Type.STRING):
                return None
            if kind is Type.NULL and wanted.kind is Kind.STATUS:  # a clean row has three digits there
                return None
            keys.append(key)
        return tuple(keys)

    # -- by the parser

    def _by_parse(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
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
        return self._scan(columns, dirty)

    def _scan(self, columns: Sequence[Sequence[str]], dirty: set[int]) -> Scan:
        made = list(zip(*columns, strict=True))
        if sum(ABSENT not in column for column in columns) < self._fewest:
            dirty |= sparse(made, self._fewest)
        return Scan(made, sorted(dirty))

    def _columns(self, found: Sequence[Document], shape: set[str], dirty: set[int]) -> list[Sequence[str]] | None:
        nothing = (ABSENT,) * len(found)
        columns: list[Sequence[str]] = []
        for wanted in self._wanted:
            if not _is_plain(wanted, shape):
                return None
            keys = shape.intersection(wanted.keys)
            columns.append(_texts(_column(found, keys.pop()), wanted.kind, dirty) if keys else nothing)
            if not shape.isdisjoint(wanted.lines):
                dirty.update(indexes_of(list(columns[-1]), ABSENT))
        for wanted, decode in self._times:
            for key in shape.intersection(wanted.keys):
                dirty |= impossible_times(_column(found, key), decode)
        return columns


def _is_plain(wanted: Wanted, shape: set[str]) -> bool:
    """Whether lines with these keys hold the field under one key at most, and a status at all."""
    keys = shape.intersection(wanted.keys)
    if not keys:
        return not shape.intersection(wanted.lines) and wanted.kind is not Kind.STATUS  # a clean row has three digits
    return len(keys) == 1


def _column(rows: Sequence[Row] | Sequence[Document], key: int | str) -> list[Any]:
    """One value of each row, or of each document."""
    return list(map(itemgetter(key), rows))


def _texts(column: Sequence[object], kind: Kind, dirty: set[int]) -> Sequence[str]:
    """One field's values as texts; rows with other types than a text, null or (where it is one) a number are dirty."""
    types = set(map(type, column))
    taken = _taken(kind)
    if types == {int} and int in taken:
        return _checked(list(map(str, column)), kind, dirty)
    if types == {str}:
        return _strings(column, kind, dirty)  # type: ignore[arg-type]
    spelled = [_text(value, taken) for value in column]
    dirty.update(index for index, text in enumerate(spelled) if text is None)
    return _checked([text or ABSENT for text in spelled], kind, dirty)


def _strings(column: Sequence[str], kind: Kind, dirty: set[int]) -> Sequence[str]:
    return _checked([text or ABSENT for text in column] if "" in column else column, kind, dirty)


def _numbers(column: Sequence[str], kind: Kind, dirty: set[int]) -> Sequence[str]:
    """Numbers as a skeleton's pattern finds them; '' in rows that are dirty already."""
    if "." not in "".join(column):
        return _checked(column, kind, dirty)
    taken = _taken(kind)
    spelled = [_text(_number(text), taken) if "." in text else text for text in column]
    dirty.update(index for index, text in enumerate(spelled) if text is None)
    return _checked([text or ABSENT for text in spelled], kind, dirty)


def _part(column: Sequence[str], part: int, dirty: set[int]) -> list[str]:
    """One part of each request line that is as all common ones are; the rows of others are dirty."""
    parts: list[str] = []
    for index, line in enumerate(column):
        words = line.split(" ")
        is_common = len(words) == 3 and words[0].isalpha() and words[1][:1] == "/" and words[2] in _PROTOCOLS
        if not is_common:
            dirty.add(index)
        parts.append(words[part].removeprefix("HTTP/") if is_common else ABSENT)
    return parts


def _number(text: str) -> int | float | str:
    return (float(text) if "." in text else int(text)) if text else ""


def _checked(texts: Sequence[str], kind: Kind, dirty: set[int]) -> Sequence[str]:
    """The same texts; rows whose status is none are dirty."""
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
    return {index for index, row in enumerate(made) if row.count(ABSENT) + row.count("") > full}
