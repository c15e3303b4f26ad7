"""`make bench` measures what it says: every line arrives at its sink, beside another shipper where one is installed."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import cheapest
from benchmarks.generator import KINDS, requests, write_log
from benchmarks.measure import Run
from benchmarks.peers import PEERS
from benchmarks.rows import Result
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
    assert [f"of {name}" in done.stdout for name in installed] == [True] * len(installed)


@pytest.mark.parametrize("what", ["match", "encode"])
def test_the_floors_go_over_a_whole_log(what: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 2_000)
    done = subprocess.run([sys.executable, "-m", "benchmarks.floors", what, str(log)], cwd=REPOSITORY, check=False)
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
