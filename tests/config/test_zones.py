"""Times without a zone: whose zone they are read in is said, and `local` is the system's."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from logship.cli import execute
from logship.config import load_settings
from logship.config.values import zone_of
from logship.event import LogFile

LINE = "2026-11-29 19:54:56"
APACHE = """format: {apache: '%h %{%Y-%m-%d %H:%M:%S}t "%r" %>s'}"""
JSON = "format: {json: {time_received: t, remote_host: h, status: s}}"
TEXT_LINE = f'203.0.113.9 {LINE} "GET /x HTTP/1.1" 200'
JSON_LINE = '{"t":"2026-11-29T19:54:56.123","h":"203.0.113.9","s":200}'
ZONED = JSON_LINE.replace(".123", ".123+05:30")


def config_of(tmp_path: Path, source: str, line: str) -> Path:
    (tmp_path / "access.log").write_text(f"{line}\n")
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\norigin: web-1\n"
        f"sources:\n  - {{name: api, paths: [access.log], {source}}}\n"
    )
    return tmp_path / "logship.yml"


@pytest.mark.parametrize(
    ("source", "line", "is_said"),
    [
        (APACHE, TEXT_LINE, True),
        (JSON, JSON_LINE, True),
        (JSON, ZONED, False),
        (
            "format: auto",
            JSON_LINE.replace('"s"', '"uri":"/a","status"').replace('"h"', '"ip"').replace('"t"', '"time"'),
            True,
        ),
        (f"{APACHE}, timezone: UTC", TEXT_LINE, False),
        (f"{JSON}, timezone: local", JSON_LINE, False),
    ],
)
def test_times_without_a_zone_are_said_by_check_preview_and_the_daemon(
    tmp_path: Path, source: str, line: str, is_said: bool, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    config = config_of(tmp_path, source, line)
    execute(["check", "-c", str(config)])
    assert capsys.readouterr().out.count("without a zone") == is_said
    execute(["preview", "-c", str(config), str(tmp_path / "access.log")])
    assert capsys.readouterr().out.count("without a zone") == is_said
    settings = load_settings(config, {})
    converter = settings.compile_source(settings.sources[0])
    for _ in range(2):
        converter.convert(f"{line}\n".encode(), 0, LogFile(1, str(tmp_path / "access.log"), "api", 7, "web-1"))
    assert sum("without a zone" in record.message for record in caplog.records) == is_said


def test_local_is_the_zone_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    settings = load_settings(config_of(tmp_path, f"{APACHE}, timezone: local", TEXT_LINE), {})
    conversion = settings.compile_source(settings.sources[0]).convert(
        f"{TEXT_LINE}\n".encode(), 0, LogFile(1, "/access.log", "api", 7, "web-1")
    )
    (event,) = map(orjson.loads, conversion.events)
    assert event["request"]["time"] == "2026-11-29T14:24:56.000Z"


def test_the_zone_of_a_system_below_a_directory_is_its_own(tmp_path: Path) -> None:
    assert zone_of("Europe/Paris", tmp_path) == "Europe/Paris"
    assert zone_of("local", tmp_path) == "UTC"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/timezone").write_text("Asia/Kolkata\n")
    assert zone_of("local", tmp_path) == "Asia/Kolkata"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert zone_of("local", tmp_path) == "Europe/Berlin"
