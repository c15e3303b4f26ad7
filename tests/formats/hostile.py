"""Lines made to make patterns backtrack; also what the benchmark feeds to every format."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from logship.fields import Kind
from logship.formats import Format, Slot
from logship.formats.line_pattern import Reach
from logship.formats.text_format import TextFormat

HEAD = b"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "
TAIL = b' 200 5 "-" "curl/8"'
WRITTEN_BY_CLIENTS = frozenset({Kind.TEXT, Kind.TOKEN, Kind.LIST, Kind.REQUEST_LINE, Kind.ADDRESS})
USUAL = {Kind.STATUS: "200", Kind.TIME: "2000-10-10T13:55:36Z", Kind.ADDRESS: "203.0.113.9", Kind.TOKEN: "/x"}
USUAL_OF_FIELD = {
    "request_method": "GET", "method": "GET", "gzip_ratio": "2.75", "scheme": "https", "server_name": "shop.example",
    "server_name2": "shop.example", "request_header_host": "shop.example",
    "upstream_addr": "10.0.0.5:80", "upstream_status": "200", "upstream_response_time": "0.004",
    "upstream_connect_time": "0.001", "upstream_header_time": "0.002", "time_s": "0.004",
    "request_header_x_forwarded_for": "203.0.113.9",
}  # fmt: skip


def hostile_lines(size: int) -> Iterator[tuple[str, bytes]]:
    """A name and a line of about `size` bytes each."""
    units: dict[str, bytes] = {
        "quotes": b'"a" ', "bare quotes": b'"', "brackets": b"[", "spaced brackets": b" [", "closed brackets": b"[] ",
        "spaces": b" ", "dashes": b"- ", "colons": b":", "slashes": b"/", "questions": b"/?", "commas": b", ",
        "colon lists": b" : ", "backslashes": b"\\", "escaped quotes": rb"\"", "hex": rb"\x22", "digits": b"1",
        "dots": b"1.", "methods": b"GET ", "versions": b" HTTP/1.1", "braces": b'{"a":', "json lists": b"[",
        "json escapes": rb"\u00", "nul": b"\0", "high": b"\xff", "utf8": "é".encode(), "percent": b"%2", "tabs": b"\t",
    }  # fmt: skip
    for name, unit in units.items():
        many = unit * (size // len(unit))
        yield name, many
        yield f"{name} in the user", HEAD.replace(b"- - ", b"- " + many + b" ") + b'"GET / HTTP/1.1"' + TAIL
        yield f"{name} in the request", HEAD + b'"GET /' + many + b' HTTP/1.1"' + TAIL
        yield f"half a request of {name}", HEAD + b'"GET /' + many
        yield f"{name} in a header", HEAD + b'"GET / HTTP/1.1" 200 5 "' + many + b'" "x"'
        yield f"{name} after the end", HEAD + b'"GET / HTTP/1.1"' + TAIL + many
        yield f"{name} before a line", many + HEAD + b'"GET / HTTP/1.1" 200'
        yield f"{name} in json", b'{"ts":1718000000,"status":200,"uri":"/' + many + b'"}'
        yield f"half json of {name}", b'{"ts":1718000000,"status":' + many


def hostile_texts(size: int) -> Iterator[tuple[str, bytes]]:
    """A name and `size` bytes that a client may send as a target, a header or a cookie, as they stand in a log."""
    units: dict[str, bytes] = {
        "addresses": b"10.0.0.1, ", "bad addresses": b"10.0.0.256,", "long addresses": b"2001:db8:1:2:3:4:5:6,",
        "forwarded": b"for=10.0.0.1;by=10.0.0.2, ", "commas": b",", "dots": b".", "colons": b":", "hex digits": b"af01",
        "percent": b"%41", "high percent": b"%FF", "percent signs": b"%", "pluses": b"+", "spaces": b"a ",
        "pairs": b"&a=b", "tokens": b"&token=s", "encoded names": b"&%74oken=s", "names": b"&token", "values": b"=",
        "keys": b"?token=", "questions": b"?", "question names": b"?a",
        "resets": b"/reset/a", "mails": b"a@b.cd ", "half mails": b"a@", "letters": b"x",
        "slashes": b"/", "schemes": b"a://", "cookies": b"a=b; ", "bots": b"bot", "dashes": b"-",
        "versions": b" HTTP/1.1", "hex": rb"\x41", "odd hex": rb"\x41a", "high hex": rb"\xC3\xA9",
        "lone hex": rb"\xFFa", "control hex": rb"\x01b", "quote hex": rb"\x22,", "backslash hex": rb"\x5C",
        "quotes": rb"\"a", "backslashes": rb"\\a", "tabs": rb"\ta", "vertical": rb"\va", "no escape": rb"\qa",
        "unicode": rb"\u00e9", "surrogates": rb"\ud83d\ude00", "lone surrogates": rb"\ud83da",
        "raw utf8": "é".encode(), "emoji": "😀".encode(), "raw high": b"\xffa", "cut hex": rb"\x4", "half hex": rb"\x",
        "gaps": b'":-,', "mixed": rb"\x41\\\"\u0041\q",
    }  # fmt: skip
    for name, unit in units.items():
        yield name, unit * (size // len(unit))
    yield "questions before a pair", b"?" * (size - 3) + b"=+&"
    yield "questions behind a pair", b"?%41=+" + b"?" * (size - 6)
    yield "all bytes", b"".join(rb"\x%02Xz" % (number % 256) for number in range(size // 5))
    yield "other addresses", b", ".join(b"10.%d.%d.%d" % (n & 7, n >> 3 & 255, n >> 11) for n in range(size // 14))


def ordinary_line(fmt: Format) -> bytes:
    """A line that the format fits."""
    return line_with(fmt.members[0], "", b"")


def aimed_lines(fmt: Format, size: int) -> Iterator[tuple[str, bytes]]:
    """A name and a line of about `size` bytes each that looks like the format's own, one field full of hostile text.

    At most five fields that clients write, the later ones first: headers stand at the end.
    """
    fields = [slot.field for slot in fmt.slots if slot.kind in WRITTEN_BY_CLIENTS and not slot.part_of][-5:]
    for member in fmt.members:
        room = size - len(line_with(member, "", b"")) - len("GET / HTTP/1.1")
        for name, text in hostile_texts(room):
            for field in fields:
                slot = member.slot(field)
                if slot is not None:
                    yield f"{name} as {field}", line_with(member, field, text)
                if slot is not None and slot.kind is Kind.REQUEST_LINE:
                    yield f"{name} as target", line_with(member, field, b"GET /%b HTTP/1.1" % text)
                    yield f"{name} as bare target", line_with(member, field, b"GET %b HTTP/1.1" % text)


def line_with(fmt: Format, field: str, text: bytes) -> bytes:
    """A line that looks like the format's own, `text` in one field."""
    if not isinstance(fmt, TextFormat):
        found = {slot.spelled: "@" if slot.field == field else _usual(slot) for slot in fmt.slots if not slot.part_of}
        return orjson.dumps(_nested(found)).replace(b'"@"', b'"' + text + b'"')
    line = b""
    for part in fmt.parts:
        if not isinstance(part, Reach):
            line += part.text.encode()
        elif part.variable.slot.field != field:
            time = part.variable.slot.time
            line += part.lead.encode() + (time.example if time else _usual(part.variable.slot)).encode()
        else:
            line += part.lead.encode() + text
    return line


def _usual(slot: Slot) -> str:
    if slot.field in USUAL_OF_FIELD:
        return USUAL_OF_FIELD[slot.field]
    return "GET /x HTTP/1.1" if slot.kind is Kind.REQUEST_LINE else USUAL.get(slot.kind, "1")


def _nested(found: dict[str, str]) -> dict[str, object]:
    """Keys with dots as objects in objects."""
    tree: dict[str, object] = {}
    for key, value in found.items():
        *above, last = key.split(".")
        below = tree
        for step in above:
            inner = below.setdefault(step, {})
            assert isinstance(inner, dict)
            below = inner
        below[last] = value
    return tree
