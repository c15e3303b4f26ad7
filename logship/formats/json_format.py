"""Formats of JSON lines: each field from its key, dotted for nested ones; numbers keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import orjson

from logship.errors import FormatError
from logship.fields import FAMILIES, FIELDS, Kind, canonical, lookup
from logship.formats.format import Assumption, Format, Read, Wanted
from logship.formats.json_reading import (
    AUTO_FIELDS,
    AUTO_LINES,
    AUTO_ONLY_IF,
    AUTO_REQUIRED,
    AUTO_TIME_KEYS,
    FEWEST_FIELDS,
    UNITLESS,
    Source,
    emit_json_reading,
)
from logship.formats.json_repair import loads, place_of
from logship.formats.meaning import ONLY_IF
from logship.formats.request_line import PARTS, split_request_line
from logship.formats.slot import DecodeTime, Misfit, Moment, Slot, TimeFormat, Values
from logship.formats.spec import KeySpec
from logship.formats.strftime import compile_strftime
from logship.formats.text_format import bare_line
from logship.formats.times import AnyTime
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping
from logship.kernel.values import Bare, json_of

ENDS = frozenset({"time_local", "time_iso8601", "msec", "end_time", "time_end_received"})  # nginx logs at the end
TIMES_KEPT = 256
MAX_UNUSED = 8  # keys that a message names
Document = dict[str, object]
NESTED = frozenset({"request_body"})  # may be objects
_URL = PARTS.index("request_url")
_REQUIRED = {"status": "the request's status: status, status_code, …", "request_url": "the request: request, uri, …"}
_MESSAGES = frozenset({("message",), ("short_message",)})  # of anything


class JsonFormat(Format):
    """A compiled JSON format; `keys` None takes nginx's variable names and other usual ones."""

    time_hint = "name its key, the field first: {json: {time_received: KEY, …}}"

    def __init__(
        self, name: str, keys: Mapping[str, KeySpec] | None, sources: Sequence[Source] | None = None
    ) -> None:  # fmt: skip
        """`sources` are a kind's own, in place of those that {json: auto} looks for."""
        self.name = name
        self._is_auto = keys is None
        known = sources or (_auto_sources() if keys is None else _sources(keys))
        self._sources = {source.slot.field: source for source in known}
        self.slots = tuple(source.slot for source in self._sources.values())
        self.is_open = True
        self._values_of = [_getter(source) for source in self._sources.values()]
        self._required = tuple(
            (index, source) for index, source in enumerate(self._sources.values()) if source.is_required
        )
        self._times: tuple[tuple[int, DecodeTime], ...] = tuple(
            (index, lru_cache(TIMES_KEPT)(slot.time.decoder("UTC")))
            for index, slot in enumerate(self.slots)
            if slot.time
        )
        self._texts = tuple(
            index for index, source in enumerate(self._sources.values())
            if not source.is_guess and source.slot.field not in NESTED and lookup(source.slot.field) is not None
        )  # fmt: skip
        self._meanings = tuple(
            (index, source.meaning)
            for index, source in enumerate(self._sources.values())
            if source.meaning and not source.is_guess
        )

    def slot(self, field: str) -> Slot | None:
        source = self._source(field)
        return source.slot if source else None

    def _source(self, field: str) -> Source | None:
        """Where a field is found: a slot, or, an open format being one, any key; None for a name no key can have."""
        if field in self._sources:
            return self._sources[field]
        if not self._is_auto and "." not in field:
            return None
        known = lookup(field)
        if known is not None and known.derived:
            return None
        kind = known.kind if known and not known.kind.is_time else Kind.TEXT
        return Source(Slot(field, kind, field), tuple(_path(key) for key in _spellings(field)))

    def reader(self, needed: Sequence[str]) -> Read:
        values_of = [_getter(source) for source in self._sources_of(needed)]

        def read(line: bytes) -> Values | None:
            document = self.document(line)
            return None if document is None else tuple([value_of(document) for value_of in values_of])

        return read

    def _sources_of(self, needed: Iterable[str]) -> list[Source]:
        sources = []
        for field in needed:
            source = self._source(field)
            if source is None:
                raise KeyError(field)
            sources.append(source)
        return sources

    def emit_reading(self, assembler: Assembler, wanted: Wanted) -> Escaping | None:
        return emit_json_reading(self._sources_of(wanted.registers), list(self._sources.values()), assembler, wanted)

    def others(self, line: bytes) -> dict[str, str]:
        taken = {path for source in self._sources.values() for path in (*source.paths, *source.line_paths)}
        document = self.document(line) or {}
        keys = [".".join(path) for path in _leaves(document) if path not in taken]
        sources = [self._source(field) for field in (canonical(key) or key for key in keys)]
        wanted = {each.slot.field: each for each in sources if each and each.slot.field not in self._sources}
        values = {field: _getter(each)(document) for field, each in wanted.items()}
        return {field: value for field, value in values.items() if value != ""}

    def document(self, line: bytes) -> Document | None:
        """The object of a line that fits, or None: no JSON, no object, no time, an impossible time, nothing known."""
        value = self._members(bare_line(line))
        return value if value is not None and self._fits(value) else None

    def _members(self, bare: bytes) -> Document | None:
        """What a line holds, by keys; None where it is no object."""
        bare = bare.strip()
        if bare[:1] != b"{" or bare[-1:] != b"}":  # what is no object needs no repair
            return None
        try:
            value = loads(bare)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None

    def _fits(self, document: Document) -> bool:
        timed = False
        for index, decode_time in self._times:
            value = self._values_of[index](document)
            if value and not _is_time(value, decode_time):
                return False
            timed |= value != ""
        if self._times and not timed:
            return False
        for index, meaning in self._meanings:
            value = self._values_of[index](document)
            if value and not meaning.holds(value):
                return False
        if any(_is_nested(self._values_of[index](document)) for index in self._texts):
            return False
        if self._lacking(document) is not None:
            return False
        found = 0
        for values_of in self._values_of:
            found += values_of(document) != ""
            if found > FEWEST_FIELDS or found == len(self._values_of):
                return True
        return False

    def _lacking(self, document: Document) -> Slot | None:
        """What a request has and this object does not, where {json: auto} chose the keys; an empty request is one."""
        for index, source in self._required:
            if self._values_of[index](document) == "" and not _has_line(source, document):
                return source.slot
        return None

    def assumes(self, line: bytes) -> tuple[Assumption, ...]:
        document = self.document(line) if self._is_auto else None
        if document is None:
            return ()
        pairs = zip(self.slots, self._values_of, strict=True)
        there = {slot.field: slot.kind for slot, value_of in pairs if value_of(document) != ""}
        taken = {path for source in self._sources.values() for path in (*source.paths, *source.line_paths)}
        unused = [".".join(path) for path in _leaves(document) if path not in taken][:MAX_UNUSED]
        beside = f"; keys it does not use: {', '.join(unused)}" if unused else ""
        units = tuple(self._units(document))
        lacking = (one for one in _unknown(self.name, there, beside) if not units or one.field != "duration")
        return (*lacking, *units)

    def _units(self, document: Document) -> Iterator[Assumption]:
        """What is taken for granted of durations without a unit, and which are left out for it."""
        source = self._sources["time_s"]
        chosen = _getter(source)(document)
        holding = [key for key in UNITLESS if isinstance(_find(document, _path(key)), str | int | float)]
        for key in holding[:1] if chosen or not self._has_duration(document) else []:
            hint = f"name its unit: {{json: {{time_ms: {key}, …}}}} or {{json: {{time_s: {key}, …}}}}"
            is_read = bool(chosen) and _plain(_find(document, _path(key))) == chosen
            said = "read as seconds, as it has a fraction" if is_read else "left out: nothing says its unit"
            if is_read or not chosen:
                yield Assumption("duration", f"{self.name}: {key} is {said}", hint, is_of_value=True)

    def _has_duration(self, document: Document) -> bool:
        pairs = zip(self.slots, self._values_of, strict=True)
        return any(slot.kind.is_duration and value_of(document) != "" for slot, value_of in pairs)

    def parse(self, line: bytes) -> Values | None:
        document = self.document(line)
        return None if document is None else tuple([values_of(document) for values_of in self._values_of])

    def explain(self, line: bytes) -> Misfit | None:
        if self.parse(line) is not None:
            return None
        bare = bare_line(line)
        of = len(self.slots)
        try:
            value = loads(bare)
        except orjson.JSONDecodeError as exc:
            return Misfit(place_of(bare, exc.pos), f"JSON ({exc.msg})", 0, of)
        if not isinstance(value, dict):
            return Misfit(0, "a JSON object: {", 0, of)
        return self._explain_object(value, bare, of)

    def _explain_object(self, document: Document, line: bytes, of: int) -> Misfit:
        fits = sum(values_of(document) != "" for values_of in self._values_of)
        for index, decode_time in self._times:
            value = self._values_of[index](document)
            if value and not _is_time(value, decode_time):
                slot = self.slots[index]
                assert slot.time is not None, "only times are in _times"
                at = line.find(value.encode())
                return Misfit(max(at, 0), f"a time like {slot.time.example} ({slot.spelled})", fits - 1, of)
        for index, meaning in self._meanings:
            value = self._values_of[index](document)
            if value and not meaning.holds(value):
                at = line.find(value.encode())
                return Misfit(max(at, 0), f"{meaning.words} ({self.slots[index].spelled})", fits - 1, of)
        lacking = self._lacking(document)
        keys = " or ".join(f'"{self.slots[index].spelled}"' for index, _ in self._times)
        timed = any(self._values_of[index](document) != "" for index, _ in self._times)
        expected = f"the fields {', '.join(slot.spelled for slot in self.slots[:4])}, …" if timed else f"a time: {keys}"
        if timed and lacking is not None:
            expected = _REQUIRED[lacking.field]
        return Misfit(max(len(line) - 1, 0), expected, fits, of)


