"""A text of no form that this program knows never takes a masked value with it."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.mapping.given_names import MAX_ROUNDS, GivenNames, decoded
from logship.mapping.masked_names import MaskedNames
from logship.mapping.masked_texts import MaskedTexts
from tests.mapping.test_leaks import MEMBERS, SECRET, in_json, in_nginx, of_nginx, sent

GIVING = [
    '{{"password":"{0}"}}',
    "password={0}",
    "a=1&password={0}",
    "password: {0}",
    "password => {0}",
    "Password : '{0}'",
    "a=b\npassword={0}",
    "b=1, password={0}",
    "b=1,password:{0}",
    "<password>{0}</password>",
    "<password>{0}",
    '<x:password kind="a">{0}',
    '<input name="password" value="{0}">',
    '[{{"name":"password","value":"{0}"}}]',
    '[{{"key":"password","value":"{0}"}}]',
    'mutation{{login(password:"{0}")}}',
    'query=mutation{{login(password:"{0}")}}',
    "('password', '{0}')",
    "/x?password={0}",
    "https://a.example/x?b=1&password={0}",
    "{{'password': '{0}'}}",
    "name=password\n\n{0}",
    "--password={0}",
    "password[0]={0}",
    "user[password]={0}",
    "password.old={0}",
    "$password={0}",
    "a=1%26password={0}",
    "a%26password%3D{0}",
    "x;password={0}",
]
AROUND = [
    "{0}",
    "user logged in {0}",
    "\ufeff{0}",
    "a=b\n{0}",
    "b=1, {0}",
    "null {0}",
    "/*x*/{0}",
    ")]}}',\n{0}",
    "for(;;);{0}",
    "data:text/json,{0}",
    "GET {0} HTTP/1.1",
    "x {0} y",
    "[{0}",
    "q=1&{0}",
    "<a>{0}</a>",
    "{0};",
]


def unicode_escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


WRAPPERS = [
    *(lambda text, around=around: around.replace("{0}", text).replace("}}", "}") for around in AROUND),
    json.dumps,
    quote,
    quote_plus,
    escape,
    unicode_escaped,
    lambda text: json.dumps({"a": text}),
    lambda text: json.dumps(["x", text]),
    lambda text: f"a={quote_plus(text)}",
    lambda text: f"/go?next={quote(text, safe='')}&z=1",
    lambda text: f"/go/{quote(text, safe='')}",
    lambda text: text.replace('"', '\\"'),
    lambda text: text.replace("=", "%3D"),
    lambda text: text.replace("&", "%26"),
    lambda text: text.replace("password", "p%61ssword"),
    lambda text: text.replace("password", "PASSWORD"),
]


@given(st.sampled_from(GIVING), st.lists(st.sampled_from(WRAPPERS), max_size=3))
def test_no_masked_value_survives_in_a_text_of_any_form(giving: str, wrappers: list[object]) -> None:
    text = giving.format(SECRET)
    for wrap in wrappers:
        text = wrap(text)  # type: ignore[operator]
    masks = MaskedTexts(["password"])
    for shown in (masks.text(text), masks.body(text)):
        for _ in range(8):
            assert SECRET not in shown
            shown = decoded(shown)


@pytest.mark.parametrize(
    "text",
    [
        "user ann forgot the password",
        "password reset by ann",
        "/password/reset?a=1",
        "a=password&b=1",
        "my_password=1",
        "grant_type=password&user=ann",
        "q=what+is+a+password",
        '{"a":"the password"}',
        "passwords: 5",
        "50% of a password",
    ],
)
def test_a_text_that_gives_no_value_stays(text: str) -> None:
    assert MaskedTexts(["password"]).text(text) == text


def test_a_name_below_another_is_given_where_both_are_named_or_lead_there() -> None:
    masks = MaskedTexts(["card.number", "pin.*"])
    assert masks.text("order number: 5") == "order number: 5"
    assert masks.text("number: 5", ("card",)) == "[redacted]"
    assert masks.text("card: {number: 5}") == "[redacted]"
    assert masks.text("pin[a]: 5") == "[redacted]"


def test_what_is_encoded_without_end_is_taken_for_a_value() -> None:
    text = "password: x"
    for _ in range(MAX_ROUNDS + 3):
        text = quote("%" + text)
    assert GivenNames(MaskedNames(["password"]).masks).give(text, ())


@pytest.mark.parametrize(
    "text",
    [
        'user logged in {"password":"%s"}',
        '\ufeff{"password":"%s"}',
        "a=b\npassword=%s",
        "password: %s",
        '"password=%s"',
        '[{"name":"password","value":"%s"}]',
        "password%%3D%s",
        "a=<password>%s</password>",
        'null{"password":"%s"}',
        'query=mutation{login(password:"%s")}',
    ],
)
def test_it_is_so_in_members_and_in_strings_of_a_body(text: str) -> None:
    told = text % SECRET
    redact = "redact: {body: [password]}"
    assert SECRET not in sent(in_json(msg=told), f"{redact}, event: {{metadata: {{m: '${{msg}}'}}}}", MEMBERS)
    body = json.dumps({"a": told}).replace("\\", "\\x5C").replace('"', "\\x22")
    text = f"{redact}, event: {{request: {{body: $request_body}}}}"
    assert SECRET not in sent(in_nginx(body), text, of_nginx("request_body"))
