"""The state outlives crashes, damage, full disks and people."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.checkpoint import Anchor, Checkpoint, Range, merged
from logship.errors import StateError
from logship.state import COPY_EVERY_S, State, lock_holder, schema
from logship.state.database import check
from logship.state.folder import COPY, DATABASE, MARKER
from tests.rigs.machine import require_root
from tests.tail.driver import FakeClock, as_nobody

ROW = Checkpoint(
    generation=1,
    source="api",
    receiver="https://receiver.test",
    directory="/var/log",
    stem="access.log",
    origin="web-1",
    path="/var/log/access.log",
    device=2**64 - 1,
    inode=2**63 + 5,
    size_bytes=1000,
    mtime_ns=1_700_000_000_000_000_000,
    first_line=b"f" * 16,
    key=7,
    range_start=0,
    position=500,
    anchors=(Anchor(400, b"a" * 16), Anchor(500, b"b" * 16)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def started(folder: Path) -> None:
    """A state that a daemon has used and stopped."""
    state = State.open(folder, FakeClock())
    state.save([ROW])
    state.mark_started()
    state.close()


def test_a_checkpoint_comes_back_as_it_was_saved(folder: Path) -> None:
    odd = replace(ROW, generation=2, key=None, path="/var/log/\udcff.log", is_finished=True, anchors=())
    state = State.open(folder, FakeClock())
    state.save([ROW, odd])
    state.close()
    assert State.open(folder, FakeClock()).load() == [ROW, odd]


def test_the_confirmed_range_of_a_file_key_belongs_to_its_receiver(folder: Path) -> None:
    state = State.open(folder, FakeClock())
    state.save([ROW])
    assert state.ranges(ROW.receiver, 7) == [Range(0, 500, b"b" * 16)]
    assert state.ranges("https://other.test", 7) == []


def test_a_backfilled_range_is_merged_with_what_it_touches(folder: Path) -> None:
    state = State.open(folder, FakeClock())
    state.save([replace(ROW, range_start=300)])
    state.add_range(ROW.receiver, 7, 0, 100)
    state.add_range(ROW.receiver, 7, 100, 300)
    state.add_range(ROW.receiver, 7, 600, 700, b"z" * 16)
    assert state.ranges(ROW.receiver, 7) == [Range(0, 500, b"b" * 16), Range(600, 700, b"z" * 16)]


def test_two_processes_write_beside_each_other(folder: Path) -> None:
    daemon = State.open(folder, FakeClock())
    backfill = State.open(folder, FakeClock(), daemon=False)
    backfill.add_range(ROW.receiver, 9, 0, 10)
    assert daemon.save([ROW])
    assert daemon.ranges(ROW.receiver, 9) == [Range(0, 10)]
    assert backfill.load() == [ROW]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=12))
def test_merged_ranges_cover_exactly_the_same_bytes(pieces: list[tuple[int, int]]) -> None:
    ranges = merged(Range(start, start + length) for start, length in pieces)
    covered = [byte for each in ranges for byte in range(each.start, each.end)]
    assert covered == sorted({byte for start, length in pieces for byte in range(start, start + length)})
    assert all(one.end < other.start for one, other in pairwise(ranges))


def test_a_second_daemon_on_the_same_directory_is_refused(folder: Path) -> None:
    first = State.open(folder, FakeClock())
    with pytest.raises(StateError, match=f"process {os.getpid()}"):
        State.open(folder, FakeClock())
    first.close()
    State.open(folder, FakeClock()).close()


def test_who_has_the_lock_is_seen_without_trying_it(folder: Path) -> None:
    assert lock_holder(folder) is None, "there is no such directory"
    state = State.open(folder, FakeClock())
    assert lock_holder(folder) == os.getpid()
    (folder / "lock").write_text("1\n")
    assert lock_holder(folder) is None, "process 1 has signed and doesn't hold it"
    state.close()
    (folder / "lock").write_text(f"{os.getpid()}\n")
    assert lock_holder(folder) is None, "what is signed outlives the process"


@pytest.mark.parametrize("is_daemon", [True, False])
def test_a_directory_that_may_not_be_looked_into_names_who_may(is_daemon: bool) -> None:
    """As a visitor meets the state of a service."""
    with tempfile.TemporaryDirectory() as outer:  # not below pytest's own, where only its user may go
        Path(outer).chmod(0o755)
        folder = Path(outer) / "state"
        started(folder)
        mode = 0o700 if os.geteuid() == 0 else 0
        folder.chmod(mode)
        with as_nobody(), pytest.raises(StateError, match=r"state: Permission denied; run this as root"):
            State.open(folder, FakeClock(), daemon=is_daemon)
        folder.chmod(0o700)


def test_start_at_counts_only_until_the_first_look_is_over(folder: Path) -> None:
    state = State.open(folder, FakeClock())
    assert state.is_first_start
    state.close()
    state = State.open(folder, FakeClock())
    assert state.is_first_start, "no daemon has looked yet"
    state.mark_started()
    state.close()
    assert not State.open(folder, FakeClock()).is_first_start


@pytest.mark.parametrize("damage", ["zeros", "cut", "text", "empty", "missing"])
def test_a_damaged_state_is_moved_aside_and_its_copy_taken(folder: Path, damage: str) -> None:
    started(folder)
    database = folder / DATABASE
    whole = database.read_bytes()
    wreck = {"zeros": b"\0" * len(whole), "cut": whole[: len(whole) // 3], "text": b"hello", "empty": b""}
    if damage == "missing":
        database.unlink()
    else:
        database.write_bytes(wreck[damage])
    state = State.open(folder, FakeClock())
    assert state.load() == [ROW]
    assert not state.is_lost
    assert not state.is_first_start
    if damage not in ("empty", "missing"):
        assert list(folder.glob(f"{DATABASE}.corrupt-*"))


def test_a_damaged_state_without_a_copy_is_lost_until_a_look_is_over(folder: Path) -> None:
    started(folder)
    (folder / COPY).unlink()
    (folder / DATABASE).write_bytes(b"\0" * 4096)
    state = State.open(folder, FakeClock())
    assert state.is_lost
    assert state.load() == []
    state.close()
    state = State.open(folder, FakeClock())
    assert state.is_lost, "a restart before the first look changes nothing"
    state.mark_started()
    state.close()
    assert not State.open(folder, FakeClock()).is_lost


def test_that_a_state_is_lost_is_on_disk_before_anything_else_happens(folder: Path) -> None:
    """Who is killed before the first look has not looked: else only what is new would be read."""
    started(folder)
    (folder / COPY).unlink()
    (folder / DATABASE).write_bytes(b"\0" * 4096)
    killed = State.open(folder, FakeClock())
    with sqlite3.connect(folder / DATABASE) as other:
        assert other.execute("SELECT value FROM notes WHERE name = 'lost'").fetchall() == [("yes",)]
    assert killed.is_lost
    killed.close()


def test_the_copy_is_on_the_disk_before_it_takes_the_old_ones_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        done.append(f"synced {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")

    def replace_file(path: Path, target: Path) -> Path:
        done.append(f"replaced {target.name}")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace_file)
    state = State.open(folder, FakeClock())
    state.save([ROW])
    state.copy()
    state.close()
    assert done == [f"synced {COPY}.new", f"replaced {COPY}", f"synced {folder.name}"]


def test_a_state_cut_at_any_page_never_stops_the_start(folder: Path) -> None:
    started(folder)
    whole = (folder / DATABASE).read_bytes()
    for cut in range(0, len(whole), 1777):
        (folder / DATABASE).write_bytes(whole[:cut])
        state = State.open(folder, FakeClock())
        assert state.load() == [ROW]
        state.close()


MANY = [
    replace(ROW, generation=number, key=number * 7919, path=f"/var/log/{number}.log", position=500 + number)
    for number in range(1, 60)
]


@pytest.fixture(scope="module")
def sound() -> Iterator[tuple[Path, bytes]]:
    """A state of several pages, and its bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "state"
        state = State.open(folder, FakeClock())
        state.save(MANY)
        state.add_range("https://other.test", 12, 0, 10, b"z" * 16)
        state.remember("api", "v1")
        state.mark_started()
        state.close()
        yield folder, (folder / DATABASE).read_bytes()


