"""A line that does not fit is told where it stopped, and what was expected there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.presets import apache, nginx, preset

GOOD = '203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 17 "-" "curl/8"'


@pytest.mark.parametrize(
    ("line", "at", "expected", "fits"),
    [
        ("", 0, "%h", 0),
        ("hello", 5, "a space and %l", 1),
        ("203.0.113.9 - - 10/Oct", 16, "[%t]", 3),
        ("203.0.113.9 - - [10/Oct/2000]", 17, "a time like 10/Oct/2000:13:55:36 -0700 (%t)", 3),
        (GOOD.replace("10/Oct", "32/Oct"), 17, "a time like 10/Oct/2000:13:55:36 -0700 (%t)", 3),
        (GOOD.replace('"GET', "GET"), 45, '"%r"', 4),
        (GOOD.replace(" 200", " ok"), 63, "%>s (a status of three digits)", 5),
        (GOOD.replace(" 17", " 1x7"), 67, "%b (a whole number)", 6),
        (GOOD.replace('"-" "curl/8"', "0.004"), 70, '"%{Referer}i"', 7),
        (GOOD[:-1], 81, '"', 9),
        (GOOD + " 12", 82, "the end of the line", 9),
        (GOOD.replace("- -", "- joe smith") + " 12", 90, "the end of the line", 9),
    ],
)
def test_the_first_byte_that_failed_is_named(line: str, at: int, expected: str, fits: int) -> None:
    misfit = preset("combined").explain(line.encode())
    assert misfit is not None
    assert (misfit.at, misfit.expected, misfit.fits, misfit.of) == (at, expected, fits, 9)


def test_a_line_that_fits_has_no_misfit() -> None:
    assert preset("combined").explain(GOOD.encode()) is None
    assert preset("combined").explain(b"\xef\xbb\xbf" + GOOD.encode() + b"\r") is None


def test_the_place_counts_a_byte_order_mark() -> None:
    misfit = preset("combined").explain(b"\xef\xbb\xbf" + GOOD.encode() + b" 12")
    assert misfit is not None
    assert misfit.at == 85


def test_tabs_are_named() -> None:
    misfit = nginx("$status\t$remote_addr").explain(b"200 a")
    assert misfit is not None
    assert misfit.expected == "<tab>$remote_addr"


def test_modifiers_are_shown_as_written() -> None:
    misfit = apache("%>s %{ms}T end").explain(b"200 x")
    assert misfit is not None
    assert misfit.expected == "%{ms}T (a number)"


@given(st.integers(0, len(GOOD)), st.binary(max_size=4))
def test_every_line_fits_or_is_explained(at: int, junk: bytes) -> None:
    line = GOOD[:at].encode() + junk.replace(b"\n", b"") + GOOD[at + 1 :].encode()
    fmt = preset("combined")
    misfit = fmt.explain(line)
    assert (misfit is None) == (fmt.parse(line) is not None)
    if misfit is not None:
        assert 0 <= misfit.at <= len(line)
        assert misfit.expected
