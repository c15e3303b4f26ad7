"""A copy that somebody makes of a log that is still written: nothing of it is sent a second time under other ids."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import write

NAMES = [
    ".bak0", ".copy", ".copy2", "-copy", ".2026-11-29.bak", ".1.bak", ".orig", "~", ".xyz", "-before-the-move",
    ".1.mine",
]  # fmt: skip


def judge(rig: Rig, expected: list[bytes]) -> None:
    """Each line arrived, and under one id."""
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("when", ["before the first start", "running", "stopped"])
@pytest.mark.parametrize("pattern", ["access.log*", "*"])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_beside_a_live_log_is_the_same_log(
    tmp_path: Path, log: Path, name: str, pattern: str, when: str
) -> None:
    expected = write(log, "line 1", "line 2")
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    if when == "before the first start":
        shutil.copy(log, f"{log}{name}")
    rig.step()
    if when == "stopped":
        rig.stop()
    expected += write(log, "line 3")
    if when != "before the first start":
        shutil.copy(log, f"{log}{name}")
    if when == "stopped":
        expected += write(log, "line 4")
        rig.start()
    rig.step()
    expected += write(log, "line 5")
    judge(rig, expected)
    rig.restart()
    expected += write(log, "line 6")
    judge(rig, expected)


@pytest.mark.parametrize("name", [".xyz", ".bak0"])
def test_a_copy_that_is_made_anew_is_one_still(tmp_path: Path, log: Path, name: str) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / "access.log*"))
    expected = write(log, "line 1", "line 2")
    for number in range(2):
        shutil.copy(log, f"{log}{name}")
        expected += write(log, f"line {3 + number}")
        judge(rig, expected)


@pytest.mark.parametrize("name", [".xyz", ".bak0"])
def test_what_a_truncated_log_has_only_in_its_copy_is_read_there(tmp_path: Path, log: Path, name: str) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / "access.log*"))
    expected = write(log, "line 1", "line 2")
    rig.step()
    expected += write(log, "line 3")
    shutil.copy(log, f"{log}{name}")
    rig.look()
    log.write_bytes(b"")
    expected += write(log, "new 1")
    judge(rig, expected)


def test_a_copy_that_somebody_writes_on_is_read(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / "access.log*"))
    first = write(log, "line 1", "line 2")
    rig.step()
    copy = Path(shutil.copy(log, f"{log}.xyz"))
    rig.settle()
    judge(rig, [*first, *first, *write(copy, "of the copy")])


@pytest.mark.parametrize("is_restarted", [True, False])
def test_two_servers_whose_logs_have_the_same_lines_are_two(tmp_path: Path, log: Path, is_restarted: bool) -> None:
    """Nothing but the probes of one load balancer, in both: the other is heard of a minute later at most."""
    rig = Rig(tmp_path / "state", source(log.parent / "access.log*"))
    other = log.with_name("access.log-api")
    expected = []
    for number in range(20):
        expected += write(log, f"probe {number}") + write(other, f"probe {number}")
        rig.step()
        rig.clock.pass_s(10)
        if is_restarted and number == 15:
            rig.restart()
    assert sorted(each.line for each in rig.receiver.arrivals) == sorted(expected)
    assert len({each.id for each in rig.receiver.arrivals}) == len(expected)


def test_two_logs_of_which_a_server_says_that_it_writes_them_are_two(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / "access.log*"))
    other = log.with_name("access.log-api")
    with other.open("ab"):
        expected = write(log, "probe 1", "probe 2") + write(other, "probe 1", "probe 2")
        judge(rig, expected)
