"""Faults that users of other shippers suffered and that need more than one thing to go wrong.

The list of all reported ones is docs/what-your-shipper-does.md.
"""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig, source

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/what-your-shipper-does.md"
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| .*`tests/", line)]


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_every_reported_fault_has_a_test_that_exists(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
    assert named, row
    for path, name in named:
        assert re.search(rf"^(def|class) {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_the_page_of_reported_faults_is_whole() -> None:
    assert len(ROWS) == 42


def rotate(log: Path, number: int) -> None:
    """By date, so that no name comes back; `number` is below 28."""
    log.rename(log.with_name(f"{log.name}-202601{number + 1:02d}"))
    log.touch()


@pytest.mark.parametrize("is_killed", [True, False])
def test_after_three_rotations_with_the_receiver_down_a_restart_repeats_nothing(
    rig: Rig, log: Path, is_killed: bool
) -> None:
    expected = [b"confirmed 1", b"confirmed 2"]
    log.write_bytes(b"confirmed 1\nconfirmed 2\n")
    assert rig.settle() == expected
    for number in range(3):
        with log.open("ab") as file:
            file.write(b"waits %d\n" % number)
        expected.append(b"waits %d" % number)
        rig.look()
        rig.read_all()
        rotate(log, number)
        rig.look()
    if is_killed:
        rig.kill()
    else:
        rig.stop()
    rig.start()
    assert rig.settle() == expected
    assert [each.line for each in rig.receiver.arrivals] == expected
    assert not rig.told(What.LOST)


def test_more_logs_than_descriptors_that_all_leave_the_pattern_unread_lose_nothing(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logship.tail.followed.descriptors_max", lambda: 8)
    logs = [log.with_name(f"site-{number}.log") for number in range(60)]
    for each in logs:
        each.write_text(f"{each.name} old\n")
    rig = Rig(tmp_path / "state", source(log.with_name("*.log")))
    rig.look()
    for each in logs:
        rotate(each, 0)
        each.write_text(f"{each.name} new\n")
    rig.settle()
    assert sorted(rig.receiver.lines) == sorted(
        f"{each.name} {age}".encode() for each in logs for age in ("old", "new")
    )
    assert len(rig.receiver.arrivals) == 2 * len(logs)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("is_packed", [False, True])
def test_rotated_files_that_are_found_after_a_stop_do_not_use_up_the_descriptors(
    is_packed: bool, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logship.tail.followed.descriptors_max", lambda: 40)
    logs = [log.with_name(f"site-{number}.log") for number in range(60)]
    for each in logs:
        each.write_text(f"{each.name} old\n")
    rig = Rig(tmp_path / "state", source(log.with_name("*.log")))
    rig.step()
    rig.stop()
    for each in logs:
        with each.open("a") as file:
            file.write(f"{each.name} late\n")
        rotate(each, 0)
        each.write_text(f"{each.name} new\n")
        if is_packed:
            old = each.with_name(f"{each.name}-20260101")
            old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()
    rig.start()
    used = len(os.listdir("/proc/self/fd"))
    rig.look()
    assert len(os.listdir("/proc/self/fd")) <= used + 40
    rig.step()
    assert len(os.listdir("/proc/self/fd")) <= used + 40
    assert sorted(rig.settle()) == sorted(
        f"{each.name} {age}".encode() for each in logs for age in ("old", "late", "new")
    )
