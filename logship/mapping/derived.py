"""The derived fields of requests: method, target, path, query, scheme, host, client_ip and the labels of a log."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from logship.fields import Kind
from logship.formats import Slot
from logship.mapping import values
from logship.mapping.access import NOTHING, Access, Reader, Setting, register
from logship.mapping.code import choice, constant, expression
from logship.mapping.memo import SHARED_ENTRIES, Unreadable

PEERS = ("client_ip", "remote_ip", "remote_host", "peer_ip", "proxy_protocol_addr")  # the first is believed
HOSTS = ("host", "request_header_host", "server_name", "server_name2", "ssl_server_name")  # the first is believed


def _first(reader: Reader, names: Sequence[str]) -> Slot | None:
    return next((slot for name in names if (slot := reader.setting.slot(name))), None)


def odd_target(value: str) -> str:
    """The target of a clean row whose URL does not begin with a slash.

    Raises: Unreadable for an absolute URI, whose host only the exact way looks at, and for a value that is escaped.
    """
    if "://" in value or "\\" in value:
        raise Unreadable(value)
    return values.target(value)


def odd_request(value: str) -> str:
    """The same for the URL of a request line, which may be none at all: then there is no method either."""
    if value == "-":
        raise Unreadable(value)
    return odd_target(value)


def _method(reader: Reader) -> Access:
    slot = _first(reader, ("method", "request_method"))
    if slot is None:
        return reader.known("method") or reader.constant(values.UNKNOWN_METHOD)
    if reader.is_exact:
        text = reader.call(values.method, reader.raw(slot))
        present = reader.has(reader.raw(slot))
    elif slot.part_of:  # no method without a target, and clean code refuses rows without a target
        return Access(Kind.TEXT, reader.raw(slot), reader.raw(slot), None, False, slot.spelled)
    else:
        present = reader.has(reader.raw(slot))
        text = choice(present, reader.raw(slot), constant(values.UNKNOWN_METHOD))
    return Access(Kind.TEXT, text, text, present, False, slot.spelled)


def _target(reader: Reader) -> Access:
    slot = _first(reader, ("target", "request_url"))
    path = _first(reader, ("path", "url_path"))
    if slot is not None:
        text = _slashed(reader, slot)
    elif path is not None:
        slot = path
        query = _first(reader, ("query", "query_string"))
        source = reader.raw(path)
        text = reader.call(values.joined_target, source, reader.raw(query)) if query else _slashed(reader, path)
        if query and not reader.is_exact:
            _refuse_odd(reader, source)
    else:
        return reader.known("target") or reader.constant("/")
    return Access(Kind.TEXT, text, text, None, False, slot.spelled)


def _slashed(reader: Reader, slot: Slot) -> ast.expr:
    source = reader.raw(slot)
    if reader.is_exact:
        return reader.call(values.target, source)
    _refuse_odd(reader, source)
    odd = odd_request if slot.part_of else odd_target
    head = _head(reader, source)
    return expression("x if head == '/' else odd(x)", x=source, head=head, odd=reader.bind(odd, "odd"))


def _refuse_odd(reader: Reader, source: ast.expr) -> None:
    reader.odd.append(expression("first != '/'", first=_head(reader, source)))


def _head(reader: Reader, source: ast.expr) -> ast.expr:
    return expression("x[:1]" if reader.may_be_empty else "x[0]", x=source)


def _path(reader: Reader) -> Access:
    return _whole(reader, _parted(reader), 0)


def _query(reader: Reader) -> Access:
    return _whole(reader, _parted(reader), 2)


def _parted(reader: Reader) -> ast.expr:
    target = reader.field("target")
    assert target is not None
    return reader.keep("parted", expression("t.partition('?')", t=target.text))


def _whole(reader: Reader, parted: ast.expr, index: int) -> Access:
    name = "path" if index == 0 else "query"
    text = reader.keep(name, ast.Subscript(parted, constant(index), ast.Load()))
    target = reader.field("target")
    assert target is not None
    return Access(Kind.TEXT, text, text, None if index == 0 else text, False, target.origin)


def _scheme(reader: Reader) -> Access:
    found: list[Access] = []
    slot = reader.setting.slot("scheme")
    if slot is not None:
        found.append(reader.logged(slot))
    on = reader.setting.slot("https")
    if on is not None:
        text = expression("'https' if x == 'on' else 'http'", x=reader.raw(on))
        found.append(Access(Kind.TEXT, text, text, None, False, on.spelled))
    forwarded = _forwarded_scheme(reader)
    if forwarded is not None:
        found.insert(0, forwarded)
    port = reader.setting.slot("server_port")
    if port is not None:
        memo = reader.setting.shared_memo(_scheme_of_port)
        by_port = expression("m[x]", m=memo, x=reader.raw(port))
        text = reader.keep("scheme_by_port", _unless_absent(reader, port, by_port))
        found.append(Access(Kind.TEXT, text, text, text, False, port.spelled))
    found.append(reader.known("scheme") or reader.constant("https"))
    return reader.chain(found)


def _scheme_of_port(port: object) -> str:
    return {"443": "https", "80": "http"}.get(str(port), "")


def _scheme_word(value: object) -> str:
    word = values.text_of(value).split(",")[0].strip().lower()
    return word if word in ("http", "https") else ""


def _forwarded_scheme(reader: Reader) -> Access | None:
    slot = reader.setting.slot("request_header_x_forwarded_proto")
    if slot is None or reader.setting.proxies is None:
        return None
    word = reader.setting.shared_memo(_scheme_word)
    text = expression("m[x] if trusted else ''", m=word, x=_key(reader, slot), trusted=_trusted(reader))
    kept = reader.keep("forwarded_scheme", text)
    return Access(Kind.TEXT, kept, kept, kept, False, slot.spelled)


def _key(reader: Reader, slot: Slot) -> ast.expr:
    """The row's value as a key of a memory: JSON's lists and objects can't be one."""
    return reader.plain(slot)