def _has_line(source: Source, document: Document) -> bool:
    """Whether a key of requests holds a text, though no request: servers log so what they could not read."""
    return bool(source.line_paths) and any(
        isinstance(_find(document, path), str) for path in (*source.paths, *source.line_paths) if path not in _MESSAGES
    )


def _unknown(name: str, there: Mapping[str, Kind], beside: str) -> Iterator[Assumption]:
    """What no key was known for, where {json: auto} chose them."""
    if not there.keys() & {"host", "request_header_host", "server_name"}:
        hint = "name its key, {json: {host: KEY, …}}, or add: fields: {host: …}"
        yield Assumption("host", f"{name} finds no host{beside}", hint)
    if not any(kind.is_duration for kind in there.values()):
        hint = "log request_time, or name its key: {json: {time_ms: KEY, …}}"
        yield Assumption("duration", f"{name} finds no duration: both times are equal{beside}", hint)
    if not there.keys() & {"remote_host", "request_header_x_forwarded_for"}:
        hint = "name its key: {json: {remote_host: KEY, …}}"
        yield Assumption("client_ip", f"{name} finds no address of the client{beside}", hint)


def _sources(keys: Mapping[str, KeySpec]) -> list[Source]:
    sources: list[Source] = []
    for name, key in keys.items():
        slot = keyed_slot(name, key)
        if any(source.slot.field == slot.field for source in sources):
            raise FormatError(f"{name} appears twice: it is {slot.field}", text=name, column=0, width=len(name))
        sources.append(Source(slot, tuple(_path(path) for path in (key.key, *key.others))))
    return sources + _line_parts(sources)


