"""The store of dead letters: what a crash, a full disk or a cap makes of it."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.delivery.dead_letter import from_json, to_json
from logship.delivery.dead_letter_store import LETTERS
from logship.event import LogFile

FILE = LogFile(0, "/var/log/nginx/access.log", "api", 123, "web-1")


def letter(number: int, raw: bytes = b"GET /", reason: str = "fits no format") -> DeadLetter:
    return DeadLetter(f"id-{number:08d}", "2026-10-10T13:55:36.000Z", reason, FILE, number, raw)


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def store(tmp_path: Path, counters: Counters) -> DeadLetters:
    return DeadLetters(tmp_path / "state", counters=counters)


@given(
    raw=st.binary(max_size=200),
    reason=st.text(max_size=50),
    path=st.text(max_size=50),
    status=st.none() | st.integers(100, 599),
    answer=st.text(max_size=50),
    event=st.sampled_from(["", '{"a":1,"b":"\\u00e9\\u0000"}', "[1.5]"]),
)
def test_a_letter_is_read_as_it_was_written(
    raw: bytes, reason: str, path: str, status: int | None, answer: str, event: str
) -> None:
    """Any bytes of a line, any text of an answer; and always on one line of the file."""
    written = DeadLetter("id", "t", reason, LogFile(0, path, "s", 2**42 - 1, "o"), 7, raw, event, status, answer, True)
    line = to_json(written)
    assert line.count(b"\n") == 1
    read = from_json(line)
    assert read is not None
    assert (read.raw, read.reason, read.file, read.status, read.answer) == (raw, reason, written.file, status, answer)
    assert (json.loads(read.event) if event else read.event) == (json.loads(event) if event else "")


def test_a_letter_is_on_the_disk_before_its_position_may_pass(
    store: DeadLetters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / LETTERS
    synced: list[tuple[str, int]] = []  # what was synced, and how large it was then
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((name.name, os.fstat(descriptor).st_size if name == path else 0))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store.append([letter(1)])
    assert synced[-1] == (LETTERS, path.stat().st_size)
    assert ("state", 0) in synced[:-1]  # the name of a new file, too
    store.append([letter(2)])
    assert synced[-1] == (LETTERS, path.stat().st_size)


def test_a_file_name_that_is_not_utf_8_is_kept_readable() -> None:
    written = DeadLetter("id", "t", "r", LogFile(0, os.fsdecode(b"/log/\xff.log"), "s", 1, "o"), 7, b"x")
    read = from_json(to_json(written))
    assert read is not None
    assert read.file.path == "/log/\\udcff.log"


def test_the_store_is_for_its_owner_only(store: DeadLetters, tmp_path: Path) -> None:
    store.append([letter(1)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert set(modes.values()) == {0o600}


def test_letters_come_back_in_order_and_once(store: DeadLetters) -> None:
    """A crash between the store and the position repeats letters; they are one by their id."""
    store.append([letter(1), letter(2)])
    store.append([letter(2), letter(3)])
    assert [each.id for each in store] == [letter(number).id for number in (1, 2, 3)]
    assert len(store) == 3


def test_an_empty_store_is_no_error(store: DeadLetters) -> None:
    assert list(store) == []
    assert store.remove(["x"]) == 0
    assert store.size().bytes == 0


def test_a_last_line_torn_at_any_byte_costs_only_itself(store: DeadLetters, tmp_path: Path) -> None:
    """Power loss in the middle of a write; the next letter starts on a line of its own."""
    path = tmp_path / "state" / LETTERS
    store.append([letter(1), letter(2)])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        expected = [letter(1)] if end < len(whole) - 1 else [letter(1), letter(2)]
        assert [each.id for each in store] == [each.id for each in expected]
        store.append([letter(3)])
        assert [each.id for each in store] == [*(each.id for each in expected), letter(3).id]


def test_a_store_full_of_nuls_or_rubbish_still_takes_letters(store: DeadLetters, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / LETTERS).write_bytes(b"\0" * 5000 + b"\n[]\n{}\n\xff\n1\n")
    store.append([letter(1)])
    assert [each.id for each in store] == [letter(1).id]


def test_a_full_disk_leaves_no_half_letter(store: DeadLetters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller holds its checkpoint and comes again with the same letters."""
    store.append([letter(0), letter(1)])
    before = (tmp_path / "state" / LETTERS).read_bytes()
    write = os.pwrite

    def half_a_disk(descriptor: int, content: bytes, offset: int) -> int:
        write(descriptor, content[: len(content) // 2], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half_a_disk)
    with pytest.raises(OSError, match="No space left"):
        store.append([letter(2)])
    with pytest.raises(OSError, match="No space left"):
        store.remove([letter(1).id])
    monkeypatch.undo()
    assert (tmp_path / "state" / LETTERS).read_bytes() == before
    store.append([letter(2)])
    assert len(store) == 3


def test_what_is_over_the_cap_is_counted_and_told_once(
    tmp_path: Path, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    room = 3 * len(to_json(letter(1)))
    store = DeadLetters(tmp_path, counters=counters, max_bytes=room)
    store.append([letter(number) for number in range(5)])
    store.append([letter(5)])
    assert [each.id for each in store] == [letter(number).id for number in range(3)]
    assert counters.dead_letters_overflow == 3
    assert DeadLetters(tmp_path, counters=Counters()).size().overflow == 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert store.size().bytes <= room


def test_after_a_purge_there_is_room_again(tmp_path: Path, counters: Counters) -> None:
    store = DeadLetters(tmp_path, counters=counters, max_bytes=2 * len(to_json(letter(1))))
    store.append([letter(number) for number in range(5)])
    assert store.purge() == 2
    assert (store.size().bytes, store.size().overflow) == (0, 0)
    store.append([letter(9)])
    assert len(store) == 1


def test_removing_and_replacing_touch_only_what_they_name(store: DeadLetters) -> None:
    store.append([letter(number) for number in range(4)])
    assert store.remove([letter(1).id, "unknown"]) == 1
    store.replace([letter(2, reason="the receiver refused it"), letter(1, reason="gone, and stays so")])
    assert [(each.position, each.reason) for each in store] == [
        (0, "fits no format"), (2, "the receiver refused it"), (3, "fits no format"),
    ]  # fmt: skip


def test_a_daemon_that_appends_while_a_command_rewrites_loses_nothing(tmp_path: Path) -> None:
    """Two processes as two stores: the lock is on a file, the descriptor is opened for each append."""
    daemon, command = (DeadLetters(tmp_path, counters=Counters()) for _ in range(2))
    daemon.append([letter(number) for number in range(100)])

    def append() -> None:
        for number in range(100, 200):
            daemon.append([letter(number)])

    thread = threading.Thread(target=append)
    thread.start()
    for number in range(100):
        command.remove([letter(number).id])
    thread.join()
    assert [each.position for each in command] == list(range(100, 200))


def test_a_link_in_the_place_of_the_store_is_not_followed(store: DeadLetters, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "state" / LETTERS).symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        store.append([letter(1)])
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4243)
    store = DeadLetters(tmp_path, counters=Counters())
    store.append([letter(1)])
    store.remove([letter(1).id])
    assert {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()} == {(4242, 4243)}
