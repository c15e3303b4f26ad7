"""Fields by name, as instructions: logged ones, constants, and those that are derived for every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from logship.fields import Kind, canonical
from logship.formats.slot import Moment, Slot
from logship.kernel.assembler import Assembler, Label
from logship.kernel.program import ORIGIN, PATH, Function, Known, Op
from logship.mapping import durations, values
from logship.mapping.made_fields import MadeField
from logship.mapping.proxies import rightmost_untrusted
from logship.mapping.setting import BODY_SIZES, FORWARDED, Setting
from logship.mapping.template import FILTERS, Reference
from logship.records import record

SHARED_ENTRIES = 16_384  # of what all converters remember together: addresses have many values
_MS_OF = {
    Kind.DURATION_S: Known.MS_OF_S, Kind.DURATION_MS: Known.MS_OF_MS,
    Kind.DURATION_US: Known.MS_OF_US, Kind.DURATION_NS: Known.MS_OF_NS,
}  # fmt: skip


@record
class Value:
    """A field's value: the text of a register, or its number (`is_moment`), or a constant.

    Shapes: `register` is None for a constant; `is_always`: it is never empty; `may_be_bare`: it may be JSON's own;
    `masked` is a register with JSON to be written as it is, where that is not empty; `cut_from` are the name and the
    value of the field that a rule's group is a part of.
    """

    kind: Kind
    register: int | None = None
    text: str = ""
    is_always: bool = False
    is_moment: bool = False
    may_be_bare: bool = False
    name: str = ""  # of the derived field that it is
    masked: int | None = None
    cut_from: tuple[str, Value] | None = None


def constant(text: str, kind: Kind = Kind.TEXT) -> Value:
    return Value(kind, None, text, bool(text))


class Fields:
    """Emits what computes a field, once; all of it where it is asked for first, so not within a choice."""

    def __init__(self, setting: Setting, assembler: Assembler) -> None:
        self.setting = setting
        self.assembler = assembler
        self.needed: dict[str, int] = {}  # logged field: its register
        self.moments: dict[str, int] = {}  # logged time that was computed: the register of its number
        self._made: dict[str, Value] = {}

    def value(self, name: str) -> Value:
        """The value of a name as a person wrote it, which setting.kind() knows."""
        own = self.setting.made.get(name)
        known = name if own else canonical(name) or name
        if known not in self._made:
            derive = _DERIVED.get(known)
            self._made[known] = self._own(own) if own else derive(self) if derive else self._plain(known)
        return self._made[known]

    def _own(self, made: MadeField) -> Value:
        """A field of the mapping's own."""
        parts = [part if isinstance(part, str) else self.reference(part) for part in made.source.parts]
        texts = [part if isinstance(part, str) else self.held(part) for part in parts]
        source = texts[0] if len(texts) == 1 and isinstance(texts[0], int) else self.assembler.join(texts)
        return Value(Kind.TEXT, self.call(self.function(made.label, made.call, entries=SHARED_ENTRIES), source))

    def reference(self, reference: Reference) -> Value:
        """A field as a template names it, uncovered."""
        return self.with_default(self.filtered(self.value(reference.name), reference.filters), reference.default)

    def with_default(self, value: Value, default: str | None) -> Value:
        if default is None or value.is_always:
            return value
        return self.chain([value, Value(value.kind, None, default, True)])

    def _plain(self, name: str) -> Value:
        setting = self.setting
        slot = setting.first((name, *BODY_SIZES)) if name in BODY_SIZES else None
        slot, inside = slot or setting.format.slot(name), setting.parameter_of(name)
        found = [self.logged(slot)] if slot is not None else []
        if inside is not None and (
            slot is None or setting.format.is_open
        ):  # an open format has any slot it is asked for
            holder, parameter = inside
            read = values.parameter(parameter) if holder == "query" else values.cookie(parameter)
            found.append(Value(Kind.TEXT, self.call(self.function(name, read), self.held(self.value(holder)))))
        return self.chain([*found, constant(setting.known(name))])

    # -- instructions

    def register(self, slot: Slot) -> int:
        """Where a logged field is."""
        if slot.field not in self.needed:
            self.needed[slot.field] = self.assembler.register()
        return self.needed[slot.field]

    def logged(self, slot: Slot) -> Value:
        return Value(slot.kind, self.register(slot), may_be_bare=self.setting.format.is_open)

    def held(self, value: Value) -> int:
        """A register with the value as text."""
        if value.register is None:
            return self.assembler.load(value.text)
        if not value.is_moment:
            return value.register
        register = self.assembler.register()
        self.assembler.emit(Op.ISO, register, value.register)
        return register

    def chain(self, choices: Sequence[Value]) -> Value:
        """The first that is not empty."""
        first, *rest = [one for one in choices if one.register is not None or one.text] or [constant("")]
        if first.is_always or not rest:
            return first
        chosen = self.assembler.register()
        surely = next((number for number, one in enumerate(rest, start=2) if one.is_always), None)
        self.assembler.first(chosen, [self.held(one) for one in (first, *rest)[:surely]])
        always = any(one.is_always for one in rest)
        return Value(first.kind, chosen, "", always, may_be_bare=any(one.may_be_bare for one in choices))

    def filtered(self, value: Value, filters: Sequence[str]) -> Value:
        """The value as text, behind the filters of a template."""
        for name in filters:
            if value.register is None and not value.is_moment:
                value = constant(FILTERS[name](value.text))
                continue
            register = self.call(self.function(name, FILTERS[name], is_shared=True), self.held(value))
            value = Value(Kind.TEXT, register, is_always=value.is_always)
        return value

    def call(self, function: int, *arguments: int) -> int:
        """A new register with what the function gives."""
        result = self.assembler.register()
        first, second = (*arguments, 0xFFFF)[:2]
        self.assembler.emit(Op.CALL, result, function, first, second)
        return result

    def pure(self, call: Callable[..., str], known: Known = Known.NOTHING, arity: int = 1) -> int:
        """A function that depends on nothing but its texts."""
        return self.function(call.__name__, call, known, arity, entries=SHARED_ENTRIES, is_shared=True)

    def function(
        self, name: str, call: Callable[..., str | int | None], known: Known = Known.NOTHING, arity: int = 1,
        *, gives_number: bool = False, entries: int = 4_096, is_shared: bool = False, names: tuple[str, ...] = (),
    ) -> int:  # fmt: skip
        made = Function(name, call, known, arity, gives_number, entries, is_shared, names)
        return self.assembler.function(name, lambda: made)

    # -- times

    def time_function(self, slot: Slot) -> int:
        """The function from the slot's text to epoch milliseconds."""
        assert slot.time is not None
        decode = slot.time.decoder(self.setting.constants.timezone)
        return self.function(
            f"time of {slot.field}", decode, slot.time.known(self.setting.constants.timezone), gives_number=True,
            entries=1_024,
        )  # fmt: skip

    def moment(self, slot: Slot) -> Value:
        """The number of a logged time."""
        if slot.field not in self.moments:
            self.moments[slot.field] = moment = self.assembler.register()
            self.assembler.emit(Op.NUMBER, moment, self.time_function(slot), self.register(slot))
        return Value(Kind.TIME, self.moments[slot.field], is_always=True, is_moment=True)

    def taken_ms(self) -> int:
        """A register whose number is the logged duration: of the first slot that holds one, or of its parts' sum."""
        assembler, setting = self.assembler, self.setting
        taken, done = assembler.register(), Label()
        for part in setting.duration_parts:
            assembler.emit(Op.ADD, taken, taken, self._milliseconds(part, assembler.register()))
        slots = setting.duration_slots
        for slot in slots:
            following = Label()
            if len(slots) > 1:
                assembler.emit(Op.EMPTY, self.register(slot), following)
            self._milliseconds(slot, taken)
            if len(slots) > 1:
                assembler.emit(Op.JUMP, done)
                assembler.place(following)
        assembler.place(done)
        return taken

    def _milliseconds(self, slot: Slot, taken: int) -> int:
        kind = slot.kind if slot.kind.is_duration else Kind.DURATION_S
        convert, known = durations.milliseconds(kind), _MS_OF.get(kind, Known.NOTHING)
        function = self.function(f"milliseconds of {slot.field}", convert, known, gives_number=True)
        self.assembler.emit(Op.NUMBER, taken, function, self.register(slot))
        return taken


