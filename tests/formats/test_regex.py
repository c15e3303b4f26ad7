"""Formats by regular expression: linear by RE2, refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import FormatError
from logship.formats import Format, compile_format, read_spec
from logship.formats.re2_door import compile_pattern
from logship.formats.regex_format import WAYS_BYTES
from tests.formats.presets import parsed, presets

PATTERN = (
    r'^(?P<remote_host>\S+) (?P<time_received>\S+ \S+) "(?P<request>[^"]*)" (?P<status>\d+|-)(?: (?P<tenant>\w+))?$'
)


def compiled(tree: object) -> Format:
    return compile_format(read_spec(tree), presets())


def test_named_groups_are_fields() -> None:
    found = parsed(compiled({"regex": PATTERN}), '203.0.113.9 10/Jun/2024:00:00:00 +0000 "GET /é HTTP/1.1" 200 acme')
    assert found == {
        "remote_host": "203.0.113.9", "time_received": "10/Jun/2024:00:00:00 +0000", "status": "200", "tenant": "acme",
        "request_first_line": "GET /é HTTP/1.1", "request_method": "GET", "request_url": "/é",
        "request_http_ver": "1.1",
    }  # fmt: skip


def test_a_group_that_took_no_part_and_a_dash_are_absent() -> None:
    found = parsed(compiled({"regex": PATTERN}), '203.0.113.9 10/Jun/2024:00:00:00 +0000 "-" -')
    assert set(found) == {"remote_host", "time_received"}


def test_a_time_takes_its_format_from_fields() -> None:
    times = {"time_received": {"key": "ts", "format": "%d.%m.%y %T"}}
    tree = {"regex": r"(?P<ts>.+?);(?P<status>\d+)", "fields": times}
    assert parsed(compiled(tree), "10.06.24 00:00:00;200")["time_received"] == "10.06.24 00:00:00"
    assert compiled(tree).parse(b"31.06.24 00:00:00;200") is None


def test_an_impossible_time_does_not_fit_and_is_pointed_at() -> None:
    fmt = compiled({"regex": PATTERN})
    misfit = fmt.explain(b'203.0.113.9 31/Jun/2024:00:00:00 +0000 "-" 200')
    assert misfit is not None
    assert (misfit.at, misfit.fits) == (12, 1)


def test_the_place_where_a_line_stops_fitting_is_found() -> None:
    misfit = compiled({"regex": PATTERN}).explain(b'203.0.113.9 10/Jun/2024:00:00:00 +0000 "GET /" abc')
    assert misfit is not None
    assert misfit.at == 47
    assert misfit.expected.startswith(r"what matches (?P<status>\d+|-)")


@pytest.mark.parametrize(
    ("pattern", "ways"),
    [
        (r'^(?P<host>\S+) "(?P<request>[^"]*)"', 1),
        (r"(?P<host>.*) \.* [.*]* []^.*]* [^].*]* [[:alpha:].*]* (?P<a>.)", 2),
        (r'(?P<host>.*?) "(?P<request>.+)" (?P<a>.{2,}) \\.*', 5),
    ],
)
def test_the_more_ways_a_pattern_may_go_the_shorter_lines_have_to_be(pattern: str, ways: int) -> None:
    assert getattr(compiled({"regex": pattern}), "longest", None) == WAYS_BYTES // ways


def test_a_line_too_long_for_its_pattern_does_not_fit_and_says_why() -> None:
    fmt = compiled({"regex": r"(?P<host>.*) (?P<user>.*)"})
    longest = WAYS_BYTES // 3
    assert fmt.parse(b"a " + b"x" * (longest - 2)) is not None
    misfit = fmt.explain(b"a " + b"x" * longest)
    assert misfit is not None
    assert (misfit.at, misfit.expected) == (longest, "the end of a line (the regex has 2 × .*; write [^ ]*)")


@pytest.mark.parametrize(
    ("pattern", "reason", "column"),
    [
        (r"(?P<status>\d+)(?=x)", "invalid perl operator", 15),
        (r"(?P<status>\d+", "missing \\)", 0),
        (r"(?P<status>[0-9)", "missing \\]", 11),
        (r"(?P<status>\d+) \1", "invalid escape sequence", 16),
        (r"\d+", "no named groups", 0),
        (r"(?P<status>a)(?P<status>b)", "appears twice", 16),
        (r"(?P<http_referer>a)(?P<request_header_referer>b)", "appears twice", 22),
    ],
)
def test_a_bad_regex_is_refused_with_re2s_reason(pattern: str, reason: str, column: int) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        compiled({"regex": pattern})
    assert caught.value.column == column


def test_fields_that_no_group_has_are_refused_with_a_suggestion() -> None:
    with pytest.raises(FormatError, match="did you mean stamp"):
        compiled({"regex": r"(?P<stamp>\S+)", "fields": {"time_received": {"key": "stamps", "format": "%s"}}})


def test_patterns_see_bytes_that_are_no_utf8() -> None:
    assert compile_pattern(r"a.b").search(b"a\xffb") == ()
    assert compile_pattern("é").is_found("café".encode())
    assert compile_pattern(r"(?P<x>b)(c)?").named(b"abd") == {"x": b"b"}
    assert compile_pattern(r"(b)(c)?").spans(b"abd bc bc", 2) == [[(1, 2), (1, 2), (-1, -1)], [(4, 6), (4, 5), (5, 6)]]


@given(st.binary(max_size=40) | st.text("ab/@.%0", max_size=40).map(str.encode))
def test_a_pattern_matches_the_same_without_its_groups(text: bytes) -> None:
    for pattern in (r"(a|b)+[.](?:c)?", r"([a-z0-9._%+-]+(?:@|%40)[a-z.]+)", r"^(.*)/([^/]*)$", r"(?i)(B*?)a(b|)"):
        with_groups, without = compile_pattern(pattern), compile_pattern(pattern, captures=False)
        assert without.is_found(text) == with_groups.is_found(text)
        assert [span[:1] for span in with_groups.spans(text, 9)] == without.spans(text, 9)
