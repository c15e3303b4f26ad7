"""Redaction: what is asked to stay here never leaves, by whatever way it came into the event."""

from __future__ import annotations

import hmac
import json
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.formats import compile_format, read_spec
from logship.mapping import redaction
from logship.mapping.proxies import MAX_HOPS
from logship.mapping.redaction import (
    LONG,
    MAX_PAIRS,
    MAX_PARTS,
    MAX_PATH,
    hashed_address,
    path_redactor,
    query_redactor,
)
from logship.mapping.spec import KeepQuery
from tests.mapping.world import at, combined, convert, converter, event, nginx

XFF = nginx('$remote_addr - $remote_user [$time_local] "$request" $status "$http_referer" "$http_x_forwarded_for"')


def xff(request: str, forwarded: str, ip: str = "10.0.0.1", referer: str = "-") -> bytes:
    return f'{ip} - - [10/Oct/2000:13:55:36 +0000] "{request}" 200 "{referer}" "{forwarded}"'.encode()


@pytest.mark.parametrize(
    ("target", "redacted"),
    [
        ("/x?token=abc&page=2", "/x?token=[redacted]&page=2"),
        ("/x?page=2&TOKEN=abc", "/x?page=2&TOKEN=[redacted]"),
        ("/x?%74oken=abc", "/x?%74oken=[redacted]"),
        ("/x?tokens=abc&token", "/x?tokens=abc&token"),
        ("/x?token=", "/x?token="),
        ("/token=abc", "/token=abc"),
        ("/x?a=1;token=2", "/x?a=1;token=[redacted]"),
        ("/x?to=/y?token=abc", "/x?to=/y?token=[redacted]"),
        ("/x?%61=1&to=/y?token=abc", "/x?%61=1&to=/y?token=[redacted]"),
        ("/x??token=abc", "/x??token=[redacted]"),
        ("/x?token[]=abc&token[0]=abc", "/x?token[]=[redacted]&token[0]=[redacted]"),
        ("/x?user[token]=abc&user%5Btoken%5D%5B%5D=abc", "/x?user[token]=[redacted]&user%5Btoken%5D%5B%5D=[redacted]"),
        ("/x?user.token=abc&token.id=abc", "/x?user.token=[redacted]&token.id=[redacted]"),
        ("/x?tokens[]=1&a[0]=token", "/x?tokens[]=1&a[0]=token"),
        ("/x?%20token+=abc", "/x?%20token+=[redacted]"),
        ("/x?to=/y?token[]=abc?d&e=1", "/x?to=/y?token[]=[redacted]&e=1"),
        ("/x?to=/y?%74oken=abc", "/x?to=/y?%74oken=[redacted]"),
    ],
)
def test_query_values_are_replaced_by_name(target: str, redacted: str) -> None:
    line = combined(f"GET {target} HTTP/1.1", referer=f"https://a.example{target}")
    text = "{redact: {query: [token]}, event: {metadata: {q: $query, t: $target, r: $request_first_line}}}"
    found = event(line, text)
    assert at(found, "request", "uri") == f"https://web-1{redacted}"
    assert at(found, "request", "headers", "Referer") == f"https://a.example{redacted}"
    assert at(found, "metadata", "t") == redacted
    assert "abc" not in json.dumps(found) or "abc" in redacted


@pytest.mark.parametrize(
    ("names", "query", "redacted"),
    [
        ("card.number", "card[number]=1&number=2&a[card][number][]=3", "card[number]=_&number=2&a[card][number][]=_"),
        ("'card[number]'", "card.number=1&card=2", "card.number=_&card=2"),
        ("'**.pin'", "pin=1&a[pin]=2", "pin=_&a[pin]=_"),
        ("pin.*", "pin=1&pin[]=2&pin[a]=3", "pin=1&pin[]=2&pin[a]=_"),
        ("'*'", "a=1&b[]=2", "a=_&b[]=_"),
        ("{keep: [page]}", "page=1&page[]=2&a[page]=3", "page=1&page[]=_&a[page]=_"),
        ("{keep: ['page[]']}", "page=1&page[]=2&page%5B%5D=3", "page=_&page[]=2&page%5B%5D=3"),
    ],
)
def test_names_of_a_query_are_ways_as_those_of_a_form_are(names: str, query: str, redacted: str) -> None:
    listed = names if names.startswith("{") else f"[{names}]"
    found = event(combined(f"GET /x?{query} HTTP/1.1"), f"redact: {{query: {listed}}}")
    assert at(found, "request", "uri") == f"https://web-1/x?{redacted.replace('_', '[redacted]')}"