def opened_with(folder: Path, data: bytes) -> State:
    for path in [*folder.glob(f"{DATABASE}*")]:
        path.unlink()
    (folder / DATABASE).write_bytes(data)
    return State.open(folder, FakeClock())


def assert_nothing_is_missing(state: State) -> None:
    try:
        assert state.load() == MANY
        assert state.ranges("https://other.test", 12) == [Range(0, 10, b"z" * 16)]
        assert state.note("api") == "v1"
        assert not state.is_lost
        assert not state.is_first_start
        assert state.save([replace(MANY[0], position=2_000)])
    finally:
        state.close()


@given(offset=st.integers(0, 10**9), change=st.integers(1, 255))
def test_a_state_with_any_byte_changed_is_what_it_was(sound: tuple[Path, bytes], offset: int, change: int) -> None:
    """Either the change shows, and the copy is taken, or it changes nothing."""
    folder, whole = sound
    data = bytearray(whole)
    at = offset % len(data)
    data[at] ^= change
    saved = (folder / COPY).read_bytes()
    if at in range(60, 64) or at in range(68, 72):  # a later version's number, or another program's: left alone
        with pytest.raises(StateError):
            opened_with(folder, bytes(data))
        return
    assert_nothing_is_missing(opened_with(folder, bytes(data)))
    (folder / COPY).write_bytes(saved)


