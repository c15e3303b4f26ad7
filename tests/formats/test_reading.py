"""What stands under `format:`: names, own formats, lists; wrong shapes say what to write."""

from __future__ import annotations

import pytest

from logship.errors import FormatError
from logship.formats import compile_format, read_spec
from tests.formats.presets import parsed, presets

COMBINED = '203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5 "-" "curl/8"'
COMMON = '203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5'


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (None, "None is no format"),
        ("", "is no format"),
        ([], "is no format"),
        ({}, "is no format"),
        (7, "is no format"),
        ({"ngnix": "$status"}, "did you mean nginx"),
        ({"nginx": "$status", "apache": "%s"}, "one of the keys"),
        ({"nginx": ""}, "needs the format as text"),
        ({"nginx": ["$status"]}, "needs the format as text"),
        ({"nginx": "$status", "fields": {}}, "to a regex only"),
        ("combind", "no preset 'combind'; did you mean 'combined'"),
        (["combined", "nope_nothing_like_it"], "see `logship formats`"),
        ("auto", "detect"),
    ],
)
def test_a_wrong_shape_says_what_to_write(tree: object, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        compile_format(read_spec(tree), presets())


def test_a_name_that_stands_for_itself_is_refused() -> None:
    with pytest.raises(FormatError, match="refers to itself"):
        compile_format(read_spec("a"), {"a": read_spec("b"), "b": read_spec("a")})


def test_an_own_format_may_be_named_and_take_the_presets_name() -> None:
    named = {**presets(), "main": read_spec({"nginx": "$status $remote_addr"}), "combined": read_spec("main")}
    assert parsed(compile_format(read_spec("combined"), named), "200 a") == {"status": "200", "remote_host": "a"}


def test_a_list_takes_each_line_by_the_first_that_fits() -> None:
    fmt = compile_format(read_spec(["combined", "common", {"json": "auto"}]), presets())
    lines = [COMBINED, COMMON, '{"time":"2024-06-10T00:00:00Z","status":200,"uri":"/j"}', "nonsense"]
    assert [fmt.choose(line.encode()) for line in lines] == [0, 1, 2, None]
    assert parsed(fmt, COMMON)["request_url"] == "/x"
    assert parsed(fmt, lines[2])["request_url"] == "/j"
    assert fmt.parse(b"nonsense") is None
    assert [member.name for member in fmt.members] == ["combined", "common", "json"]


def test_a_lists_reader_gives_what_a_member_lacks_as_absent() -> None:
    fmt = compile_format(read_spec(["combined", "common"]), presets())
    read = fmt.reader(["request_header_user_agent", "status"])
    assert read(COMBINED.encode()) == ("curl/8", "200")
    assert read(COMMON.encode()) == ("", "200")
    with pytest.raises(KeyError, match="host"):
        fmt.reader(["host"])


def test_a_misfit_of_a_list_is_that_of_the_member_that_got_furthest() -> None:
    fmt = compile_format(read_spec([{"json": "auto"}, "combined"]), presets())
    misfit = fmt.explain(b'203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5 "-" 7')
    assert misfit is not None
    assert misfit.expected == '"%{User-Agent}i"'