def _end(moment: Moment, opposite: Moment, op: Op) -> Callable[[Fields], Value]:
    """One end of the request: logged, or the other end moved by the duration, or the same without one."""

    def derive(fields: Fields) -> Value:
        setting = fields.setting
        own, other = setting.time_slot(moment), setting.time_slot(opposite)
        if own is None and other is None:
            return constant("", Kind.TIME)
        if own is not None or not setting.has_duration or other is None:
            return fields.moment(own or other)  # type: ignore[arg-type]  # one of them is a slot
        logged = fields.moment(other)
        assert logged.register is not None
        moved = fields.assembler.register()
        fields.assembler.emit(op, moved, logged.register, fields.taken_ms())
        return Value(Kind.TIME, moved, is_always=True, is_moment=True)

    return derive


def _duration(fields: Fields) -> Value:
    parts = fields.setting.duration_parts
    if parts:
        joined = fields.assembler.join([part for slot in parts for part in (fields.register(slot), " ")])
        return Value(Kind.DURATION_S, fields.call(fields.pure(durations.sum_text), joined))
    found = []
    for slot in fields.setting.duration_slots:
        function = fields.function(f"seconds of {slot.field}", durations.seconds_text(slot.kind))
        found.append(Value(Kind.DURATION_S, fields.call(function, fields.register(slot))))
    return fields.chain(found) if found else constant("", Kind.DURATION_S)


