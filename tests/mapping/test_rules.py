"""Rules, matchers and sampling: what a mapping decides of a line."""

from __future__ import annotations

import json

import pytest

from tests.mapping.world import at, combined, convert, converter, event, exact, nginx

TIMED_LINE = (
    b'10.0.0.1 - bob [10/Oct/2000:13:55:36 +0000] "GET /t/acme/x HTTP/1.1" %s 5 "-" "x" %s '
    b'"198.51.100.7, 10.2.3.4" shop.example https 443 -'
)


def timed(status: bytes = b"200", took: bytes = b"0.100") -> bytes:
    return TIMED_LINE % (status, took)


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("{path: /x}", "GET /x?q HTTP/1.1", "GET /xy HTTP/1.1"),
        ("{path: [/x, /y]}", "GET /y HTTP/1.1", "GET /z HTTP/1.1"),
        ("{path: {matches: '^/a+$'}}", "GET /aaa HTTP/1.1", "GET /ab HTTP/1.1"),
        ("{path: {not: /x}}", "GET /y HTTP/1.1", "GET /x HTTP/1.1"),
        ("{path: {matches: '(a|b)+[.](?:c)'}}", "GET /ba.c HTTP/1.1", "GET /c.c HTTP/1.1"),
        ("{path: {not: [/x, {matches: z}]}}", "GET /y HTTP/1.1", "GET /z HTTP/1.1"),
        ("{query: {absent: true}}", "GET /y HTTP/1.1", "GET /y?a HTTP/1.1"),
        ("{query: {absent: false}}", "GET /y?a HTTP/1.1", "GET /y HTTP/1.1"),
        ("{method: {absent: true}}", "-", "GET / HTTP/1.1"),
        ("{method: [POST, PUT], path: /x}", "PUT /x HTTP/1.1", "PUT /y HTTP/1.1"),
        ("{path: [{matches: '^/a'}, /b]}", "GET /b HTTP/1.1", "GET /c HTTP/1.1"),
    ],
)
def test_a_rule_drops_what_matches_and_nothing_else(condition: str, holds: str, fails: str) -> None:
    made = converter(f"rules: [{{name: r, if: {condition}, drop: true}}]")
    lines = [combined(holds), combined(fails)]
    conversion = convert(made, *lines)
    assert (list(conversion.event_lines), conversion.dropped) == ([1], {"r": 1})
    assert exact(made, *lines) == conversion.events


UPSTREAMS = nginx('$remote_addr [$time_local] "$request" $status "$upstream_status" "$upstream_response_time"')


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("{upstream_status: 502}", '"502, 200" "0.1, 0.2"', '"200, 200" "0.1, 0.2"'),
        ("{upstream_status: [5xx, 404]}", '"200 : 404" "0.1 : 0.2"', '"200 : 403" "0.1 : 0.2"'),
        ("{upstream_status: {not: 5xx}}", '"200, 404" "-"', '"502, 200" "-"'),
        ("{upstream_status: {min: 400, max: 499}}", '"502, 404" "-"', '"502, 200" "-"'),
        ("{upstream_status: {min: 400, not: 404}}", '"404, 500, 200" "-"'.replace("404", "403"), '"404, 500" "-"'),
        ("{upstream_status: {matches: '^4(?P<rest>..)$'}}", '"502, 404" "-"', '"502, 240" "-"'),
        ("{upstream_status: '502, 200'}", '"502, 200" "-"', '"502, 201" "-"'),
        ("{upstream_response_time: {min: 1s}}", '"200, 200" "0.1, 1.000"', '"200, 200" "0.100, 0.200"'),
        ("{upstream_status: {absent: true}}", '"-" "-"', '"200" "-"'),
    ],
)
def test_a_matcher_of_a_list_holds_where_it_holds_for_one_of_it(condition: str, holds: str, fails: str) -> None:
    made = converter(f"rules: [{{name: r, if: {condition}, drop: true}}]", UPSTREAMS)
    start = '203.0.113.9 [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200'
    lines = [f"{start} {end}".encode() for end in (holds, fails)]
    conversion = convert(made, *lines)
    assert (list(conversion.event_lines), conversion.dropped) == ([1], {"r": 1})
    assert exact(made, *lines) == conversion.events


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("{status: 404}", timed(b"404"), timed(b"200")),
        ("{status: [4xx, 502]}", timed(b"502"), timed(b"503")),
        ("{status: {min: 400, max: 499}}", timed(b"499"), timed(b"500")),
        ("{duration: {min: 1s}}", timed(took=b"1.000"), timed(took=b"0.999")),
        ("{duration: {max: 50ms}}", timed(took=b"0.050"), timed(took=b"-")),
        ("{client_ip: {in: [192.0.2.0/24, private]}}", timed(), timed().replace(b"10.0.0.1", b"8.8.8.8")),
        ("{request_header_x_forwarded_for: {matches: '^198\\.'}}", timed(), timed().replace(b"198.", b"199.")),
        ("{$remote_user: bob}".replace("$", ""), timed(), timed().replace(b"bob", b"eve")),
    ],
)
def test_matchers_know_the_kinds_of_fields(condition: str, holds: bytes, fails: bytes) -> None:
    made = converter(f"rules: [{{name: r, if: {condition}, drop: true}}]", nginx())
    conversion = convert(made, holds, fails)
    assert list(conversion.event_lines) == [1], conversion
    assert exact(made, holds, fails) == conversion.events


