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
        ("Run", "no command 'Run'"),
        ("--verson", "no option '--verson'; did you mean '--version'?; see: logship --help"),
        ("status --jsn", "no option '--jsn'; did you mean '--json'?; see: logship status --help"),
        ("run --once=yes", "option '--once' does not take a value"),
        ("run --log-format x", "invalid value for '--log-format'"),
        ("run --log-format", "option '--log-format' requires an argument"),
        ("run extra", "unexpected extra argument (extra); see: logship run --help"),
        ("run -c", "option '-c' requires an argument"),
        ("check --base /nowhere", "invalid value for '--base': Directory '/nowhere' does not exist"),
        ("check --base shop-access.log", "invalid value for '--base'"),
        ("check extra", "unexpected extra argument (extra)"),
        ("trace", "missing argument 'TEXT'; see: logship trace --help"),
        ("trace ''", "TEXT must be part of one line"),
        ("dead-letters lst", "see: logship dead-letters --help"),
        ("dead-letters show", "missing argument 'ID...'"),
        ("dead-letters purge --source", "option '--source' requires an argument"),
        ("backfill", "missing argument 'PATH...'"),
        ("backfill --jobs 0 x.log", "invalid value for '--jobs'"),
        ("backfill --jobs two x.log", "invalid value for '--jobs': 'two' is not a whole number"),
        ("backfill --rate 0 x.log", "invalid value for '--rate'"),
        ("backfill --rate fast x.log", "invalid value for '--rate': 'fast' is not a number"),
        ("backfill --since yesterday x.log", "--since: 'yesterday' is no time"),
        ("backfill --until 2026-13-01 x.log", "--until: '2026-13-01' is no time"),
        ("backfill --since 2d --until 3d x.log", "--since 2d is not before --until 3d"),
        ("backfill --skip-old --send-old x.log", "--skip-old and --send-old contradict each other"),
        ("backfill --field host x.log", "--field: 'host' is not KEY=VALUE"),
        ("backfill x.log", "say where events go: --url URL, or -c FILE"),
        ("backfill --url ftp://x x.log", "--url: 'ftp://x' is not http(s)"),
        ("backfill --application-id-file /nowhere x.log", "--application-id-file: /nowhere: No such file"),
        ("collector --listen foo", "--listen 'foo' is not ADDRESS:PORT"),
        ("collector --listen :99999", "--listen ':99999' is not ADDRESS:PORT"),
        (
            "collector --listen 192.0.2.1:8080",
            "192.0.2.1 is not loopback: anybody could post; give --application-id ID",
        ),
        ("collector --max-age -1", "invalid value for '--max-age'"),
        ("collector --max-age long", "invalid value for '--max-age': 'long' is not a number"),
        ("collector --max-bytes 0", "invalid value for '--max-bytes'"),
        ("collector --store mysql://db/x", "--store mysql://… is neither a file nor postgresql://…"),
        ("collector --path-prefix shop", "path prefix 'shop' must begin with / and not end with /"),
        ("collector --page-token-file /nowhere", "--page-token-file /nowhere: No such file or directory"),
        ("collector-erase", "missing option '--user-id'; see: logship collector-erase --help"),
        ("collector-erase --user-id ''", "--user-id '': empty"),
        ("collector-erase --user-id a --store nowhere.db", "nowhere.db"),
        ("collector-report --store nowhere.db", "--store nowhere.db: no such file; give the collector's"),
        ("playground --listen here", "--listen 'here' is not ADDRESS:PORT"),
        ("playground /nowhere/access.log", "/nowhere/access.log: No such file"),
        ("demo --listen here", "--listen 'here' is not ADDRESS:PORT"),
        ("demo --seconds 0", "invalid value for '--seconds'"),
        ("formats x", "no preset 'x'"),
        ("formats combind", "no preset 'combind'; did you mean 'combined'?"),
        ("fields --format nope", "no preset 'nope'"),
        ("fields --source shop", "say which"),
        ("schema yaml", "'yaml' is not one of 'config', 'mapping'"),
        ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        ("preview", "give a FILE, or a configuration with -c FILE"),
        ("preview /nowhere/access.log", "/nowhere/access.log: No such file"),
        ("preview .", ". is a directory; give a log in it"),
        ("preview --watch -", "--watch needs a FILE"),
        ("preview -n -1 shop-access.log", "invalid value for '-n'"),
        ("preview --field x shop-access.log", "--field: 'x' is not KEY=VALUE"),
        ("preview --format combind shop-access.log", "no preset 'combind'; did you mean 'combined'?"),
        ("preview --format '{nginx: ' shop-access.log", "--format"),
        ("preview --mapping privcy shop-access.log", "there is no mapping 'privcy'; did you mean 'privacy'?"),
        ("preview a.log b.log", "unexpected extra argument (b.log)"),
        ("test privcy", "there is no mapping 'privcy'; did you mean 'privacy'?"),
        ("test /nowhere/mapping.yml", "there is no mapping '/nowhere/mapping.yml'; shipped are"),
        ("diff default", "missing argument 'NEW'"),
        ("diff default privcy x.log", "there is no mapping 'privcy'"),
        ("init /nowhere", "Path '/nowhere' does not exist"),
        ("init -o /nowhere/logship.yml .", "/nowhere/logship.yml can't be written: No such file or directory"),
        ("init --bodies there -o logship.yml", "--bodies DIR goes with no FILE and no PATH"),
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
