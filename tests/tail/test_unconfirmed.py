"""What was seen or read of a log, and is not confirmed when the log is cut back or replaced: read again, or said to be
lost; never taken for what stands there now."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_copies import moved_over, with_a_backup
from tests.tail.test_rotation import compress, write

FRESH = ["x", "fresh 2", "longer than any line that was there before"]


def read_unconfirmed(rig: Rig, log: Path, *lines: str) -> list[bytes]:
    expected = write(log, "line 0")
    rig.step()
    write(log, *lines)
    rig.look()
    rig.read_all()
    return expected


@pytest.mark.parametrize("fresh", FRESH)
@pytest.mark.parametrize("line", ["line 1", "x" * 70_000])  # one that is too long has no anchor
@pytest.mark.parametrize("is_delivered_before", [True, False])
def test_what_follows_the_confirmed_position_of_a_log_that_was_cut_back_is_read(
    rig: Rig, log: Path, line: str, fresh: str, is_delivered_before: bool
) -> None:
    expected = read_unconfirmed(rig, log, line)
    os.truncate(log, len("line 0\n"))
    if is_delivered_before:
        rig.deliver()
    expected += write(log, fresh)
    assert set(expected) <= set(rig.settle())
    assert set(rig.receiver.lines) <= {*expected, line.encode(), line.encode()[:65_536]}


@pytest.mark.parametrize(("is_looked_at", "is_killed"), [(True, True), (True, False), (False, False)])
def test_what_was_read_and_cut_off_before_it_was_delivered_is_lost_with_the_process(
    rig: Rig, log: Path, is_looked_at: bool, is_killed: bool
) -> None:
    expected = read_unconfirmed(rig, log, "line 1", "line 2")
    rig.tail.save(rig.clock.monotonic(), force=True)
    os.truncate(log, len("line 0\n"))
    if is_looked_at:
        rig.look()
        rig.clock.pass_s(20)
        rig.look()
    rig.kill() if is_killed else rig.stop()
    rig.start()
    assert rig.settle() == expected
    assert rig.told(What.LOST)


@pytest.mark.parametrize("limit_bytes", [7, 262_144])
def test_what_was_seen_and_cut_off_between_a_look_and_a_reading_is_told(rig: Rig, log: Path, limit_bytes: int) -> None:
    expected = write(log, "line 0", "line 1 is long")
    rig.look()
    rig.read(7)
    os.truncate(log, len("line 0\n"))
    expected = [expected[0], *write(log, "x")]
    rig.read_all(limit_bytes)
    rig.deliver()
    assert rig.settle() == expected
    assert rig.told(What.LOST)


def test_what_was_seen_of_a_log_that_came_back_as_another_of_its_size_is_told(rig: Rig, log: Path) -> None:
    write(log, "line 0", "line 1")
    rig.look()
    log.write_bytes(b"")
    expected = write(log, "fresh0", "fresh1")
    assert rig.settle() == expected
    assert [each.size_bytes for each in rig.told(What.LOST)] == [14]


def test_what_was_seen_in_mid_line_is_no_position_after_a_restart(rig: Rig, log: Path) -> None:
    expected = write(log, "line 0")
    with log.open("ab") as server:
        server.write(b"half of line 1")
    rig.look()
    rig.kill()
    with log.open("ab") as server:
        server.write(b" and its end\n")
    begins = b"line 0\n"
    with_a_backup(log, begins)
    expected += [b"half of line 1 and its end", *write(log, "fresh")]
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("fresh", FRESH)
def test_of_two_copies_that_replaced_a_log_between_two_looks_both_are_read(rig: Rig, log: Path, fresh: str) -> None:
    expected = write(log, "line 0")
    begins = log.read_bytes()
    rig.look()
    rig.read_all()
    moved_over(log, begins)
    expected += write(log, "line 1")
    with_a_backup(log, begins)
    expected += write(log, fresh)
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_backup_with_nothing_of_its_own_is_sent_by_no_life(rig: Rig, log: Path, kept: int, is_packed: bool) -> None:
    expected = write(log, "line 0", "line 1", "line 2")
    rig.step()
    begins = log.read_bytes()
    moved_over(log, begins[: 7 * kept])
    with_a_backup(log, begins)
    if is_packed:
        compress(log.with_name("access.log~"))
    expected += write(log, "line 3")
    assert sorted(rig.settle()) == sorted(expected)
    for _ in range(2):
        rig.restart()
        assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)


def test_of_rotations_between_two_looks_with_names_of_two_kinds_each_file_is_read(rig: Rig, log: Path) -> None:
    expected = write(log, "line 0")
    rig.step()
    log.write_bytes(b"")
    for number, name in enumerate(["access.log.1", "access.log-20261129"], 1):
        expected += write(log, f"line {number}")
        shutil.copy(log, log.with_name(name))
        os.truncate(log, 0)
    expected += write(log, "line 3 is longer")
    assert sorted(rig.settle()) == sorted(expected)


def test_beside_a_compressed_backup_that_is_read_on_another_backup_is_read(rig: Rig, log: Path) -> None:
    begins = b"line 0\n"
    expected = write(log, "line 0")
    rig.step()
    expected += write(log, "line 1", "line 2")
    rig.look()
    rig.stop()
    with_a_backup(log, begins)
    expected += write(log, "of the second")
    compress(log.with_name("access.log~"))
    with_a_backup(log, begins)
    log.unlink()
    expected += write(log, "fresh")
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("is_packed", [True, False])
def test_what_is_left_of_a_log_that_was_put_away_under_a_name_that_says_nothing_is_read(
    tmp_path: Path, log: Path, is_packed: bool
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    rig = Rig(tmp_path / "state", source(log, rotated=[f"{away}/*"]))
    expected = write(log, "line 0", "line 1")
    rig.look()
    rig.kill()
    os.truncate(log, len("line 0\n"))
    shutil.copy(log, away / "kept")
    if is_packed:
        compress(away / "kept")
    os.truncate(log, 0)
    expected = [expected[0], *write(log, "fresh")]
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    assert rig.told(What.LOST)


@pytest.mark.parametrize("is_looked_at", [False, True])
@pytest.mark.parametrize("is_delivered", [False, True])
@pytest.mark.parametrize("first", ["line 0", "x" * 70_000])
def test_what_was_seen_and_not_read_when_a_log_was_cut_back_and_grew_beyond_it_is_told(
    rig: Rig, log: Path, first: str, is_delivered: bool, is_looked_at: bool
) -> None:
    write(log, first, "line 1", "line 2")
    rig.look()
    rig.read(len(first) + 1)
    if is_delivered:
        rig.deliver()
    os.truncate(log, len(first) + 1)
    fresh = write(log, "longer than any line that was there before")
    if is_looked_at:
        rig.look()
    rig.read_all()
    rig.deliver()
    assert rig.settle()[-1:] == fresh
    assert [each.size_bytes for each in rig.told(What.LOST)] == [14]


@pytest.mark.parametrize("name", ["access.log.1", "access-2026112917.log"])
@pytest.mark.parametrize("is_looked_at", [False, True])
def test_a_copy_of_a_log_that_was_cut_back_below_what_is_on_its_way_is_read(
    rig: Rig, log: Path, is_looked_at: bool, name: str
) -> None:
    expected = write(log, "line 0")
    rig.step()
    expected += write(log, *(f"line {number} with some more text, as usual" for number in range(1, 20)))
    rig.look()
    rig.read_all()
    os.truncate(log, len("line 0\n"))
    expected += write(log, "line 20")
    shutil.copy(log, log.with_name(name))
    os.truncate(log, 0)
    if is_looked_at:
        rig.look()
    rig.deliver()
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_log_that_was_cut_back_and_put_away_under_a_name_that_says_nothing_is_read(
    tmp_path: Path, log: Path, is_killed: bool
) -> None:
    (tmp_path / "away").mkdir()
    rig = Rig(tmp_path / "state", source(log, rotated=[f"{tmp_path}/away/*"]))
    expected = write(log, "line 0", "line 1")
    rig.step()
    if is_killed:
        rig.kill()
    os.truncate(log, len("line 0\n"))
    expected += write(log, "line 2")
    shutil.copy(log, tmp_path / "away" / "kept")
    os.truncate(log, 0)
    if is_killed:
        rig.start()
    assert sorted(rig.settle()) == sorted(expected)
