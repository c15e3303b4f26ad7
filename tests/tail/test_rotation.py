"""Rotation as logrotate does it, while the daemon runs and while it is stopped."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from logship.event import ANCHOR_BYTES
from logship.tail.identity import FIRST_LINE_BYTES
from logship.tail.notices import What
from tests.tail.driver import Rig, source

YESTERDAY_S = time.time() - 86_400
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstd.compress(data),
}


def write(path: Path, *lines: str) -> list[bytes]:
    with path.open("ab") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return [line.encode() for line in lines]


def compress(path: Path, kind: str = "gz") -> Path:
    packed = path.with_name(f"{path.name}.{kind}")
    packed.write_bytes(COMPRESS[kind](path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()
    return packed


def test_lines_arrive_once_and_in_order_while_a_file_grows(rig: Rig, log: Path) -> None:
    expected = write(log, "one", "two")
    assert rig.step() == expected
    expected += write(log, "three")
    assert rig.step() == expected
    assert rig.step() == expected


def test_rename_rotation_reads_the_rest_of_the_old_file_then_the_new(rig: Rig, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    expected += write(log, "a3")
    log.rename(log.with_name("access.log.1"))
    expected += write(log, "b1")
    assert rig.step() == expected


def test_lines_written_to_a_renamed_file_until_the_server_is_told_arrive(rig: Rig, log: Path) -> None:
    write(log, "a1")
    rig.step()
    log.rename(log.with_name("access.log.1"))
    write(log, "b1")
    rig.step()
    write(log.with_name("access.log.1"), "a2")
    assert sorted(rig.step()) == [b"a1", b"a2", b"b1"]


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zst"])
def test_the_rest_of_a_file_rotated_while_stopped_is_read_from_its_sibling(rig: Rig, log: Path, kind: str) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    rig.stop()
    expected += write(log, "a3")
    rotated = log.with_name("access.log.1")
    log.rename(rotated)
    if kind:
        compress(rotated, kind)
    expected += write(log, "b1")
    rig.start()
    assert rig.step() == expected
    assert len(rig.receiver.arrivals) == len(expected)


def test_several_generations_rotated_while_stopped_are_read_oldest_first(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    expected += write(log, "a2")
    for letter in "bcd":
        for number in (3, 2, 1):
            older = log.with_name(f"access.log.{number}")
            if older.exists():
                older.rename(log.with_name(f"access.log.{number + 1}"))
        log.rename(log.with_name("access.log.1"))
        expected += write(log, f"{letter}1", f"{letter}2")
    compress(log.with_name("access.log.3"))
    rig.start()
    assert rig.step() == expected
    assert len(rig.receiver.arrivals) == len(expected)


def test_siblings_older_than_what_the_state_knows_are_left(tmp_path: Path, log: Path) -> None:
    for name, line in (("access.log.2", "older"), ("access.log.1", "old")):
        write(log.with_name(name), line)
        os.utime(log.with_name(name), (YESTERDAY_S, YESTERDAY_S))
    expected = write(log, "new")
    rig = Rig(tmp_path / "state", source(log))
    assert rig.step() == expected
    rig.restart()
    assert rig.settle() == expected


def test_a_live_log_that_gets_compressed_is_not_taken_as_new(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(f"{log}*"))
    expected = write(log, "a1", "a2")
    rig.step()
    log.rename(log.with_name("access.log.1"))
    expected += write(log, "b1")
    rig.step()
    compress(log.with_name("access.log.1"))
    rig.step()
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)


def test_lines_written_to_a_file_that_is_compressed_and_deleted_meanwhile_arrive(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    with log.open("ab", buffering=0) as server:
        log.rename(log.with_name("access.log.1"))
        write(log, "b1")
        compress(log.with_name("access.log.1"))
        rig.step()
        server.write(b"a2\n")  # the server does not know of the rotation yet
        assert sorted(rig.step()) == sorted([*expected, b"a2", b"b1"])


def test_copytruncate_takes_what_was_unread_from_the_copy(rig: Rig, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    expected += write(log, "a3")
    shutil.copy(log, log.with_name("access.log.1"))
    os.truncate(log, 0)
    expected += write(log, "b1")
    assert rig.settle() == expected
    assert not rig.told(What.LOST)


def test_copytruncate_of_a_log_seen_but_not_read_takes_the_copy_though_the_log_has_outgrown_it(
    rig: Rig, log: Path
) -> None:
    expected = write(log, "a1")
    rig.look()
    shutil.copy(log, log.with_name("access.log.1"))
    os.truncate(log, 0)
    expected += write(log, "b1 is longer than all that stood here")
    assert rig.settle() == expected
    assert not rig.told(What.LOST)


def test_copytruncate_without_a_copy_counts_what_is_lost(rig: Rig, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    write(log, "lost")
    rig.look()
    os.truncate(log, 0)
    expected += write(log, "b1")
    assert rig.settle() == expected
    assert [notice.size_bytes for notice in rig.told(What.LOST)] == [5]


@pytest.mark.parametrize("is_running", [True, False])
def test_a_log_truncated_and_refilled_past_the_position_is_read_anew(rig: Rig, log: Path, is_running: bool) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    if not is_running:
        rig.stop()
    os.truncate(log, 0)
    expected += write(log, "b1", "b2", "b3", "b4")
    if not is_running:
        rig.start()
    rig.step()
    assert rig.settle() == expected


def test_a_refilled_log_whose_lines_end_alike_for_longer_than_an_anchor_is_read_anew(rig: Rig, log: Path) -> None:
    alike = "x" * 300
    expected = write(log, f"first {alike}")
    assert rig.step() == expected
    log.write_bytes(b"")
    expected += write(log, f"other {alike}", "next")
    rig.settle()
    assert rig.receiver.lines == expected


@pytest.mark.parametrize("confirmed", ["all", "some", "nothing"])
def test_a_refilled_log_that_begins_alike_is_read_anew(rig: Rig, log: Path, confirmed: str) -> None:
    """The bytes before the position show it: kept as they were or, where everything is confirmed, as a hash."""
    expected = write(log, "alike", "a2")
    rig.look()
    rig.read_all()
    if confirmed != "nothing":
        rig.deliver()
    if confirmed == "some":
        expected += write(log, "a3")
        rig.look()
        rig.read_all()
    os.truncate(log, 0)
    write(log, "alike")
    expected += write(log, "other than it was", "b3")
    rig.settle()
    assert rig.receiver.lines == expected


@pytest.mark.parametrize("fate", ["running", "stopped", "rotated again"])
def test_a_rotated_file_that_seemed_finished_is_read_on_when_its_server_writes_to_it(
    rig: Rig, log: Path, fate: str
) -> None:
    expected = write(log, "a1")
    rig.step()
    log.rename(log.with_name("access.log.1"))
    expected += write(log, "b1")
    rig.settle()
    assert rig.told(What.GONE)
    name = log.with_name("access.log.1")
    if fate == "rotated again":
        name = name.rename(log.with_name("access.log.2"))
        log.rename(log.with_name("access.log.1"))
        expected += write(log, "c1")
        rig.settle()
    if fate == "stopped":
        rig.stop()
    expected += write(name, "a2")
    if fate == "stopped":
        rig.start()
    for _ in range(2):
        rig.clock.pass_s(61)
        rig.step()
    expected += write(name, "a3")
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("fate", ["rotated", "deleted"])
def test_a_log_refilled_past_the_position_and_put_away_at_once_is_read_anew(rig: Rig, log: Path, fate: str) -> None:
    expected = write(log, "a1")
    rig.step()
    os.truncate(log, 0)
    expected += write(log, "b1", "b2")
    if fate == "rotated":
        log.rename(log.with_name("access.log.1"))
    else:
        log.unlink()
    expected += write(log, "c1")
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


def test_a_log_refilled_past_the_position_and_deleted_between_look_and_read_is_read_anew(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.step()
    os.truncate(log, 0)
    expected += write(log, "b1", "b2")
    rig.look()
    log.unlink()
    rig.read_all()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


def test_a_deleted_file_is_read_to_its_end(rig: Rig, log: Path) -> None:
    expected = write(log, "a1")
    rig.look()
    expected += write(log, "a2")
    log.unlink()
    assert rig.step() == expected


@pytest.mark.parametrize("content", [["x"], ["b1", "b2"], ["b1", "b2", "b3"]], ids=["shorter", "equal", "longer"])
def test_a_recreated_file_with_a_reused_inode_is_read_from_its_start(rig: Rig, log: Path, content: list[str]) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    rig.stop()
    inode = log.stat().st_ino
    for _ in range(1000):
        log.unlink()
        log.touch()
        if log.stat().st_ino == inode:
            break
    expected += write(log, *content)
    rig.start()
    assert rig.settle() == expected


@pytest.mark.parametrize("read", range(1, 7))
def test_a_log_rewritten_between_two_reads_gives_whole_lines_of_each(
    rig: Rig, log: Path, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    old = [b"the old line %03d" % number for number in range(40)]
    new = [b"a new and longer line %03d" % number for number in range(80)]
    log.write_bytes(b"".join(line + b"\n" for line in old[:20]))
    assert rig.settle() == old[:20]
    with log.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in old[20:]))
    pread, reads = os.pread, iter(range(1, 1_000))

    def rewritten(descriptor: int, size: int, position: int) -> bytes:
        if next(reads) == read:
            log.write_bytes(b"".join(line + b"\n" for line in new))  # the same file, truncated and refilled
        return pread(descriptor, size, position)

    monkeypatch.setattr(os, "pread", rewritten)
    rig.settle()
    monkeypatch.undo()
    rig.settle()
    assert next(reads) > read, "nothing was rewritten"
    arrived = [each.line for each in rig.receiver.arrivals]
    assert [line for line in arrived if line not in old] == new
    assert len(arrived) == len(set(arrived))


def test_a_chunk_costs_four_reads(rig: Rig, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunk with the bytes before it; then the bytes before it again, the first line, and the end that was seen."""
    write(log, *(f"line {number:04}" for number in range(1_000)))
    rig.look()
    rig.tail.read(1_000)
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, position: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, position)

    monkeypatch.setattr(os, "pread", counted)
    assert rig.tail.read(1_000) is not None
    assert sizes == [1_000 + ANCHOR_BYTES, ANCHOR_BYTES, FIRST_LINE_BYTES, ANCHOR_BYTES]
