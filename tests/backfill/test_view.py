"""What people see: a line on a narrow terminal says what matters now, and notes of one text are folded."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from logship.backfill.paths import Remark
from logship.backfill.plan import BackfillPlan
from logship.backfill.reports import RunProgress
from logship.cli.backfill_view import View, bar_text
from logship.cli.terminal import Terminal
from logship.clock import SystemClock
from logship.counters import Tally

RUNNING = RunProgress(
    files_done=3, files=1_204, bytes_done=916_800_000, bytes_total=13_400_000_000, tally=Tally(sent=4), elapsed_s=9.0,
    rate=101_351.0, eta_s=4_104.0, in_flight=8, retries=0,
)  # fmt: skip


def test_a_wide_terminal_shows_everything() -> None:
    text = bar_text(RUNNING, 120)
    assert text == ("3/1,204 files  917 MB/13.4 GB  101,351/s  ETA 1:08:24  in flight 8  retries 0  dead letters 0")


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        (RUNNING, "917 MB/13.4 GB  101,351/s  ETA 1:08:24  in flight 8"),
        (replace(RUNNING, retries=7), "917 MB/13.4 GB  101,351/s  ETA 1:08:24  in flight 8  retries 7"),
        (replace(RUNNING, retries=7, trouble="connect: Connection refused"), "retries 7  connect: Connection refused"),
        (replace(RUNNING, is_draining=True), "finishing what is in flight; Ctrl-C again stops at once"),
    ],
)
def test_a_terminal_of_80_columns_shows_what_matters_now(progress: RunProgress, shown: str) -> None:
    assert bar_text(progress, 80 - len(" 100% ") - 6) == shown


def test_notes_of_one_text_are_folded_and_failures_are_not() -> None:
    notes = [Remark(f"/logs/{number}.log", "format detected: combined", is_failure=False) for number in range(1_000)]
    failures = [Remark(f"/logs/{number}.gz", "can't be read: Permission denied") for number in range(5)]
    out = io.StringIO()
    View(Terminal(out), Terminal(io.StringIO()), SystemClock()).planned(BackfillPlan(remarks=[*notes, *failures]))
    lines = out.getvalue().splitlines()
    assert [line for line in lines if line.startswith("note")] == [
        "note  /logs/0.log format detected: combined",
        "note  /logs/1.log format detected: combined",
        "note  /logs/2.log format detected: combined",
        "note  … and 997 more: format detected: combined",
    ]
    assert [line for line in lines if line.startswith("ERROR")] == [
        f"ERROR /logs/{number}.gz can't be read: Permission denied" for number in range(5)
    ]
