"""A batch taken apart without decoding it as a whole."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.collector import elements as module
from logship.collector.elements import decode, elements, has_too_many_values
from logship.collector.refusal import RefusalError

TEXTS = st.text(st.sampled_from('a"\\,[]{}: \n\u00e9\U0001f600'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
SPOILT = st.binary(min_size=1, max_size=3) | st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b'\\"', b" "])


def decoded(body: bytes) -> list[object]:
    return [decode(text, "") for text in elements(body)]


@given(st.lists(VALUES, max_size=5), st.booleans())
def test_elements_of_an_array_are_those_of_its_decoder(values: list[object], is_spread: bool) -> None:
    body = orjson.dumps(values, option=orjson.OPT_INDENT_2 if is_spread else None)
    assert decoded(b" \n" + body + b"\t ") == values


@given(st.lists(VALUES, max_size=4), SPOILT, st.integers(0, 200), st.integers(0, 2))
def test_an_array_that_a_decoder_refuses_is_refused(values: list[object], spoilt: bytes, at: int, over: int) -> None:
    body = orjson.dumps(values)
    at = min(at, len(body))
    body = body[:at] + spoilt + body[at + over :]
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(RefusalError):
            decoded(body)
        return
    if isinstance(whole, list):
        assert decoded(body) == whole
    else:
        with pytest.raises(RefusalError):
            decoded(body)


def test_texts_without_an_end_take_linear_time() -> None:
    with pytest.raises(RefusalError, match="a text has no end, at byte 1"):
        list(elements(b'["' + b'\\"' * 500_000))  # each quotation mark could begin a text: 500,000 squared steps


@pytest.mark.parametrize(
    "one", ["{},", "[],", "1,", '"",', '"a":1,', "[{", '{"a":['], ids=["{}", "[]", "1", '""', "keys", "[{", "a["]
)
def test_values_are_counted_before_they_are_made(one: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 100)
    assert has_too_many_values(one.encode() * 101)
    assert not has_too_many_values(one.encode() * 30)
    assert not has_too_many_values(orjson.dumps(one * 101))  # the same inside a text is one value