def _host(reader: Reader) -> Access:
    found = [_logged_host(reader, slot) for slot in _host_slots(reader)]
    given = reader.known("host")
    if given is not None:
        return reader.chain([*found, given])
    url = _first(reader, ("target", "request_url"))
    if url is not None and reader.is_exact:
        named = reader.call(values.authority, reader.raw(url))
        text = reader.keep("authority", reader.call(values.without_default_port, named))
        found.append(Access(Kind.TEXT, text, text, text, False, url.spelled))
    found.append(reader.field("origin") or NOTHING)
    return reader.chain(found)


def _host_slots(reader: Reader) -> list[Slot]:
    slots = [slot for name in HOSTS if (slot := reader.setting.slot(name))]
    # Apache's %v is the virtual host; nginx's $server_name is the first name of the block, which may be a pattern.
    return sorted(slots, key=lambda slot: slot.spelled != "%v" or slot.field == "host")


def _logged_host(reader: Reader, slot: Slot) -> Access:
    port = reader.setting.slot("server_port")
    with_port = slot.field != "request_header_host" and port is not None
    if with_port and port is not None:
        pair = reader.setting.shared_memo(_host_with_port)
        text = expression("m[h, p]", m=pair, h=_key(reader, slot), p=_key(reader, port))
    else:
        memo = reader.setting.shared_memo(_host_name)
        text = expression("m[h]", m=memo, h=_key(reader, slot))
    kept = reader.keep(f"logged_{slot.field}", _unless_absent(reader, slot, text))
    # what a client may write into Host can need escapes, but then its row isn't clean
    return Access(Kind.TEXT, kept, kept, kept, False, slot.spelled)


def _unless_absent(reader: Reader, slot: Slot, text: ast.expr) -> ast.expr:
    """The text, which is '' where the slot is absent; asking saves a look into a memory, 4 % of a JSON log."""
    return choice(reader.has(reader.raw(slot)), text, constant("")) if reader.often_lacks else text


def _host_name(value: object) -> str:
    host = values.without_default_port(value)
    return "" if host in ("", "-", "_") else host


def _host_with_port(pair: object) -> str:
    assert isinstance(pair, tuple)
    host = _host_name(pair[0])
    return host and values.with_port(host, pair[1])


def _peer(reader: Reader) -> ast.expr | None:
    slot = _first(reader, PEERS)
    return None if slot is None else _key(reader, slot)


def _trusted(reader: Reader) -> ast.expr:
    peer = _peer(reader)
    proxies = reader.setting.proxies
    if peer is None or proxies is None:
        return constant(False)

    def is_trusted(value: object) -> bool:
        return values.text_of(value).startswith("unix:") or proxies(values.address(value))

    memo = reader.setting.memo("trusted", is_trusted, SHARED_ENTRIES)
    return reader.keep("is_trusted", expression("m[x]", m=memo, x=peer))


def _client_ip(reader: Reader) -> Access:
    peer = _peer(reader)
    header = reader.setting.slot(reader.setting.proxy_header) if reader.setting.proxies else None
    if peer is None and (header is None or reader.known("client_ip")):
        return reader.known("client_ip") or reader.constant(values.NO_ADDRESS, Kind.ADDRESS)
    address = reader.setting.shared_memo(values.address)
    text = constant(values.NO_ADDRESS) if peer is None else expression("m[x]", m=address, x=peer)
    if header is not None:
        memo = reader.setting.memo("forwarded", _rightmost(reader.setting), SHARED_ENTRIES)
        text = expression(
            "(f[h] or plain) if trusted else plain",
            f=memo, h=_key(reader, header), plain=text,
            trusted=constant(True) if peer is None else _trusted(reader),  # logged in place of the peer
        )  # fmt: skip
        text = reader.keep("client_ip", text)
    return Access(Kind.ADDRESS, text, text, None, False, "client_ip")


def _rightmost(setting: Setting) -> Callable[[object], str]:
    from logship.mapping.proxies import rightmost_untrusted

    proxies = setting.proxies
    assert proxies is not None

    def rightmost(value: object) -> str:
        return rightmost_untrusted(values.text_of(value), proxies)

    return rightmost


def _label(name: str) -> Callable[[Reader], Access]:
    """A text that is known at each call: the file's origin, its path."""
    attribute = {"origin": "origin", "file": "path"}[name]

    def derive(reader: Reader) -> Access:
        slot = reader.setting.slot(name)
        if slot is not None:
            return reader.logged(slot)
        text = reader.at_call(f"{name}_text", f"file.{attribute}")
        body = reader.at_call(f"{name}_body", f"escape(file.{attribute})", escape=reader.bind(values.body, "escape"))
        return Access(Kind.TEXT, text, body, None, False, name)

    return derive


def _source(reader: Reader) -> Access:
    return reader.constant(reader.setting.constants.source, origin="source")


for _name, _derive in {
    "method": _method,
    "target": _target,
    "path": _path,
    "query": _query,
    "scheme": _scheme,
    "host": _host,
    "client_ip": _client_ip,
    "origin": _label("origin"),
    "file": _label("file"),
    "source": _source,
}.items():
    register(_name, _derive)
