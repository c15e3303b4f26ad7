"""preview, test and diff as people and scripts call them."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from logship.check.newest import LogLine, lines_of
from logship.cli import execute
from logship.cli.preview import Show, watched
from logship.config.overrides import Overrides
from logship.errors import Exit
from logship.preview import Wishes, unwrapped
from tests.rigs.daemon import logship_command

LINE = '203.0.113.9 - {user} [10/Oct/2000:13:55:36 -0700] "GET /x{n} HTTP/1.1" 200 2326 "-" "curl/8"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(LINE.format(n=number, user="-") for number in range(30)))
    return path


@pytest.fixture(autouse=True)
def no_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGSHIP_CONFIG", raising=False)


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_log_is_shown_without_any_configuration(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["preview", str(log), "-n", "1", "--field", "host=shop.example"]) == 0
    shown = capsys.readouterr().out
    assert "combined fits 30 of 30 lines" in shown
    assert "https://shop.example/x0" in shown
    assert "default.yml:" in shown


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ('event: {metadata: {country: "${geoip_country}"}}', 2),
        ("rules: [{name: x, if: {geoip_country: DE}, drop: true}]", 2),
        ('event:\n  request:\n    headers:\n      X: "${geoip_country|lower}"', 5),
    ],
)
@pytest.mark.parametrize("options", [[], ["--format", "auto"], ["--format", "combined"]])
def test_an_unknown_field_of_a_mapping_is_named_with_its_place_whatever_says_the_format(
    log: Path, capsys: pytest.CaptureFixture[str], part: str, line: int, options: list[str]
) -> None:
    mapping = log.with_name("map.yml")
    mapping.write_text(f"extends: default\n{part}\n")
    assert execute(["preview", *options, "--mapping", str(mapping), str(log)]) == 78
    shown = capsys.readouterr().err
    assert f"map.yml:{line}:" in shown
    assert "geoip_country" in shown
    assert "no preset fits" not in shown


def test_what_surely_is_not_meant_stands_above_the_lines(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["preview", str(log), "-n", "1", "--format", "auto"]) == 0
    assert "! combined logs no host: URIs begin https://localhost/" in capsys.readouterr().out
    assert execute(["preview", str(log), "-n", "1", "--format", "combined", "--field", "host=shop.example"]) == 0
    assert "logs no host" not in capsys.readouterr().out


def test_json_says_line_fields_event_and_fate(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text(log.read_text() + LINE.format(n="", user="-").replace("/x", "/health") + "junk\n")
    assert execute(["preview", str(log), "-n", "0", "--json", "--mapping", "api"]) == 0
    found = records(capsys)
    assert len(found) == 32
    assert list(found[0])[:4] == ["line", "fields", "event", "dropped_by"]
    assert found[0]["error"] is None
    assert (found[30]["dropped_by"], found[30]["event"]) == ("probes", None)
    error = found[31]["error"]
    assert isinstance(error, dict)
    assert set(error) == {"at", "expected"}


def test_a_misfit_has_a_caret_under_its_first_odd_byte(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text('203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 17 0.004\n')
    assert execute(["preview", str(log), "--format", "nginx"]) == 0
    lines = capsys.readouterr().out.splitlines()
    caret = next(number for number, line in enumerate(lines) if "^ expected" in line)
    assert lines[caret].index("^") == lines[caret - 1].index("0.004")
    assert "fields fit" in lines[caret + 1]


def test_control_bytes_do_not_reach_the_terminal(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(LINE.format(n="\x1b[31m\x07\u202e", user="\x9b").encode() + b"\x1b]0;junk\x07\n")
    assert execute(["preview", str(log), "--format", "combined"]) == 0
    assert execute(["diff", "default", "privacy", str(log), "--format", "combined"]) == 0
    shown = capsys.readouterr().out
    assert not [char for char in shown if ord(char) < 32 and char != "\n"]
    assert not {"\x9b", "\u202e"} & set(shown)


def config(tmp_path: Path, log: Path, mapping: str = "default") -> Path:
    path = tmp_path / "logship.yml"
    path.write_text(
        f"endpoint: {{url: 'http://127.0.0.1:9', application_id: s3cret}}\norigin: web-9\nstate_dir: {tmp_path}/state\n"
        f"sources: [{{name: api, paths: ['{log}'], format: combined, mapping: {mapping}}}]\n"
    )
    return path


def test_without_a_file_the_newest_lines_of_each_source(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["preview", "-c", str(config(tmp_path, log)), "-n", "2", "--json"]) == 0
    uris = [record["event"]["request"]["uri"] for record in records(capsys)]  # type: ignore[index]
    assert uris == ["https://web-9/x28", "https://web-9/x29"]


def test_ten_thousand_lines_stream_and_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    log = tmp_path / "big.log"
    log.write_text("".join(LINE.format(n=number, user="-") for number in range(10_000)))
    command = [sys.executable, "-m", "logship", "preview", str(log), "-n", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["event"]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_ctrl_c_is_quiet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "logship", "preview", "-", "--json", "--format", "combined"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:  # type: ignore[call-overload]
        process.stdin.write(LINE.format(n="", user="-").encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"]
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == b""
        assert process.wait(60) == 130


def test_watch_shows_again_when_the_mapping_is_saved(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "my.yml"
    mapping.write_text("extends: default\n")

    def save(_: float) -> None:
        mapping.write_text("extends: default\nevent: {company_id: acme}\nrules: [{drop: maybe}]\n")

    wishes = Wishes(overrides=Overrides(mapping=str(mapping)))
    assert watched(wishes, Show(str(log), 1, as_json=False), save, rounds=2) == 0
    shown = capsys.readouterr().out
    assert "https://localhost/x0" in shown
    assert "my.yml:3:" in shown


def test_examples_are_run_and_updated_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.yml"
    line = LINE.format(n="", user="bob").strip()
    text = (
        "extends: default  # as usual\nexamples:\n"
        f"  - line: '{line}'\n    event:\n      request:\n        verb: POST\n      user_id: bob\n\n"
        f"  # kept\n  - line: '{line}'\n    format: combined\n"
        f"  - {{line: '{line}', event: dropped}}\n"
    )
    path.write_text(text)
    assert execute(["test", str(path)]) == 1
    shown = capsys.readouterr().out
    assert 'request.verb: expected "POST", is "GET"' in shown
    assert 'event: expected "dropped"' in shown
    assert execute(["test", "--update", str(path)]) == 0
    assert execute(["test", str(path)]) == 0
    updated = path.read_text()
    assert updated.startswith("extends: default  # as usual\n")
    assert '\n    event: {"request": {"verb": "GET"}, "user_id": "bob"}\n\n  # kept\n' in updated


def test_shipped_examples_run_without_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["test"]) == 0
    assert "default: " in capsys.readouterr().out


def test_diff_counts_and_shows_what_changes(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.yml"
    new.write_text("extends: default\nevent: {direction: Outgoing}\nrules: [{if: {path: [/x1, /x2]}, drop: true}]\n")
    assert execute(["diff", "default", str(new), str(log)]) == 0
    shown = capsys.readouterr().out
    assert "30 lines: 0 events the same, 28 changed, 2 gone, 0 new" in shown
    assert "direction  Incoming  →  Outgoing" in shown
    assert execute(["diff", "default", "default", str(log), "--json"]) == 0
    assert records(capsys)[0]["same"] == 30


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["preview", "/nonexistent.log"], 2, "No such file"),
        (["preview", "{log}", "--field", "x"], 2, "is not KEY=VALUE"),
        (["preview", "{log}", "--source", "x"], 2, "no configuration"),
        (["preview", "{log}", "--format", "combind"], 2, "combined"),
        (["preview", "{log}", "--mapping", "defalt"], 2, "did you mean 'default'?"),
        (["preview"], 2, "-c FILE"),
        (["preview", "-", "--watch"], 2, "stdin"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(
    arguments: list[str], code: int, said: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([argument.format(log=log) for argument in arguments]) == code
    assert said in capsys.readouterr().err


def test_lines_have_the_positions_of_the_log() -> None:
    stream = io.BytesIO(b"a\nbc\r\n\nlast")
    assert list(lines_of(stream)) == [LogLine(0, b"a"), LogLine(2, b"bc"), LogLine(6, b""), LogLine(7, b"last")]


def test_container_lines_are_taken_out_of_their_envelope() -> None:
    docker = LogLine(0, b'{"log":"GET / x\\n","stream":"stdout","time":"2000-10-10T13:55:36Z"}')
    assert [line.text for line in unwrapped(iter([docker]), "docker")] == [b"GET / x"]


@pytest.mark.parametrize("columns", [60, 80, 100, 130, 200])
def test_lines_and_events_fit_into_the_terminal(log: Path, columns: int) -> None:
    """Beside each other where there is room, else below; a caret stays under its byte."""
    short = LINE.format(n="y" * 90, user="-").replace(' "-" "curl/8"', "")
    log.write_text(LINE.format(n=0, user="-") + short, encoding="utf-8")
    shown = on_terminal(["preview", "--format", "combined", "--field", "host=shop.example", str(log)], columns)
    heads = [line for line in shown if "FIELD" in line or "EVENT" in line]
    assert len(heads) == (1 if columns >= 130 else 2)
    table = shown[shown.index(heads[0]) : shown.index("", shown.index(heads[0]))]
    assert max(map(len, table)) <= columns
    (caret,) = (number for number, line in enumerate(shown) if "^ expected" in line)
    assert len(shown[caret - 1]) <= columns
    assert shown[caret].index("^") <= columns


def on_terminal(arguments: list[str], columns: int) -> list[str]:
    """The lines that a command prints on a terminal so wide, without colours."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(logship_command(*arguments), stdout=its, stdin=its, stderr=subprocess.DEVNULL) as process:
        os.close(its)
        printed = b""
        with contextlib.suppress(OSError):  # EIO: nobody holds the other side any more
            while part := os.read(mine, 65_536):
                printed += part
        os.close(mine)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).replace("\r", "").split("\n")


