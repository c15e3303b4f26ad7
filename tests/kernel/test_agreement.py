"""Kernel and `exact` give the same bytes for the same line: any format, mapping, window, position and bytes."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.conversion import Converter
from logship.errors import LogshipError
from logship.event import Window
from logship.formats import Format, compile_format, read_spec
from logship.mapping.remote_rules import RemoteRules
from tests.formats.awkward import AWKWARD
from tests.formats.hostile import hostile_lines, hostile_texts, line_with, ordinary_line
from tests.formats.presets import preset, presets
from tests.kernel.agreement import agreed, all_fields, done
from tests.mapping.world import converter

NAMES = [*presets(), *AWKWARD]
RICH = """
trusted_proxies: [private]
event:
  request:
    headers: {X: '${request_header_x_forwarded_for:-none}', X-Forwarded-For: $request_header_x_forwarded_for}
    body: $request_body
  metadata: {took: $duration, path: $path, query: $query, label: 'a "b" ${path}', n: $response_bytes_clf, file: $file}
  company_id: $host
  session_token: "${cookie_session:-}${request_id}"
rules:
  - {name: health, if: {path: [/health, /x]}, drop: true}
  - {name: errors, if: {status: [4xx, 5xx]}, keep: true}
  - {name: slow, if: {duration: {min: 1s}}, set: {metadata.slow: yes, user_id: null}}
  - {name: tenant, if: {path: {matches: '^/(?P<t>[^/]+)/'}}, set: {company_id: $t, request.verb: "${t}!"}}
  - {name: outside, if: {client_ip: {not: {in: [private]}}}, set: {metadata.outside: "$client_ip"}}
  - {name: nobody, if: {remote_user: {absent: true}}, set: {request.headers: null}}
  - {name: half, if: {target: {matches: '^/.'}}, sample: 50%}
redact: {query: [token, a], path: ['/reset/([^/]+)'], headers: [Referer], ip: truncate, hash: [user_id], key: secret}
"""
MADE = """
lookups: {tenant: {from: "${host|lower}-$arg_a", table: {web-1-: one}, default: other}}
jwt: {from: $arg_jwt, claims: {who: sub}}
max_body_bytes: 4
event: {user_id: $who, company_id: "${tenant|upper|urldecode}", request: {body: $query}, metadata: {b: $arg_b}}
redact: {body: [a], query: [b]}
"""
RULES = RemoteRules.of(b"""{"sample_rate": 60, "user_sample_rate": {"x": 0, "": 5, "frank": 70},
  "company_sample_rate": {"example.com": 34, "x": 100}, "regex_config": [
  {"conditions": [{"path": "request.route", "value": "^/x"}, {"path": "response.status", "value": "^2"}],
   "sample_rate": 40},
  {"conditions": [{"path": "request.headers.x-forwarded-for", "value": "1"}], "sample_rate": 12.5},
  {"conditions": [{"path": "request.body.a", "value": "."}, {"path": "metadata.path", "value": "/"}], "sample_rate": 0},
  {"conditions": [{"path": "company_id", "value": "e"}, {"path": "metadata.n", "value": "[0-4]$"}],
   "sample_rate": 50}]}""")
MAPPINGS = {"default": "{}", "rich": RICH, "obeying": RICH, "made fields": MADE, "all fields": ""}
WINDOWS = [None, Window(oldest="2000-10-10T13:55:36.500Z"), Window(since="2001-01-01T00:00:00.000Z"),
           Window(until="2000-10-10T20:55:36.001Z", since="1999-01-01T00:00:00.000Z")]  # fmt: skip
BORDER = 1 << 32
STARTS = st.sampled_from([0, 1, BORDER - 200, BORDER - 1, BORDER, 3 * BORDER - 90, (1 << 47) + 12_345])
NOISE = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([
        rb"\x22", rb"\"", b"\\", rb"\\", b'"', b" ", b"-", b"\t", rb"\u00e9", rb"\ud83d\ude00", rb"\ud800", rb"\x4",
        "é".encode(), "😀".encode(), b"\xff", b"\xed\xa0\x80", b"\x7f", b"\0", b"/", b"?", b"?a=b&token=c", b"{", b"}",
        b",", b":", b"[", b"HTTP/1.1", b"\r", b"\xef\xbb\xbf", b"00", b".", b"=", b'":"', b"null", b"1e5", b"-0", b"\n",
    ]),
)  # fmt: skip


@cache
def formats() -> dict[str, Format]:
    return {name: preset(name) for name in presets()} | {
        name: compile_format(read_spec(tree), presets()) for name, tree in AWKWARD.items()
    }


@cache
def made(name: str, mapping: str) -> Converter | None:
    """None where the mapping asks for what this format can't have."""
    fmt = formats()[name]
    try:
        rules = RULES if mapping == "obeying" else None
        return converter(MAPPINGS[mapping], fmt, rules=rules) if MAPPINGS[mapping] else all_fields(fmt)
    except LogshipError:
        return None


