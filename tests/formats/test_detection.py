"""Detection finds the preset a log is written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from logship.conversion import detect
from logship.formats import compile_format, read_spec
from tests.formats.presets import presets

CORPUS = Path(__file__).parents[1] / "corpora"
CAN_T_BE_TOLD_APART = {"nginx": "combined"}  # the same text


@pytest.mark.parametrize("name", presets())
def test_each_preset_is_found_from_its_examples(name: str) -> None:
    found = detect([line.encode() for line in presets()[name].examples], presets())
    assert found[0].name == CAN_T_BE_TOLD_APART.get(name, name)
    assert found[0].fits == found[0].of == len(presets()[name].examples)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("fluent-bit/apache_10k.log", "common"),
        ("mtail/apache-combined.log", "combined"),
    ],
)
def test_public_logs_are_found_out(file: str, name: str) -> None:
    lines = (CORPUS / file).read_bytes().splitlines()
    assert detect(lines, presets())[0].name == name


def test_a_log_that_no_preset_fits_is_found_to_be_none() -> None:
    lines = (CORPUS / "mtail" / "apache-common.log").read_bytes().splitlines()  # has %D between bytes and referer
    assert detect(lines, presets()) == []


def test_what_else_would_fit_comes_after_with_its_counts() -> None:
    timed = b'203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5 "-" "curl/8" 0.004'
    plain = timed.removesuffix(b" 0.004")
    detections = detect([timed, timed, plain, b""], presets())
    assert detections[0].name == "nginx_timed"
    found = {detection.name: (detection.fits, detection.of) for detection in detections}
    assert found["nginx_timed"] == (2, 3)
    assert found["combined"] == (1, 3)


def test_garbage_is_found_to_be_nothing() -> None:
    assert detect([b"hello", b"\xff\x00", b"{}", b"x" * 100_000], presets()) == []
    assert detect([], presets()) == []


def test_a_format_that_changed_under_its_name_is_the_new_one() -> None:
    for text, fits in (("$remote_addr $status", 0), ("$status $remote_addr", 1)):
        named = {"own": read_spec({"nginx": text})}
        assert len(detect([b"200 203.0.113.9"], named)) == fits
        assert len(detect([b"200 203.0.113.9"], named)) == fits


def test_a_log_whose_columns_never_name_a_client_is_no_log_of_clients() -> None:
    line = b'203.0.113.9 - - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5 "-" "curl/8"'
    assert detect([line], presets()) == []
    assert detect([b'{"time":"2026-11-25T10:11:12Z","status":200,"uri":"/x","method":"GET"}'], presets())


PREFIXES = [
    "2026-10-10T11:55:36.123Z", "2026-10-10T11:55:36+02:00", "13:55:36", "2026-10-10", "1696945536.123", "nginx:",
    "nginx[123]:", "web-1:", "INFO:", "[info]", "<190>1", "[pod/web-7d9f-x/nginx]", "default/web-7d9f/nginx:", "12",
    "200", "0.250", "true", "GET", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "10.0.0.0/8", "a=b", "https://shop.example",
    "shop.example:443:",
]  # fmt: skip
REST = '[10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 1234 "-" "curl/8"'


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_other_programs_write_before_a_line_is_no_virtual_host(prefix: str) -> None:
    assert detect([f"{prefix} 192.0.2.1 - - {REST}".encode()] * 3, presets()) == []


@pytest.mark.parametrize("second", ["198.51.100.7", "0.250", "DE", "HIT", "443"])
def test_a_word_behind_the_address_is_no_host(second: str) -> None:
    assert "lighttpd" not in [one.name for one in detect([f"203.0.113.9 {second} - {REST}".encode()] * 3, presets())]


def test_a_host_in_the_place_of_a_method_or_a_scheme_is_a_shifted_line() -> None:
    fmt = compile_format(read_spec({"nginx": "$remote_addr $scheme $request_method $request_uri $status"}), {})
    assert fmt.parse(b"203.0.113.9 https GET /a 200") is not None
    assert fmt.parse(b"203.0.113.9 https shop.example /a 200") is None
    assert fmt.parse(b"203.0.113.9 shop.example GET /a 200") is None


@pytest.mark.parametrize(
    ("behind", "found"),
    [
        ("0.004", "nginx_timed"), ("41520", "combined_timed"), (' "0.004"', "nginx_timed_quoted"),
        ('"41520"', ""), ('"4"', ""), ('"-" 41520', ""), ('"-" 0.004', "nginx_main_timed"), ('"-" "0.004"', ""),
        ("5", "combined_timed"), (" 5", "combined_timed"), ("312 1601", "combinedio"), (" 312 1601", "combinedio"),
        ("5 12", ""), ("0.5 0.004", ""), ('"203.0.113.7"', "nginx_main"), ('"0.4, 0.5"', ""), ("-", "combined_timed"),
    ],
)  # fmt: skip
def test_a_number_behind_a_line_is_what_its_server_writes_so_or_nothing_fits(behind: str, found: str) -> None:
    line = f"203.0.113.9 - - {REST} {behind}".encode()
    assert ([one.name for one in detect([line] * 3, presets())] or [""])[0] == found


@pytest.mark.parametrize("before", ["access.log:", "/var/log/nginx/access.log:", "access.log:12:", "12:"])
def test_what_grep_writes_before_a_line_is_no_client(before: str) -> None:
    assert detect([f"{before}203.0.113.9 - - {REST}".encode()] * 3, presets()) == []


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.9 - 198.51.100.7", "203.0.113.9 - - [10/Oct/2026:13:55:36 +0000]",
        "203.0.113.9 - ann [10/Oct/2026:13:55:36 +0000]", "203.0.113.9 - 13:55:36",
    ],
)  # fmt: skip
def test_an_address_or_a_time_is_no_user(line: str) -> None:
    assert detect([f"{line} {REST}".encode()] * 3, presets()) == []
