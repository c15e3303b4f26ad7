"""Two logs that one server writes of the same requests are told, whatever their formats; other logs are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from logship.check.newest import NewestRequest, newest_requests, pairs_of_same
from logship.cli import execute

COMBINED = '203.0.113.{ip} - - [10/Oct/2026:13:55:{second:02d} +0000] "GET /{path} HTTP/1.1" {status} 23 "-" "curl/8"'
JSON = (
    '{{"remote_addr":"203.0.113.{ip}","msec":"17{second:02d}","time_iso8601":"2026-10-10T13:55:{second:02d}+00:00",'
    '"request_method":"GET","request_uri":"/{path}","status":{status},"request_time":"0.250","host":"a.example"}}'
)


def lines(text: str, numbers: range, *, path: str = "") -> str:
    return "".join(
        text.format(ip=number % 7, second=number, path=path or number, status=404 if number % 3 == 0 else 200) + "\n"
        for number in numbers
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "logship.yml"
    path.write_text(
        f"endpoint: {{url: 'http://127.0.0.1:9', application_id: x}}\nstate_dir: {tmp_path}/state\norigin: web-1\n"
        f"sources:\n"
        f"  - {{name: plain, paths: ['{tmp_path}/access.log'], format: combined, fields: {{host: a.example}}}}\n"
        f"  - {{name: other, paths: ['{tmp_path}/other.log'], format: auto, fields: {{host: a.example}}}}\n"
    )
    return path


def is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    execute(["check", "-c", str(config)])
    return "each becomes two events" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lines(JSON.replace('"msec":"17{second:02d}",', ""), range(40)), True),
        (lines(COMBINED, range(20, 50)), True),  # it goes on where the first ends
        ("".join(line + "\n" for line in lines(COMBINED, range(40)).splitlines() if " 404 " in line), True),
        (lines(COMBINED.replace("/{path}", "/other/{path}"), range(40)), False),
        (lines(COMBINED.replace("13:55", "13:56"), range(40)), False),
        (lines(COMBINED, range(3)), False),
    ],
    ids=["as JSON", "a part", "errors only", "other requests", "another minute", "too few"],
)
def test_a_request_in_two_logs_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], other: str, told: bool
) -> None:
    (config.parent / "access.log").write_text(lines(COMBINED, range(40)))
    (config.parent / "other.log").write_text(other)
    assert is_told(config, capsys) is told


def test_a_monitor_that_asks_each_server_for_one_page_is_no_doubling(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("access.log", "other.log"):
        (config.parent / name).write_text(lines(COMBINED, range(40), path="health"))
    assert not is_told(config, capsys)


def test_an_event_that_a_mapping_left_without_request_or_response_is_none() -> None:
    assert newest_requests([{}, {"request": {}}, {"request": None, "response": {}}]) == ()
    request = NewestRequest.of({"request": {"uri": "https://a/x"}, "response": {}})
    assert request is not None
    assert list(pairs_of_same({"a": (request,) * 9, "b": (request,) * 9})) == []