@st.composite
def lines(draw: st.DrawFn, fmt: Format) -> bytes:
    """A line of the format with some of its bytes changed, or with anything in one of its fields."""
    member = draw(st.sampled_from(fmt.members))
    field = draw(st.sampled_from([slot.field for slot in member.slots]))
    line = line_with(member, *draw(st.sampled_from([("", b""), (field, draw(NOISE)), (field, b"")])))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(NOISE) + line[at + draw(st.integers(0, 3)) :]
    return line.replace(b"\n", b"")


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(2, (settings.default.max_examples if settings.default else 60) // 12))
@given(data=st.data())
def test_any_line_of_any_format_becomes_the_same_event(name: str, mapping: str, data: st.DataObject) -> None:
    converter = made(name, mapping)
    if converter is not None:
        chunk = data.draw(st.lists(lines(formats()[name]), min_size=1, max_size=6))
        agreed(converter, *chunk, start=data.draw(STARTS), window=data.draw(st.sampled_from(WINDOWS)))


FOR_EXACT = {  # whole formats, and why
    "regex": "RE2 matches it",
    "greedy regex": "RE2 matches it",
    "strftime": "its time has a form of its own, and what follows may stand in it",
    "bodies": "its values are whole JSON objects",
    "w3c": "its columns are named in the log",
    "cloudfront": "its columns may be named in the log",
    "aws_alb": "RE2 matches it",
    "haproxy_http": "RE2 matches it",
    "haproxy_ingress": "RE2 matches it",
    "nginx_proxy_manager": "RE2 matches it",
    "ltsv": "its columns have labels, in any order",
}


def test_no_other_format_is_left_to_exact_as_a_whole() -> None:
    converters = {name: made(name, "default") for name in formats()}
    assert {name for name, one in converters.items() if one and not one.members[0].program.make} == set(FOR_EXACT)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOR_EXACT])
def test_an_ordinary_line_of_a_format_is_done_by_the_kernel(name: str) -> None:
    fmt = formats()[name]
    line = ordinary_line(fmt)
    converter = made(name, "default")
    assert converter is not None
    assert agreed(converter, line, line) == done(2), line


@pytest.mark.parametrize("name", ["combined", "nginx", "json text", "json keys", "lists", "xff", "caddy_json"])
def test_hostile_lines_become_the_same_events(name: str) -> None:
    converter = made(name, "all fields")
    assert converter is not None
    agreed(converter, *[line for _, line in hostile_lines(3_000)])
    fields = [slot.field for slot in formats()[name].slots if not slot.part_of]
    for number, (_, text) in enumerate(hostile_texts(600)):
        agreed(converter, line_with(formats()[name].members[0], fields[number % len(fields)], text))


@given(cuts=st.lists(st.integers(0, 6), min_size=1, max_size=3), start=STARTS)
def test_where_a_chunk_ends_does_not_matter(cuts: list[int], start: int) -> None:
    converter = made("combined", "rich")
    assert converter is not None
    chunk = [line_with(formats()["combined"], "request_header_user_agent", b"%d" % number * 9) for number in range(6)]
    chunk[3] = chunk[3].replace(b"GET", rb"\x16\xff")
    whole = _events(converter, chunk, start)
    for cut in cuts:
        head = sum(len(line) + 1 for line in chunk[:cut])
        assert _events(converter, chunk[:cut], start) + _events(converter, chunk[cut:], start + head) == whole


def _events(converter: Converter, chunk: list[bytes], start: int) -> list[object]:
    from tests.mapping.world import convert

    return [json.loads(event) for event in convert(converter, *chunk, start=start).events]