PIECES = ["q", "Q", "token", "%71", "+", "=", "&", ";", "?", "#", "a", "%", "é", "/", "[", "]", ".", " "]
PAIRS = st.lists(st.sampled_from(PIECES), max_size=20)


@given(PAIRS.map("".join))
def test_names_written_plainly_are_redacted_as_all_others_are(url: str) -> None:
    plainly = redaction.query_redactor(["q", "token"])
    each = redaction.query_redactor(["q", "token", "ß"])  # a name beyond ASCII: every pair is looked at
    assert plainly(url) == each(url)


@pytest.mark.parametrize(
    ("redact", "start", "unit", "most"),
    [
        ("query: [token]", "/?a", "&token=s3cret", MAX_PARTS),
        ("query: [token]", "/?a", "&%74oken=s3cret", MAX_PAIRS),
        ("query: {keep: [a]}", "/?a", "&b=s3cret", MAX_PAIRS - 1),
        ("path: ['/in/([^/]+)']", "/a", "/in/s3cret", MAX_PARTS),
        ("path: ['s3cret|s3cret.*z']", "/a", "/s3cret", MAX_PARTS),
    ],
)
def test_nothing_is_left_of_thousands_of_secrets(redact: str, start: str, unit: str, most: int) -> None:
    """Each costs a search or a call of Python: so many as honest URLs have are replaced, then all that follows."""
    for count in (most - 1, most, most + 1, 5_000):
        found = event(combined(f"GET {start}{unit * count} HTTP/1.1"), f"redact: {{{redact}}}")
        several = unit.replace("s3cret", "[redacted]") * min(count, most)
        rest = "[redacted]" if count > most else ""
        assert at(found, "request", "uri") == f"https://web-1{start}{several}{rest}"


def test_nothing_is_left_of_thousands_of_addresses() -> None:
    text = "{event: {request: {headers: {X-Forwarded-For: $http_x_forwarded_for}}}, redact: {ip: truncate}}"
    for count in (MAX_PARTS, MAX_PARTS + 1, 5_000):
        found = event(xff("GET / HTTP/1.1", ", ".join(["198.51.100.7"] * count)), text, XFF)
        forwarded = ", ".join(["198.51.100.0"] * MAX_PARTS) + ("[redacted]" if count > MAX_PARTS else "")
        assert at(found, "request", "headers", "X-Forwarded-For") == forwarded


@pytest.mark.parametrize("length", [MAX_PATH - 30, MAX_PATH + 1_000])
def test_a_path_that_no_server_takes_is_redacted_from_where_it_is_too_long(length: int) -> None:
    found = event(combined(f"GET /{'x' * length}/reset/s3cret?a=b HTTP/1.1"), "redact: {path: ['/reset/([^/]+)']}")
    uri = str(at(found, "request", "uri"))
    assert "s3cret" not in uri
    assert uri.endswith("[redacted]?a=b")
    assert len(uri) <= MAX_PATH + len("[redacted]?a=b")


@pytest.mark.parametrize("entry", ["10.0.0.1", "for=10.0.0.1;proto=https"])
def test_only_as_many_proxies_are_believed_as_anybody_has(entry: str) -> None:
    for hops, address in ((MAX_HOPS - 1, "198.51.100.7"), (MAX_HOPS, "10.0.0.1"), (7_000, "10.0.0.1")):
        client = "198.51.100.7" if "=" not in entry else "for=198.51.100.7"
        line = xff("GET / HTTP/1.1", ", ".join([client, *[entry] * hops]))
        assert at(event(line, "trusted_proxies: [private]", XFF), "request", "ip_address") == address


@pytest.mark.parametrize(
    ("target", "redacted"),
    [
        ("/x?a=1&page=2&b=3", "/x?a=[redacted]&page=2&b=[redacted]"),
        ("/x?a?page=2", "/x?a?page=[redacted]"),  # the name is `a?page`
        ("/x?page&a&=3", "/x?page&a&=[redacted]"),
    ],
)
def test_all_but_some_query_values(target: str, redacted: str) -> None:
    found = event(combined(f"GET {target} HTTP/1.1"), "redact: {query: {keep: [page]}}")
    assert at(found, "request", "uri") == f"https://web-1{redacted}"


QUERIES = [[name] for name in ("q", "ß")] + [KeepQuery(keep=["page"])]


