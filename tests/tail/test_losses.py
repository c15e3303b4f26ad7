"""What is in no file any more is said to be lost, at once and counted, whatever was done while nobody looked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig
from tests.tail.test_rotation import write

UNREAD = [f"unread {number}" for number in range(3)]


def truncated(log: Path) -> None:
    os.truncate(log, 0)


def truncated_and_refilled(log: Path) -> None:
    log.write_bytes(b"new 0\n")


def truncated_and_refilled_with_more(log: Path) -> None:
    log.write_bytes(b"".join(b"new %d\n" % number for number in range(60)))


def begun_anew_with_the_same_line(log: Path) -> None:
    log.write_bytes(b"line 0\nnew 0\n")


def cut_back(log: Path) -> None:
    os.truncate(log, 4 * len(b"line 0\n"))


def cut_back_and_written_on(log: Path) -> None:
    cut_back(log)
    write(log, "new 0")


def replaced_by_its_beginning(log: Path) -> None:
    copy = log.parent.parent / "copy"
    copy.write_bytes(log.read_bytes()[:7])
    copy.replace(log)


def saved_twice_by_an_editor(log: Path) -> None:
    """The backup of the first time is overwritten by that of the second."""
    cut_back_and_written_on(log)
    for _ in range(2):
        log.rename(f"{log}~")
        log.write_bytes(b"line 0\n")


def deleted(log: Path) -> None:
    log.unlink()


def deleted_and_made_again(log: Path) -> None:
    log.unlink()
    write(log, "new 0")


def directory_deleted(log: Path) -> None:
    shutil.rmtree(log.parent)


def directory_deleted_and_made_again(log: Path) -> None:
    directory_deleted(log)
    log.parent.mkdir()
    write(log, "new 0")


GONE = [
    truncated, truncated_and_refilled, truncated_and_refilled_with_more, begun_anew_with_the_same_line, cut_back,
    cut_back_and_written_on, replaced_by_its_beginning, saved_twice_by_an_editor, deleted, deleted_and_made_again,
    directory_deleted, directory_deleted_and_made_again,
]  # fmt: skip


@pytest.mark.parametrize("end", ["stopped", "killed", "stopped again at once"])
@pytest.mark.parametrize("treat", GONE)
def test_what_went_while_nobody_looked_is_lost_though_nobody_saw_how_much_it_was(
    rig: Rig, log: Path, treat: Callable[[Path], None], end: str
) -> None:
    for number in range(9):
        write(log, f"line {number}")
        rig.step()
    rig.kill() if end == "killed" else rig.stop()
    write(log, *UNREAD)
    treat(log)
    rig.start()
    rig.look()
    assert rig.tail.is_searching or rig.told(What.LOST)
    if end == "stopped again at once":
        rig.restart()
    arrived = rig.settle()
    assert not rig.tail.is_searching
    [notice] = rig.told(What.LOST)
    assert notice.size_bytes == 1
    assert "at least 1 byte" in notice.message
    assert len({each.id for each in rig.receiver.arrivals}) == len(arrived)
    rig.restart()
    rig.settle()
    assert len(rig.told(What.LOST)) == 1, "once"


@pytest.mark.parametrize("treat", [truncated_and_refilled, deleted, directory_deleted])
def test_what_was_seen_and_not_sent_is_counted_byte_for_byte(
    rig: Rig, log: Path, treat: Callable[[Path], None]
) -> None:
    write(log, "line 0")
    rig.step()
    write(log, *UNREAD)
    rig.look()
    rig.stop()
    treat(log)
    rig.start()
    rig.settle()
    [notice] = rig.told(What.LOST)
    assert notice.size_bytes == 27
    assert "at least 27 bytes" in notice.message


def test_a_log_that_slept_for_days_before_it_was_removed_is_no_loss(rig: Rig, log: Path) -> None:
    write(log, "line 0")
    days_ago_s = rig.clock.time() - 3 * 86_400
    os.utime(log, (days_ago_s, days_ago_s))
    rig.step()
    rig.stop()
    log.unlink()
    rig.start()
    rig.settle()
    [notice] = rig.told(What.MISSING)
    assert "what was written to it after byte 7 is lost" in notice.message
    assert not rig.told(What.LOST)


def test_a_rotated_file_that_was_read_and_then_removed_is_no_loss(rig: Rig, log: Path) -> None:
    write(log, "line 0")
    hour_ago_s = rig.clock.time() - 3_600
    os.utime(log, (hour_ago_s, hour_ago_s))
    rig.step()
    old = log.rename(log.with_name("access.log.1"))
    write(log, "new 0")
    rig.step()
    rig.stop()
    old.unlink()
    rig.start()
    rig.settle()
    assert not rig.told(What.LOST)


def test_a_log_that_can_not_be_opened_is_not_lost(rig: Rig, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = write(log, "line 0")
    rig.step()
    rig.stop()
    expected += write(log, *UNREAD)

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as closed:
        closed.setattr("logship.tail.followed.open_content", refuse)
        rig.start()
        rig.settle()
        assert rig.told(What.UNREADABLE)
    assert rig.settle() == expected
    assert not rig.told(What.LOST)
