"""What a command line that can't be is answered: one sentence on stderr that begins with the program's name."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from logship.cli import execute
from tests.rigs.daemon import logship_command


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("stauts", "no command 'stauts'; did you mean 'status'?; see: logship --help"),
        ("status --jsn", "no option '--jsn'; did you mean '--json'?; see: logship status --help"),
        ("run --log-format x", "invalid value for '--log-format'"),
        ("trace", "missing argument 'TEXT'; see: logship trace --help"),
        ("dead-letters lst", "see: logship dead-letters --help"),
        ("backfill --jobs 0 x.log", "invalid value for '--jobs'"),
        ("backfill --since yesterday x.log", "--since: 'yesterday' is no time"),
        ("collector --listen foo", "--listen 'foo' is not ADDRESS:PORT"),
        ("formats x", "no preset 'x'"),
        ("preview /nowhere/access.log", "/nowhere/access.log: No such file"),
        ("test privcy", "there is no mapping 'privcy'; did you mean 'privacy'?"),
        ("test /nowhere/mapping.yml", "there is no mapping '/nowhere/mapping.yml'; shipped are"),
        ("diff default privcy x.log", "there is no mapping 'privcy'"),
        ("init -o /nowhere/logship.yml .", "/nowhere/logship.yml can't be written: No such file or directory"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    typed: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOGSHIP_CONFIG", raising=False)
    (tmp_path / "shop-access.log").write_text('203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1\n')
    assert execute(shlex.split(typed)) == 2
    shown = capfd.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith("logship: ")
    assert words in line


def test_a_group_without_a_command_shows_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["dead-letters"]) == 2
    assert "purge" in capfd.readouterr().err


@pytest.mark.parametrize(("is_journal", "begins"), [(True, "<3>logship: "), (False, "logship: ")])
def test_an_error_in_the_journal_has_its_priority(is_journal: bool, begins: str, tmp_path: Path) -> None:
    """As systemd starts backfill and collector: with the device and inode of the stream it gives them."""
    with (tmp_path / "journal").open("w") as stream:
        found = os.fstat(stream.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino if is_journal else 1}"}
        command = logship_command("collector", "--listen", "nowhere")
        assert subprocess.run(command, stderr=stream, env=environ, check=False).returncode == 2
    assert (tmp_path / "journal").read_text().startswith(begins)


CLOSED = {"stdin": "<&-", "stdout": ">&-", "all": "<&- >&- 2>&-"}
LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 1 "-" "c"\n'
COMMANDS = ["preview x.log", "preview -", "backfill --dry-run x.log", "backfill --dry-run -"]


@pytest.mark.parametrize("typed", ["status -c logship.yml", *COMMANDS])
@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_stream_is_no_traceback_and_no_file_takes_its_place(typed: str, closed: str, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(LINE)
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: x}\nstate_dir: ./state\nstatus: null\norigin: o\n"
        "sources: [{paths: ./x.log, format: combined}]\n"
    )
    config = "-c logship.yml " if typed.startswith("backfill") else ""
    command = f"{shlex.join(logship_command())} {typed.replace('--dry-run', f'{config}--dry-run')} {CLOSED[closed]}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, input=LINE)
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "x.log").read_text() == LINE
    reads_closed_stdin = typed.endswith(" -") and "<&-" in CLOSED[closed]
    assert done.returncode == (2 if reads_closed_stdin else 1 if typed.startswith("status") else 0)
    if reads_closed_stdin and "2>&-" not in CLOSED[closed]:
        assert "stdin is closed; name a FILE" in done.stderr


def test_output_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*logship_command(), "fields"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "logship: the output can't be written: No space left on device\n")
