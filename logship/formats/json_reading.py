"""How the kernel reads a JSON line: one walk over the object; and the keys that `json: auto` knows."""

from __future__ import annotations

from collections.abc import Sequence

from logship.formats.format import Wanted
from logship.formats.meaning import Meaning, meaning_of
from logship.formats.request_line import PARTS
from logship.formats.slot import Slot
from logship.kernel.assembler import Assembler, Label
from logship.kernel.program import NONE, REFUSE, Escaping, Op, Tree
from logship.records import record

AUTO_TIME_KEYS = (
    "msec", "time_unix", "time_iso8601", "time_local", "@timestamp", "timestamp", "time", "ts", "asctime", "datetime",
    "date", "requestTime", "time_received",
)  # fmt: skip

AUTO_LINES = (
    "message",
    "short_message",
    "request",
    "request_first_line",
    "request_line",
    "req",
)  # a whole request line

AUTO_REQUIRED = frozenset({"status", "request_url"})  # an application's own lines have no status, or no request

AUTO_FIELDS: dict[str, tuple[str, ...]] = {
    "remote_host": ("remote_addr", "remote_host", "client", "client_ip", "remote_ip", "clientip", "clientIp",
                    "remoteIP", "remoteip", "remoteIp", "client_addr", "client_address", "realip", "real_ip",
                    "source_ip", "src_ip", "_source_ip", "ip", "host", "remote_addr"),
    "remote_user": ("remote_user", "user", "username"),
    "request_first_line": AUTO_LINES[2:],
    "request_method": ("request_method", "method", "verb", "httpMethod", "http_method", "_http_method"),
    "request_url": ("request_uri", "uri", "url", "path", "request_url", "request_path", "requestPath", "requestUri",
                    "http_path", "http_url"),
    "request_http_ver": ("request_http_ver",),
    "protocol": ("server_protocol", "protocol"),
    "query_string": ("args", "query_string", "query", "request_query", "querystring", "uri_query"),
    "status": ("status", "status_code", "statusCode", "response_code", "response_status", "http_status", "_http_status",
               "response"),
    "response_bytes_clf": ("body_bytes_sent", "response_bytes_clf", "body_bytes", "bytes", "size", "response_size",
                           "response_length", "responseLength"),
    "bytes_tx": ("bytes_sent", "bytes_tx"),
    "bytes_rx": ("request_length", "bytes_rx"),
    "time_us": ("time_us", "duration_us", "duration_usec", "reqtime_microsec", "request_time_us",
                "_duration_usec"),
    "time_ms": ("time_ms", "duration_ms", "durationMs", "request_time_ms", "response_time_ms", "elapsed_ms"),
    "time_s": ("request_time", "time_s", "latency", "responsetime", "response_time", "req_time", "reqtime"),
    "host": ("http_host", "vhost", "domain", "virtual_host", "authority", "host"),
    "server_name": ("server_name",),
    "server_port": ("server_port",),
    "local_ip": ("server_addr", "local_ip"),
    "scheme": ("scheme",),
    "request_header_referer": ("http_referer", "referer", "referrer", "http_referrer", "_http_referer",
                               "request_header_referer"),
    "request_header_user_agent": ("http_user_agent", "user_agent", "user-agent", "userAgent", "useragent",
                                  "http_useragent", "_user_agent", "agent", "ua", "request_header_user_agent"),
    "request_header_x_forwarded_for": ("http_x_forwarded_for", "x_forwarded_for", "x-forwarded-for", "xff",
                                       "forwardedfor", "forwarded_for"),
    "request_header_host": ("http_host",),
    "request_id": ("request_id", "req_id"),
    "request_body": ("request_body",),
    "upstream_addr": ("upstream_addr",),
    "upstream_status": ("upstream_status",),
    "upstream_response_time": ("upstream_response_time",),
    "ssl_protocol": ("ssl_protocol",),
    "ssl_cipher": ("ssl_cipher",),
}  # fmt: skip

# Keys that mean the field with some values only, where they stand first: of a duration without a unit the fraction
# tells that it is seconds; an address with a port is a connection's: a key for the address alone is believed before.
AUTO_ONLY_IF = {
    ("remote_host", "remote_addr"): "bare address",
    ("remote_host", "host"): "address",
    **{("host", key): "host" for key in AUTO_FIELDS["host"]},
    ("host", "host"): "name",
    **{("remote_user", key): "no flag" for key in AUTO_FIELDS["remote_user"]},
    **{("time_s", key): "fraction" for key in AUTO_FIELDS["time_s"] if key != "time_s"},
}
UNITLESS = (*AUTO_FIELDS["time_s"][2:], "duration", "elapsed")  # seconds to some, milliseconds to others


FEWEST_FIELDS = 2  # beside the time: any JSON log has a time, an access log has more
Keys = tuple[str, ...]