def test_lines_of_no_preset_lead_to_the_servers_own_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.log").write_text("a format that nobody has\n" * 5)
    assert execute(["preview", str(tmp_path / "own.log")]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "own.log: no preset fits its lines; give --format (logship formats lists presets, logship init finds" in said


def test_keys_of_a_json_log_that_nothing_takes_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The left half is what the line holds: `$rt` and `${user.id}` may be written in a mapping."""
    line = {"time": "2026-10-10T11:55:36Z", "request": "GET / HTTP/1.1", "status": 200, "rt": 0.25, "user": {"id": "u"}}
    (tmp_path / "app.json").write_text(json.dumps(line) + "\n")
    assert execute(["preview", str(tmp_path / "app.json"), "--json"]) == Exit.FINE
    shown = records(capsys)[0]["fields"]
    assert isinstance(shown, dict)
    assert (shown["rt"], shown["user.id"], shown["status"]) == (0.25, "u", 200)
    assert "time" not in shown, "a key that a field took"


def test_keys_that_a_mapping_can_not_name_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = {"ts": "2026-10-10T11:55:36Z", "verb": "GET", "rt": 0.25, "user": {"id": "u7"}}
    (tmp_path / "app.json").write_text(json.dumps(line) + "\n")
    form = "{json: {time_received: ts, request_method: verb}}"
    assert execute(["preview", str(tmp_path / "app.json"), "--json", "--format", form]) == Exit.FINE
    shown = records(capsys)[0]["fields"]
    assert isinstance(shown, dict)
    assert shown["user.id"] == "u7"
    assert "rt" not in shown


def test_a_line_nested_a_thousand_times_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = '{"time": "2026-10-10T11:55:36Z", "request": "GET / HTTP/1.1", "status": 200, "a": '
    line = start + '{"a":' * 1000 + "1" + "}" * 1001
    (tmp_path / "app.json").write_text(line + "\n")
    assert execute(["preview", str(tmp_path / "app.json"), "--json", "--format", "{json: auto}"]) == Exit.FINE
    assert records(capsys)[0]["error"] is None


def test_integers_of_any_length_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        '{"time":"2026-11-29T10:00:00Z","request":"GET / HTTP/1.1","status":200,"account":{"id":36893488147419103233}}'
    )
    (tmp_path / "app.json").write_text(line + "\n")
    assert execute(["preview", str(tmp_path / "app.json"), "--json", "--format", "{json: auto}"]) == Exit.FINE
    shown = records(capsys)[0]["fields"]
    assert isinstance(shown, dict)
    assert shown["account.id"] == 36893488147419103233
