"""A log that is replaced by a copy of itself, equal, longer or shorter; and lines that are written in two pieces."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig
from tests.tail.test_rotation import compress, write


def moved_over(log: Path, text: bytes) -> None:
    temporary = log.parent.parent / "temporary"
    temporary.write_bytes(text)
    temporary.replace(log)


def moved_away_and_back(log: Path, text: bytes) -> None:
    log.rename(log.parent.parent / "away")
    log.write_bytes(text)
    (log.parent.parent / "away").unlink()


def with_a_backup(log: Path, text: bytes) -> None:
    log.rename(f"{log}~")
    log.write_bytes(text)


def deleted_first(log: Path, text: bytes) -> None:
    log.unlink()
    log.write_bytes(text)


REPLACED = [moved_over, moved_away_and_back, with_a_backup, deleted_first]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("more", [[], ["n1"], ["n1", "n2 and longer than anything that stood here before"]])
@pytest.mark.parametrize("replace", REPLACED)
def test_a_log_replaced_by_an_equal_or_longer_copy_is_read_on(
    rig: Rig, log: Path, replace: Callable[[Path, bytes], None], more: list[str], is_running: bool
) -> None:
    expected = write(log, "a1", "a2", "a3")
    rig.step()
    if not is_running:
        rig.stop()
    new = [line.encode() for line in more]
    replace(log, log.read_bytes() + b"".join(line + b"\n" for line in new))
    expected += new
    if not is_running:
        rig.start()
    for number in range(3):
        rig.step()
        expected += write(log, f"appended {number}")
        rig.clock.pass_s(6)
    assert rig.step() == expected
    rig.restart()
    expected += write(log, "after")
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)
    assert not rig.told(What.LOST)


def test_what_was_unread_when_the_copy_came_is_read_once(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    expected += write(log, "a2", "a3")
    rig.look()
    moved_over(log, log.read_bytes() + b"n1\n")
    rig.look()
    assert rig.step() == expected
    assert rig.step() == [*expected, b"n1"]
    assert len(rig.receiver.arrivals) == len(expected) + 1


def test_a_copy_each_second_over_a_rotation_is_one_log(rig: Rig, log: Path) -> None:
    expected: list[bytes] = []
    text = b""
    for number in range(12):
        if number == 6:
            rig.step()
            log.rename(log.with_name("access.log.1"))
            text = b""
        line = f"line {number}".encode()
        expected.append(line)
        text += line + b"\n"
        moved_over(log, text)
        rig.step()
        rig.clock.pass_s(1)
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("replace", REPLACED)
def test_a_server_that_writes_on_into_a_replaced_file_is_read(
    rig: Rig, log: Path, replace: Callable[[Path, bytes], None]
) -> None:
    expected = write(log, "a1")
    with log.open("ab", buffering=0) as server:
        rig.step()
        replace(log, log.read_bytes() + b"n1\n")
        expected.append(b"n1")
        rig.step()
        rig.step()
        server.write(b"late 1\nlate 2\n")
        for _ in range(3):
            rig.step()
            rig.clock.pass_s(6)
        expected += [b"late 1", b"late 2", *write(log, "n2")]
        assert sorted(rig.step()) == sorted(expected)
        assert not rig.told(What.LOST)
        rig.restart()
        expected += write(log, "n3")
        assert sorted(rig.settle()) == sorted(expected)
        assert len(rig.receiver.arrivals) == len(expected)
        if replace is not with_a_backup:  # nobody can read what the server writes to a deleted file from now on
            assert [each.size_bytes for each in rig.told(What.LOST)] == [1]


def test_what_only_an_archive_has_more_than_a_deleted_file_is_read_there(rig: Rig, log: Path) -> None:
    """As rsync brings it: the log was rotated and compressed at its source after it was pulled last."""
    expected = write(log, "a1")
    rig.step()
    text = log.read_bytes() + b"a2\n"
    moved_over(log, b"b1\n")
    log.with_name("access.log.1").write_bytes(text)
    compress(log.with_name("access.log.1"))
    expected += [b"a2", b"b1"]
    for _ in range(3):
        rig.step()
        rig.clock.pass_s(6)
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


def shrink(log: Path, keep: int) -> None:
    os.truncate(log, keep)


def shorter_copy(log: Path, keep: int) -> None:
    moved_over(log, log.read_bytes()[:keep])


@pytest.mark.parametrize("fate", ["running", "stopped", "stopped and rotated"])
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("kept_lines", [1, 4, 7])
@pytest.mark.parametrize("cut", [shrink, shorter_copy])
def test_a_log_that_comes_back_shorter_is_read_from_the_last_anchor_that_holds(
    rig: Rig, log: Path, cut: Callable[[Path, int], None], kept_lines: int, grows: bool, fate: str
) -> None:
    expected = []
    for number in range(8):
        expected += write(log, f"line {number}")
        rig.step()
    if fate != "running":
        rig.stop()
    cut(log, kept_lines * len(b"line 0\n"))
    if grows:
        expected += write(log, *(f"grown {number}" for number in range(9)))
    if fate == "stopped and rotated":
        log.rename(log.with_name("access.log.1"))
    if fate != "running":
        rig.start()
    rig.step()
    name = log.with_name("access.log.1") if fate == "stopped and rotated" else log
    expected += write(name, "appended")
    rig.step()
    rig.restart()
    expected += write(name, "after")
    assert rig.settle() == expected
    assert [each.size_bytes for each in rig.told(What.LOST)] == ([] if fate == "running" else [1])
    if cut is shrink or fate != "stopped and rotated":
        sent_again = len(rig.receiver.arrivals) - len(expected)
        assert sent_again <= 1, "at most what lies between two anchors"


def test_what_is_under_way_when_a_log_is_cut_back_does_not_confirm_what_comes_then(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    expected += write(log, "a2", "a3")
    rig.look()
    rig.read()
    shrink(log, 3)
    new = write(log, "b2", "b3")
    rig.look()
    rig.deliver()
    rig.kill()
    rig.start()
    assert sorted(rig.settle()) == sorted([*expected, *new])


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("away", ["renamed", "copied"])
@pytest.mark.parametrize("backup", ["access.log~", "access.log.bak", "access.log.orig"])
def test_of_two_files_that_begin_as_a_log_did_the_one_with_more_is_read_to_its_end(
    rig: Rig, log: Path, backup: str, away: str, is_running: bool, is_read: bool
) -> None:
    expected = write(log, "a1", "a2")
    rig.look()
    if is_read:
        rig.step()
    if not is_running:
        rig.stop()
    text = log.read_bytes()
    log.rename(log.with_name(backup))
    log.write_bytes(text)
    expected += write(log, "a3", "a4")
    if away == "renamed":
        log.rename(log.with_name("access.log.1"))
    else:
        shutil.copy(log, log.with_name("access.log.1"))
        os.truncate(log, 0)
    expected += write(log, "b1")
    if not is_running:
        rig.start()
    assert sorted(rig.settle()) == expected
    rig.restart()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("codec", ["gz", "xz"])
@pytest.mark.parametrize("kept_lines", [1, 2])
@pytest.mark.parametrize("more", [["new"], ["new 1", "new 2 and longer than what was cut off"]])
def test_an_archive_of_a_log_that_was_cut_back_is_read_from_the_last_place_that_holds(
    rig: Rig, log: Path, kept_lines: int, more: list[str], codec: str
) -> None:
    expected = []
    for number in range(4):
        expected += write(log, f"line {number}")
        rig.step()
    rig.stop()
    shrink(log, kept_lines * len(b"line 0\n"))
    expected += write(log, *more)
    compress(log.rename(log.with_name("access.log.1")), codec)
    expected += write(log, "next")
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.told(What.TRUNCATED)) == 1, "it is told once"


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("away", ["renamed", "copied", ""])
@pytest.mark.parametrize("more", [["a3"], ["a3", "a4", "a5"]])
@pytest.mark.parametrize("name", ["access.log~", "access.log-2026112914", "access.log.2"])
def test_two_files_that_continue_one_log_are_both_read(
    rig: Rig, log: Path, name: str, more: list[str], away: str, is_running: bool
) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    if not is_running:
        rig.stop()
    text = log.read_bytes()
    expected += write(log, *more)
    log.rename(log.with_name(name))
    log.write_bytes(text)
    expected += write(log, "other 3", "other 4")
    if away == "renamed":
        log.rename(log.with_name("access.log.1"))
    elif away == "copied":
        shutil.copy(log, log.with_name("access.log.1"))
        os.truncate(log, 0)
    expected += write(log, "b1")
    if not is_running:
        rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("confirmed", ["nothing", "first line"])
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("codec", ["", "gz"])
@pytest.mark.parametrize("away", ["renamed", "copied"])
@pytest.mark.parametrize("is_running", [True, False])
def test_what_is_left_of_a_log_that_was_cut_back_and_put_away_at_once_is_read(
    rig: Rig, log: Path, is_running: bool, away: str, codec: str, grows: bool, confirmed: str
) -> None:
    expected = write(log, "line 0", "line 1", "line 2", "line 3")
    rig.look()
    rig.read(8)
    if confirmed == "first line":
        rig.deliver()
    if not is_running:
        rig.stop()
    shrink(log, 14)
    expected = [*expected[:2], *(write(log, "new") if grows else [])]
    put_away = log.with_name("access.log.1")
    if away == "renamed":
        log.rename(put_away)
    else:
        shutil.copy(log, put_away)
        os.truncate(log, 0)
    if codec:
        compress(put_away, codec)
    expected += write(log, "next")
    if not is_running:
        rig.start()
    rig.look()
    rig.deliver()
    assert sorted(rig.settle()) == sorted(expected)
    assert rig.told(What.LOST), "two lines were cut off"


def test_unread_bytes_that_were_cut_off_are_lost_and_counted(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    write(log, "cut off")
    rig.look()
    shrink(log, 3)
    assert rig.settle() == expected
    assert [each.size_bytes for each in rig.told(What.LOST)] == [8]


@pytest.mark.parametrize("is_restarted", [True, False])
@pytest.mark.parametrize("jump_s", [0, -86_400, 86_400])
def test_a_line_in_two_pieces_after_a_long_silence_is_one_line(
    rig: Rig, log: Path, jump_s: int, is_restarted: bool
) -> None:
    expected = write(log, "a1")
    rig.step()
    old = log.rename(log.with_name("access.log.1"))
    expected += write(log, "b1")
    for _ in range(3):
        rig.step()
        rig.clock.pass_s(66)
        rig.clock.wall_s += jump_s
        rig.step()
        with old.open("ab") as server:
            server.write(b"half ")
        if is_restarted:
            rig.restart()
        for _ in range(5):
            rig.step()
            rig.clock.pass_s(11)
        expected += write(old, "whole")
        expected[-1] = b"half whole"
        rig.clock.pass_s(6)
        rig.step()
    assert rig.settle()[:2] == expected[:2]
    assert [each.line for each in rig.receiver.arrivals] == expected


def test_a_half_line_waits_for_as_long_as_somebody_has_its_file_open_for_writing(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    with log.open("ab", buffering=0) as server:
        server.write(b"half ")
        log.rename(log.with_name("access.log.1"))
        expected += write(log, "b1")
        for _ in range(6):
            rig.step()
            rig.clock.pass_s(61)
        assert rig.step() == expected
        server.write(b"whole\n")
        rig.clock.pass_s(6)
        assert rig.step() == [*expected, b"half whole"]
        server.write(b"the last")
    assert rig.settle() == [*expected, b"half whole", b"the last"]


def test_what_is_found_nowhere_is_reported_with_the_names_that_were_looked_at(rig: Rig, log: Path) -> None:
    write(log, "a1")
    rig.step()
    write(log, "a2", "a3")
    rig.look()
    rig.stop()
    log.unlink()
    write(log.with_name("access.log.7"), "another")
    write(log, "b1")
    rig.start()
    rig.settle()
    [notice] = rig.told(What.LOST)
    assert notice.size_bytes == 6
    assert f"these are not it: {log}.7" in notice.message


def test_an_archive_that_is_still_written_is_waited_for(rig: Rig, log: Path) -> None:
    expected = write(log, *(f"line {number}" for number in range(2_000)))
    rig.step()
    expected += write(log, *(f"rest {number}" for number in range(2_000)))
    rig.stop()
    packed = compress(log.rename(log.with_name("access.log-2026112914")))
    data = packed.read_bytes()
    packed.write_bytes(data[: len(data) // 3])
    rig.start()
    for part in range(4, 9):
        rig.step()
        rig.clock.pass_s(6)
        packed.write_bytes(data[: len(data) * part // 8])
    assert rig.settle() == expected
    assert not rig.told(What.LOST)


def test_a_copy_by_hand_of_a_live_log_is_not_its_continuation(rig: Rig, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    shutil.copy(log, log.with_name("access.log.copy"))
    expected += write(log, "a3")
    rig.step()
    rig.restart()
    expected += write(log, "a4")
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)
