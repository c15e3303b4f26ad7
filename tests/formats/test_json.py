"""JSON lines: values keep their types, nested keys are dotted, hand-made JSON is mended."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.errors import FormatError
from logship.fields import Kind
from logship.formats import Format, Moment, compile_format, read_spec
from logship.formats.json_repair import MAX_ODD, loads
from tests.formats.presets import parsed, preset, presets
from tests.formats.writing import texts, write_apache, write_nginx

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def compiled(tree: object) -> Format:
    return compile_format(read_spec(tree), presets())


def test_numbers_keep_their_types_and_null_is_absent() -> None:
    fmt = compiled({"json": {"time_received": "ts", "status": "s", "time_s": "d", "remote_user": "u", "on": "o"}})
    line = json.dumps({"ts": 1718000000.5, "s": 200, "d": 0.004, "u": None, "o": False})
    assert parsed(fmt, line) == {"time_received": 1718000000.5, "status": 200, "time_s": 0.004, "on": False}


def test_keys_are_dotted_and_may_hold_dots_themselves() -> None:
    fmt = compiled({"json": {"time_received": "ts", "status": "http.response.status", "tenant": "a.b"}})
    line = json.dumps({"ts": "2024-06-10T00:00:00Z", "http": {"response": {"status": 200}}, "a.b": "x", "a": 7})
    assert parsed(fmt, line)["status"] == 200
    assert parsed(fmt, line)["tenant"] == "x"


def test_an_explicit_time_format_is_obeyed() -> None:
    fmt = compiled({"json": {"time_received": {"key": "ts", "format": "%d.%m.%Y %T"}, "status": "s", "host": "h"}})
    assert parsed(fmt, '{"ts":"10.06.2024 00:00:00","s":200,"h":"x"}')["time_received"] == "10.06.2024 00:00:00"
    assert fmt.parse(b'{"ts":"31.06.2024 00:00:00","s":200,"h":"x"}') is None
    assert fmt.parse(b'{"ts":"2024-06-10T00:00:00Z","s":200,"h":"x"}') is None


@pytest.mark.parametrize(("field", "moment"), [("start_time", Moment.START), ("end_time", Moment.END),
                                               ("time_received", Moment.START), ("msec", Moment.END)])  # fmt: skip
def test_the_name_of_a_time_says_which_end_it_is(field: str, moment: Moment) -> None:
    slot = compiled({"json": {field: "ts", "status": "s"}}).slots[0]
    assert (slot.kind, slot.moment) == (Kind.TIME, moment)


def test_auto_takes_nginx_names_and_gives_any_other_key_by_name() -> None:
    fmt = compiled({"json": "auto"})
    line = b'{"msec":1718000000.123,"remote_addr":"203.0.113.9","status":200,"uri":"/x","user":{"id":7},"http_x_a":"t"}'
    assert parsed(fmt, line) == {
        "time_received": 1718000000.123, "remote_host": "203.0.113.9", "status": 200, "request_url": "/x",
    }  # fmt: skip
    needed = ["user.id", "request_header_x_a", "status", "never_seen"]
    assert all(fmt.slot(name) for name in needed)
    assert fmt.reader(needed)(line) == ("7", "t", "200", "")


def test_auto_cuts_a_request_line_where_method_and_uri_have_no_keys() -> None:
    fmt = compiled({"json": "auto"})
    found = parsed(fmt, '{"time":"2024-06-10T00:00:00Z","request":"GET /x HTTP/2.0","method":"PUT","status":200}')
    assert (found["request_method"], found["request_url"], found["request_http_ver"]) == ("PUT", "/x", "2.0")


def test_an_explicit_format_knows_only_its_fields_and_dotted_keys() -> None:
    fmt = compiled({"json": {"time_received": "ts", "status": "s"}})
    assert fmt.slot("host") is None
    assert fmt.slot("user.id") is not None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", "JSON"),
        (b'{"ts":"2024-06-10T00:00:00Z",', "JSON"),
        (b"[1]", "a JSON object"),
        (b'"text"', "a JSON object"),
        (b'{"s":200,"h":"x"}', 'a time: "ts"'),
        (b'{"ts":"2024-06-31T00:00:00Z","s":200,"h":"x"}', "a time like"),
        (b'{"ts":"2024-06-10T00:00:00Z"}', "the fields"),
    ],
)
def test_a_line_that_does_not_fit_says_what_was_expected(line: bytes, expected: str) -> None:
    fmt = compiled({"json": {"time_received": "ts", "status": "s", "host": "h"}})
    misfit = fmt.explain(line)
    assert misfit is not None
    assert expected in misfit.expected
    assert 0 <= misfit.at <= len(line)


@pytest.mark.parametrize(
    "before",
    [b'"u":"x"', rb'"u":"\x41\xC3\xA9\v\q\x22"', '"u":"é"'.encode(), b'"u":-,"w":,"x":"\xff"', rb'"u":"\ud800"'],
)
def test_the_place_where_json_ends_is_a_byte_of_the_line_as_it_stands(before: bytes) -> None:
    """Also where what stands before it had to be mended."""
    fmt = compiled({"json": {"time_received": "ts", "status": "s", "host": "h"}})
    misfit = fmt.explain(b"{" + before + b',"s":200 @ "h":"x"}')
    assert misfit is not None
    assert misfit.at == len(b"{" + before + b',"s":200 ')


def test_the_place_of_an_impossible_time_is_its_value() -> None:
    fmt = compiled({"json": {"time_received": "ts", "status": "s", "host": "h"}})
    misfit = fmt.explain(b'{"ts":"2024-06-31T00:00:00Z","s":200,"h":"x"}')
    assert misfit is not None
    assert misfit.at == 7


@given(texts)
def test_apaches_hand_made_json_gives_back_what_was_written(text: str) -> None:
    line = b'{"v":"' + write_apache(text) + b'","n":1}'
    assert loads(line) == {"v": text, "n": 1}


@given(texts)
def test_nginx_json_without_escape_json_gives_back_what_was_written(text: str) -> None:
    assert loads(b'{"v":"' + write_nginx(text) + b'"}') == {"v": text}


@given(json_values)
def test_right_json_is_not_touched(value: object) -> None:
    """Numbers of many digits are another type, with the same spelling."""
    assert repr(loads(json.dumps(value).encode())) == repr(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'{"a":"\\x41 \x41 \q"}', {"a": r"\x41 A \q"}),
        (b'{"a":-,"b":,"c":1}', {"a": None, "b": None, "c": 1}),
        (b'{"a": - , "b":"x:-,"}', {"a": None, "b": "x:-,"}),
        (b'{"a":"\xff\xfe"}', {"a": "\ufffd\ufffd"}),
        (rb'{"a":"\ud800x"}', {"a": "\ufffdx"}),
        (rb'{"a":"\ud83d\ude00\v"}', {"a": "\U0001f600\v"}),
        (rb'{"a":"\xE4\xB8\xAD"}', {"a": "中"}),
        (rb'{"a":"\x0g\x01\x1F\x22\x5c\x5C\x7f"}', {"a": '\\x0g\x01\x1f"\\\\\x7f'}),
        (rb'{"a":"\x4\x\\x\x"}', {"a": r"\x4\x\x\x"}),
        (rb'{"a":"\u004\x41"}', {"a": r"\u004A"}),
        (rb'{"a":"\ude00\ud83d\ud83d\ude00\ude00","b":-}', {"a": "\ufffd\ufffd\U0001f600\ufffd", "b": None}),
        (rb'{"a":"it\'s \"x\": ,","b":  -  ,"c":"\\"}', {"a": 'it\'s "x": ,', "b": None, "c": "\\"}),
    ],
)
def test_what_json_lacks_is_mended(line: bytes, expected: object) -> None:
    assert loads(line) == expected


@pytest.mark.parametrize("odd", [rb"\x4", rb"\x", rb"\xg1", rb"\q"])
def test_a_line_of_thousands_of_odd_escapes_is_no_json(odd: bytes) -> None:
    line = b'{"a":"%b"}'
    assert loads(line % (odd * (MAX_ODD - 1))) == {"a": odd.decode() * (MAX_ODD - 1)}
    with pytest.raises(orjson.JSONDecodeError):
        loads(line % (odd * (MAX_ODD + 1)))


def test_a_line_of_thousands_of_lone_surrogates_is_no_json() -> None:
    assert loads(b'{"a":"%b"}' % (rb"\ude00\ud83da" * (MAX_ODD // 2))) == {"a": "\ufffd\ufffda" * (MAX_ODD // 2)}
    with pytest.raises(orjson.JSONDecodeError):
        loads(b'{"a":"%b"}' % (rb"\ud83da" * (MAX_ODD + 1)))


@given(st.text(alphabet=st.characters(min_codepoint=0xD7FF, max_codepoint=0xE000) | st.sampled_from("a😀")))
@example("\ud83d\ude00\ude00\ud83d")
def test_lone_surrogates_are_no_characters(text: str) -> None:
    """As Python reads UTF-16 that is cut in its pairs."""
    raw = text.encode("utf-16-be", "surrogatepass")
    units = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    line = b'{"a":"%b"}' % b"".join(b"\\u" + unit.hex().encode() for unit in units)
    assert loads(line) == {"a": "".join(_one(char) for char in raw.decode("utf-16-be", "surrogatepass"))}


def _one(char: str) -> str:
    return "\ufffd" if "\ud800" <= char <= "\udfff" else char


def test_a_line_of_thousands_of_missing_values_is_no_json() -> None:
    line = b'{"a":1,%b"z":1}'
    assert loads(line % (b'"b":-,' * (MAX_ODD - 3))) == {"a": 1, "b": None, "z": 1}
    with pytest.raises(orjson.JSONDecodeError):
        loads(line % (b'"b":-,' * MAX_ODD))


def test_auto_takes_a_request_that_is_a_target() -> None:
    fmt = compiled({"json": "auto"})
    line = '{"@timestamp":"2026-11-25T10:11:12Z","clientip":"192.0.2.1","verb":"PUT","request":"/x?y","response":"200"}'
    found = parsed(fmt, line)
    assert (found["request_method"], found["request_url"], found["status"]) == ("PUT", "/x?y", "200")
    assert "request_http_ver" not in found


def test_caddys_client_behind_its_trusted_proxies_is_the_peer() -> None:
    line = presets()["caddy_json"].examples[0].replace('"client_ip":"203.0.113.9"', '"client_ip":"198.51.100.7"')
    assert parsed(preset("caddy_json"), line)["remote_host"] == "198.51.100.7"


def test_headers_that_are_lists_are_joined() -> None:
    example = presets()["caddy_json"].examples[0]
    line = example.replace('["curl/8.5.0"]', '["curl/8.5.0","again"]')
    assert parsed(preset("caddy_json"), line)["request_header_user_agent"] == "curl/8.5.0, again"


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"json": {}}, "field: key pairs"),
        ({"json": "all"}, "field: key pairs"),
        ({"json": {"status": ""}}, "status needs a key"),
        ({"json": {"status": {"key": "s", "fromat": "x"}}}, "status needs a key"),
        ({"json": {"status": {"key": "s", "format": "%Y"}}}, "status is no time"),
        ({"json": {"time_received": {"key": "s", "format": "%d %T"}}}, "holds no year"),
        ({"json": {"http_referer": "a", "request_header_referer": "b"}}, "appears twice"),
    ],
)
def test_a_wrong_json_format_is_refused_with_the_reason(tree: object, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        compiled(tree)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ('"host":"203.0.113.9","vhost":"shop.example"', {"host": "shop.example", "remote_host": "203.0.113.9"}),
        ('"host":"10.0.0.1","domain":"shop.example"', {"host": "shop.example", "remote_host": "10.0.0.1"}),
        ('"host":"shop.example"', {"host": "shop.example", "remote_host": None}),
        ('"host":"10.0.0.1"', {"host": None, "remote_host": "10.0.0.1"}),
        ('"host":"10.0.0.1","clientip":"203.0.113.9"', {"host": None, "remote_host": "203.0.113.9"}),
        ('"client":"web-1:x","remoteIP":"203.0.113.9"', {"remote_host": "203.0.113.9"}),
        ('"request":"/index.html","message":"GET / HTTP/1.1"', {"request_url": "/", "request_method": "GET"}),
        ('"request":"GET /x?a=1 HTTP/1.1","uri":"/x"', {"request_url": "/x?a=1"}),
        ('"message":"handled request","uri":"/x"', {"request_url": "/x"}),
        ('"latency":"0.004"', {"time_s": "0.004"}),
        ('"latency":1286', {"time_s": None}),
        ('"req_time":"1286"', {"time_s": None}),
        ('"response_time":1286,"reqtime_microsec":1286', {"time_s": None, "time_us": "1286"}),
        ('"request_time":2', {"time_s": None}),  # nginx writes 2.000
        ('"request_time":2.000', {"time_s": "2.0"}),
        ('"latency":"1.5ms"', {"time_s": "1.5ms"}),
        ('"duration":0.25', {"time_s": None}),  # seconds to some, milliseconds to others
        (
            '"host":{"name":"web-1"},"agent":{"type":"filebeat"},"user":{"name":"ann"}',
            {"host": None, "request_header_user_agent": None, "remote_user": None},
        ),
        ('"host":true,"user":true', {"host": None, "remote_user": None}),
        ('"remote_addr":"10.0.0.1:4432","remote_ip":"203.0.113.9"', {"remote_host": "203.0.113.9"}),
        ('"remote_addr":"203.0.113.9:4432"', {"remote_host": "203.0.113.9:4432"}),
        ('"request_path":"/x"', {"request_url": "/x"}),
        ('"user-agent":"curl","body_bytes":7', {"request_header_user_agent": "curl", "response_bytes_clf": "7"}),
        ('"status":"success","response":"204"', {"status": "204"}),
    ],
)
def test_auto_believes_the_key_whose_value_can_be_the_field(members: str, expected: dict[str, str | None]) -> None:
    fmt = compiled({"json": "auto"})
    line = f'{{"time":"2026-11-25T10:11:12Z","method":"GET","http_url":"/","response":200,{members}}}'.encode()
    values = fmt.reader(list(expected))(line)
    assert values is not None
    assert dict(zip(expected, values, strict=True)) == {field: value or "" for field, value in expected.items()}


@pytest.mark.parametrize("status", ["200.0", "200.5", "true", '"ok"', "{}", "[200]", "99", "-1", '"200 OK"'])
def test_a_status_that_is_none_makes_no_event_of_status_0(status: str) -> None:
    line = f'{{"time":"2026-11-25T10:11:12Z","remote_addr":"203.0.113.9","request":"GET / HTTP/1.1","status":{status}}}'
    assert compiled({"json": "auto"}).parse(line.encode()) is None


@pytest.mark.parametrize(
    ("members", "lacking"),
    [
        ('"level":"error","msg":"boom","path":"/var/lib/x","host":"web-1"', "status"),
        ('"level":"INFO","msg":"request started","method":"GET","uri":"/a","remote_ip":"203.0.113.9"', "status"),
        ('"method":"GET","uri":"/a","remote_ip":"203.0.113.9","status":null', "status"),
        ('"method":"GET","uri":"/a","remote_ip":"203.0.113.9","status":""', "status"),
        ('"requested_uri":"/a","requested_url":"GET /a HTTP/1.1","method":"GET","status_code":200', "request"),
        ('"message":"boom","remote_ip":"203.0.113.9","status":500', "request"),
        ('"request":{"method":"GET","uri":"/a"},"remote_ip":"203.0.113.9","status":200,"size":1', "request"),
    ],
)
def test_a_line_without_a_status_or_a_request_is_no_request(members: str, lacking: str) -> None:
    line = f'{{"time":"2026-10-10T13:55:36Z",{members}}}'.encode()
    for fmt in (preset("nginx_json"), compiled({"json": "auto"})):
        assert fmt.parse(line) is None
        misfit = fmt.explain(line)
        assert misfit is not None
        assert f"the request's {lacking}" in misfit.expected or f"the {lacking}:" in misfit.expected


@pytest.mark.parametrize("request_line", ["", "-", "\\u0016\\u0003", "SSH-2.0-x"])
def test_a_request_that_the_server_could_not_read_is_one(request_line: str) -> None:
    line = f'{{"time":"2026-10-10T13:55:36Z","remote_addr":"203.0.113.9","request":"{request_line}","status":400}}'
    assert preset("nginx_json").parse(line.encode()) is not None


def test_a_mapping_of_ones_own_needs_no_status() -> None:
    fmt = compiled({"json": {"time_received": "time", "request_url": "path", "remote_host": "ip"}})
    assert fmt.parse(b'{"time":"2026-10-10T13:55:36Z","path":"/a","ip":"203.0.113.9"}') is not None


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('"latency":0.25', "latency is read as seconds, as it has a fraction"),
        ('"latency":2', "latency is left out: nothing says its unit"),
        ('"duration":58.33', "duration is left out: nothing says its unit"),
        ('"duration":5,"time_ms":5', ""),
        ('"request_time":0.25', ""),
    ],
)
def test_the_unit_of_a_duration_is_said_or_the_duration_left_out(member: str, said: str) -> None:
    line = f'{{"ts":1,"ip":"203.0.113.9","method":"GET","uri":"/","status":200,{member}}}'.encode()
    found = [one.said for one in compiled({"json": "auto"}).assumes(line) if one.is_of_value]
    assert found == ([f"json: {said}"] if said else [])


def test_a_field_that_is_text_is_no_object() -> None:
    fmt = compiled({"json": {"time_received": "ts", "remote_user": "user", "my_own": "more", "request_body": "body"}})
    assert fmt.parse(b'{"ts":1,"user":"ann","more":{"a":1},"body":{"b":2}}') is not None
    assert fmt.parse(b'{"ts":1,"user":{"name":"ann"},"more":1,"body":2}') is None


def test_what_no_key_is_known_for_is_told_with_the_keys_that_are_not_used() -> None:
    line = (
        b'{"ts":"2026-10-10T11:55:36Z","ip":"203.0.113.9","method":"GET","uri":"/","status":200,"took":5,"a":{"b":1}}'
    )
    found = compiled({"json": "auto"}).assumes(line)
    assert [one.field for one in found] == ["host", "duration"]
    assert "keys it does not use: took, a.b" in found[1].said
    whole = line.replace(b'"took":5', b'"request_time":"0.5","host":"a.example"').replace(b'"ip":"203.0.113.9",', b"")
    assert [one.field for one in compiled({"json": "auto"}).assumes(whole)] == ["client_ip"]
    assert compiled({"json": "auto"}).assumes(b"{}") == ()
