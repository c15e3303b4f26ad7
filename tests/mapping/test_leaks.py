"""A masked value never leaves, in whatever it stands and whatever a template writes of it."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import reduce
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.formats import Format, compile_format, read_spec
from logship.mapping.masked_texts import MAX_NESTED
from tests.mapping.world import combined, event, nginx

SECRET = "s3cr3t0value"
SIGNATURE = "c2lnbmF0dXJlIHRoYXQgbXVzdCBzdGF5"
MEMBERS = compile_format(read_spec({"json": "auto"}), {})
FIELDS = '$remote_addr [$time_local] "$request" $status'


def _part(tree: object) -> str:
    return urlsafe_b64encode(json.dumps(tree).encode()).decode().rstrip("=")


TOKEN = f"{_part({'alg': 'HS256'})}.{_part({'sub': 'ann'})}.{SIGNATURE}"
JWT = "jwt: {from: '${%s}', claims: {who: sub}}, event: {user_id: $who, metadata: {m: '%s'}}"


def in_json(**members: object) -> bytes:
    base = {"time": "2026-10-10T11:55:36Z", "status": 200, "remote_addr": "192.0.2.1", "request_uri": "/x"}
    return json.dumps(base | members).encode()


def in_nginx(*values: str, request: str = "GET /x HTTP/1.1") -> bytes:
    more = "".join(f' "{value}"' for value in values)
    return f'192.0.2.1 [10/Oct/2026:11:55:36 +0000] "{request}" 200{more}'.encode()


def of_nginx(*fields: str) -> Format:
    return nginx(" ".join([FIELDS, *(f'"${field}"' for field in fields)]))


def sent(line: bytes, text: str, fmt: Format) -> str:
    """All that leaves, bodies decoded."""
    found = event(line, f"{{{text}}}", fmt)
    bodies = [
        b64decode(side["body"]).decode()
        for side in (found["request"], found["response"])
        if isinstance(side, dict) and side.get("transfer_encoding") == "base64"
    ]
    return json.dumps(found, ensure_ascii=False) + "".join(bodies)


COOKIE = f"a=1; sid={TOKEN}; b=2"
SET_COOKIE = nginx(FIELDS + ' "$cookie_sid" "$sent_http_set_cookie"')
HEADERS = {"X-Auth": TOKEN, "Referer": f"https://a.example/?t={TOKEN}", "Host": "a.example"}
JWT_CASES: list[tuple[Format, bytes, str, str]] = [
    (of_nginx("http_cookie"), in_nginx(COOKIE), "cookie_sid", "$http_cookie"),
    (of_nginx("http_cookie"), in_nginx(COOKIE), "cookie_sid", "${http_cookie|urldecode} ${cookie_sid:-x}"),
    (SET_COOKIE, in_nginx(TOKEN, f"sid={TOKEN}; HttpOnly"), "cookie_sid", "$sent_http_set_cookie"),
    (of_nginx("cookie_sid"), in_nginx(TOKEN), "cookie_sid", "$cookie_sid"),
    (of_nginx("http_authorization"), in_nginx(f"Bearer {TOKEN}"), "http_authorization", "$http_authorization"),
    (of_nginx("http_x_auth"), in_nginx(TOKEN), "http_x_auth", "$http_x_auth"),
    (of_nginx("request_body"), in_nginx(TOKEN), "request_body", "$request_body"),
    (of_nginx("my_token"), in_nginx(TOKEN), "my_token", "$my_token"),
    (of_nginx("args"), in_nginx(f"t={TOKEN}", request=f"GET /x?t={TOKEN} HTTP/1.1"), "arg_t", "$args $request $target"),
    (MEMBERS, in_json(payload={"token": TOKEN, "a": 1}), "payload.token", "${payload}"),
    (MEMBERS, in_json(payload={"token": TOKEN, "a": 1}), "payload.token", "x${payload|lower}"),
    (MEMBERS, in_json(payload={"token": TOKEN}, copy=f"got {TOKEN}"), "payload.token", "${copy}"),
    (MEMBERS, in_json(payload={"token": TOKEN}, all={"n": [{"t": f"Bearer {TOKEN}"}]}), "payload.token", "${all}"),
    (MEMBERS, in_json(headers=HEADERS), "headers.X-Auth", "${headers}"),
    (MEMBERS, in_json(headers=HEADERS, request={"headers": HEADERS}), "headers.X-Auth", "${request}"),
    (MEMBERS, in_json(http_cookie=COOKIE), "cookie_sid", "${http_cookie}"),
    (
        compile_format(
            read_spec(
                {
                    "json": {
                        "time_received": "ts",
                        "status": "st",
                        "remote_host": "ip",
                        "request_header_x_auth": "r.a.auth",
                    }
                }
            ),
            {},
        ),
        json.dumps({"ts": "2026-10-10T11:55:36Z", "st": 200, "ip": "192.0.2.1", "r": {"a": {"auth": TOKEN}}}).encode(),
        "http_x_auth",
        "${r.a}",
    ),
]


@pytest.mark.parametrize(("fmt", "line", "source", "template"), JWT_CASES)
def test_a_token_is_decoded_and_never_sent(fmt: Format, line: bytes, source: str, template: str) -> None:
    found = sent(line, JWT % (source, template), fmt)
    assert '"user_id": "ann"' in found
    assert SIGNATURE.lower() not in found.lower()


def test_a_token_is_not_sent_in_a_logged_object_of_headers() -> None:
    text = "jwt: {from: '${headers.X-Auth}', claims: {who: sub}}, event: {request: {headers: '${headers}'}}"
    assert SIGNATURE not in sent(in_json(headers=HEADERS), text, MEMBERS)


def test_what_a_rule_cuts_out_of_a_token_is_not_sent() -> None:
    rule = "rules: [{if: {http_x_auth: {matches: '[.](?P<rest>[^.]*)$'}}, set: {metadata.r: $rest}}]"
    found = sent(in_nginx(TOKEN), f"{JWT % ('http_x_auth', 'x')}, {rule}", of_nginx("http_x_auth"))
    assert SIGNATURE not in found


METADATA = "event: {metadata: {m: '%s'}}"
BODY_CASES: list[tuple[Format, bytes, str, str]] = [
    (MEMBERS, in_json(payload={"card": {"number": SECRET}}), "body: [card.number]", "${payload.card}"),
    (MEMBERS, in_json(payload={"card": json.dumps({"number": SECRET})}), "body: [card.number]", "${payload.card}"),
    (MEMBERS, in_json(payload={"card": json.dumps({"number": SECRET})}), "body: [card.number]", "${payload}"),
    (MEMBERS, in_json(payload={"card": [{"number": SECRET}]}), "body: [payload.card.number]", "${payload.card}"),
    (MEMBERS, in_json(payload=f"a=1&password={SECRET}"), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload=f"a=b c&password={SECRET}"), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload=f'{{"a":1,"password":"{SECRET}'), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload=f'{{"a":1,"p\\u0061ssword":"{SECRET}'), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload=f"<a><Password>{SECRET}</Password></a>"), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload={"soap": f"<password>{SECRET}</password>"}), "body: [password]", "${payload}"),
    (MEMBERS, in_json(payload=f'--b\nContent-Disposition: form-data; name="password"\n\n{SECRET}\n--b--'),
     "body: [password]", "${payload}"),
    (MEMBERS, in_json(request_body=f"<password>{SECRET}</password>"), "body: [password]", "$request_body"),
    (of_nginx("my_body"), in_nginx(f"a=1&password={SECRET}"), "body: [password]", "$my_body"),
    (of_nginx("my_body"), in_nginx(f"card[0][number]={SECRET}"), "body: [card.number]", "$my_body"),
    (of_nginx("my_body"), in_nginx(f"password=a;{SECRET}#{SECRET}&b=1"), "body: [password]", "$my_body"),
    (of_nginx("my_body"), in_nginx(f"next=%2Fa%3Fpassword%3D{SECRET}"), "body: [password]", "$my_body"),
    (MEMBERS, in_json(r={"uri": f"/x?token={SECRET}"}), "query: [token]", "${r}"),
    (MEMBERS, in_json(r={"uri": f"/reset/{SECRET}"}), "path: ['/reset/([^/]+)']", "${r}"),
    (MEMBERS, in_json(r=f"https://a.example/x?token={SECRET}"), "query: [token]", "${r}"),
    (MEMBERS, in_json(headers={"X-Api-Key": SECRET}), "headers: [X-Api-Key]", "${headers}"),
    (MEMBERS, in_json(r={"x_api_key": [SECRET]}), "headers: [X-Api-Key]", "${r}"),
    (of_nginx("http_x_api_key"), in_nginx(SECRET), "headers: [X-Api-Key]", "$http_x_api_key"),
    (of_nginx("http_cookie"), in_nginx(f"a={SECRET}"), "headers: [Cookie]", "$http_cookie $cookie_a"),
]  # fmt: skip


@pytest.mark.parametrize(("fmt", "line", "redact", "template"), BODY_CASES)
def test_a_masked_value_is_not_sent_in_another_text(fmt: Format, line: bytes, redact: str, template: str) -> None:
    assert SECRET in sent(line, METADATA % template, fmt)
    found = sent(line, f"{METADATA % template}, redact: {{{redact}}}", fmt)
    assert SECRET not in found
    assert "[redacted]" in unquote(found) or '"m"' not in found


def test_headers_of_a_logged_object_are_redacted_as_those_that_a_mapping_names() -> None:
    headers = {"Referer": f"https://a.example/reset/{SECRET}?token={SECRET}", "X-Forwarded-For": "198.51.100.7"}
    redact = "redact: {query: [token], path: ['/reset/([^/?]+)'], ip: truncate}"
    found = sent(in_json(headers=headers), f"event: {{request: {{headers: '${{headers}}'}}}}, {redact}", MEMBERS)
    assert SECRET not in found
    assert "198.51.100.0" in found
    assert "198.51.100.7" not in found


QUERIES = [
    f"token={SECRET};{SECRET}", f"token={SECRET}#{SECRET}", f"token=a;b={SECRET}", f"user[0][token]={SECRET}",
    f"user%5B0%5D%5Btoken%5D={SECRET}", f"next=%2Flogin%3Ftoken%3D{SECRET}", f"next=token%3D{SECRET}",
    f"next=%2Fa%3Fnext%3D%252Fb%253Ftoken%253D{SECRET}", f"f=%7B%22token%22%3A%22{SECRET}%22%7D",
    f"f={{'a':1}}&token={SECRET}", f"a=1#token={SECRET}", f"a=1#b=2&token={SECRET}", f"token=a?{SECRET}",
    f"a=1%26token={SECRET}", f"a=1%2526token={SECRET}", f"a%26token%3D{SECRET}", f"a=1%26token%3D{SECRET}",
    f"a=1%3Btoken={SECRET}",
    f"%3Ftoken%3D{SECRET}",
    f"next={reduce(lambda text, _: quote(text, safe=''), range(MAX_NESTED + 2), f'/x?token={SECRET}')}",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("more", ["", ", ß"])
def test_nothing_of_a_parameter_is_left_wherever_it_ends_or_stands(query: str, more: str) -> None:
    redact = f"redact: {{query: [token{more}]}}, event: {{metadata: {{q: $query, t: $target, r: $request}}}}"
    line = combined(f"GET /x?{query} HTTP/1.1", referer=f"https://a.example/x?{query}")
    assert SECRET not in json.dumps(event(line, f"{{{redact}}}"))


IN_PATHS = [
    f"/go/https%3A%2F%2Fa%3Ftoken%3D{SECRET}", f"/x#token={SECRET}", f"/x%3Ftoken={SECRET}", f"/x%3Ftoken%3D{SECRET}",
    f"/x;token={SECRET}", f"/x;a=1;TOKEN={SECRET}/y;b=1", f"/x;tok%65n={SECRET}?a=1", f"/x%3Btoken={SECRET}",
    f"/x&token={SECRET}?b=1", f"/x;token=a/{SECRET}",
]  # fmt: skip


@pytest.mark.parametrize("target", IN_PATHS)
def test_a_parameter_is_found_in_a_path_and_in_a_fragment(target: str) -> None:
    redact = "{redact: {query: [token]}, event: {metadata: {p: $path, t: $target}}}"
    assert SECRET not in json.dumps(event(combined(f"GET {target} HTTP/1.1", referer=f"https://a{target}"), redact))


@pytest.mark.parametrize(
    "target", [f"/x?page=1%26a={SECRET}", f"/x?page=1%2526a%253D{SECRET}", f"/x;a={SECRET}?page=2"]
)
def test_nothing_of_a_parameter_that_is_not_kept_hides_in_one_that_is(target: str) -> None:
    found = event(combined(f"GET {target} HTTP/1.1", referer=f"https://a{target}"), "redact: {query: {keep: [page]}}")
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize("tail", [";", ";b=", "#", "?x="])
def test_nothing_of_a_value_that_is_not_kept_is_left(tail: str) -> None:
    found = event(combined(f"GET /x?a=1{tail}{SECRET}&page=2 HTTP/1.1"), "redact: {query: {keep: [page]}}")
    assert SECRET not in json.dumps(found)
    assert "&page=2" in json.dumps(found)


NAMES = ["password", "PassWord", "a[password]", "card[number]", "card[0][number]", "x.token", "pin[q]", "pin[0][q]"]
PLAIN_NAMES = ["a", "b.c", "list[0]", "tokens", "cards", "number"]
KEYS = ["password", "card.number", "**.token", "pin.*"]
KEPT = "v1s1ble"


def in_object(name: str, value: object, *, is_list: bool) -> object:
    tree: object = value
    for step in reversed(name.replace("]", "").replace("[", ".").split(".")):
        tree = [{}, tree] if step.isdigit() else {step: tree}
    return [tree] if is_list else tree


def wrapped(draw: Callable[[st.SearchStrategy[Any]], Any], name: str, value: object) -> object:
    """A value under a name, in objects, arrays, JSON texts, forms, URLs, and all of them again."""
    tree = in_object(name, value, is_list=draw(st.booleans()))
    for _ in range(draw(st.integers(0, MAX_NESTED - 2))):
        text = tree if isinstance(tree, str) else json.dumps(tree)
        around = draw(st.sampled_from(["object", "text", "form", "url", "array"]))
        key = draw(st.sampled_from(PLAIN_NAMES))
        if around == "object":
            tree = {key: tree, "z": [1, None, 12345678901234567890123]}
        elif around == "array":
            tree = [tree, "x"]
        elif around == "text":
            tree = {key: text}
        elif around == "form":
            tree = urlencode({"y": "1", key: text})
        else:
            tree = f"/go?{key}={quote_plus(text)}&z=1"
    return tree


@given(st.data())
def test_no_masked_value_survives_and_no_other_is_lost_however_deep_it_stands(data: st.DataObject) -> None:
    name, tail = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(["", ";x", "#x", " y"]))
    hidden: Any = data.draw(st.sampled_from([SECRET, [SECRET], {"x": SECRET}])) if not tail else SECRET + tail + SECRET
    kept = wrapped(data.draw, data.draw(st.sampled_from(PLAIN_NAMES)), KEPT)
    tree = {"first": wrapped(data.draw, name, hidden), "second": kept}
    redact = f"redact: {{body: {json.dumps(KEYS)}, query: {json.dumps(KEYS)}}}"
    body = "event: {request: {body: $request_body}, metadata: {b: $request_body, p: '${payload}', t: 'x${payload}'}}"
    found = sent(in_json(payload=tree, request_body=json.dumps(tree)), f"{body}, {redact}", MEMBERS)
    assert SECRET not in found
    assert found.count(KEPT) == 4
    uri = "/x?" + urlencode({"d": json.dumps(tree), "e": f"/y?{quote(name)}={quote(str(hidden))}"})
    line = combined(f"GET {uri} HTTP/1.1", referer=f"https://a.example{uri}")
    found = json.dumps(event(line, f"{{{redact}}}"))
    assert SECRET not in found
    assert found.count(KEPT) == 2


@pytest.mark.parametrize("user", [{"id": 5, "email": SECRET}, [{"id": SECRET}], {}])
def test_an_object_is_nobody(user: object) -> None:
    found = event(in_json(user=user), "event: {company_id: '${user}'}", MEMBERS)
    assert "user_id" not in found
    assert "company_id" not in found


def test_a_user_in_braces_is_one() -> None:
    assert event(in_json(user="{550e8400}"), "{}", MEMBERS)["user_id"] == "{550e8400}"
