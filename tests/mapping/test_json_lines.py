"""JSON logs: the chunk at once and line by line give the same bytes, whatever the values are."""

from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logship.config.shipped import presets
from logship.conversion import Converter
from logship.event import Window
from logship.formats import Format, compile_format, read_spec
from tests.kernel.agreement import agreed, done
from tests.mapping.world import at, convert, converter, event, exact

KEYS = {
    "time_received": "time", "status": "status", "remote_host": "ip", "request_method": "method", "request_url": "uri",
    "response_bytes_clf": "size", "time_s": "took", "request_header_user_agent": "agent", "remote_user": "user",
}  # fmt: skip
AUTO = compile_format(read_spec({"json": "auto"}), presets())
KEYED = compile_format(read_spec({"json": KEYS}), presets())
TEXT = """
event: {metadata: {took: $duration, size: $response_bytes_clf, user: $remote_user, label: '$time_s/${status}'}}
rules: [{name: r, if: {status: [404, 5xx]}, set: {company_id: $remote_user}}]
"""
LINE = {
    "time": "2000-10-10T13:55:36.250Z", "status": 200, "ip": "192.0.2.1", "method": "GET", "uri": "/x", "size": 17,
    "took": 0.25, "agent": "curl/8", "user": "bob",
}  # fmt: skip

SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 700),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "-", "200", "007", "0.5", "1e3", "x{y}", 'a"b', "é", "\x7f", "/?a=b", "*", "http://h/p"]),
    st.text(max_size=5),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of the log, mostly a right one, with some values, keys or bytes that are not."""
    document: dict[str, object] = dict(LINE)
    for key in draw(st.lists(st.sampled_from(sorted(LINE)), max_size=3)):
        document[key] = draw(SCALAR)
    if draw(st.integers(0, 9)) == 0:
        document.pop(draw(st.sampled_from(sorted(LINE))), None)
    if draw(st.integers(0, 9)) == 0:
        document[draw(st.sampled_from(["bytes", "user.name", "zz", "request"]))] = draw(SCALAR)
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), separators=(",", ":"))
    line = text.encode("utf-8", "replace")
    if draw(st.integers(0, 19)) == 0:
        cut = draw(st.integers(0, len(line)))
        line = line[:cut] + draw(st.sampled_from([b"", b"}", b"{", b"\\x22", b",{}", b"\xff"])) + line[cut:]
    return line.replace(b"\n", b"")


@pytest.mark.parametrize("fmt", [AUTO, KEYED], ids=["auto", "keyed"])
@settings(max_examples=80, deadline=None)
@given(found=st.lists(lines(), min_size=1, max_size=12), plain=st.integers(0, 40))
def test_both_ways_give_the_same_bytes(fmt: Format, found: list[bytes], plain: int) -> None:
    made = _made(fmt)
    chunk = [json.dumps(LINE).encode().replace(b", ", b",").replace(b": ", b":")] * plain + found
    conversion = convert(made, *chunk)
    assert conversion.events == exact(made, *chunk)
    assert len(conversion.events) + len(conversion.unmatched) == len(chunk)
    for text in conversion.events:
        assert json.loads(text)["request"]["verb"]


SPELLED = st.sampled_from(
    ["0", "-0", "7", "007", "-1", "0.10", "1.0", "1.", ".5", "0.25", "1e3", "1E400", "0.00001", "0.0001", "0.0", "404",
     "99", "123456789012345", "1234567890123456", "123456789012345678901", "0.1234567890123456789", "999999999999999.9",
     "1718000000", "1718000000.5", "null", "true", '""', '"-"', '"a"', '"0.10"', '"200"', '"a{b}"',
     '"a\\\\b"', "[1]", "{}"]
)  # fmt: skip
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", ":")])


@st.composite
def spelled(draw: st.DrawFn) -> list[bytes]:
    """Lines of one skeleton or nearly so, with numbers as servers may write them."""
    comma, colon = draw(SEPARATORS)
    usual = {key: json.dumps(value) for key, value in LINE.items()}
    for key in draw(st.lists(st.sampled_from(sorted(LINE)), max_size=2)):
        usual[key] = draw(SPELLED)
    found = []
    for _ in range(draw(st.integers(1, 12))):
        values = dict(usual)
        for key in draw(st.lists(st.sampled_from(sorted(LINE)), max_size=1)):
            values[key] = draw(SPELLED)
        members = [f'"{key}"{colon}{value}' for key, value in values.items()]
        members += draw(st.sampled_from([[], [], [], [], members[-1:], ['"zz":7'], ['"zz":"é"']]))
        found.append(("{" + comma.join(members) + draw(st.sampled_from(["}", "}", "}", "} ", " }", ""]))).encode())
    return found


@pytest.mark.parametrize("fmt", [AUTO, KEYED], ids=["auto", "keyed"])
@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(spelled(), min_size=1, max_size=4), plain=st.integers(0, 20))
def test_lines_of_one_skeleton_give_the_same_bytes_however_numbers_are_spelled(
    fmt: Format, chunks: list[list[bytes]], plain: int
) -> None:
    made = converter(TEXT, fmt) if plain % 5 == 0 else _made(fmt)  # nothing learned, or from chunks before
    for found in chunks:
        chunk = [found[0]] * plain + found
        assert convert(made, *chunk).events == exact(made, *chunk)


REQUEST = st.sampled_from(
    ["GET /x HTTP/1.1", "POST /y?a=b HTTP/2.0", "PUT /z HTTP/9.9", "GET /a b HTTP/1.1", "GET *", "/t", "", "-",
     "GÉT / HTTP/1.1", "get //x HTTP/1.0", " / HTTP/1.1", "M-SEARCH / HTTP/1.1", "GET / HTTP/1.1 "]
)  # fmt: skip
PLACE = st.sampled_from([None, "", "-", "GET", "/p"])


@settings(max_examples=100, deadline=None)
@example(found=[("GET /x HTTP/1.1", None, None)], has=(True, False, True))
@given(
    found=st.lists(st.tuples(REQUEST, PLACE, PLACE), min_size=1, max_size=6),
    has=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_request_line_is_cut_the_same_beside_parts_of_its_own(
    found: list[tuple[str, str | None, str | None]], has: tuple[bool, bool, bool]
) -> None:
    chunk = []
    for request, method, uri in found:
        document = {key: value for key, value in LINE.items() if key not in ("method", "uri")}
        more = {"request": request, "method": method, "uri": uri}
        document |= {key: value for (key, value), is_there in zip(more.items(), has, strict=True) if is_there}
        chunk.append(json.dumps(document, ensure_ascii=False).encode())
    made = converter(fmt=AUTO)
    assert convert(made, *chunk).events == exact(made, *chunk)


ALL_FEATURES = """
trusted_proxies: [private]
defaults: {host: shop.example}
event:
  request: {time: $end_time, headers: {X-Forwarded-For: $request_header_x_forwarded_for, X: '${protocol:-none}'}}
  metadata: {took: $duration, path: $path, query: $query, port: $server_port, up: $upstream_status, file: $file}