@pytest.mark.parametrize("query", QUERIES, ids=["q", "ß", "keep"])
def test_no_query_takes_more_than_linear_time(query: list[str] | KeepQuery) -> None:
    """A million characters would take an hour if anything were quadratic: the test's timeout says so."""
    redact = query_redactor(query)
    for unit in (
        "a.",
        "a[",
        "?",
        "?a",
        "?q",
        "&",
        "&a",
        ";",
        "=",
        "=&",
        "%",
        "+",
        "?a%41",
        "#?",
        "&q=",
        "&%71=",
        "?q=a",
    ):
        for start, end in (("/?", ""), ("/", "=+"), ("/?a%41=x&", ""), ("/?q=+&", "=")):
            redact(f"{start}{unit * (1_000_000 // len(unit))}{end}")


def test_a_long_query_is_looked_through_for_as_many_question_marks_as_anybody_has() -> None:
    filler = "x" * LONG
    most = MAX_PARTS - 2  # beside the first and the last
    for count in (most, most + 1, 5_000):
        found = query_redactor(["q"])(f"/?a={filler}{'?a=b' * count}?q=s3cret")
        kept = "?a=b" * min(count, most)
        assert found == f"/?a={filler}{kept}" + ("?q=[redacted]" if count == most else "?[redacted]")


def test_groups_of_a_path_are_replaced() -> None:
    found = event(combined("GET /reset/s3cret/done?reset=1 HTTP/1.1"), "redact: {path: ['/reset/([^/]+)']}")
    assert at(found, "request", "uri") == "https://web-1/reset/[redacted]/done?reset=1"


@pytest.mark.parametrize("pattern", ["^/reset/([^/ ]+)", r"\A/reset/([^/ ]+)", "/reset/([^/ ]+)$", "^/reset/([^/ ]+)$"])
def test_a_bound_pattern_of_a_path_means_the_path_wherever_it_stands(pattern: str) -> None:
    line = combined("GET /reset/s3cret?a=1 HTTP/1.1", referer="https://a.example/reset/s3cret")
    text = f"{{redact: {{path: ['{pattern}']}}, event: {{metadata: {{p: $path, t: $target, r: $request}}}}}}"
    bare = combined("GET /reset/s3cret HTTP/1.1", referer="https://a.example/reset/s3cret#top")
    for one in (line, bare):
        found = event(one, text)
        assert "s3cret" not in json.dumps(found)
        assert json.dumps(found).count("/reset/[redacted]") == 5
    assert at(event(combined("GET /a/reset/x/b HTTP/1.1"), text), "request", "uri") == "https://web-1/a/reset/x/b"


def test_addresses_are_truncated_wherever_they_stand() -> None:
    text = """
trusted_proxies: [private]
event: {request: {headers: {X-Forwarded-For: $http_x_forwarded_for}}, metadata: {ip: $client_ip, peer: $remote_addr}}
redact: {ip: truncate}
"""
    found = event(xff("GET / HTTP/1.1", "2001:db8:1:2::3, 198.51.100.7, 10.1.2.3"), text, XFF)
    assert at(found, "request", "ip_address") == "198.51.100.0"
    assert at(found, "request", "headers", "X-Forwarded-For") == "2001:db8:1::, 198.51.100.0, 10.1.2.0"
    assert found["metadata"] == {"ip": "198.51.100.0", "peer": "10.0.0.0"}
    mapped = event(combined(ip="::ffff:198.51.100.7"), "redact: {ip: truncate}")
    assert at(mapped, "request", "ip_address") == "198.51.100.0"


def test_a_hashed_address_is_an_address_that_only_the_key_gives() -> None:
    texts = [f"redact: {{ip: hash, hash: [user_id], key: {key}}}" for key in ("one", "two")]
    first, second = (event(combined(user="bob"), text) for text in texts)
    assert str(at(first, "request", "ip_address")).startswith("fd")
    assert at(first, "request", "ip_address") != at(second, "request", "ip_address")
    assert first["user_id"] not in ("bob", second["user_id"])
    assert event(combined(user="bob"), texts[0]) == first


@given(st.ip_addresses(), st.binary(min_size=1))
def test_a_hashed_address_is_in_fd00_whatever_it_was(address: IPv4Address | IPv6Address, key: bytes) -> None:
    plain = getattr(address, "ipv4_mapped", None) or address
    digest = hmac.digest(key, plain.packed, "sha256")
    expected = str(IPv6Address(b"\xfd" + digest[:15])) if str(plain) != "0.0.0.0" else "0.0.0.0"
    assert hashed_address(key)(str(address)) == expected
    assert ip_address(expected)