# -- the request


def _method(fields: Fields) -> Value:
    slot = fields.setting.first(("method", "request_method"))
    if slot is None:
        return constant(fields.setting.known("method") or values.UNKNOWN_METHOD)
    return Value(Kind.TEXT, fields.register(slot))


def _target(fields: Fields) -> Value:
    setting = fields.setting
    slot, path = setting.first(("target", "request_url")), setting.first(("path", "url_path"))
    query = setting.first(("query", "query_string"))
    if slot is None and path is None:
        return constant(setting.known("target") or "/")
    if slot is None and path is not None and query is not None:
        is_decoded = path.field == "url_path"
        joined = fields.pure(values.joined_path if is_decoded else values.joined_target, arity=2)
        return Value(Kind.TEXT, fields.call(joined, fields.register(path), fields.register(query)), is_always=True)
    source = fields.register(slot or path)  # type: ignore[arg-type]  # one of them is a slot
    if slot is None and path is not None and path.field == "url_path":
        return Value(Kind.TEXT, fields.call(fields.pure(values.encoded_path), source), is_always=True)
    target = fields.call(fields.pure(values.target, Known.SLASHED), source)
    if query is not None and setting.format.is_open:  # each line has keys of its own: this one may log them apart
        _join_query(fields, target, fields.register(query))
    return Value(Kind.TEXT, target, is_always=True)


def _join_query(fields: Fields, target: int, query: int) -> None:
    """Adds the query to a target that has none."""
    assembler = fields.assembler
    path, own, lacks, done = assembler.register(), assembler.register(), Label(), Label()
    assembler.emit(Op.EMPTY, query, done)
    assembler.emit(Op.CUT, path, own, target, ord("?"))
    assembler.emit(Op.EMPTY, own, lacks)
    assembler.emit(Op.JUMP, done)
    assembler.place(lacks)
    assembler.emit(Op.CALL, target, fields.pure(values.joined_target, arity=2), target, query)
    assembler.place(done)


def _part_of_target(index: int) -> Callable[[Fields], Value]:
    def derive(fields: Fields) -> Value:
        parts = fields.assembler.register(), fields.assembler.register()
        fields.assembler.emit(Op.CUT, *parts, fields.held(fields.value("target")), ord("?"))
        fields._made["path"] = Value(Kind.TEXT, parts[0], is_always=True)
        fields._made["query"] = Value(Kind.TEXT, parts[1])
        return fields._made["query" if index else "path"]

    return derive


# -- where it went


def _scheme(fields: Fields) -> Value:
    setting = fields.setting
    found: list[Value] = []
    forwarded = setting.slot("request_header_x_forwarded_proto")
    if forwarded is not None and setting.proxies is not None and setting.peer is not None:
        word = fields.assembler.register()
        skip = Label()
        fields.assembler.emit(Op.EMPTY, _trusted(fields), skip)
        fields.assembler.emit(Op.CALL, word, fields.pure(values.scheme_word), fields.register(forwarded), 0xFFFF)
        fields.assembler.place(skip)
        found.append(Value(Kind.TEXT, word))
    logged, https, port = (setting.slot(name) for name in ("scheme", "https", "server_port"))
    if logged is not None:
        found.append(fields.logged(logged))
    if https is not None:
        scheme = fields.call(fields.pure(values.scheme_of_https), fields.register(https))
        found.append(Value(Kind.TEXT, scheme, is_always=True))
    if port is not None:
        found.append(Value(Kind.TEXT, fields.call(fields.pure(values.scheme_of_port), fields.register(port))))
    url = setting.first(("target", "request_url"))
    if url is not None:
        named = fields.call(fields.pure(values.scheme_of_url, Known.NO_AUTHORITY), fields.register(url))
        found.append(Value(Kind.TEXT, named))
    return fields.chain([*found, constant(setting.known("scheme") or "https")])