rules:
  - {name: health, if: {path: /health}, drop: true}
  - {name: errors, if: {status: [4xx, 5xx]}, keep: true}
  - {name: named, if: {request_header_user_agent: {matches: '(?P<who>bot)'}}, set: {user_id: $who}}
  - {name: nobody, if: {remote_user: {absent: true}}, set: {company_id: none}}
  - {name: half, if: {path: {matches: '^/x'}}, sample: 50%}
redact: {query: [a], headers: [Referer], ip: truncate, hash: [user_id], key: not-a-secret}
"""
TEXTS = ["", "-", "/x?a=b", "/health", "/y", "192.0.2.1", "10.0.0.1", "shop.example", "bot"]
WRITTEN = st.sampled_from([*TEXTS, "443", "https", "GET", "GET /x?a=b HTTP/1.1", "200", "404", "0.250"])
NUMBERS = st.sampled_from([200, 404, 99, 0.5, 1000])
USUAL: dict[str, object] = {
    "remote_addr": "10.0.0.1", "remote_user": "bob", "request_method": "GET", "request_uri": "/x?a=b", "status": 200,
    "body_bytes_sent": 17, "request_time": "0.250", "http_host": "shop.example", "server_name": "_",
    "host": "a.example", "server_port": "443", "scheme": "http", "http_referer": "https://a.example/",
    "http_user_agent": "curl/8", "http_x_forwarded_for": "203.0.113.9, 10.0.0.2", "server_protocol": "HTTP/1.1",
    "server_addr": "192.0.2.7", "request_id": "abc", "upstream_status": "502", "args": "a=b",
    "request": "POST /y HTTP/1.1",
}  # fmt: skip


@st.composite
def kept_keys(draw: st.DrawFn) -> list[bytes]:
    """Lines of one skeleton with some of all the keys, in any order, and some values that are not the usual ones."""
    keys = ["status", *draw(st.lists(st.sampled_from(sorted(USUAL.keys() - {"status"})), min_size=1, unique=True))]
    usual = USUAL | {"status": draw(st.sampled_from([200, "200"]))}
    times = draw(st.lists(st.sampled_from(["2000-10-10T13:55:36Z", "10/Oct/2000:13:55:37 +0000", "no time", ""])))
    found = []
    for time in ["2000-10-10T13:55:59Z", *times]:
        line = {"time": time, **{key: usual[key] for key in keys}}
        for key in draw(st.lists(st.sampled_from(keys), max_size=2)):
            line[key] = draw(WRITTEN if isinstance(usual[key], str) else NUMBERS)
        found.append(json.dumps(line, separators=(",", ":")).encode())
    return found


@pytest.mark.parametrize("text", ["{}", ALL_FEATURES], ids=["default", "all features"])
@settings(max_examples=60, deadline=None)
@given(found=kept_keys(), times=st.integers(1, 9), has_window=st.booleans())
def test_lines_that_lack_fields_give_the_same_bytes(
    text: str, found: list[bytes], times: int, has_window: bool
) -> None:
    made = converter(text, AUTO)
    window = Window(since="2000-10-10T13:55:36.200Z", until="2000-10-10T13:55:59.200Z") if has_window else None
    chunk = [found[0]] * 9 + found * times
    one_by_one = [event for line in enumerate_lines(chunk) for event in exact(made, line[1], start=line[0])]
    assert exact(made, *chunk) == one_by_one
    if window is None:
        assert convert(made, *chunk).events == one_by_one
    else:
        inside = [each for each in one_by_one if window.since <= json.loads(each)["request"]["time"] < window.until]
        assert convert(made, *chunk, window=window).events == inside


def enumerate_lines(chunk: list[bytes]) -> list[tuple[int, bytes]]:
    """Each line with its position."""
    ends = accumulate((len(line) + 1 for line in chunk), initial=0)
    return list(zip(ends, chunk, strict=False))


_compiled: dict[int, Converter] = {}


def _made(fmt: Format) -> Converter:
    return _compiled.setdefault(id(fmt), converter(TEXT, fmt))


def test_usual_lines_are_done_by_the_kernel() -> None:
    made = converter(fmt=KEYED)
    line = json.dumps(LINE, separators=(",", ":")).encode()
    assert agreed(made, line, line, line) == done(3)
    found = [json.loads(text) for text in convert(made, line, line).events]
    assert at(found[1], "request", "time") == "2000-10-10T13:55:36.250Z"
    assert at(found[1], "response", "time") == "2000-10-10T13:55:36.500Z"


@pytest.mark.parametrize(("written", "spelled"), [("0.10", "0.1"), ("1.0", "1.0"), ("1", "1")])
def test_numbers_are_spelled_as_all_events_spell_them(written: str, spelled: str) -> None:
    made = converter(TEXT, KEYED)
    line = json.dumps(LINE, separators=(",", ":")).replace('"took":0.25', f'"took":{written}').encode()
    events = convert(made, *[line] * 9).events
    assert events == exact(made, *[line] * 9)
    assert at(json.loads(events[0]), "metadata", "label") == f"{spelled}/200"


@pytest.mark.parametrize("odd", ["-", "", "abc", "099", "2000", "20", 99, 1000, 0, 0.5, None])
@pytest.mark.parametrize("usual", ["200", 200])
def test_what_is_no_status_is_none_in_the_event(usual: str | int, odd: object) -> None:
    """A status stands in the event as it stands in a clean row, without quotes: Apache's JSON writes it as a text."""
    made = converter(fmt=AUTO)
    line = {"time_iso8601": "2000-10-10T13:55:36Z", "remote_addr": "192.0.2.1", "request_method": "GET",
            "request_uri": "/x", "status": usual, "http_user_agent": "curl/8"}  # fmt: skip
    chunk = [json.dumps(one, separators=(",", ":")).encode() for one in [line] * 9 + [line | {"status": odd}]]
    events = convert(made, *chunk).events
    assert events == exact(made, *chunk)
    assert [at(json.loads(event), "response", "status") for event in events[:9]] == [200] * 9


