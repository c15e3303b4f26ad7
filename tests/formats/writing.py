"""Log lines as nginx and Apache write them: their escaping, imitated, and values for every kind of field."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from logship.fields import Kind
from logship.formats.line_pattern import Reach, measure
from logship.formats.pieces import LineShape, Literal

_APACHE_LETTERS = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
_JSON_LETTERS = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def write_nginx(text: str) -> bytes:
    """ngx_http_log_escape: the quote, the backslash, controls and all from 0x7f on as \\xHH."""
    return "".join(
        f"\\x{byte:02X}" if byte < 0x20 or byte >= 0x7F or byte in b'"\\' else chr(byte) for byte in text.encode()
    ).encode()


def write_apache(text: str) -> bytes:
    """ap_escape_logitem: C letters where there are some, \\xhh for the rest."""
    return "".join(
        _APACHE_LETTERS.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in text.encode()
    ).encode()


def write_json(text: str) -> bytes:
    """ngx_escape_json: JSON's letters, \\u00XX for other controls, everything else raw."""
    return b"".join(
        _JSON_LETTERS[byte].encode()
        if byte in _JSON_LETTERS
        else f"\\u{byte:04X}".encode()
        if byte < 0x20
        else bytes([byte])
        for byte in text.encode()
    )


WRITERS = {"nginx": write_nginx, "apache": write_apache, "json": write_json}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda text: text != "-")
tokens = st.text("abcXYZ019.:/_~%ü", min_size=1, max_size=12)
numbers = st.integers(0, 10**9).map(str)
decimals = st.decimals(0, 10**5, places=3).map(str)
EARLIEST = datetime(1970, 1, 2)  # noqa: DTZ001  # hypothesis wants it naive
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def write_clf(moment: datetime, offset: str) -> str:
    return f"{moment:%d}/{MONTHS[moment.month - 1]}/{moment.year:04d}:{moment:%H:%M:%S} {offset}"


clf_times = st.builds(write_clf, st.datetimes(EARLIEST), st.sampled_from(["+0000", "+0530", "-0330"]))


METHODS = ("GET", "POST", "M-SEARCH", "BASELINE-CONTROL")
SERVERS = ("shop.example", "localhost", "_", "*.example", "203.0.113.9")
BY_FIELD = {
    "gzip_ratio": ("2.75",), "server_name": SERVERS, "server_name2": SERVERS, "scheme": ("http", "https"),
    "request_method": METHODS, "method": METHODS, "upstream_addr": ("10.0.0.5:80", "10.0.0.5:80, unix:/run/x"),
    "upstream_status": ("200", "502, 200", "502 : -"), "upstream_response_time": ("0.004", "0.000, 0.004"),
    "upstream_connect_time": ("0.001",), "upstream_header_time": ("0.002", "-, 0.002"),
    "upstream_response_length": ("12", "0, 12"), "request_header_x_forwarded_for": ("203.0.113.9", "unknown, ::1"),
}  # fmt: skip


def values(reach: Reach) -> st.SearchStrategy[str]:
    """Values that a field may have without its neighbours becoming a matter of taste.

    In quotes that is any text. Unquoted text that may hold spaces is any text too, as long as it is alone between
    quotes (see lines); typed fields have values of their type.
    """
    kind = reach.kind
    special = {
        Kind.STATUS: st.integers(100, 599).map(str),
        Kind.INTEGER: numbers,
        Kind.DURATION_US: numbers,
        Kind.DURATION_NS: numbers,
        Kind.NUMBER: decimals,
        Kind.DURATION_S: decimals,
        Kind.DURATION_MS: decimals,
        Kind.TIME_CLF: clf_times,
        Kind.TIME_ISO: st.just("2024-06-10T00:00:00+05:30"),
        Kind.EPOCH_S: st.just("1717977600.123"),
        Kind.EPOCH_MS: st.just("1717977600123"),
        Kind.EPOCH_US: st.just("1717977600123456"),
        Kind.TIME: st.just(reach.variable.slot.time.example if reach.variable.slot.time else ""),
        Kind.TOKEN: tokens.map(lambda text: text.translate({ord(sign): None for sign in ":/."}) or "x"),
        Kind.ADDRESS: st.sampled_from(["203.0.113.9", "2001:db8::1", "unix:", "host.example"]),
    }
    if reach.variable.slot.field in BY_FIELD:
        return st.sampled_from(BY_FIELD[reach.variable.slot.field])
    if kind in special:
        return special[kind]
    if reach.quoted:
        return texts
    if kind is Kind.LIST:
        return st.lists(tokens, min_size=1, max_size=3).map(", ".join)
    without = reach.stop + (":." if reach.variable.slot.field == "remote_user" else "")  # of addresses and times
    return tokens.map(lambda text: "".join(sign for sign in text if sign not in without)).filter(bool)


@st.composite
def lines(draw: st.DrawFn, shape: LineShape, writer: str) -> tuple[bytes, dict[str, str]]:
    """A line of this shape as the server would write it, and the values in it."""
    line = b""
    fields: dict[str, str] = {}
    for part in measure(shape):
        if isinstance(part, Literal):
            line += part.text.encode()
            continue
        value = part.lead + draw(values(part))
        line += WRITERS[writer](value)
        if not part.variable.repeated:
            fields[part.variable.slot.field] = value
    return line, fields