def _host(fields: Fields) -> Value:
    setting = fields.setting
    found = [_logged_host(fields, slot) for slot in setting.host_slots]
    given = setting.known("host")
    if given:
        return fields.chain([*found, constant(given)])
    url = setting.first(("target", "request_url"))
    if url is not None:
        named = fields.call(fields.pure(values.host_of_url, Known.NO_AUTHORITY), fields.register(url))
        found.append(Value(Kind.TEXT, named))
    return fields.chain([*found, fields.value("origin")])


def _logged_host(fields: Fields, slot: Slot) -> Value:
    port = fields.setting.slot("server_port")
    if slot.field == "request_header_host" or port is None:
        return Value(Kind.TEXT, fields.call(fields.pure(values.host_name, Known.HOST), fields.register(slot)))
    pair = fields.pure(values.host_with_port, arity=2)
    return Value(Kind.TEXT, fields.call(pair, fields.register(slot), fields.register(port)))


# -- who asked


def _trusted(fields: Fields) -> int:
    """A register that is not empty where the peer is a trusted proxy."""
    if "is trusted" not in fields._made:
        proxies, peer = fields.setting.proxies, fields.setting.peer
        assert proxies is not None
        assert peer is not None

        def is_trusted(text: str) -> str:
            return "1" if text.startswith("unix:") or proxies(values.address(text)) else ""

        function = fields.function("is trusted", is_trusted, Known.AMONG, entries=SHARED_ENTRIES, names=proxies.ranges)
        fields._made["is trusted"] = Value(Kind.TEXT, fields.call(function, fields.register(peer)))
    register = fields._made["is trusted"].register
    assert register is not None
    return register


def _nobody(address: str) -> bool:
    """No proxy is trusted."""
    return False


def _client_ip(fields: Fields) -> Value:
    setting = fields.setting
    peer = setting.peer
    proxies: Callable[[str], bool] | None = setting.proxies
    header = setting.slot(setting.proxy_header) if proxies else None
    if peer is None and not proxies:  # it is logged in place of the peer
        header = setting.first(FORWARDED)
        proxies = _nobody
    if peer is None and (header is None or setting.known("client_ip")):
        return Value(Kind.ADDRESS, None, setting.known("client_ip") or values.NO_ADDRESS, True, name="")
    plain = constant(values.NO_ADDRESS)
    if peer is not None:
        address = fields.call(fields.pure(values.address, Known.ADDRESS), fields.register(peer))
        plain = Value(Kind.ADDRESS, address, is_always=True)
    if header is None or proxies is None:
        return Value(Kind.ADDRESS, plain.register, plain.text, True, name="client_ip")
    forwarded = fields.assembler.register()
    function = fields.function(
        "forwarded", lambda text: rightmost_untrusted(text, proxies), entries=SHARED_ENTRIES
    )  # fmt: skip
    skip = Label()
    if peer is not None:  # else it is logged in place of the peer
        fields.assembler.emit(Op.EMPTY, _trusted(fields), skip)
    fields.assembler.emit(Op.CALL, forwarded, function, fields.register(header), 0xFFFF)
    fields.assembler.place(skip)
    chosen = fields.chain([Value(Kind.ADDRESS, forwarded), plain])
    return Value(Kind.ADDRESS, chosen.register, is_always=True, name="client_ip")


# -- labels


def _label(name: str, register: int) -> Callable[[Fields], Value]:
    def derive(fields: Fields) -> Value:
        slot = fields.setting.slot(name)
        return fields.logged(slot) if slot is not None else Value(Kind.TEXT, register, is_always=True)

    return derive


_DERIVED: Mapping[str, Callable[[Fields], Value]] = {
    "start_time": _end(Moment.START, Moment.END, Op.SUBTRACT),
    "end_time": _end(Moment.END, Moment.START, Op.ADD),
    "duration": _duration,
    "method": _method,
    "target": _target,
    "path": _part_of_target(0),
    "query": _part_of_target(1),
    "scheme": _scheme,
    "host": _host,
    "client_ip": _client_ip,
    "origin": _label("origin", ORIGIN),
    "file": _label("file", PATH),
    "source": lambda fields: constant(fields.setting.constants.source),
}