def text_columns() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as name:
        State.open(Path(name), FakeClock()).close()
        with sqlite3.connect(Path(name) / DATABASE) as connection:
            return [
                (table, row[1])
                for table in schema.COLUMNS
                for row in connection.execute(f"PRAGMA table_info({table})")
                if row[2] == "TEXT"
            ]


@pytest.mark.parametrize(("table", "column"), text_columns())
def test_a_text_that_is_no_text_any_more_is_damage(
    sound: tuple[Path, bytes], table: str, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's own check passes over it."""
    folder, whole = sound
    (folder / DATABASE).write_bytes(whole)
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"UPDATE {table} SET {column} = CAST(x'61ff62' AS TEXT)")  # fmt: skip
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    saved = (folder / COPY).read_bytes()
    assert_nothing_is_missing(opened_with(folder, (folder / DATABASE).read_bytes()))
    (folder / COPY).write_bytes(saved)
    assert [one.levelname for one in caplog.records if "moved aside" in one.message] == ["ERROR"]


def test_a_damaged_state_of_a_running_daemon_is_left_to_it(folder: Path) -> None:
    """A command that is run beside it must not take its file away."""
    daemon = State.open(folder, FakeClock())
    daemon.save(MANY)
    daemon.copy()
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("UPDATE generations SET position = position + 1")
    connection.commit()
    connection.close()
    with pytest.raises(StateError, match=f"damaged .*process {os.getpid()}"):
        State.open(folder, FakeClock(), daemon=False)
    assert not list(folder.glob(f"{DATABASE}.corrupt-*"))
    daemon.close()


def test_a_newer_schema_is_refused_and_left_untouched(folder: Path) -> None:
    started(folder)
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    before = (folder / DATABASE).read_bytes()
    with pytest.raises(StateError, match="newer logship"):
        State.open(folder, FakeClock())
    assert (folder / DATABASE).read_bytes() == before
    with pytest.raises(StateError, match="newer logship"):
        State.open(folder, FakeClock())


def test_another_programs_database_is_refused(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("PRAGMA application_id = 4711")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StateError, match="another program"):
        State.open(folder, FakeClock())


