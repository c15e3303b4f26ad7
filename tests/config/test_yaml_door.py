"""YAML becomes text with places; its traps are told in plain words, with the line written right."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.config.document import Document, Tree
from logship.config.yaml_door import parse
from logship.event import Plain

TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12)
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.none() | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def leaves(tree: Tree, at: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in leaves(value, (*at, key))]
    if isinstance(tree, list):
        return [leaf for index, value in enumerate(tree) for leaf in leaves(value, (*at, index))]
    return [] if tree is None else [(at, tree)]


@given(TREES, st.sampled_from([None, 2]))
def test_every_tree_comes_back_and_every_text_has_its_place(tree: Tree, indent: int | None) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=indent)  # JSON is YAML
    document = parse(text, "x.yml")
    assert document.problems == ()
    assert document.tree() == tree
    for location, value in leaves(tree):
        problem = document.problem(location, "here")
        assert problem.column is not None
        assert json.loads(problem.excerpt[problem.column - 1 :][: problem.width]) == value


@given(TEXTS.filter(bool), st.data())
def test_a_place_inside_a_quoted_text_is_found(value: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(0, len(value) - 1))
    assert json.loads(f'"{found(json.dumps(value, ensure_ascii=False), column)}"') == value[column]
    in_single_quotes = "'" + value.replace("'", "''") + "'"
    assert found(in_single_quotes, column).replace("''", "'") == value[column]


def found(written: str, column: int) -> str:
    """What is underlined for one character of a scalar written like this."""
    problem = parse(f"a: {written}\n", "x.yml").problem(("a",), "here", column=column)
    assert problem.column is not None
    return problem.excerpt[problem.column - 1 :][: problem.width]


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    document = parse(text, "x.yml")
    for problem in document.problems:
        assert problem.line is not None
        assert problem.message


@pytest.mark.parametrize(
    "written", ["on", "no", "yes", "0017", "08", "+0200", "1e3", "0x1F", "1_000", "12:30", "2026-10-10", "=", "<="]
)
def test_plain_scalars_stay_what_was_typed(written: str) -> None:
    tree = parse(f"a: {written}\n", "x.yml").tree()
    assert tree == {"a": written}
    assert isinstance(tree, dict)
    assert isinstance(tree["a"], Plain)


def test_quoted_scalars_are_no_plain_ones() -> None:
    tree = parse("a: 'true'\n", "x.yml").tree()
    assert isinstance(tree, dict)
    assert not isinstance(tree["a"], Plain)


@pytest.mark.parametrize("written", ["", "~", "null", "Null", "NULL"])
def test_plain_nothing_is_null_and_quoted_nothing_is_text(written: str) -> None:
    assert parse(f"a: {written}\n", "x.yml").tree() == {"a": None}
    assert parse(f"a: '{written}'\n", "x.yml").tree() == {"a": written}


def only_problem(text: str) -> tuple[Document, str, str]:
    document = parse(text, "x.yml")
    (problem,) = document.problems
    return document, problem.message, problem.hint


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("a: {uri: ${scheme}://${host}${target}}", "a: {uri: '${scheme}://${host}${target}'}"),
        ("a: {x: ${y}, z: b}", "a: {x: '${y}', z: b}"),
        ("a: [/var/log/{a,b}.log, c]", "a: ['/var/log/{a,b}.log', c]"),
        ("a: *.log", "a: '*.log'"),
        ("- *.log", "- '*.log'"),
        ("a: %h %l %u", "a: '%h %l %u'"),
        ("a: {apache: %h %l}", "a: {apache: '%h %l'}"),
        ("a: @daily", "a: '@daily'"),
        ('a: {nginx: $remote_addr [$time_local] "$request"}', "a: {nginx: '$remote_addr [$time_local] \"$request\"'}"),
        ("a: it's: so", "a: 'it''s: so'"),
        ('a: "x" - y', "a: '\"x\" - y'"),
        ('a: "\\d+"', "a: '\\d+'"),
        ("a: %h  # the host", "a: '%h'  # the host"),
    ],
)
def test_a_value_that_wants_quotes_is_shown_in_quotes(line: str, right: str) -> None:
    document, _, hint = only_problem(line + "\n")
    assert hint == f"quote it:  {right}"
    assert document.tree() == parse(right, "x.yml").tree()


@pytest.mark.parametrize(
    ("line", "right"), [("a: 'x", "a: 'x'"), ('a: "x', 'a: "x"'), ("a: [b, c", "a: [b, c]"), ("a: {b: c", "a: {b: c}")]
)
def test_what_is_opened_and_not_closed_is_shown_closed(line: str, right: str) -> None:
    _, message, hint = only_problem(line + "\nz: 1\n")
    assert "never closed" in message
    assert hint == f"close it:  {right}"


def test_mistakes_behind_a_mended_line_are_told_too() -> None:
    document = parse("a: *.log\nb: {x: ${y}}\nc:\n\td: 1\ne: 1\ne: 2\n", "x.yml")
    assert [problem.line for problem in document.problems] == [1, 2, 4, 6]


def test_a_key_that_stands_twice_names_the_other_line() -> None:
    _, message, _ = only_problem("a: 1\nb: 2\na: 3\n")
    assert message == "'a' appears twice, first in line 1"


def test_anchors_and_merge_keys_work() -> None:
    text = "base: &base {x: 1, y: 2}\nown: {<<: *base, y: 3}\n"
    assert parse(text, "x.yml").tree() == {"base": {"x": "1", "y": "2"}, "own": {"y": "3", "x": "1"}}


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [*a]\n",
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
        "[" * 2_000,
        "a: " + "{b: " * 500 + "1" + "}" * 500,
    ],
    ids=["itself", "a billion laughs", "brackets", "deep"],
)
def test_yaml_that_grows_without_end_is_refused(bomb: str) -> None:
    assert parse(bomb, "x.yml").problems != ()


@pytest.mark.parametrize("tag", ["!x", "!!python/object:os.system", "!!binary"])
def test_tags_mean_nothing(tag: str) -> None:
    document = parse(f"a: {tag} b\n", "x.yml")
    assert document.tree() == {"a": "b"}
    assert (len(document.problems) == 1) == (tag != "!!binary")


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse("\ufeffa: 1\n", "x.yml").tree() == {"a": "1"}


def test_a_key_glued_to_its_value_is_told_at_its_own_line() -> None:
    document, message, hint = only_problem("a:\n  url:https://x\n  b: 1\n")
    assert (message, hint) == ("no blank after this ':'", "write:  url: https://x")
    assert document.tree() == {"a": {"url": "https://x", "b": "1"}}


@pytest.mark.parametrize("blank", ["\u00a0", "\u3000", "\u2003"])
def test_blanks_that_are_none_are_told(blank: str) -> None:
    document, message, _ = only_problem(f"a:\n{blank}{blank}b: 1\n")
    assert f"U+{ord(blank):04X}" in message
    assert document.tree() == {"a": {"b": "1"}}


@pytest.mark.parametrize("written", ["“x”", "‘x’", "„x“"])
def test_quotes_of_word_processors_are_told(written: str) -> None:
    _, message, _ = only_problem(f"a: {written}\n")
    assert message == f"{written[0]} is not a YAML quote but part of the text"


def test_pieces_of_an_nginx_string_are_sent_to_a_block() -> None:
    _, _, hint = only_problem("nginx: '$remote_addr'\n       '[$time_local]'\n")
    assert "nginx: |" in hint
