"""A copy that takes a log's name has other lines at its end, and is put away before anybody looks: both ends are read.

The old file is open and has no name; the copy's own lines are in nothing but the file that rotation made of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig
from tests.tail.test_copies import moved_over, with_a_backup
from tests.tail.test_rotation import compress, write

BEGUN = ["line 1", "line 2", "line 3"]


def copied_and_truncated(log: Path) -> None:
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)


def renamed(log: Path) -> None:
    log.rename(f"{log}.1")
    log.touch()


def renamed_to_a_date(log: Path) -> None:
    log.rename(log.with_name("access-2026113017.log"))


def compressed(log: Path) -> None:
    compress(log.rename(f"{log}.old"))


def renamed_twice(log: Path) -> None:
    log.rename(f"{log}.2")
    log.write_bytes(b"between\n")
    log.rename(f"{log}.1")


PUT_AWAY = [copied_and_truncated, renamed, renamed_to_a_date, compressed, renamed_twice]


@pytest.mark.parametrize("is_unread", [False, True])
@pytest.mark.parametrize("is_old_renamed", [False, True])
@pytest.mark.parametrize("name", ["access.log.1", "access.log~", "access.log-20261129"])
def test_two_files_that_continue_one_log_in_different_ways_while_nobody_looks_are_both_read(
    rig: Rig, log: Path, name: str, is_old_renamed: bool, is_unread: bool
) -> None:
    expected = write(log, *BEGUN)
    rig.step()
    expected += write(log, "line 4") if is_unread else []
    rig.stop()
    begins, other = log.read_bytes(), log.with_name(name)
    if is_old_renamed:
        log.rename(other)
    for path in (log, other):
        path.write_bytes(begins)
    expected += write(log, "of the log") + write(other, "of the other")
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize("limit_bytes", [7, 262_144])
@pytest.mark.parametrize("fresh", [["line 5"], ["new"], ["line 5", "and more of them"]])
@pytest.mark.parametrize("put_away", PUT_AWAY)
def test_lines_of_the_old_file_and_of_its_copy_are_read(
    rig: Rig, log: Path, put_away: Callable[[Path], None], fresh: list[str], limit_bytes: int, is_read: bool
) -> None:
    expected = write(log, *BEGUN)
    begun = log.read_bytes()
    rig.step()
    expected += write(log, "line 4")
    if is_read:  # and not confirmed yet
        rig.look()
        rig.read_all()
    moved_over(log, begun)
    expected += write(log, *fresh)
    put_away(log)
    expected += [b"between"] if put_away is renamed_twice else []
    expected += write(log, "after")
    for _ in range(4):
        rig.look()
        rig.read(limit_bytes)
        rig.look()
        rig.deliver()
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)
    assert not rig.told(What.LOST)


def with_a_second_name(log: Path, text: bytes) -> None:
    os.link(log, log.with_name("access-2026112917.log"))
    moved_over(log, text)


@pytest.mark.parametrize("is_looked_at", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("put_away", PUT_AWAY)
@pytest.mark.parametrize("replace", [with_a_second_name, with_a_backup])
def test_lines_of_a_copy_are_read_wherever_they_are_put_though_the_old_file_has_a_name_still(
    rig: Rig, log: Path, replace: Callable[[Path, bytes], None], put_away: Callable[[Path], None], is_known: bool,
    is_looked_at: bool,
) -> None:  # fmt: skip
    log.touch()
    rig.step()
    expected = write(log, *BEGUN)
    if is_known:
        rig.step()
    replace(log, log.read_bytes())
    expected += write(log, "line 4", "line 5")
    put_away(log)
    expected += [b"between"] if put_away is renamed_twice else []
    expected += write(log, "after")
    if is_looked_at:  # and put away a second time before anything of it is read
        rig.look()
        for path in [path for path in log.parent.iterdir() if path != log and path.stat().st_nlink == 1]:
            if path.suffix != ".gz":
                compress(path)
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)
    assert not rig.told(What.LOST)


def test_a_larger_copy_that_is_gone_before_it_is_read_is_lost_and_counted(rig: Rig, log: Path) -> None:
    log.touch()
    rig.step()
    expected = write(log, *BEGUN)
    with_a_backup(log, log.read_bytes())
    write(log, "line 4")
    log.rename(f"{log}.1")
    rig.look()
    log.with_name("access.log.1").unlink()
    assert rig.settle() == expected
    assert [each.size_bytes for each in rig.told(What.LOST)] == [7]