def test_named_groups_are_fields_of_their_rule() -> None:
    sets = "{company_id: $t, metadata.both: '$t-${status}'}"
    rules = f"rules: [{{if: {{path: {{matches: '^/t/(?P<t>[^/]+)/'}}}}, set: {sets}}}]"
    found = event(combined("GET /t/acme/x HTTP/1.1"), rules)
    assert found["company_id"] == "acme"
    assert at(found, "metadata", "both") == "acme-200"
    assert "company_id" not in event(combined("GET /u/acme/x HTTP/1.1"), rules)


def test_set_adds_changes_and_removes() -> None:
    rules = """
rules:
  - {set: {request.headers.X-Moesif-Tags: me, user_id: null, response.headers: null, metadata: {a: 1, b: "1"}}}
  - {if: {status: 5xx}, set: {metadata.a: "$status"}}
"""
    found = event(combined(user="bob"), rules)
    assert at(found, "request", "headers") == {"User-Agent": "curl/8", "X-Moesif-Tags": "me"}
    assert "user_id" not in found
    assert at(found, "response", "headers") == {}
    assert found["metadata"] == {"a": 1, "b": "1"}
    assert at(event(combined(status="500"), rules), "metadata", "a") == 500


def test_rules_run_in_order_and_keep_shields_from_later_ones() -> None:
    rules = """
rules:
  - {name: errors, if: {status: 5xx}, keep: true}
  - {name: probes, if: {path: /x}, drop: true}
  - {name: rest, sample: 1/1000000}
"""
    conversion = convert(converter(rules), combined(status="500"), combined(), combined("GET /y HTTP/1.1"))
    assert list(conversion.event_lines) == [0]
    assert (conversion.dropped, conversion.sampled_out) == ({"probes": 1}, {"rest": 1})
    assert "weight" not in json.loads(conversion.events[0])


def test_the_first_sample_decides_and_kept_events_carry_its_weight() -> None:
    rules = "rules: [{name: half, if: {path: /x}, sample: 50%}, {name: rest, sample: 10%}]"
    lines = [combined(f"GET /{path} HTTP/1.1", agent=str(number)) for number in range(2000) for path in "xy"]
    conversion = convert(converter(rules), *lines)
    weights = [json.loads(text)["weight"] for text in conversion.events]
    kept = {weight: weights.count(weight) for weight in (2, 10)}
    assert len(weights) == sum(kept.values())
    assert 900 < kept[2] < 1100
    assert 130 < kept[10] < 270
    assert sum(conversion.sampled_out.values()) + len(weights) == len(lines)


def test_sampling_decides_the_same_for_the_same_line_whatever_its_chunk() -> None:
    made = converter("rules: [{sample: 25%}]")
    lines = [combined(agent=str(number)) for number in range(400)]
    whole = convert(made, *lines)
    position, alone = 0, []
    for line in lines:
        alone += convert(made, line, start=position).events
        position += len(line) + 1
    assert whole.events == alone == exact(made, *lines)