@given(st.text(alphabet="?&;=#%+74tTaA/é", max_size=60))
def test_long_texts_are_redacted_as_short_ones_are(rest: str) -> None:
    redact = query_redactor(["t", "ta"])
    filler = "x" * LONG
    for mark in ("?", "/"):
        assert redact(f"{filler}{mark}{rest}") == filler + redact(f"x{mark}{rest}")[1:]
        assert redact(f"x{mark}{rest}") == redact(f"{filler}{mark}{rest}").replace(filler, "x")


@given(st.text(alphabet="?/abc@%4é\0", max_size=60))
def test_a_pattern_that_is_one_group_redacts_as_any_other(text: str) -> None:
    for pattern in ("([a-c]+)", "([^/]*@(?:a|b))", "(a[)]*b*)", "(é|.b)"):
        for whole in (text, f"{'/' * LONG}{text}"):
            assert path_redactor([pattern])(whole) == path_redactor([f"{pattern}(?:)"])(whole)


@pytest.mark.parametrize(
    ("pattern", "redacted"),
    [
        ("(a)[)]", "[redacted])b"),
        ("(a)(?:[)])", "[redacted])b"),
        ("((a)[)])", "[redacted]b"),
        ("(a)\\)", "[redacted])b"),
    ],
)
def test_whole_groups_are_replaced_and_nothing_beside_them(pattern: str, redacted: str) -> None:
    assert path_redactor([pattern])("a)b") == redacted


def test_headers_are_redacted_in_any_case() -> None:
    found = event(combined(agent="secret"), "redact: {headers: [user-agent]}")
    assert at(found, "request", "headers", "User-Agent") == "[redacted]"


@pytest.mark.parametrize("name", ["Authorization", "cookie", "SET-COOKIE", "Proxy-Authorization", "Set_Cookie"])
def test_credentials_of_a_logged_object_stay_here_unless_named(name: str) -> None:
    fmt = compile_format(
        read_spec({"json": {"time_received": "ts", "status": "status", "remote_host": "ip", "headers": "headers"}}), {}
    )
    line = json.dumps(
        {"ts": "2000-10-10T13:55:36Z", "status": 200, "ip": "192.0.2.1", "headers": {name: "s3cret", "X-A": ["b", "c"]}}
    ).encode()
    text = "event: {request: {headers: '${headers}'}, metadata: {all: '${headers}', text: 'h=${headers}'}}"
    found = event(line, text, fmt)
    assert "s3cret" not in json.dumps(found)
    assert at(found, "request", "headers") == {"X-A": "b, c"}
    named = f"event: {{request: {{headers: {{X: '${{headers.{name}}}'}}}}}}"
    assert at(event(line, named, fmt), "request", "headers", "X") == "s3cret"


def test_nothing_but_what_the_mapping_names_is_sent() -> None:
    secrets = '"$http_authorization" "$http_cookie" "$sent_http_set_cookie"'
    fmt = nginx(f'$remote_addr [$time_local] "$request" $status {secrets}')
    line = b'192.0.2.1 [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 "s3cret" "s3cret" "s3cret"'
    assert "s3cret" not in convert(converter(fmt=fmt), line).events[0]


@pytest.mark.parametrize(
    ("pattern", "target", "redacted"),
    [
        ("/reset/([^/]+)", "/reset%2Fs3cret", "/reset/[redacted]"),
        ("/reset/([^/]+)", "/%72eset/s3cret", "/reset/[redacted]"),
        ("/reset/([^/]+)", "/a%20b/%2572eset/s3cret", "/a b/reset/[redacted]"),
        ("/reset/([^/]+)", "/reset/s3%20cret/x%20y", "/reset/[redacted]/x%20y"),
        ("([a-z]{6,})", "/abcdefgh/123", "/[redacted]/123"),
        ("(a)?", "/api", "/[redacted]pi"),
    ],
)
def test_a_path_is_searched_decoded_too_and_no_host_is_part_of_it(pattern: str, target: str, redacted: str) -> None:
    line = combined(f"GET {target} HTTP/1.1", referer=f"https://longhost.example{target}")
    found = event(line, f"redact: {{path: ['{pattern}']}}", fields={"host": "longhost.example"})
    assert at(found, "request", "uri") == f"https://longhost.example{redacted}"
    assert at(found, "request", "headers", "Referer") == f"https://longhost.example{redacted}"


def test_a_path_that_is_encoded_without_end_is_redacted() -> None:
    assert path_redactor(["/reset/(.*)"])("/" + "%25" * 1 + "25" * 9 + "72eset/s3cret") == "/[redacted]"