@pytest.mark.parametrize("beside", [{}, {"msec": "1718000000.5"}], ids=["one time", "two times"])
@pytest.mark.parametrize("user", ["", "-", "bob"])
def test_a_line_of_fewer_fields_than_a_log_has_does_not_fit(beside: dict[str, str], user: str) -> None:
    keys = {"time_received": ["msec", "time_iso8601"], **{key: key for key in ("status", "remote_user", "remote_host")}}
    made = converter(fmt=compile_format(read_spec({"json": keys}), presets()))
    usual = {"time_iso8601": "2000-10-10T13:55:36Z", **beside, "status": 200, "remote_user": "amy"}
    chunk = [json.dumps(one, separators=(",", ":")).encode() for one in [usual] * 9 + [usual | {"remote_user": user}]]
    conversion = convert(made, *chunk)
    assert conversion.events == exact(made, *chunk)
    assert len(conversion.events) == (10 if user == "bob" else 9)


def test_lines_that_only_together_are_objects_stay_apart() -> None:
    good = json.dumps(LINE, separators=(",", ":")).encode()
    chunk = [good, good + b"," + good, b'{"a":[{}', b"{}]}", good, good, good, good, good, good]
    conversion = convert(converter(fmt=KEYED), *chunk)
    assert list(conversion.event_lines) == [0, 4, 5, 6, 7, 8, 9]
    assert list(conversion.unmatched) == [1, 2, 3]


