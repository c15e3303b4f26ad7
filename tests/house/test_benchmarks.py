"""`make bench` measures what it says: every line arrives at its sink, beside another shipper where one is installed."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.__main__ import cheapest, names
from benchmarks.generator import KINDS, requests, write_log
from benchmarks.measure import Run
from benchmarks.nginx_log import write_with_nginx
from benchmarks.peers import PEERS
from benchmarks.rows import ROWS, Result
from benchmarks.sink import Sink, build
from benchmarks.table import replaced
from tests.rigs.machine import require

LINES = 20_000
REPOSITORY = Path(__file__).parent.parent.parent


def measured(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """A benchmark that went well; its table stands in `directory`/table.md."""
    done = subprocess.run(
        [*command, "--directory", str(directory / "data"), "--markdown", str(directory / "table.md")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_table_of_whole_processes_is_printed_and_written(tmp_path: Path) -> None:
    require("cc", "gcc")
    rows = "plain,gzip,every line with escapes"
    command = [sys.executable, "-m", "benchmarks", "--lines", str(LINES), "--rows", rows]
    done = measured(command, tmp_path)
    installed = [peer.name for peer in PEERS if peer.path()]
    for name in ("plain", "gzip", "every line with escapes", *installed):
        assert re.search(rf"^{name}: [\d.]+ CPU s/M lines, {LINES:,} events", done.stderr, re.MULTILINE), done.stderr
        assert f"| {name} | " in (tmp_path / "table.md").read_text()
    for name in ("plain", "every line with escapes"):
        assert f"{name}: the same events with and without the kernel (" in done.stdout
    assert "A start and an end alone: " in done.stdout
    assert [f"of {name}" in done.stdout for name in installed] == [True] * len(installed)


def test_rows_are_named_by_their_names() -> None:
    assert names(",".join(row.name for row in ROWS)) == [row.name for row in ROWS]


def test_the_table_in_a_document_is_replaced_whole_or_by_its_rows() -> None:
    table = "| | CPU |\n| --- | ---: |\n| plain | 1 |\n| gzip | 2 |\n| rsyslog | 9 |\n\nplain: the same events."
    document = "# Speed\n\n<!-- benchmark: plain, rsyslog -->\nold\n<!-- /benchmark -->\n\nText.\n"
    shown = "head\n\n| | CPU |\n| --- | ---: |\n| plain | 1 |\n| rsyslog | 9 |\n"
    once = replaced(document, "head", table)
    assert once == document.replace("old\n", shown)
    assert replaced(once, "head", table) == once
    whole = replaced("<!-- benchmark -->\n<!-- /benchmark -->\n", "head", table)
    assert whole == f"<!-- benchmark -->\nhead\n\n{table}\n<!-- /benchmark -->\n"
    with pytest.raises(ValueError, match="no <!-- benchmark"):
        replaced("nothing", "head", table)


def test_the_documents_have_a_place_for_the_table() -> None:
    for name in ("README.md", "docs/speed.md"):
        assert "| plain | 1 |" in replaced((REPOSITORY / name).read_text(), "head", "| |\n| --- |\n| plain | 1 |")


def test_a_digest_is_of_the_events_however_they_come(tmp_path: Path) -> None:
    """Text may hold all that makes JSON; one other byte makes another digest."""
    require("cc", "gcc")
    events = [b'{"a":{"b":"}],[{"}}', rb'{"c":"\"\\{"}', b'{"d":[{},{"e":1}]}']
    others = [*events[:2], b'{"d":[{},{"e":2}]}']
    program = build(tmp_path)
    digests = []
    for bodies in ([b"[%b]" % b",".join(events)], [events[2], b"[%b]" % b",".join(events[:2])], others):
        with Sink(program, digests=True) as sink:
            for body in bodies:
                urllib.request.urlopen(urllib.request.Request(f"{sink.url}/", body, method="POST"), timeout=10).close()
            digests.append(sink.digest())
    assert digests[0] == digests[1] != digests[2]


def test_nginx_writes_the_log_of_its_row(tmp_path: Path) -> None:
    require("nginx", "nginx-light")
    write_with_nginx(tmp_path / "log", 1_000)
    lines = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert len(lines) == 1_000
    assert len({line["time_iso8601"] for line in lines}) > 50
    assert {line["remote_user"] for line in lines} == {""}
    assert any('"' in line["http_user_agent"] for line in lines)
    assert {type(line["status"]) for line in lines} == {int}


def test_the_floor_goes_over_a_whole_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 2_000)
    done = subprocess.run([sys.executable, "-m", "benchmarks.floors", str(log)], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


def test_a_row_of_several_rounds_is_the_run_that_was_disturbed_least() -> None:
    runs = [Result("plain", Run(cpu_s, 1.0, 50.0, 0), 1_000, 1_000, 250_000, 2) for cpu_s in (3.0, 1.0, 2.0)]
    assert cheapest(runs).run.cpu_s == 1.0


def test_backfills_with_one_and_two_jobs_stand_in_one_table(tmp_path: Path) -> None:
    require("cc", "gcc")
    command = [sys.executable, "-m", "benchmarks.backfill", "--lines", "800", "--rounds", "1", "--forms", "plain,gz"]
    measured(command, tmp_path)
    table = (tmp_path / "table.md").read_text()
    rows = re.findall(r"^\| (plain|gz) \| ([12]) \|", table, re.MULTILINE)
    assert rows == [("plain", "1"), ("plain", "2"), ("gz", "1"), ("gz", "2")], table
    for name in ("zcat", *(peer.name for peer in PEERS if peer.path())):
        assert f"| {name} | - |" in table


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_log(kind: str) -> None:
    first, second = ([KINDS[kind](one) for one in requests(50, random.Random(7))] for _ in range(2))
    assert first == second
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in first)
