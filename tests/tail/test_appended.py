"""Rotation that appends to one file: what was read where it stood is not read again where it was put."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import write

Step = Callable[[], object]


def cat_and_empty(log: Path, archive: Path, seen: Step) -> None:
    """cat log >> archive; : > log"""
    append(archive, log.read_bytes())
    seen()
    os.truncate(log, 0)


def cat_and_delete(log: Path, archive: Path, seen: Step) -> None:
    append(archive, log.read_bytes())
    seen()
    log.unlink()


def move_and_cat(log: Path, archive: Path, seen: Step) -> None:
    """mv log log.1; cat log.1 >> archive; rm log.1"""
    old = log.rename(f"{log}.1")
    log.touch()
    seen()
    append(archive, old.read_bytes())
    seen()
    old.unlink()


def move_and_compress(log: Path, archive: Path, seen: Step) -> None:
    """mv log log.1; gzip -c log.1 >> archive.gz; rm log.1"""
    old = log.rename(f"{log}.1")
    log.touch()
    seen()
    append(Path(f"{archive}.gz"), gzip.compress(old.read_bytes()))
    seen()
    old.unlink()


def in_parts(log: Path, archive: Path, seen: Step) -> None:
    """A copy that takes its time."""
    text = log.read_bytes()
    for start in range(0, len(text), 50):
        append(archive, text[start : start + 50])
        seen()
    os.truncate(log, 0)


def append(archive: Path, data: bytes) -> None:
    with archive.open("ab") as file:
        file.write(data)


WAYS = [cat_and_empty, cat_and_delete, move_and_cat, move_and_compress, in_parts]


@pytest.mark.parametrize("pause_s", [0, 700])
@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@pytest.mark.parametrize("name", ["access.log.processed", "access.log.old"])
@pytest.mark.parametrize("way", WAYS)
def test_lines_that_are_moved_to_the_end_of_one_file_arrive_once(
    tmp_path: Path,
    log: Path,
    way: Callable[[Path, Path, Step], None],
    name: str,
    pattern: str,
    is_seen: bool,
    pause_s: int,
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = []
    for turn in range(4):
        for number in range(3):
            expected += write(log, f"turn {turn} line {number} with some more text")
            rig.step()
        way(log, log.with_name(name), rig.step if is_seen else list)
        rig.step()
        rig.clock.pass_s(pause_s)
        rig.step()
    expected += write(log, "the end")
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("pause_s", [0, 700])
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@pytest.mark.parametrize("way", WAYS)
def test_lines_that_were_not_read_when_they_were_moved_are_read_there(
    tmp_path: Path, log: Path, way: Callable[[Path, Path, Step], None], pattern: str, pause_s: int, is_killed: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = []
    for turn in range(4):
        expected += write(log, *(f"turn {turn} line {number} with some more text" for number in range(4)))
        rig.step()
        rig.kill() if is_killed else rig.stop()
        expected += write(log, f"unread of turn {turn}")
        way(log, log.with_name("access.log.processed"), list)
        rig.start()
        for _ in range(4):
            rig.step()
            rig.clock.pass_s(3)
        rig.clock.pass_s(pause_s)
        rig.step()
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


def test_what_is_on_its_way_when_it_is_moved_is_settled_first(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log))
    archive = log.with_name("access.log.processed")
    expected = write(log, "turn 0 line 0", "turn 0 line 1")
    rig.step()
    cat_and_empty(log, archive, list)
    rig.step()
    expected += write(log, "turn 1 line 0", "turn 1 line 1")
    rig.look()
    rig.read_all()
    cat_and_empty(log, archive, list)
    for _ in range(3):
        rig.look()
        rig.read_all()
        rig.clock.pass_s(3)
    assert rig.tail.is_searching
    rig.deliver()
    assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)


def test_a_late_line_that_the_new_log_begins_with_too_is_a_line_of_its_own(tmp_path: Path, log: Path) -> None:
    """Two workers of a server log the same probe; one has the old file open still."""
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "line 0", "line 1")
    rig.step()
    old = log.rename(f"{log}.1")
    expected += write(log, "probe")
    rig.step()
    expected += write(old, "probe")
    for _ in range(3):
        rig.step()
        rig.clock.pass_s(3)
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("is_confirmed", [True, False])
@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("count", [2, 5, 40])
def test_late_lines_of_a_load_test_are_not_taken_for_those_of_the_next_file(
    tmp_path: Path, log: Path, count: int, kinds: int, is_confirmed: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log))
    lines = [f"the same second, the same client, page {number % kinds}" for number in range(count)]
    expected = write(log, "line 0", *lines)
    rig.step()
    old = log.rename(f"{log}.1")
    expected += write(log, *lines)
    if is_confirmed:
        rig.step()
    expected += write(old, *lines)
    for _ in range(3):
        rig.step()
        rig.clock.pass_s(3)
    assert sorted(rig.settle()) == sorted(expected)


def last_lines(text: bytes) -> bytes:
    """tail -n 4"""
    return b"".join(text.splitlines(keepends=True)[-4:])


def last_bytes(text: bytes) -> bytes:
    """tail -c 150"""
    return text[-150:]


def last_half(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[-len(lines) // 2 :])


def last_600_bytes(text: bytes) -> bytes:
    return text[-600:]


def without_the_first(text: bytes) -> bytes:
    """sed -i 1,3d"""
    return b"".join(text.splitlines(keepends=True)[3:])


@pytest.mark.parametrize("trim", [last_lines, last_bytes, without_the_first])
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@pytest.mark.parametrize("is_read", [True, False])
def test_a_log_that_is_made_shorter_at_its_beginning_is_sent_once(
    tmp_path: Path, log: Path, is_read: bool, pattern: str, trim: Callable[[bytes], bytes]
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = []
    for turn in range(3):
        expected += write(log, *(f"turn {turn} line {number} with some more text" for number in range(6)))
        if is_read:
            rig.step()
        else:
            rig.look()
        (tmp_path / "t").write_bytes(trim(log.read_bytes()))
        (tmp_path / "t").replace(log)
        expected += write(log, f"turn {turn}, the line after it")
        rig.step()
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    expected += write(log, "the end")
    assert sorted(rig.settle()) == sorted(expected)


@pytest.mark.parametrize("trim", [last_half, last_600_bytes, without_the_first])
@pytest.mark.parametrize("is_in_place", [True, False])
@pytest.mark.parametrize("fate", ["stopped", "killed", "running"])
@pytest.mark.parametrize("limit_bytes", [100, 262_144])
def test_a_log_that_is_made_shorter_at_its_beginning_while_nobody_looks_is_sent_once(
    rig: Rig, log: Path, limit_bytes: int, fate: str, is_in_place: bool, trim: Callable[[bytes], bytes]
) -> None:
    expected = write(log, *(f"line {number} with quite some more text, as usual" for number in range(30)))
    for turn in range(3):
        for _ in range(4):
            rig.step(limit_bytes)
        if fate != "running":
            rig.kill() if fate == "killed" else rig.stop()
        expected += write(log, f"turn {turn}, before it")
        text = trim(log.read_bytes())
        if is_in_place:
            log.write_bytes(text)
        else:
            (log.parent.parent / "t").write_bytes(text)
            (log.parent.parent / "t").replace(log)
        expected += write(log, *(f"turn {turn}, line {number} after it" for number in range(20)))
        if fate != "running":
            rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize("is_delivered", [True, False])
def test_a_log_that_is_made_shorter_in_place_while_lines_of_it_are_on_their_way_is_sent_once(
    rig: Rig, log: Path, is_delivered: bool
) -> None:
    """tail log > t; cat t > log"""
    expected = write(log, *(f"line {number} with quite some more text, as usual" for number in range(30)))
    rig.step()
    expected += write(log, *(f"line {number} with quite some more text, as usual" for number in range(30, 36)))
    rig.look()
    rig.read_all()
    log.write_bytes(last_half(log.read_bytes()))
    if not is_delivered:
        rig.look()
        rig.read_all()
    rig.deliver()
    expected += write(log, "after it")
    assert sorted(rig.settle()) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)
    assert not rig.told(What.LOST)


def test_lines_of_a_load_test_in_a_log_begun_anew_while_nobody_looks_are_sent(rig: Rig, log: Path) -> None:
    expected = write(log, "first", *["the same"] * 100)
    rig.step()
    rig.stop()
    log.unlink()
    expected += write(log, *["the same"] * 120)
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)


def test_a_new_log_that_begins_with_the_lines_that_a_deleted_one_ended_with_is_sent(tmp_path: Path, log: Path) -> None:
    """A load test writes the same line all over."""
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "first", *["the same"] * 20)
    rig.step()
    log.unlink()
    expected += write(log, *["the same"] * 5)
    assert sorted(rig.settle()) == sorted(expected)
