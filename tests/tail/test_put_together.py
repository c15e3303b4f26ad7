"""Several things happen to a log between two looks, or while nobody looks: each file that is left of it is read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig
from tests.tail.test_copies import moved_over, with_a_backup
from tests.tail.test_parted import with_a_second_name
from tests.tail.test_rotation import compress, write

LONG_S = 700.0  # a rotated file that was quiet for so long is done with


@pytest.fixture
def followed(rig: Rig, log: Path) -> Rig:
    """A log that was looked at while it was empty."""
    log.touch()
    rig.step()
    return rig


def judge(rig: Rig, expected: list[bytes]) -> None:
    """Each line arrived, under one id, and a restart sends nothing."""
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("fate", ["running", "looked at", "stopped"])
@pytest.mark.parametrize("is_rotated", [False, True])
@pytest.mark.parametrize("is_second_name", [False, True])
@pytest.mark.parametrize("is_read", [False, True])
def test_a_log_whose_old_file_was_compressed_is_read_on_in_its_copy(
    followed: Rig, log: Path, is_read: bool, is_second_name: bool, is_rotated: bool, fate: str
) -> None:
    expected = write(log, "line 0")
    if is_read:
        followed.step()
    if fate == "stopped":
        followed.stop()
    (with_a_second_name if is_second_name else with_a_backup)(log, log.read_bytes())
    expected += write(log, "line 1")
    if fate == "looked at":
        followed.look()
    compress(log.with_name("access-2026112917.log" if is_second_name else "access.log~"))
    if is_rotated:
        log.rename(f"{log}.1")
        expected += write(log, "after")
    if fate == "stopped":
        followed.start()
    judge(followed, expected)
    expected += write(log, "later")
    judge(followed, expected)
    assert not followed.told(What.LOST)


@pytest.mark.parametrize("quiet_s", [0, LONG_S])
@pytest.mark.parametrize("lines", [1, 8])
def test_a_copy_of_the_beginning_beside_another_that_is_longer_is_read(
    followed: Rig, log: Path, lines: int, quiet_s: float
) -> None:
    expected = write(log, *(f"line {number}" for number in range(lines)))
    followed.look()
    followed.clock.pass_s(quiet_s)
    followed.kill()
    begins = log.read_bytes()
    moved_over(log, begins)
    expected += write(log, "of the longer")
    with_a_backup(log, begins[:7])
    expected += write(log, "of the shorter")
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    expected += write(log, "after")
    followed.start()
    judge(followed, expected)


@pytest.mark.parametrize("is_running", [True, False])
def test_of_three_files_that_begin_alike_each_is_read(followed: Rig, log: Path, is_running: bool) -> None:
    expected = write(log, "line 0")
    if not is_running:
        followed.stop()
    begins = log.read_bytes()
    with_a_second_name(log, begins)
    expected += write(log, "of the second")
    with_a_backup(log, begins)
    expected += write(log, "of the third", "and more of it")
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    expected += write(log, "after")
    if not is_running:
        followed.start()
    judge(followed, expected)


@pytest.mark.parametrize("quiet_s", [0, LONG_S])
def test_a_log_that_was_quiet_for_long_is_read_on_in_its_copy(followed: Rig, log: Path, quiet_s: float) -> None:
    expected = write(log, "line 0")
    followed.look()
    followed.read_all()
    followed.clock.pass_s(quiet_s)
    followed.look()
    with_a_backup(log, log.read_bytes())
    expected += write(log, "line 1")
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    judge(followed, expected)


def test_a_log_that_was_cut_back_twice_is_read_to_its_end_wherever_it_was_put(followed: Rig, log: Path) -> None:
    expected = write(log, "line 0", "line 1")
    followed.look()
    os.truncate(log, len("line 0\n"))
    followed.deliver()
    expected += write(log, "line 2 is longer", "line 3 is longer")
    followed.step()
    followed.step()
    os.truncate(log, len("line 0\nline 2 is longer\n"))
    expected += write(log, "line 4")
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    followed.restart()
    assert set(expected) - {b"line 1"} <= set(followed.settle())


@pytest.mark.parametrize("rotations", [1, 2, 3])
def test_of_copies_made_since_a_log_was_emptied_and_refilled_to_its_size_each_is_read(
    followed: Rig, log: Path, rotations: int
) -> None:
    expected = write(log, "line 0")
    followed.step()
    for number in range(rotations):
        os.truncate(log, 0)
        expected += write(log, f"fill {number}")
        for old in range(rotations, 0, -1):
            if log.with_name(f"access.log.{old}").exists():
                log.with_name(f"access.log.{old}").rename(f"{log}.{old + 1}")
        shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    expected += write(log, "line 9")
    judge(followed, expected)


def test_what_an_archive_of_a_log_that_was_cut_back_has_not_any_more_is_lost_and_counted(
    followed: Rig, log: Path
) -> None:
    expected = write(log, "line 0", "line 1")
    followed.step()
    expected += write(log, "line 2")
    followed.step()
    write(log, "gone")
    followed.look()
    followed.stop()
    begins = log.read_bytes()[:14]
    log.write_bytes(begins)
    expected += write(log, "line 3")
    with_a_backup(log, log.read_bytes())
    compress(log.with_name("access.log~"))
    followed.start()
    judge(followed, expected)
    assert sum(each.size_bytes for each in followed.told(What.LOST)) >= len("gone\n")


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_of_another_that_began_alike_is_not_taken_for_what_was_lost(
    followed: Rig, log: Path, is_packed: bool
) -> None:
    expected = write(log, "line 0", "line 1", "line 2")
    followed.step()
    begins = log.read_bytes()
    expected += write(log, "line 3")
    followed.step()
    with_a_backup(log, begins)
    expected += write(log, "of the second")
    followed.step()
    write(log, "gone")
    followed.look()
    followed.stop()
    log.unlink()
    if is_packed:
        compress(log.with_name("access.log~"))
    expected += write(log, "after")
    followed.start()
    judge(followed, expected)
    assert [each.size_bytes for each in followed.told(What.LOST)] == [5]


def test_what_is_written_between_a_truncation_and_the_next_look_is_read_at_once(followed: Rig, log: Path) -> None:
    expected = write(log, "line 0", "line 1", "line 2")
    followed.look()
    followed.read(7)
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    followed.read(7)  # it is seen to be empty
    expected += write(log, "line 3")
    for _ in range(3):
        followed.step()
    assert sorted(followed.receiver.lines) == sorted(expected)
