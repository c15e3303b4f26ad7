"""Patterns that are compiled at their first use."""

from __future__ import annotations

import re

import pytest

from logship import patterns
from logship.patterns import deferred, lazily_compiled

WORDS = deferred(r"(?P<first>[a-z]+)-([a-z]+)", re.IGNORECASE)


def test_it_is_used_as_the_pattern_that_it_becomes() -> None:
    found = WORDS.fullmatch("Red-blue")
    assert found
    assert found["first"] == "Red"
    assert (WORDS.groups, WORDS.pattern) == (2, r"(?P<first>[a-z]+)-([a-z]+)")
    assert deferred(rb"\s").split(b"a b") == [b"a", b"b"]


def test_the_functions_of_re_take_it_and_isinstance_knows_it() -> None:
    assert re.sub(WORDS, "x", "a-b c-d") == "x x"
    assert isinstance(WORDS, re.Pattern)


def test_it_is_compiled_once_and_not_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_now = re.compile

    def compile_(text: str, flags: int) -> re.Pattern[str]:
        compiled.append(text)
        return compile_now(text, flags)

    monkeypatch.setattr(patterns, "_compile", compile_)
    digits = deferred("[0-9]")
    assert not compiled
    assert [digits.match("1") is not None for _ in range(3)] == [True] * 3
    assert compiled == ["[0-9]"]


def test_a_mistake_shows_at_the_first_use() -> None:
    with pytest.raises(re.error, match="unterminated"):
        deferred("(").match("")


def test_what_is_compiled_meanwhile_is_compiled_later_and_nothing_after_it() -> None:
    with lazily_compiled():
        inside = re.compile("a+", re.IGNORECASE)
    assert type(inside) is not re.Pattern
    assert inside.fullmatch("AA")
    assert type(re.compile("a+")) is re.Pattern
