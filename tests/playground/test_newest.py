"""What the playground and preview show of a log's end is what the daemon makes of it: each line at its position."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import orjson
import pytest

from logship.check.newest import NewestLines, lines_of, newest_given, newest_of
from logship.cli import execute
from logship.config.overrides import Overrides
from logship.errors import UsageError
from logship.event import LogFile, Window
from logship.playground.evaluation import Evaluation
from logship.playground.opened import open_playground
from logship.preview import Wishes
from tests.mapping.world import converter

SAMPLING = "extends: default\nrules: [{name: some, sample: 50%}]\n"


def line(number: int) -> str:
    return f'203.0.113.9 - - [10/Oct/2026:13:55:36 +0200] "GET /{number} HTTP/1.1" 200 5 "-" "curl/8"'


def opened_at(folder: Path, log: str) -> Evaluation:
    (folder / "m.yml").write_text(SAMPLING)
    wishes = Wishes(None, Overrides("", "combined", str(folder / "m.yml"), {}))
    return Evaluation(open_playground(wishes, str(folder / log), io.BytesIO(), {}), {})


def daemons(content: bytes) -> dict[str, bool]:
    """Whether the daemon sends the event of each path."""
    made = converter("rules: [{name: some, sample: 50%}]")
    done = made.convert(content, 0, LogFile(0, "/x.log", "s", 0, "h"), Window())
    sent = {json.loads(event)["request"]["uri"].rpartition("/")[2] for event in done.events}
    return {str(number): str(number) in sent for number in range(300)}


def test_a_number_that_a_browser_would_change_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(1) + "\n")
    big = '{"time":"2026-11-29T10:00:00Z","request":"GET / HTTP/1.1","status":200,"account":36893488147419103233,"n":7}'
    mapping = "extends: default\nevent: {metadata: {account: $account, n: $n}}\n"
    form = "{json: {time_received: time, request_first_line: request, status: status, account: account, n: n}}"
    (shown,) = opened_at(tmp_path, "a.log").lines(form, mapping, [big])["lines"]
    assert shown["event"]["metadata"] == {"account": "36893488147419103233", "n": 7}
    assert json.loads(orjson.dumps(shown, option=orjson.OPT_NON_STR_KEYS))


@pytest.mark.parametrize("name", ["plain", "crlf", "blank lines", "gz"])
def test_sampling_of_shown_lines_is_the_daemons(name: str, tmp_path: Path) -> None:
    end = "\r\n" if name == "crlf" else "\n\n" if name == "blank lines" else "\n"
    content = "".join(line(number) + end for number in range(300)).encode()
    log = "a.log.gz" if name == "gz" else "a.log"
    (tmp_path / log).write_bytes(gzip.compress(content) if name == "gz" else content)
    sends = daemons(content)
    evaluation = opened_at(tmp_path, log)
    covered = evaluation.coverage("combined", SAMPLING)
    assert isinstance(covered["events"], int)
    assert covered["events"] == sum(sends.values())
    assert covered["sampled"] == 300 - sum(sends.values())
    shown = evaluation.lines("combined", SAMPLING, None)["lines"]
    assert len(shown) == 40
    for one in shown:
        assert (one["sampled_out_by"] is None) is sends[one["line"].split()[6].lstrip("/")]


def test_preview_of_a_source_shows_ids_and_sampling_of_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "".join(line(number) + "\n" for number in range(300)).encode()
    (tmp_path / "a.log").write_bytes(content)
    source = f"{{name: s, paths: [{tmp_path}/a.log], format: combined, mapping: {json.dumps('m.yml')}}}"
    (tmp_path / "m.yml").write_text(SAMPLING)
    endpoint = "{url: 'http://127.0.0.1:9', application_id: x}"
    (tmp_path / "l.yml").write_text(
        f"endpoint: {endpoint}\nstate_dir: {tmp_path}/state\norigin: w\nsources: [{source}]\n"
    )
    assert execute(["preview", "-c", str(tmp_path / "l.yml"), "--json", "-n", "50"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    sends = daemons(content)
    assert [row["sampled_out_by"] is None for row in rows] == [sends[str(number)] for number in range(250, 300)]
    assert rows[-1]["position"] == content.rindex(b"203")


def test_an_archive_that_is_cut_is_said_to_be(tmp_path: Path) -> None:
    whole = gzip.compress("".join(line(number) + "\n" for number in range(300)).encode())
    (tmp_path / "a.log.gz").write_bytes(whole[:-40])
    newest = opened_at(tmp_path, "a.log.gz").opened.newest
    assert newest.lines
    assert "in the middle of the archive" in newest.damage
    (tmp_path / "b.log.gz").write_bytes(b"\x1f\x8bno archive at all")
    with pytest.raises(UsageError, match=r"b\.log\.gz"):
        opened_at(tmp_path, "b.log.gz")


def test_the_end_of_a_log_is_whole_lines_at_their_positions(tmp_path: Path) -> None:
    content = b"".join(b"line %d\n" % number for number in range(2_000)) + b"half"
    (tmp_path / "a").write_bytes(content)
    for has_end, last in ((True, b"line 1999"), (False, b"half")):
        newest = newest_of(str(tmp_path / "a"), 100, 700, has_end=has_end)
        assert newest.lines[-1].text == last
        assert all(content[one.position :].startswith(one.text) for one in newest.lines)
        assert all(content[one.position - 1 : one.position] == b"\n" for one in newest.lines)
    assert newest_of(str(tmp_path / "a"), 5, 10_000, has_end=False).lines[0].text == b"line 1996"
    given = newest_given(lines_of(io.BytesIO(content)), 3)
    assert [one.text for one in given.lines] == [b"line 1998", b"line 1999", b"half"]
    assert list(NewestLines(given.lines).stretches) == [
        (given.lines[0].position, [b"line 1998\n", b"line 1999\n", b"half\n"])
    ]
