"""Sections: every mistake at once and in its place, and a JSON Schema that says the same."""

from __future__ import annotations

import pickle
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.event import Plain
from logship.sections import (
    REQUIRED,
    AnyTree,
    Choice,
    Converted,
    Inner,
    ListOf,
    MapOf,
    MapOr,
    NumberBounds,
    OrNull,
    Schema,
    Section,
    Switch,
    Text,
    UnfitError,
    Whole,
    declare,
)


def _length(value: object) -> int:
    if not isinstance(value, str):
        raise UnfitError("no length")
    return len(value)


class Leaf(Section):
    """A leaf."""

    source: str = declare(Text(), REQUIRED, "where from", written="from")
    size: int = declare(Whole(1, 9), 3, "how large")


class Tall(Section):
    """A tree."""

    name: str = declare(Text(is_filled=True), "oak", "its name")
    kind: str = declare(Choice("fir", "oak"), "oak", "its kind")
    is_green: bool = declare(Switch(), False, "in winter, too", written="green")
    height: int = declare(
        Converted(_length, {"type": "string"}, NumberBounds(more_than=1)), 2, "in letters", shown="aa"
    )
    leaf: Leaf | None = declare(OrNull(Inner(Leaf)), None, "one leaf")
    leaves: list[Leaf] = declare(ListOf(Inner(Leaf)), [], "more of them")
    by_name: dict[str, Leaf] = declare(MapOf(Inner(Leaf)), {}, "named ones")
    words: list[str] = declare(ListOf(Text(), is_filled=True), ["a"], "texts")
    either: dict[str, str] | str = declare(MapOr(MapOf(Text()), Text()), "", "a map or a text")
    any: object = declare(AnyTree(), None, "anything")


def wrong(tree: object) -> set[tuple[tuple[str | int, ...], str]]:
    _, mistakes = Tall.parse(tree)
    return {(one.location, one.wrong) for one in mistakes}


def test_what_is_left_out_has_its_default_and_what_is_given_is_known() -> None:
    tall, mistakes = Tall.parse({"green": "true", "leaf": {"from": 7}})
    assert not mistakes
    assert tall is not None
    assert tall.leaf is not None
    assert (tall.name, tall.height, tall.is_green, tall.leaf.source, tall.leaf.size) == ("oak", 2, True, "7", 3)
    assert tall.given == {"is_green", "leaf"}


def test_every_mistake_is_found_at_its_place() -> None:
    tree = {
        "name": "", "kind": "elm", "green": "yes", "height": "a", "leaf": {"size": "x"}, "leaves": [{"from": "a"}, 3],
        "by_name": {"a": {"from": [], "form": 1}}, "words": [], "either": {"a": []}, "size": 3,
    }  # fmt: skip
    assert wrong(tree) == {
        (("name",), "empty"),
        (("kind",), "choice"),
        (("green",), "switch"),
        (("height",), "bound"),
        (("leaf", "from"), "missing"),
        (("leaf", "size"), "number"),
        (("leaves", 1), "map"),
        (("by_name", "a", "from"), "text"),
        (("by_name", "a", "form"), "unknown"),
        (("words",), "empty"),
        (("either", "a"), "text"),
        (("size",), "unknown"),
    }


@pytest.mark.parametrize("tree", [None, [], "text", 5])
def test_what_is_no_map_is_one_mistake(tree: object) -> None:
    assert wrong(tree) == {((), "map")}


@pytest.mark.parametrize(
    ("text", "number"), [("4", 4), (" 4 ", 4), ("+4", 4), ("4.0", 4), ("1_0", None), ("٤", None), ("4.5", None), (4, 4)]
)
def test_whole_numbers_are_what_people_write(text: object, number: int | None) -> None:
    leaf, _ = Leaf.parse({"from": "", "size": text})
    assert (leaf and leaf.size) == number


@pytest.mark.parametrize("text", ["9" * 5_000, "0" * 5_000, "-1", "10", True, None, [], ""])
def test_a_number_that_can_not_be_is_a_mistake_and_no_traceback(text: object) -> None:
    assert Leaf.parse({"from": "", "size": text})[0] is None


def test_texts_lose_what_yaml_knew_of_them() -> None:
    leaf, _ = Leaf.parse({"from": Plain("a")})
    assert leaf is not None
    assert type(leaf.source) is str


def test_no_two_sections_share_a_default_that_can_change() -> None:
    one, other = Tall(), Tall()
    one.words.append("b")
    one.by_name["a"] = Leaf(source="x")
    assert other == Tall()
    assert one != other


def test_a_section_is_made_of_its_own_attributes_only() -> None:
    with pytest.raises(TypeError, match="branch, source"):
        Leaf(branch=1)


def test_a_section_travels_between_processes() -> None:
    tall, _ = Tall.parse({"leaves": [{"from": "a"}]})
    assert pickle.loads(pickle.dumps(tall)) == tall  # our own bytes


def test_the_keys_of_every_place_are_known() -> None:
    assert Tall.keys_at(("by_name", "x")) == Tall.keys_at(("leaves", 0)) == Tall.keys_at(("leaf",)) == ("from", "size")
    assert Tall.keys_at(("name",)) == Tall.keys_at(("nothing", 1, "here")) == ()


def schema() -> Schema:
    definitions: Schema = {}
    return Tall.schema(definitions) | {"$defs": definitions}


VALUES = st.recursive(
    st.sampled_from([None, "", "a", "oak", "aa", True, False]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["from", "size", "x"]), inner),
    max_leaves=6,
)
KEYS = st.sampled_from([*Tall.keys, "other"])


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_the_schema_takes_what_is_read_without_mistakes(tree: dict[str, Any]) -> None:
    section, _ = Tall.parse(tree)
    if section is not None and not _is_lenient(tree):
        jsonschema.validate(tree, schema())


def _is_lenient(tree: object) -> bool:
    """Whether a switch stands for text, or one text for a list: what no YAML holds, or no editor asks for."""
    if isinstance(tree, dict):
        return isinstance(tree.get("words"), str) or any(map(_is_lenient, tree.values()))
    return any(map(_is_lenient, tree)) if isinstance(tree, list) else isinstance(tree, bool)
