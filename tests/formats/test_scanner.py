"""The hot path says of clean lines exactly what the exact path says, and leaves the others to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.formats import Format, Scanner
from logship.formats.unclean import unclean
from tests.formats.presets import nginx, preset
from tests.formats.test_round_trip import SHARE, TEXT_PRESETS, shape_of
from tests.formats.writing import lines

GOOD = b'203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x?y=1 HTTP/1.1" 200 2326 "-" "curl/8.5.0"'
ODD = [
    b"",
    b"203.0.113.9",
    b"203.0.113.9 - - [",
    GOOD[:-1],
    GOOD + b" 12",
    GOOD.replace(b'"GET /x?y=1 HTTP/1.1"', b'""'),
    GOOD.replace(b'"GET /x?y=1 HTTP/1.1"', b'"-"'),
    GOOD.replace(b"GET", b"get"),
    GOOD.replace(b" /x", b" http://shop.example/x"),
    GOOD.replace(b" /x", b" /a b"),
    GOOD.replace(b"curl", rb"cu\"rl"),
    GOOD.replace(b"curl", rb"cu\x22rl"),
    GOOD.replace(b"curl", b'cu"rl'),
    GOOD.replace(b"curl", b"cu\trl\x01"),
    GOOD.replace(b"curl", "cürl".encode()),
    GOOD.replace(b"curl", b"c\xffrl"),
    GOOD.replace(b"curl", b"c\x7frl"),
    GOOD.replace(b"200", b"000"),
    GOOD.replace(b"200", b"20"),
    GOOD.replace(b"2326", b"-"),
    GOOD.replace(b"2326", b"0007"),
    GOOD.replace(b"2326", b"--7"),
    GOOD.replace(b"- - [", b"- joe smith ["),
    GOOD.replace(b"- - [", b'- "" ['),
    GOOD.replace(b"10/Oct", b"[10/Oct"),
    GOOD + b"\r",
    b'"' * 6,
    b'a b c [d] "E /f HTTP/1.1" 200 1 "g" "h',
]
NEEDED = [
    "remote_host", "remote_user", "time_received", "request_method", "request_url", "status", "response_bytes_clf",
    "request_header_referer", "request_header_user_agent",
]  # fmt: skip


def check(fmt: Format, scanner: Scanner, chunk: list[bytes]) -> int:
    """Every clean row is the parsed one; the number of clean rows."""
    rows = scanner.clean_rows(b"".join(line + b"\n" for line in chunk), chunk)
    if rows is None:
        return 0
    assert len(rows) == len(chunk)
    clean = 0
    for row, line in zip(rows, chunk, strict=True):
        if row is None:
            continue
        parsed = scanner.parse(line)
        if parsed is None:  # an impossible time is the caller's to find
            assert any(slot.time for slot in scanner.slots) or any(slot.time for slot in fmt.slots)
            continue
        assert tuple("" if value == "-" else value for value in row) == parsed, line
        assert all(value.isascii() and value.isprintable() and not set(value) & set('"\\') for value in row)
        clean += 1
    return clean


@given(st.lists(st.sampled_from([GOOD, *ODD]), min_size=1, max_size=12))
def test_clean_rows_of_a_chunk_are_the_parsed_rows(chunk: list[bytes]) -> None:
    fmt = preset("combined")
    check(fmt, fmt.scanner(NEEDED), chunk)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_line_does_not_spoil_its_neighbours(odd: bytes) -> None:
    fmt = preset("combined")
    chunk = [GOOD, odd, GOOD, GOOD, odd, GOOD, *[GOOD] * 20]
    assert check(fmt, fmt.scanner(NEEDED), chunk) >= 24


@given(st.lists(st.one_of(st.just(GOOD), st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b""))), max_size=8))
def test_no_bytes_between_lines_make_a_wrong_row(chunk: list[bytes]) -> None:
    fmt = preset("combined")
    check(fmt, fmt.scanner(NEEDED), chunk)


@given(st.lists(st.tuples(st.sampled_from([GOOD, *ODD]), st.integers(0, 100), st.sampled_from(list(b' "[]\\-\r/a0')))))
def test_a_changed_byte_makes_no_wrong_row(changes: list[tuple[bytes, int, int]]) -> None:
    chunk = []
    for line, at, byte in changes:
        changed = bytearray(line)
        changed[at : at + 1] = bytes([byte])
        chunk.append(bytes(changed))
    fmt = preset("combined")
    check(fmt, fmt.scanner(NEEDED), [GOOD, *chunk, GOOD])


@pytest.mark.parametrize("name", TEXT_PRESETS)
@settings(max_examples=SHARE)
@given(data=st.data())
def test_every_preset_scans_what_it_parses(name: str, data: st.DataObject) -> None:
    shape, writer = shape_of(name)
    fmt = preset(name)
    chunk = [data.draw(lines(shape, writer))[0] for _ in range(3)]
    check(fmt, fmt.scanner([slot.field for slot in fmt.slots]), [*chunk, GOOD, b"", *chunk])


def test_only_the_needed_fields_are_read_in_the_order_asked_for() -> None:
    scanner = preset("combined").scanner(["status", "remote_host"])
    assert scanner.clean_rows(GOOD + b"\n", [GOOD]) == [("200", "203.0.113.9")]
    assert scanner.parse(GOOD) == ("200", "203.0.113.9")
    assert [slot.field for slot in scanner.slots] == ["status", "remote_host"]


def test_a_single_field_and_none_at_all_are_rows_too() -> None:
    assert preset("combined").scanner(["status"]).clean_rows(GOOD + b"\n", [GOOD]) == [("200",)]
    assert preset("combined").scanner([]).clean_rows(GOOD + b"\n", [GOOD]) == [()]


def test_a_field_the_format_lacks_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="host"):
        preset("combined").scanner(["host"])


def test_carriage_returns_before_newlines_are_no_part_of_the_last_field() -> None:
    fmt = nginx("$remote_addr [$time_local] $status $my_last")
    line = b"203.0.113.9 [10/Oct/2000:13:55:36 -0700] 200 end"
    rows = fmt.scanner(["my_last"]).clean_rows(line + b"\r\n" + line + b"\r\n", [line, line])
    assert rows == [("end",), ("end",)]
    assert fmt.scanner(["my_last"]).parse(line + b"\r") == ("end",)


def test_most_lines_of_a_chunk_stay_on_the_hot_path_beside_escaped_ones() -> None:
    escaped = GOOD.replace(b"curl", rb"\x22curl\x22")
    chunk = [GOOD] * 500 + [escaped] + [GOOD] * 499
    scan = preset("combined").scanner(NEEDED).scan(b"".join(line + b"\n" for line in chunk), chunk)
    assert scan is not None
    assert list(scan.dirty) == [500]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('escape=json \'{"s":"$status","a":"$http_a"}\'', b'{"s":"200","a":""}'),
        ("escape=none '$status,$http_a'", b"200,"),
    ],
)
def test_an_empty_value_is_absent_as_a_dash_is(text: str, line: bytes) -> None:
    fmt = nginx(text)
    rows = fmt.scanner([slot.field for slot in fmt.slots]).clean_rows(line + b"\n", [line])
    assert rows is not None
    assert rows[0] is not None
    assert "-" in rows[0]
    assert "" not in rows[0]


@given(st.lists(st.sampled_from([b"", b"plain", b"a\\x", b"\\", b"\xc3\xa9", b"\x7f", b"end\r"]), max_size=99))
def test_unclean_lines_are_those_with_a_backslash_a_del_or_a_byte_beyond_ascii(chunk: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in chunk)
    told = {index for index, line in enumerate(chunk) if set(line) & {0x5C, *range(0x7F, 0x100)}}
    assert unclean(data, chunk) == told
