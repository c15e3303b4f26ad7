"""Plain patterns mean to Python's engine what they mean to RE2, and none of them has a second way to match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.formats.re2_door import compile_pattern
from logship.mapping.plain_pattern import plain_pattern

CHARS = "ab0/._-?[\n $"
ITEMS = (
    "a", "b", "0", "/", " ", r"\.", r"\?", r"\[", r"\$", "[ab]", "[a-z]", "[0-9]", "[0-9_]", "[^/]", "[^a-z/]", "[b-]",
)  # fmt: skip


def written(items: list[str], group: tuple[int, int], end: str) -> str:
    """A pattern of these items; those from group[0] up to group[1] stand in a named group."""
    first, last = group
    if first <= last < len(items):
        items = [*items[:first], f"(?P<one>{items[first]}", *items[first + 1 :]]
        items[last] += ")"
    return "^" + "".join(items) + end


REPEATED = st.tuples(st.sampled_from(ITEMS), st.sampled_from(["", "", "+", "*"])).map("".join)
PATTERNS = st.builds(
    written,
    st.lists(REPEATED, max_size=6),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.sampled_from(["", "$"]),
)


@given(PATTERNS, st.text(CHARS, max_size=12))
def test_both_engines_find_the_same(pattern: str, text: str) -> None:
    plain = plain_pattern(pattern)
    if plain is None:
        return
    match, other = plain(text), compile_pattern(pattern).search(text.encode())
    assert (match is None) == (other is None)
    if match is not None and other is not None:
        assert match.groups() == tuple(None if group is None else group.decode() for group in other)


@pytest.mark.parametrize(
    "pattern",
    [
        "^/api/v2/users/(?P<user>[0-9]+)/", "^/a[0-9]*x$", "^[^/]+/x", "^(?P<a>[0-9]+)(?P<b>[a-z]*)$", r"^/a\.b$",
        "^/[a-z-]+$",
    ],
)  # fmt: skip
def test_what_rules_usually_ask_is_plain(pattern: str) -> None:
    assert plain_pattern(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "a", "^a|b", "^a.*b", "^[a-z]+[a-z]", "^[a-z]*b*c", "^[0-9]*[a-z]*[0-9]", "^(?P<a>x)+", "^(a+)+$", "^(x)",
        "^x++", "^x+?", r"^\d+", r"^a\$b$*", "^[]a]", "^[a-c]+", "^[a&&b]", "^é+", "(?i)^a", "^a{2}", "^(?P<a>a", "^a)",
    ],
)  # fmt: skip
def test_what_has_a_second_way_or_is_not_known_is_left_to_re2(pattern: str) -> None:
    assert plain_pattern(pattern) is None
