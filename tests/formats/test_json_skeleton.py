"""What is learned from one JSON line, and which others are of its skeleton."""

from __future__ import annotations

import pytest

from logship.formats.json_skeleton import Type, learn

LINE = b'{"t": "2024", "n":7,"gone":null ,"on":true,"f":0.5}'


def test_a_skeleton_is_the_line_without_its_values() -> None:
    found = learn(LINE, {"t", "f", "gone", "other"})
    assert found is not None
    assert found.columns == ("t", "f")
    assert found.types == {
        "t": Type.STRING, "n": Type.NUMBER, "gone": Type.NULL, "on": Type.BOOLEAN, "f": Type.NUMBER
    }  # fmt: skip
    other = LINE.replace(b"2024", b"x").replace(b"7", b"12.25").replace(b"true", b"false").replace(b"0.5", b"3")
    data = LINE + b"\n" + other + b"\n"
    rows = found.pattern.find(data.decode(), data, [LINE, other])
    assert rows is not None
    assert rows.rows == [("2024", "0.5"), ("x", "3")]
    assert not rows.dirty


@pytest.mark.parametrize(
    "other",
    [
        LINE.replace(b"7", b"07"),
        LINE.replace(b"7", b"-7"),
        LINE.replace(b"7", b"1e3"),
        LINE.replace(b"7", b'"7"'),
        LINE.replace(b"7", b"1234567890123456"),
        LINE.replace(b'"n"', b'"m"'),
        LINE.replace(b"null", b"{}"),
        LINE + b" ",
        LINE + LINE,
        LINE[:-1],
        LINE.replace(b"2024", b"\\u00e9"),
        LINE.replace(b"2024", "é".encode()),
        LINE.replace(b"2024", b"\x7f"),
    ],
)
def test_a_line_of_another_skeleton_is_set_aside(other: bytes) -> None:
    found = learn(LINE, {"t"})
    assert found is not None
    lines = [LINE, other, LINE]
    data = b"".join(line + b"\n" for line in lines)
    rows = found.pattern.find(data.decode("latin-1"), data, lines)
    assert rows is None or rows.dirty == {1}


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{}", b"[]", b'{"a":1', b'{"a":1}}', b'{"a":1,}', b'{"a":{"b":1}}', b'{"a":[1]}', b'{"a":1,"a":2}',
        b'{"a":01}', b'{"a":"\\n"}', b'{"a":"\xc3\xa9"}', b'{"a\\u0062":1}', b'{"a":"\t"}', b'{"a":1}{"a":1}',
        b'{"b":1}',
    ],
)  # fmt: skip
def test_nothing_is_learned_from_what_is_no_flat_object_of_plain_text(line: bytes) -> None:
    assert learn(line, {"a"}) is None