def _line_parts(sources: Sequence[Source]) -> list[Source]:
    """Sources for the parts of a request line that have no keys of their own."""
    lines = [source for source in sources if source.slot.kind is Kind.REQUEST_LINE]
    own = {source.slot.field for source in sources}
    parts: list[Source] = []
    for line in lines:
        for number, name in enumerate(PARTS):
            if name not in own:
                slot = Slot(name, Kind.TOKEN, line.slot.spelled, part_of=line.slot.field)
                parts.append(Source(slot, (), number, line.paths))
    return parts


def _auto_sources() -> list[Source]:
    time = Slot("time_received", Kind.TIME, "time", Moment.END, AnyTime())
    sources = [Source(time, tuple(_path(key) for key in AUTO_TIME_KEYS))]
    line_paths = tuple(map(_path, AUTO_LINES))
    for name, keys in AUTO_FIELDS.items():
        known = FIELDS.get(name) or lookup(name)
        assert known is not None, "the table names fields of the vocabulary"
        part = PARTS.index(name) if name in PARTS else -1
        only_if = tuple(
            (place, ONLY_IF[AUTO_ONLY_IF[name, key]])
            for place, key in enumerate(keys)
            if (name, key) in AUTO_ONLY_IF and keys.index(key) == place
        )
        sources.append(
            Source(
                Slot(name, known.kind, keys[0]), tuple(map(_path, keys)), part, line_paths if part >= 0 else (),
                is_line_first=part == _URL, only_if=only_if, is_guess=True,
                is_required=name in AUTO_REQUIRED,
            )
        )  # fmt: skip
    return sources


