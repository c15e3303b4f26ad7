"""The header Retry-After in every form that servers send, and any other text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.delivery.answer import MAX_RETRY_AFTER_S, retry_after_s

NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("99999", MAX_RETRY_AFTER_S),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun, 06 Nov 1994 07:00:00 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:50:37 GMT", MAX_RETRY_AFTER_S),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 5000, None),
    ],
)
def test_seconds_and_dates_are_understood_and_the_rest_is_nothing(text: str | None, wait_s: float | None) -> None:
    assert retry_after_s(text, NOW_S) == wait_s


@given(st.text())
def test_no_header_value_is_an_error(text: str) -> None:
    wait_s = retry_after_s(text, NOW_S)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S