def test_a_dotted_name_reaches_into_nested_objects_and_keeps_their_types() -> None:
    line = json.dumps({**LINE, "app": {"id": 7, "tags": ["a", "b"], "who": {"name": "é"}}}).encode()
    metadata = "{id: '${app.id}', tags: '${app.tags}', who: '${app.who}', none: '${app.x}'}"
    text = f"event: {{metadata: {metadata}, user_id: '${{app.id}}'}}"
    found = event(line, text, KEYED)
    assert found["metadata"] == {"id": 7, "tags": "a, b", "who": {"name": "é"}}
    assert found["user_id"] == "7"


def test_a_log_without_status_says_zero() -> None:
    line = json.dumps({key: value for key, value in LINE.items() if key != "status"}, separators=(",", ":")).encode()
    assert at(event(line, "{}", KEYED), "response", "status") == 0


@pytest.mark.parametrize(
    ("member", "start", "seconds"),
    [
        ('"request_time":0.25', "10:11:11.750", 0.25),
        ('"duration_ms":250', "10:11:11.750", 0.25),
        ('"time_us":"1500","request_time":2', "10:11:11.998", 0.0015),
        ('"latency":"0.250"', "10:11:11.750", 0.25),
        ('"latency":250', "10:11:12.000", None),
        ('"x":1', "10:11:12.000", None),
    ],
)
def test_auto_takes_the_duration_from_the_key_that_the_line_has(member: str, start: str, seconds: float | None) -> None:
    fmt = compile_format(read_spec({"json": "auto"}), presets())
    line = f'{{"time":"2026-11-25T10:11:12Z","status":200,"uri":"/x","method":"GET",{member}}}'.encode()
    found = event(line, "event: {metadata: {took: $duration}}", fmt)
    assert at(found, "request", "time") == f"2026-11-25T{start}Z"
    assert (found.get("metadata") or {}) == ({} if seconds is None else {"took": seconds})


def test_a_load_balancers_parts_make_the_duration() -> None:
    fmt = compile_format(read_spec("aws_alb"), presets())
    line = presets()["aws_alb"].examples[0].encode()
    found = event(line, "event: {metadata: {took: $duration}}", fmt)
    assert (at(found, "request", "time"), at(found, "response", "time")) == (
        "2000-10-10T20:55:36.015Z",
        "2000-10-10T20:55:36.186Z",
    )
    assert found["metadata"] == {"took": 0.171}
