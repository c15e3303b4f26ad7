"""Whatever is printed passes one door: nothing in a log can move the cursor, hide or turn text."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.cli.terminal import LONGEST_EXCERPT, Styled, Terminal, Text, clean, safe, underlined
from logship.errors import Problem

HOSTILE = "a\x1b[2J\x07\x9b31m\u202eb\u200bc\ufeff\ud800\x7f\n\t\r"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = clean(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
    shown.encode("utf-8")


def test_control_bytes_are_shown_as_escapes() -> None:
    assert clean(HOSTILE) == r"a\x1b[2J\x07\x9b31m\u202eb\u200bc\ufeff\ud800\x7f\n\t\r"
    assert str(safe("[bold]\x1b")) == r"[bold]\x1b"


def test_a_file_gets_no_colours() -> None:
    stream = io.StringIO()
    Terminal(stream, {}).line(Styled("ERROR", "error"), " ", HOSTILE)
    assert stream.getvalue() == f"ERROR {clean(HOSTILE)}\n"


def test_a_screen_gets_colours_around_escaped_text() -> None:
    stream = Screen()
    Terminal(stream, {"TERM": "xterm"}).line(Styled("\x1b]0;x", "error"))
    assert stream.getvalue() == "\x1b[1;31m\\x1b]0;x\x1b[0m\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_people_who_want_no_colours_get_none(environ: dict[str, str]) -> None:
    stream = Screen()
    Terminal(stream, environ).line(Styled("ERROR", "error"))
    assert stream.getvalue() == "ERROR\n"


def test_columns_of_a_table_stand_in_line_whatever_is_in_them() -> None:
    stream = io.StringIO()
    rows: list[list[Text]] = [["a\x1b", Styled("1", "ok")], ["long name", "22"]]
    Terminal(stream, {}).table(["NAME", "N"], rows, right=[1])
    assert stream.getvalue() == "NAME        N\na\\x1b       1\nlong name  22\n"


@given(st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=400), st.data())
def test_an_underline_is_as_wide_as_what_it_is_under(excerpt: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(1, len(excerpt)))
    width = data.draw(st.integers(1, len(excerpt) - column + 1))
    lines = underlined(Problem("x.yml", 1, column, "wrong", excerpt=excerpt, width=width))
    if lines:
        line, carets = lines
        assert set(carets) <= {" ", "^"}
        assert len(carets) <= len(line) + 1
        assert len(line) <= 2 * LONGEST_EXCERPT + 16
