"""The converter: right events, the same by both ways, from any bytes."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.config.shipped import presets
from logship.conversion import Converter
from logship.event import Window, transaction_id
from logship.formats import Format, compile_format, read_spec
from logship.mapping import values
from tests.kernel.agreement import agreed, done
from tests.mapping.world import (
    KEY,
    LINE,
    LOG,
    at,
    combined,
    convert,
    converter,
    event,
    exact,
    format_named,
    nginx,
)  # fmt: skip

RICH = """
trusted_proxies: [private]
event:
  metadata: {bytes: $response_bytes_clf, took: $duration, query: $query, label: 'a "b" ${path}', port: $server_port}
rules:
  - {name: probes, if: {path: [/health, /ready]}, drop: true}
  - {name: errors, if: {status: [4xx, 5xx]}, keep: true}
  - {name: slow, if: {duration: {min: 1s}}, keep: true}
  - {name: tenant, if: {path: {matches: '^/t/(?P<t>[^/]+)/'}}, set: {company_id: $t}}
  - {name: rest, sample: 50%}
redact: {query: [token], path: ['/reset/([^/]+)'], headers: [Referer], ip: truncate, hash: [user_id], key: secret}
"""
FORMATS = [format_named("combined"), format_named("common"), nginx()]


def test_an_event_holds_what_the_line_says_in_the_order_of_the_mapping() -> None:
    conversion = convert(converter(fields={"host": "shop.example"}), LINE)
    assert conversion.events == [
        '{"request":{"time":"2000-10-10T20:55:36.000Z","verb":"GET","uri":"https://shop.example/x?a=1",'
        '"ip_address":"203.0.113.9","headers":{"User-Agent":"curl/8"}},'
        '"response":{"time":"2000-10-10T20:55:36.000Z","status":200,"headers":{"Content-Length":"2326"}},'
        f'"direction":"Incoming","transaction_id":"{transaction_id(LINE, KEY, 0)}"}}'
    ]


def test_lines_that_fit_nothing_are_told_and_the_others_go_on() -> None:
    conversion = convert(converter(), LINE, b"junk", LINE, b"", b"\xff\x00")
    assert list(conversion.event_lines) == [0, 2]
    assert list(conversion.unmatched) == [1, 3, 4]
    assert conversion.line_starts[1] - conversion.line_starts[0] == len(LINE) + 1


def test_a_carriage_return_belongs_to_the_line_end() -> None:
    conversion = convert(converter(), LINE + b"\r", LINE, LINE + b"\r")
    ids = [json.loads(text)["transaction_id"] for text in conversion.events]
    width = len(LINE)
    assert ids == [transaction_id(LINE, KEY, at) for at in (0, width + 2, 2 * width + 3)]


def test_a_byte_order_mark_is_no_part_of_the_first_value() -> None:
    found = json.loads(convert(converter(), b"\xef\xbb\xbf" + LINE, LINE).events[0])
    assert found["request"]["ip_address"] == "203.0.113.9"
    assert found["transaction_id"] == transaction_id(b"\xef\xbb\xbf" + LINE, KEY, 0)


@pytest.mark.parametrize("start", [0, 2**32 - 1, 2**32 - 100, 2**32, 5 * 2**32 - 90, 2**47 + 12345])
def test_ids_are_those_of_the_reference_at_any_position(start: int) -> None:
    lines = [combined(f"GET /{number} HTTP/1.1") for number in range(5)]
    conversion = convert(converter(), *lines, start=start)
    found = [json.loads(text)["transaction_id"] for text in conversion.events]
    assert found == [transaction_id(line, KEY, at) for line, at in zip(lines, conversion.line_starts, strict=False)]
    assert conversion.line_starts[0] == start


def test_a_request_that_is_none_has_verb_unknown_and_target_slash() -> None:
    for request in ("-", "", r"\x16\x03\x01"):
        found = event(combined(request), fields={"host": "h"})
        assert at(found, "request", "verb") == "UNKNOWN", request
        assert at(found, "request", "uri") == "https://h/", request


@pytest.mark.parametrize(
    "name", ["~^www", "~www", "*.shop.example", ".shop.example", "www.*", "(a|b).example", "~^(?<x>.+)\\\\.a$", "a b"]
)
@pytest.mark.parametrize("port", ["", '"server_port":"8080",'])
def test_a_servers_pattern_is_no_host(name: str, port: str) -> None:
    client = '"time":"2026-10-10T13:55:36Z","remote_addr":"203.0.113.9"'
    line = f'{{{client},"uri":"/a","status":200,{port}"server_name":"{name}"}}'
    found = event(line.encode(), fmt=format_named("nginx_json"))
    assert at(found, "request", "uri") == "https://web-1/a"
    found = event(line.encode(), fmt=format_named("nginx_json"), fields={"host": "shop.example"})
    assert at(found, "request", "uri") == "https://shop.example/a"


@pytest.mark.parametrize("name", ["~^www", "*.shop.example", ".shop.example"])
def test_a_servers_pattern_is_no_host_in_a_text_line_either(name: str) -> None:
    fmt = nginx('$server_name $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent')
    line = f'{name} 203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326'
    assert at(event(line.encode(), fmt=fmt), "request", "uri") == "https://web-1/a"


@pytest.mark.parametrize("name", ["[2001:db8::1]:8080", "_dmarc.example", "bücher.example", "10.0.0.1:81"])
def test_a_host_that_is_no_usual_name_stays(name: str) -> None:
    assert values.host_name(name) == name


@pytest.mark.parametrize(
    ("request_line", "uri"),
    [
        ("GET http://other.example:80/a?b HTTP/1.1", "http://other.example/a?b"),
        ("GET http://u:p@Other.example HTTP/1.1", "http://other.example/"),
        ("GET ftp://other.example/a HTTP/1.1", "https://other.example/a"),
        ("OPTIONS * HTTP/1.1", "https://web-1/*"),
        ("CONNECT example.com:443 HTTP/1.1", "https://web-1/example.com%3A443"),
        ("GET /a?b#c HTTP/1.1", "https://web-1/a?b#c"),
    ],
)
def test_a_target_starts_with_a_slash_whatever_its_form(request_line: str, uri: str) -> None:
    lines = [combined(), combined(request_line), combined()]
    made = converter()
    events = [json.loads(text)["request"]["uri"] for text in convert(made, *lines).events]
    assert events == ["https://web-1/x", uri, "https://web-1/x"]


@pytest.mark.parametrize(
    ("ip", "address"),
    [("::1", "::1"), ("host.example", "0.0.0.0"), ("unix:", "0.0.0.0"), ("[2001:DB8::1]:443", "2001:db8::1"),
     ("192.0.2.1:8080", "192.0.2.1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
     ("::FFFF:192.0.2.1", "::ffff:192.0.2.1"), ("-", "0.0.0.0")],
)  # fmt: skip
def test_only_an_address_is_an_address(ip: str, address: str) -> None:
    assert at(event(combined(ip=ip)), "request", "ip_address") == address


@pytest.mark.parametrize("value", ["192.0.2.1", "{in: 192.0.2.0/24}", "[10.0.0.1, 192.0.2.1]"])
def test_a_client_of_ipv4_is_matched_on_a_server_that_listens_on_ipv6(value: str) -> None:
    made = converter(f"rules: [{{if: {{client_ip: {value}}}, drop: true}}]")
    conversion = convert(made, combined(ip="::ffff:192.0.2.1"), combined(ip="192.0.2.1"), combined(ip="::1"))
    assert (len(conversion.ends), sum(conversion.dropped.values())) == (1, 2)


def test_nginx_logs_the_end_and_the_start_is_earlier_by_the_duration() -> None:
    line = (
        b'192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 1.250 "-" shop.example https 443 '
        + b"0123456789abcdef" * 2
    )
    found = event(line, fmt=nginx())
    assert at(found, "request", "time") == "2000-10-10T13:55:34.750Z"
    assert at(found, "response", "time") == "2000-10-10T13:55:36.000Z"
    assert at(found, "request", "uri") == "https://shop.example/"


def test_lines_outside_of_the_window_are_counted_not_made() -> None:
    lines = [LINE, LINE.replace(b"2000:13", b"2001:13"), LINE.replace(b"2000:13", b"2002:13")]
    window = Window(oldest="2000-12-01T00:00:00.000Z", until="2002-01-01T00:00:00.000Z")
    made = converter()
    for _ in range(2):
        conversion = convert(made, *lines, window=window)
        assert (conversion.too_old, conversion.out_of_range, list(conversion.event_lines)) == (1, 1, [1])
        inside = convert(made, lines[1], lines[1], window=window)
        assert (inside.too_old, inside.out_of_range, len(inside.events)) == (0, 0, 2)
    assert len(convert(made, *lines, window=Window()).events) == 3


@pytest.mark.parametrize("odd", [b"junk", combined(r"GET /\x22 HTTP/1.1")], ids=["fits nothing", "is escaped"])
@pytest.mark.parametrize("first", ["old", "new"])
def test_an_odd_line_counts_once_where_others_are_outside_of_the_window(odd: bytes, first: str) -> None:
    old, new = [LINE] * 40, [LINE.replace(b"2000:13", b"2001:13")] * 40
    lines = [*old, odd, *new] if first == "old" else [*new, odd, *old]
    window = Window(oldest="2000-12-01T00:00:00.000Z")
    made = converter()
    for _ in range(2):  # the second time the converter knows that it has made times outside of the window
        conversion = convert(made, *lines, window=window)
        assert list(conversion.unmatched) == ([40] if odd == b"junk" else [])
        assert conversion.too_old == (40 if odd == b"junk" else 41)
        assert list(conversion.event_lines) == (list(range(41, 81)) if first == "old" else list(range(40)))
        assert len(conversion.events) == 40


def test_an_impossible_date_does_not_fit_and_its_neighbours_do() -> None:
    odd = LINE.replace(b"10/Oct", b"31/Feb")
    conversion = convert(converter(), LINE, odd, LINE)
    assert (list(conversion.event_lines), list(conversion.unmatched)) == ([0, 2], [1])


TWO_TIMES = '$remote_addr [$time_iso8601] $msec "$request" $status'
ISO = [
    "2026-10-10T13:55:36+02:00",
    "2026-02-31T13:55:36+02:00",
    "2026-10-10T13:55:60+02:00",
    "-",
    "0000-00-00T00:00:00+00:00",
]
MSEC = ["1791633336.123", "99999999999999.000", "-", "1e9", ""]


@given(st.lists(st.tuples(st.sampled_from(ISO), st.sampled_from(MSEC)), min_size=2, max_size=8))
def test_whether_a_line_fits_depends_on_no_line_beside_it(times: list[tuple[str, str]]) -> None:
    """With two times in a line one may be read and the other not, now and then."""
    made = converter(fmt=nginx(TWO_TIMES))
    lines = [f'203.0.113.9 [{iso}] {msec} "GET / HTTP/1.1" 200'.encode() for iso, msec in times]
    alone = [number for number, line in enumerate(lines) if not list(convert(made, line).unmatched)]
    assert list(convert(made, *lines).event_lines) == alone


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\[] '), min_size=1, max_size=20)
CLEAN = st.builds(
    lambda request, ip, user, status, referer, agent: combined(
        request, ip=ip, user=user, status=status, referer=referer, agent=agent
    ),
    st.one_of(
        st.builds("GET /{} HTTP/1.1".format, TEXT),
        st.builds("{} {} HTTP/2.0".format, TEXT, TEXT),
        st.sampled_from(["-", "", "GET /health HTTP/1.1", "GET /t/acme/x?token=a&b=c HTTP/1.0"]),
        st.sampled_from(["GET /reset/abc/d HTTP/1.1", "GET //reset/a/reset/b?TOKEN=%20&%74oken=x HTTP/1.1"]),
        TEXT,
    ),
    st.sampled_from(["203.0.113.9", "10.0.0.1", "2001:db8::1", "name", "-"]),
    TEXT | st.just("-"),
    st.sampled_from(["200", "404", "503", "301"]),
    TEXT | st.just("-") | st.just("http://a/?token=1"),
    TEXT | st.just("-"),
)


@pytest.mark.parametrize("text", ["{}", RICH], ids=["default", "rich"])
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(CLEAN, min_size=1, max_size=12))
def test_both_ways_give_the_same_bytes(text: str, lines: list[bytes]) -> None:
    made = _made(text, FORMATS[0])
    assert convert(made, *lines).events == exact(made, *lines)


_compiled: dict[tuple[str, int], Converter] = {}


def _made(text: str, fmt: Format) -> Converter:
    return _compiled.setdefault((text, id(fmt)), converter(text, fmt))


BYTES = st.one_of(
    st.binary(max_size=80).map(lambda data: data.replace(b"\n", b"")),
    st.builds(
        lambda line, index, noise: line[:index] + noise.replace(b"\n", b"") + line[index:],
        CLEAN,
        st.integers(0, 120),
        st.binary(max_size=8)
        | st.sampled_from([b"\\x22", b"\\", b'"', b"\\u0000", b"\xc3\xa9", b"\xed\xa0\x80", b"\x7f"]),
    ),
)


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("text", ["{}", RICH], ids=["default", "rich"])
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(BYTES, min_size=1, max_size=8))
def test_any_bytes_are_valid_events_or_unfit_lines(text: str, fmt: Format, lines: list[bytes]) -> None:
    made = _made(text, fmt)
    conversion = convert(made, *lines)
    for found in conversion.events:
        assert found.isascii()
        assert json.loads(found)["request"]["verb"]
    settled = len(conversion.events) + len(conversion.unmatched)
    settled += sum(conversion.dropped.values()) + sum(conversion.sampled_out.values())
    assert settled == len(lines) == conversion.lines
    assert list(conversion.event_lines) == sorted(set(conversion.event_lines))
    assert conversion.events == exact(made, *lines)


JSON_TEXT = nginx(
    'escape=json \'{"t":"$time_local","ip":"$remote_addr","s":"$status","m":"$request_method","u":"$request_uri",'
    '"user":"$remote_user","ref":"$http_referer","agent":"$http_user_agent"}\''
)
VALUE = st.sampled_from(["", "-", "/", "/x", "a", r"\"", r"\u00e9", "é", "*", "http://h/p"])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(*[VALUE] * 6), min_size=1, max_size=8))
def test_values_that_nginx_leaves_empty_are_absent_by_both_ways(found: list[tuple[str, ...]]) -> None:
    made = _made("{}", JSON_TEXT)
    shape = (
        '{{"t":"10/Oct/2000:13:55:36 -0700","ip":"{}","s":"200","m":"{}","u":"{}","user":"{}","ref":"{}","agent":"{}"}}'
    )
    lines = [shape.format(*values).encode() for values in found]
    assert convert(made, *lines).events == exact(made, *lines)


PIECES = ["a", "Z", "/", "?", "=", " ", ".", "-", "x", "2", "\\", r"\"", r"\\", r"\n", r"\u00e9", r"\x2D", r"\x22",
          r"\x5C", r"\xC3\xA9", r"\xE2", r"\x20", r"\x09", r"\xFF", r"\xf0\x9f\x98\x80"]  # fmt: skip
ESCAPED = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


CUT = nginx('$remote_addr [$time_local] $status "$request" ${http_referer}2$http_user_agent')  # ends within an escape
TAGGED = nginx('$remote_addr [$time_local] $status $request_uri "$http_referer" "$http_user_agent"')  # no request line


@pytest.mark.parametrize("text", ["{}", RICH], ids=["default", "rich"])
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ESCAPED, ESCAPED, ESCAPED, st.sampled_from(["GET /{} HTTP/1.1", "{} /", "{}"])), min_size=1))
def test_escaped_lines_are_the_same_at_once_and_from_their_rows(
    text: str, found: list[tuple[str, str, str, str]]
) -> None:
    made = _made(text, FORMATS[0])
    lines = [
        combined(shape.format(target), user=user.replace(" ", ""), agent=agent) for target, user, agent, shape in found
    ]
    assert convert(made, *lines).events == exact(made, *lines)


@pytest.mark.parametrize("fmt", [CUT, TAGGED], ids=["cut", "tagged"])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ESCAPED, ESCAPED, ESCAPED), min_size=1, max_size=8))
def test_escaped_values_of_other_formats_are_the_same_at_once(fmt: Format, found: list[tuple[str, str, str]]) -> None:
    made = _made("{}", fmt)
    shape = '203.0.113.9 [10/Oct/2000:13:55:36 -0700] 200 "GET /{} HTTP/1.1" {}2{}'
    if fmt is TAGGED:
        shape = '203.0.113.9 [10/Oct/2000:13:55:36 -0700] 200 {} "{}" "{}"'
    lines = [shape.format(*values).encode("latin-1") for values in found]
    assert convert(made, *lines).events == exact(made, *lines)


@pytest.mark.parametrize("text", ["{}", RICH], ids=["default", "rich"])
def test_lines_with_escapes_are_done_by_the_kernel(text: str) -> None:
    line = combined(r"GET /\x22\xC3\xA9 HTTP/1.1", agent=r"\x22a\x5C", referer=r"\xC3\xA9")
    assert agreed(converter(text), line, line, line) == done(3)


def test_escapes_are_undone_in_events() -> None:
    line = combined(r"GET /\x22\xC3\xA9 HTTP/1.1", agent=r"\x22a\x5C\xE2", referer=r"\xC3\xA9")
    assert at(event(line), "request", "uri") == 'https://web-1/"é'
    assert at(event(line), "request", "headers") == {"User-Agent": '"a\\\ufffd', "Referer": "é"}


def test_each_line_of_a_mixed_log_goes_by_the_first_format_that_fits() -> None:
    fmt = compile_format(read_spec(["common", "combined", {"json": "auto"}]), presets())
    short = LINE.rsplit(b' "-"', 1)[0]
    as_json = b'{"time":"2000-10-10T13:55:36Z","status":200,"remote_addr":"192.0.2.1","method":"GET","uri":"/j"}'
    lines = [short, LINE, as_json, b"junk", short, LINE]
    made = converter("{}", fmt)
    conversion = convert(made, *lines)
    uris = [json.loads(text)["request"]["uri"] for text in conversion.events]
    assert uris == [f"https://web-1{path}" for path in ("/x?a=1", "/x?a=1", "/j", "/x?a=1", "/x?a=1")]
    assert list(conversion.unmatched) == [3]
    assert conversion.events == exact(made, *lines)
    traces = [made.trace(line, 0, LOG) for line in lines]
    names = [trace.format for trace in traces if trace.error is None]
    assert names == ["common", "combined", "json", "common", "combined"]
    assert traces[3].error is not None


def test_a_trace_agrees_with_the_events() -> None:
    made = converter(RICH)
    for line in (LINE, combined("GET /health HTTP/1.1"), combined("GET /t/acme/x HTTP/1.1", status="503"), b"junk"):
        conversion, trace = convert(made, line), made.trace(line, 0, LOG)
        assert [trace.event] == [json.loads(text) for text in conversion.events] or not conversion.events
        assert (trace.dropped_by is not None) == bool(conversion.dropped)
        assert (trace.sampled_out_by is not None) == bool(conversion.sampled_out)
        assert (trace.error is not None) == bool(conversion.unmatched)
        assert trace.transaction_id == transaction_id(line, KEY, 0)
    trace = made.trace(combined("GET /t/acme/x HTTP/1.1", status="503"), 0, LOG)
    assert trace.rules == ("errors", "tenant")
    assert trace.origins["company_id"] == ("rules", 3, "set", "company_id")
    assert trace.origins["request.uri"] == ("event", "request", "uri")


@pytest.mark.parametrize(
    ("directive", "taken", "end"),
    [("%D", "1500", ".002"), ("%D", "499", ".000"), ("%D", "2000000", "2.000"), ("%{ms}T", "17", ".017"),
     ("%T", "3", "3.000"), ("%D", "-", ".000"), ("%D", "99999999999999999999", ".000"), ("%D", "-5", ".000")],
)  # fmt: skip
def test_apache_logs_the_start_and_the_end_is_later_by_the_duration(directive: str, taken: str, end: str) -> None:
    fmt = compile_format(read_spec({"apache": f'%h %t "%r" %>s {directive}'}), presets())
    line = f'192.0.2.1 [10/Oct/2000:13:55:30 +0000] "GET / HTTP/1.1" 200 {taken}'.encode()
    found = event(line, fmt=fmt)
    assert at(found, "request", "time") == "2000-10-10T13:55:30.000Z"
    seconds, _, fraction = end.partition(".")
    assert at(found, "response", "time") == f"2000-10-10T13:55:{30 + int(seconds or 0)}.{fraction}Z"


NO_PEER = '$http_cf_connecting_ip [$time_local] "$request" $status "$http_x_forwarded_for"'
NO_PEER_LINE = b'203.0.113.9 [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 "198.51.100.7, 10.0.0.1"'


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("{}", "10.0.0.1"),  # written by the nearest proxy
        ("trusted_proxies: [private]", "198.51.100.7"),
        ("{trusted_proxies: [private], client_ip_header: CF-Connecting-IP}", "203.0.113.9"),
        ("{trusted_proxies: [private], client_ip_header: X-Real-IP}", "0.0.0.0"),
        ("event: {request: {ip_address: $http_cf_connecting_ip}}", "203.0.113.9"),
    ],
)
def test_a_header_logged_in_place_of_the_peer_is_the_client_where_proxies_are_trusted(text: str, address: str) -> None:
    fmt = compile_format(read_spec({"nginx": NO_PEER}), presets())
    assert at(event(NO_PEER_LINE, text, fmt), "request", "ip_address") == address
    warned = [str(warning) for warning in converter(text, fmt).warnings if "address of the client" in str(warning)]
    assert bool(warned) == (address in {"0.0.0.0", "10.0.0.1"})
    assert all("trusted_proxies: [private]" in warning for warning in warned)


@given(st.text())
def test_a_target_is_percent_encoded_as_everybody_does(text: str) -> None:
    assert values.percent_encoded(text) == quote(text.encode("utf-8", "replace"), safe="/")


@pytest.mark.parametrize(
    ("apache", "values", "place", "expected"),
    [
        ("%U", "/a b%/ü?c", ("request", "uri"), "https://web-1/a%20b%25/%C3%BC%3Fc"),
        ("%U%q", "/a b?x=1", ("request", "uri"), "https://web-1/a%20b?x=1"),
        ("%r", "GET /a b HTTP/1.1", ("request", "uri"), "https://web-1/a b"),
        ("%v %{Host}i", "canonical.example asked.example", ("request", "uri"), "https://asked.example/"),
        ("%v %{Host}i", "canonical.example -", ("request", "uri"), "https://canonical.example/"),
        ("%{Host}i", "API.Example:443", ("request", "uri"), "https://api.example/"),
        ("%B", "0", ("response", "headers", "Content-Length"), "0"),
    ],
)
def test_a_fields_value_comes_out_as_the_event_needs_it(
    apache: str, values: str, place: tuple[str, ...], expected: str
) -> None:
    fmt = compile_format(read_spec({"apache": f'%h %t %>s "{apache}"'}), presets())
    line = f'192.0.2.1 [10/Oct/2000:13:55:30 +0000] 200 "{values}"'.encode()
    assert at(event(line, fmt=fmt), *place) == expected