def keyed_slot(name: str, key: KeySpec) -> Slot:
    """The slot of a field that a JSON key or a regex group gives.

    Raises: FormatError for a time format on a field that is no time, or one that can't be read.
    """
    field = canonical(name) or name
    known = lookup(field)
    kind = known.kind if known else Kind.TEXT
    if not kind.is_time:
        if key.time_format:
            raise FormatError(
                f"{name} is no time and takes no format", text=name, column=0, width=len(name),
                hint="name the time time_received, start_time or end_time",
            )  # fmt: skip
        return Slot(field, kind, key.key)
    time: TimeFormat = compile_strftime(key.time_format) if key.time_format else AnyTime()
    return Slot(field, Kind.TIME, key.key, Moment.END if name in ENDS else Moment.START, time)


def _path(key: str) -> tuple[str, ...]:
    return tuple(key.split("."))


def _spellings(field: str) -> tuple[str, ...]:
    """The keys under which a field that has no slot may stand: its name and nginx's names for it."""
    known = FIELDS.get(field)
    aliases = tuple(spelling[1:] for spelling in known.nginx) if known else ()
    for family in FAMILIES:
        if field.startswith(family.prefix):
            aliases += tuple(alias + field[len(family.prefix) :] for alias in family.aliases)
    return (field, *aliases)


def _getter(source: Source) -> Callable[[Document], str]:
    """A function from a line's object to the slot's value; '' for absent."""
    if source.part < 0 and len(source.paths) == 1 and len(source.paths[0]) == 1 and not source.is_guess:
        key = source.paths[0][0]
        return lambda document: _plain(document.get(key))
    if not source.line_paths:
        return _from_keys(source)
    first, second = _from_keys(source), _from_line(source)
    if source.is_line_first:
        first, second = second, first
    return lambda document: first(document) or second(document)


def _from_keys(source: Source) -> Callable[[Document], str]:
    meaning = source.meaning if source.is_guess else None
    only_if = dict(source.only_if)
    choices = tuple((".".join(path), path, only_if.get(place)) for place, path in enumerate(source.paths))
    heads = frozenset(head for path in source.paths for head in (path[0], ".".join(path)))
    is_text = source.is_guess and source.slot.field not in NESTED

    def get(document: Document) -> str:
        if heads.isdisjoint(document):  # most keys are in no line of a log
            return ""
        for whole, path, only in choices:
            found = document.get(whole)
            if found is None and (len(path) == 1 or (found := _find(document, path)) is None):
                continue
            value = _plain(found)
            if is_text and _is_nested(value):
                continue
            if value != "" and (meaning is None or meaning.holds(value)) and (only is None or only.holds(value)):
                return value
        return ""

    return get


def _from_line(source: Source) -> Callable[[Document], str]:
    def get(document: Document) -> str:
        for path in source.line_paths:
            line = _plain(_find(document, path))
            if line and not isinstance(line, Bare):
                # some logs call the target so
                parts = ("", line, "") if line.startswith("/") else split_request_line(line)
                if parts[source.part]:
                    return parts[source.part]
        return ""

    return get


def _leaves(document: Document) -> Iterator[tuple[str, ...]]:
    """The paths of all values that are no objects; without recursion, for a line may nest a thousand."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += (((*path, key), inner) for key, inner in reversed(value.items()))
        else:
            yield path


def _find(document: Document, path: tuple[str, ...]) -> object:
    """The value at a path; a key that holds dots itself is found before the nested one."""
    if len(path) > 1:
        whole = document.get(".".join(path))
        if whole is not None:
            return whole
    value: object = document
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _is_nested(value: str) -> bool:
    """Whether it is an object or a list: other logs' keys hold them under the same names."""
    return isinstance(value, Bare) and value[0] in "{["


def _is_time(value: str, decode_time: DecodeTime) -> bool:
    """Whether a text or a number is a time; the brackets of `[10/Oct/…]` are no list's."""
    is_list = isinstance(value, Bare) and value.startswith("[")
    return not is_list and decode_time(value) is not None


def _plain(value: object) -> str:
    """A JSON value as a field's value: null and '-' are absent, a list of texts (Caddy's headers) is joined."""
    if isinstance(value, str):
        return "" if value == "-" else value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return Bare(json_of(value))