@record
class Source:
    """Where a slot's value is found: the first of these paths that holds something.

    Shapes: a path is a key, or the keys of nested objects; `part` is which part of a request line is meant, -1 for all.
    `only_if` are places in `paths` that count with some values only. `is_guess`: a value that can't be the field's is
    another's. `is_required`: the kernel hands a line back that lacks it.
    """

    slot: Slot
    paths: tuple[tuple[str, ...], ...]
    part: int = -1
    line_paths: tuple[tuple[str, ...], ...] = ()  # where the request line is that `part` is cut from
    is_line_first: bool = False
    only_if: tuple[tuple[int, Meaning], ...] = ()
    is_guess: bool = False
    is_required: bool = False

    @property
    def meaning(self) -> Meaning | None:
        """What its values can be; parts of a request line are what they are."""
        return None if self.slot.part_of else meaning_of(self.slot, is_free=True, is_enclosed=True)


class _Members:
    """Which register each path of keys goes to."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self.registers: dict[Keys, int] = {}

    def register(self, path: Keys) -> int:
        if path not in self.registers:
            self.registers[path] = self._assembler.register()
        return self.registers[path]

    def tree(self) -> bytes:
        """All paths as the kernel's Tree; a key that holds a path's dots itself is left to `exact`."""
        paths: dict[Keys, int] = dict(self.registers)
        paths |= {(".".join(path),): REFUSE for path in self.registers if len(path) > 1}
        return _tree(paths).encode()


def _tree(paths: dict[Keys, int]) -> Tree:
    members = []
    for key in dict.fromkeys(path[0] for path in paths):
        below = {path[1:]: register for path, register in paths.items() if path[0] == key and len(path) > 1}
        members.append((key, paths.get((key,), NONE), _tree(below) if below else None))
    return Tree(tuple(members))


def emit_json_reading(
    needed: Sequence[Source], slots: Sequence[Source], assembler: Assembler, wanted: Wanted
) -> Escaping | None:  # fmt: skip
    """The instructions of a whole line; None where too few fields are looked at to tell whether it fits."""
    members = _Members(assembler)
    times = [source for source in slots if source.slot.time is not None]
    meant = [source for source in slots if source.meaning and not source.is_guess]
    required = [source for source in slots if source.is_required]
    looked_at = {source.slot.field: source for source in (*needed, *times, *meant, *required)}
    meant += [source for source in looked_at.values() if source.meaning and source.is_guess]
    registers = {
        field: wanted.registers[field] if field in wanted.registers else assembler.register() for field in looked_at
    }
    fewest = min(FEWEST_FIELDS + 1, len(slots))
    counted = [registers[source.slot.field] for source in slots if source.slot.field in registers]
    if len(counted) < fewest:
        return None
    for source in looked_at.values():
        for path in (*source.paths, *source.line_paths):
            members.register(path)
    assembler.emit(Op.OBJECT, assembler.constant(members.tree()))
    lines: dict[tuple[Keys, ...], list[int]] = {}
    for field, source in looked_at.items():
        only_if = dict(source.only_if)
        choices = [(members.registers[path], only_if.get(place)) for place, path in enumerate(source.paths)]
        if source.line_paths:
            if source.line_paths not in lines:
                lines[source.line_paths] = _split(source, members, assembler)
            place = 0 if source.is_line_first else len(choices)
            choices.insert(place, (lines[source.line_paths][source.part], None))
        _first(assembler, registers[field], choices)
    assembler.emit(Op.ATLEAST, fewest, assembler.listed(counted))
    timed = [registers[source.slot.field] for source in times]
    if timed:
        assembler.emit(Op.ATLEAST, 1, assembler.listed(timed))
    for source in required:
        assembler.emit(Op.ATLEAST, 1, assembler.listed([registers[source.slot.field]]))
    for source in times:
        if source.slot.field not in wanted.moments:
            skip = Label()
            assembler.emit(Op.EMPTY, registers[source.slot.field], skip)
            moment = assembler.register()
            assembler.emit(Op.NUMBER, moment, wanted.time_function(source.slot), registers[source.slot.field])
            assembler.place(skip)
    for source in meant:
        assert source.meaning is not None, "meant are those that have one"
        source.meaning.emit(assembler, registers[source.slot.field])
    return Escaping.NONE


def _split(source: Source, members: _Members, assembler: Assembler) -> list[int]:
    """Registers with the parts of the request line, each of the first line that has it."""
    parts: list[list[int]] = []
    for path in source.line_paths:
        parts.append([assembler.register() for _ in PARTS])
        assembler.emit(Op.SPLIT, members.registers[path], *parts[-1], 1)
    if len(parts) > 1:
        for number, register in enumerate(parts[0]):
            assembler.first(register, [part[number] for part in parts])
    return parts[0]


def _first(assembler: Assembler, register: int, choices: Sequence[tuple[int, Meaning | None]]) -> None:
    """The first choice that holds something; the line is handed back where that is not what it can only be."""
    waiting: list[int] = []
    for choice, only in choices:
        if only is not None:
            checked, done = Label(), Label()
            if waiting:
                assembler.first(register, waiting)
                waiting = [register]
                assembler.emit(Op.EMPTY, register, checked)
                assembler.emit(Op.JUMP, done)
            assembler.place(checked)
            only.emit(assembler, choice)
            assembler.place(done)
        waiting.append(choice)
    assembler.first(register, waiting)
