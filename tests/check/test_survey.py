"""What `check` says of the logs it finds on this machine, or below --base."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from logship.check.permissions import User, service_user, state_obstacle
from logship.cli import execute
from tests.check.test_permissions import logs, needs_root, nobody

__all__ = ["logs"]  # a fixture

LINE = b'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 17 "-" "curl/8" 0.004\n'
ODD = b"Segmentation fault\n"


def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, *options: str, top: str = "") -> Any:
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\norigin: web-1\n"
        f"sources:\n  - {{name: api, fields: {{host: api.example.com}}, format: nginx_timed, {source}}}\n{top}"
    )
    code = execute(["check", "--json", "-c", str(tmp_path / "logship.yml"), *options])
    report = json.loads(capsys.readouterr().out)
    assert report["exit"] == code
    return report


def about(report: Any, subject: str) -> list[tuple[str, str]]:
    return [(found["level"], found["message"]) for found in report["findings"] if found["subject"] == subject]


def test_files_their_size_and_how_many_lines_fit_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 10)
    (tmp_path / "b.log").write_bytes(b"")
    report = check(tmp_path, capsys, "paths: ['*.log']")
    size = len(LINE) * 10
    assert about(report, "api") == [("ok", f"nginx_timed · 2 files, {size} B · 10 of the newest 10 lines fit")]
    assert report["exit"] == 0


def test_only_the_newest_lines_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(ODD * 50_000 + LINE * 20_000)
    report = check(tmp_path, capsys, "paths: ['*.log']")
    assert about(report, "api")[0][1].endswith("1,000 of the newest 1,000 lines fit")


def test_a_half_written_last_line_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 2 + LINE[:30])
    assert about(check(tmp_path, capsys, "paths: ['*.log']"), "api")[0][1].endswith("2 of the newest 2 lines fit")


def test_a_few_unmatched_lines_are_a_warning_that_points_at_the_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 9 + ODD)
    report = check(tmp_path, capsys, "paths: ['*.log']")
    finding = report["findings"][-1]
    assert (finding["level"], finding["log_line"]) == ("warning", "Segmentation fault")
    assert 0 < finding["at"] <= len(ODD)
    assert report["exit"] == 0


def test_strict_makes_warnings_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 9 + ODD)
    assert check(tmp_path, capsys, "paths: ['*.log']", "--strict")["exit"] == 78


def test_lines_that_another_preset_fits_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE.replace(b" 0.004", b"") * 5)
    report = check(tmp_path, capsys, "paths: ['*.log']")
    assert report["findings"][-1]["hint"] == "'combined' fits: write  format: combined"
    assert report["exit"] == 1


def test_auto_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 5)
    check(tmp_path, capsys, "paths: ['*.log']")
    (tmp_path / "logship.yml").write_text((tmp_path / "logship.yml").read_text().replace("nginx_timed", "auto"))
    execute(["check", "--json", "-c", str(tmp_path / "logship.yml")])
    found = about(json.loads(capsys.readouterr().out), "api")
    assert ("warning", "nginx_timed logs no host: URIs begin https://web-1/") not in found
    assert ("ok", f"auto: nginx_timed · 1 file, {len(LINE) * 5} B · 5 of the newest 5 lines fit") in found


def test_what_a_detected_format_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE.replace(b" 0.004", b"") * 5)
    check(tmp_path, capsys, "paths: ['*.log']")
    (tmp_path / "logship.yml").write_text((tmp_path / "logship.yml").read_text().replace("nginx_timed", "auto"))
    execute(["check", "--json", "-c", str(tmp_path / "logship.yml")])
    found = about(json.loads(capsys.readouterr().out), "api")
    assert ("warning", "combined logs no duration: both times are equal") in found


def test_base_stands_for_the_root_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "image"
    (image / "var/log/nginx-of-the-image").mkdir(parents=True)
    (image / "var/log/nginx-of-the-image/access.log").write_bytes(LINE * 3)
    report = check(tmp_path, capsys, "paths: [/var/log/nginx-of-the-image/*.log]", "--base", str(image))
    assert about(report, "api")[0][1].endswith("3 of the newest 3 lines fit")


def test_excluded_files_and_braces_are_seen_like_the_daemon_sees_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.log", "b.log", "debug.log"):
        (tmp_path / name).write_bytes(LINE)
    report = check(tmp_path, capsys, "paths: ['{a,b,debug}.log'], exclude: ['debug*']")
    assert "2 files" in about(report, "api")[0][1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fifo", "a FIFO"), ("socket", "a socket"), ("device", "a device file"), ("loop", "leads back to itself"),
     ("dangling", "a link to nothing"), ("link to fifo", "a FIFO")],
)  # fmt: skip
@pytest.mark.parametrize("pattern", ["*.log", "x.log"])
def test_what_is_no_log_file_is_named_with_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str, pattern: str
) -> None:
    (tmp_path / "good.log").write_bytes(LINE)
    path = tmp_path / "x.log"
    with socket.socket(socket.AF_UNIX) as listener:
        match name:
            case "fifo":
                os.mkfifo(path)
            case "socket":
                listener.bind(str(path))
            case "device":
                path.symlink_to("/dev/null")
            case "link to fifo":
                os.mkfifo(tmp_path / "fifo")
                path.symlink_to(tmp_path / "fifo")
            case _:
                path.symlink_to({"loop": "x.log", "dangling": "nowhere"}[name])
        report = check(tmp_path, capsys, f"paths: ['{pattern}', 'good.log']")
    (message,) = [text for level, text in about(report, "api") if level == "warning" and str(path) in text]
    assert kind in message
    assert "it is not read" in message


def warnings(report: Any) -> str:
    return " ".join(found["message"] + found["hint"] for found in report["findings"] if found["level"] == "warning")


@needs_root
@pytest.mark.parametrize(
    ("folder_owner", "mode", "folder_mode", "is_told"),
    [
        (65534, 0o600, 0o755, True),
        (65534, 0o640, 0o755, True),
        (65534, 0o644, 0o700, True),
        (65534, 0o644, 0o755, False),
        (0, 0o600, 0o755, False),
    ],
)
def test_a_link_to_a_file_that_its_directorys_owner_can_not_read_is_told(
    logs: Path, capsys: pytest.CaptureFixture[str], folder_owner: int, mode: int, folder_mode: int, is_told: bool
) -> None:
    (logs / "others").mkdir()
    (logs / "secret").mkdir()
    target = logs / "secret/target.log"
    target.write_bytes(LINE)
    target.chmod(mode)
    (logs / "secret").chmod(folder_mode)
    os.chown(logs / "others", folder_owner, 65534)
    (logs / "others/link.log").symlink_to(target)
    said = warnings(check(logs, capsys, "paths: ['others/*.log']"))
    assert (f"{logs}/others/link.log is a link to {target}" in said) is is_told
    (logs / "secret").chmod(0o755)


@pytest.mark.parametrize("writable", ["logship.yml", "map.yml", "conf.d/more.yml", "conf.d", None])
def test_a_configuration_that_everyone_may_write_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], writable: str | None
) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/more.yml").write_text("sources: [{name: more, paths: b.log, format: combined}]\n")
    (tmp_path / "map.yml").write_text("extends: default\n")
    (tmp_path / "logship.yml").touch()
    if writable:
        (tmp_path / writable).chmod(0o777 if writable == "conf.d" else 0o666)
    said = warnings(check(tmp_path, capsys, "paths: a.log, mapping: map.yml", top="include: conf.d/*.yml\n"))
    assert ("everyone may" in said) is (writable is not None)
    if writable:
        assert f"run: chmod o-w {tmp_path / writable}" in said


@pytest.mark.parametrize("how", ["application_id_file: id", "application_id: '${file:id}'"])
@pytest.mark.parametrize(("mode", "is_told"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
def test_an_application_id_that_everyone_may_read_is_told(
    logs: Path, capsys: pytest.CaptureFixture[str], how: str, mode: int, is_told: bool
) -> None:
    (logs / "id").write_text("an-id")
    (logs / "id").chmod(mode)
    (logs / "logship.yml").write_text(
        f"endpoint: {{url: 'http://127.0.0.1:9', {how}}}\nsources: [{{paths: a.log, format: combined}}]\n"
    )
    execute(["check", "--json", "-c", str(logs / "logship.yml")])
    report = json.loads(capsys.readouterr().out)
    assert (f"{logs}/id: everyone may read this secret ({mode:04o})" in warnings(report)) is is_told
    assert "an-id" not in json.dumps(report)


def test_a_fifo_is_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "a.log")
    report = check(tmp_path, capsys, "paths: ['*.log']")
    assert about(report, "api")[0][0] == "warning"


def test_control_bytes_of_a_log_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(LINE + b"\x1b]0;pwned\x07\x9b2J\xe2\x80\xae" + ODD)
    check(tmp_path, capsys, "paths: ['*.log']")
    execute(["check", "-c", str(tmp_path / "logship.yml")])
    out = capsys.readouterr().out
    assert "\\x1b]0;pwned\\x07" in out
    assert not set(out) & set("\x1b\x07\x9b\u202e")


@needs_root
def test_a_state_directory_that_cannot_be_written_is_told(logs: Path) -> None:
    obstacle = state_obstacle(str(logs), nobody())
    assert obstacle is not None
    assert "can't write it (0755 root:root)" in obstacle.message
    assert obstacle.hint == f"run: chown nobody {logs}"
    assert state_obstacle(str(logs), None) is None
    assert state_obstacle(str(logs / "not-yet"), nobody()) is None


@needs_root
def test_the_service_user_is_looked_up_with_all_its_groups() -> None:
    user = service_user("nobody")
    assert user is not None
    assert user.gid in user.groups
    assert service_user("nobody-by-this-name") is None
    assert isinstance(user, User)
