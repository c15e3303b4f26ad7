"""Numbers in JSON go through with their digits, however many."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship import digits
from logship.delivery.dead_letter import DeadLetter, from_json, to_json
from logship.event import LogFile
from logship.formats import compile_format, read_spec
from logship.mapping.bodies import body_members
from logship.mapping.made_fields import claim_reader
from logship.mapping.masked_texts import MaskedTexts
from logship.mapping.remote_texts import inside_of
from tests.mapping.world import convert, converter

BIG = "36893488147419103233"  # 2^65 + 1
PRECISE = "0.12345678901234567891"

numbers = st.one_of(
    st.integers(), st.integers(-(10**40), 10**40), st.decimals(allow_nan=False, allow_infinity=False, places=24),
    st.floats(allow_nan=False, allow_infinity=False),
).map(str)  # fmt: skip
trees = st.recursive(
    numbers | st.sampled_from(["null", "true", '"1234567890123456789"', '"\\u00e9\\""']),
    lambda inside: (
        st.lists(inside, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(inside, max_size=3).map(lambda p: "{" + ",".join(f'"{i}":{one}' for i, one in enumerate(p)) + "}")
    ),
    max_leaves=8,
)


def exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


@given(trees)
@example("18446744073709551616")
@example("-9223372036854775809")
@example("1234567890123456e5")
@example("[1234567890.123456]")
@example('{"a": -9223372036854775809 }')
@example("9999999999999999999")
@example(f"[{PRECISE}]")
def test_a_tree_read_and_written_holds_the_same_numbers(text: str) -> None:
    assert exactly(digits.dumps(digits.loads(text))) == exactly(text)


def test_what_orjson_holds_is_read_as_by_orjson() -> None:
    text = '[18446744073709551615,-9223372036854775808,1.5,-0,1e3,"9999999999999999999999"]'
    assert digits.loads(text) == orjson.loads(text)


@pytest.mark.parametrize("text", ["NaN", "[1,]", "0123456789012345678", '{"a":12345678901234567.}', "1e999", "\ud800"])
def test_what_is_no_json_is_none_with_long_numbers_either(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- orjson's, or that of half a surrogate pair
        digits.loads(text)


def test_long_numbers_deep_inside_are_no_json_rather_than_others() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        digits.loads("[" * 1_000 + BIG + "]" * 1_000)


def test_bodies_keep_their_digits_masked_or_not() -> None:
    text = f'{{"account":{BIG},"rate":{PRECISE},"pin":{BIG}}}'
    assert body_members(text).startswith(f'"body":{text},')
    assert MaskedTexts(["pin"]).body(text) == f'{{"account":{BIG},"rate":{PRECISE},"pin":"[redacted]"}}'


def test_whoever_has_a_number_for_an_id_keeps_all_of_it() -> None:
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOjM2ODkzNDg4MTQ3NDE5MTAzMjMzfQ."  # {"sub":BIG}
    assert claim_reader("sub")(token) == BIG
    assert inside_of(f'{{"a":{BIG}}}', ("a",)) == BIG
    keys = {"json": {"time_received": "time", "uid": "uid", "request_url": "uri"}}
    compiled = converter("event: {user_id: $uid}", compile_format(read_spec(keys), {}))
    lines = [f'{{"time":"2026-11-29T10:00:00Z","uid":{BIG[:-1]}{last},"uri":"/"}}'.encode() for last in "123"]
    users = [json.loads(event)["user_id"] for event in convert(compiled, *lines).events]
    assert users == [BIG[:-1] + last for last in "123"]


def test_a_dead_letter_keeps_the_digits_of_its_event() -> None:
    event = f'{{"metadata":{{"account":{BIG},"rate":{PRECISE}}}}}'
    dead = DeadLetter("id", "t", "r", LogFile(0, "/log", "s", 1, "o"), 7, b"x", event, 400, "no", False)
    assert from_json(to_json(dead)) == dead