def test_what_could_not_be_written_is_written_when_it_can_be(folder: Path) -> None:
    started(folder)
    clock = FakeClock()
    state = State.open(folder, clock)
    blocker = sqlite3.connect(folder / DATABASE, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert not state.save([replace(ROW, position=900)])
    assert "locked" in state.problem
    blocker.execute("ROLLBACK")
    blocker.close()
    clock.pass_s(2)
    assert state.save()
    assert not state.problem
    assert state.load()[0].position == 900


def test_damage_met_while_running_asks_for_everything(folder: Path) -> None:
    clock = FakeClock()
    state = State.open(folder, clock)
    state.save([ROW])
    state._fail(sqlite3.DatabaseError("database disk image is malformed"))
    assert state.wants_everything
    clock.pass_s(2)
    assert state.save([ROW])
    assert state.load() == [ROW]
    assert not state.wants_everything


def test_ranges_that_can_not_be_read_now_are_none_and_the_daemon_goes_on(folder: Path) -> None:
    state = State.open(folder, FakeClock())
    state.save([ROW])
    assert state._connection is not None
    state._connection.execute("DROP TABLE ranges")
    assert state.ranges(ROW.receiver, 7) == []
    assert "no such table" in state.problem


def test_the_copy_is_made_hourly_and_at_stop(folder: Path) -> None:
    clock = FakeClock()
    state = State.open(folder, clock)
    state.save([ROW])
    assert not (folder / COPY).exists()
    clock.pass_s(COPY_EVERY_S + 1)
    state.save([replace(ROW, position=600)])
    assert (folder / COPY).exists()
    made = (folder / COPY).stat().st_mtime_ns, (folder / COPY).stat().st_ino
    state.save([replace(ROW, position=700)])
    state.close()
    assert ((folder / COPY).stat().st_mtime_ns, (folder / COPY).stat().st_ino) != made


def test_notes_are_remembered(folder: Path) -> None:
    state = State.open(folder, FakeClock())
    state.remember("api https://receiver.test", "v1")
    assert state.note("api https://receiver.test") == "v1"
    state.close()
    state = State.open(folder, FakeClock())
    assert state.note("api https://receiver.test") == "v1"
    assert state.note("nothing") is None


def steps_of_a_check(folder: Path, generations: int) -> int:
    """What SQLite does to judge a state with so many generations, in hundreds of its own instructions."""
    state = State.open(folder, FakeClock())
    state.save(replace(ROW, generation=number + 1, key=number) for number in range(generations))
    for number in range(generations):
        state.remember(f"note {number}", "x")
    state.close()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection = sqlite3.connect(folder / DATABASE)
    connection.set_progress_handler(count, 100)
    check(connection)
    connection.close()
    return steps


def test_judging_a_state_costs_linear_time_in_its_rows(tmp_path: Path) -> None:
    few, many = (steps_of_a_check(tmp_path / str(rows), rows) for rows in (100, 1_000))
    assert many < 15 * few


def test_the_directory_is_for_its_owner_only(folder: Path) -> None:
    started(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / MARKER).stat().st_mode & 0o777 == 0o600


def test_a_read_only_state_still_counts_and_is_written_when_it_can_be() -> None:
    require_root("the files stay another user's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started(folder)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        clock = FakeClock()
        with as_nobody():
            state = State.open(folder, clock)
            assert state.load() == [ROW]
            state.watch()
            assert not state.was_removed
            assert not state.save([replace(ROW, position=900)])
            assert state.problem
        clock.pass_s(2)
        assert state.save()
        assert state.load()[0].position == 900
        assert not state.problem
        state.close()


def empty(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


def replace_by_an_older_one(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    started(folder)


REMOVALS: dict[str, Callable[[Path], object]] = {
    "removed": shutil.rmtree,
    "moved away": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "emptied": empty,
    "its database removed": lambda folder: (folder / DATABASE).unlink(),
    "replaced by an older one": replace_by_an_older_one,
}


@pytest.mark.parametrize("how", REMOVALS)
def test_a_directory_that_is_removed_while_running_is_reported_and_made_again(
    how: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    state = State.open(folder, clock)
    moved = replace(ROW, position=700)
    state.remember("looked at api", "12")
    state.save([ROW])
    state.mark_started()
    state.save([moved])
    REMOVALS[how](folder)
    clock.pass_s(1)
    state.watch()
    assert state.was_removed
    assert state.wants_everything
    assert "removed or replaced" in caplog.text
    assert state.save([moved]), "the owner gives everything it knows"
    assert not state.wants_everything
    with pytest.raises(StateError, match="another logship daemon"):
        State.open(folder, clock)
    state._connection = None  # as kill -9
    assert state._lock is not None
    state._lock.close()
    again = State.open(folder, clock)
    assert again.load() == [moved]
    assert not again.is_first_start, "start_at: end would leave lines"
    assert not again.is_lost
    assert again.note("looked at api") == "12"


def test_a_directory_that_another_daemon_has_by_now_is_left_to_it(folder: Path) -> None:
    clock = FakeClock()
    state = State.open(folder, clock)
    state.save([ROW])
    folder.rename(folder.with_name("elsewhere"))
    other = State.open(folder, clock)
    clock.pass_s(1)
    state.watch()
    assert not state.save([ROW])
    assert "another logship daemon" in state.problem
    assert other.load() == []
    other.close()
    clock.pass_s(2)
    assert state.save()
    assert state.problem == ""


def test_on_a_full_disk_no_file_is_mapped_and_nobody_else_is_let_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(folder)
    monkeypatch.setattr("logship.state.folder.ROOM_BYTES", 1 << 62)
    state = State.open(folder, FakeClock())
    assert state.load() == [ROW]
    assert str(folder) not in "".join(
        line for line in Path("/proc/self/maps").read_text().splitlines() if "-shm" in line
    )
    with pytest.raises(StateError, match="the disk is full, and the state is in use"):
        State.open(folder, FakeClock(), daemon=False)
    monkeypatch.setattr("logship.state.folder.ROOM_BYTES", 0)
    assert state.save([replace(ROW, position=600)])
    beside = State.open(folder, FakeClock(), daemon=False)
    assert beside.load() == [replace(ROW, position=600)], "there is room again: others may read"


def test_a_stopped_daemons_state_is_read_on_a_full_disk_without_a_mapped_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(folder)
    monkeypatch.setattr("logship.state.folder.ROOM_BYTES", 1 << 62)
    state = State.open(folder, FakeClock(), daemon=False)
    assert state.load() == [ROW]
    assert not (folder / f"{DATABASE}-shm").exists()