def test_a_request_id_becomes_the_transaction_id_and_junk_does_not() -> None:
    line = timed()[:-1]
    text = "event: {transaction_id: $request_id}"
    found = event(line + b"0123456789ABCDEF0123456789abcdef", text, nginx())
    assert found["transaction_id"] == "01234567-89ab-cdef-0123-456789abcdef"
    derived = event(timed(), "{}", nginx())["transaction_id"]
    assert event(timed(), text, nginx())["transaction_id"] == derived


@pytest.mark.parametrize(
    ("peer", "client"),
    [(b"10.0.0.1", "198.51.100.7"), (b"8.8.8.8", "8.8.8.8"), (b"unix:", "198.51.100.7"), (b"::1", "198.51.100.7")],
)
def test_only_a_trusted_proxy_is_believed(peer: bytes, client: str) -> None:
    line = timed().replace(b"10.0.0.1", peer)
    found = event(line, "trusted_proxies: [private]", nginx())
    assert at(found, "request", "ip_address") == client


def test_bodies_stay_json_or_become_base64() -> None:
    fmt = nginx('$remote_addr [$time_local] "$request" $status "$request_body"')
    line = rb'192.0.2.1 [10/Oct/2000:13:55:36 +0000] "POST / HTTP/1.1" 200 "%s"'
    text = "event: {request: {body: $request_body}}"
    as_json = event(line % rb"{\x22a\x22:[1,\x22\xC3\xA9\x22]}", text, fmt)
    assert at(as_json, "request", "body") == {"a": [1, "é"]}
    assert at(as_json, "request", "transfer_encoding") == "json"
    as_text = event(line % rb"a=1&b=2", text, fmt)
    assert at(as_text, "request", "body") == "YT0xJmI9Mg=="
    assert at(as_text, "request", "transfer_encoding") == "base64"
    assert "body" not in json.dumps(event(line % b"-", text, fmt))


def test_templates_fill_defaults_and_leave_out_what_is_absent() -> None:
    text = """
event:
  company_id: ${remote_user:-nobody}
  metadata: {one: $query, two: "$query/$remote_user", three: "q=${query}$$", four: 7, five: true, six: "7", n: $status}
"""
    found = event(combined(), text)
    assert found["company_id"] == "nobody"
    assert found["metadata"] == {"four": 7, "five": True, "six": "7", "n": 200}
    found = event(combined("GET /?a=b HTTP/1.1", user="bob"), text)
    assert found["metadata"] == {
        "one": "a=b", "two": "a=b/bob", "three": "q=a=b$", "four": 7, "five": True, "six": "7", "n": 200,
    }  # fmt: skip


def test_a_sample_overrules_a_weight_of_the_mapping() -> None:
    text = convert(converter("{event: {weight: 3}, rules: [{sample: 1/1}]}"), combined()).events[0]
    assert text.count('"weight"') == 0
    assert event(combined(), "event: {weight: 3}")["weight"] == 3


@pytest.mark.parametrize("key", ["user_id", "company_id", "session_token", "subscription_id"])
def test_an_id_of_more_characters_than_the_api_takes_is_left_out_and_counted(key: str) -> None:
    made = converter(f"{{event: {{{key}: $remote_user}}}}", fields={"host": "h"})
    users = ["u" * 256, "u" * 257, "\\xC3\\xA9" * 256, "\\xC3\\xA9" * 257, "bob"]
    conversion = convert(made, *[combined(user=user) for user in users])
    found = [json.loads(text).get(key) for text in conversion.events]
    assert found == ["u" * 256, None, "é" * 256, None, "bob"]
    assert conversion.left_out == {key: 2, "user_id": 2}


def test_a_long_id_that_becomes_a_hash_is_no_longer_long() -> None:
    made = converter("{redact: {hash: [user_id], key: secret}}")
    conversion = convert(made, combined(user="u" * 300))
    assert len(json.loads(conversion.events[0])["user_id"]) == 43
    assert conversion.left_out == {}
