"""A log directory, or one above it, that has another name when the daemon comes back: its logs are read on there."""

from __future__ import annotations

from pathlib import Path

import pytest

from logship.tail.moved import moved_folders
from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import compress, write

# which directory is renamed, counted from the log, and what was done in it before
PLACES = [
    (0, ""), (0, "rotated"), (0, "compressed"), (0, "rotated twice"),
    (2, ""), (2, "rotated"), (2, "rotated twice"),  # farther up, only the inode says where to look
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "srv/app/logs").mkdir(parents=True)
    return tmp_path / "srv/app/logs/access.log"


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("is_made_again", [True, False])
@pytest.mark.parametrize(("level", "inside"), PLACES)
@pytest.mark.parametrize("suffix", [".old", None])
def test_a_log_is_read_on_in_its_renamed_directory(
    tmp_path: Path, log: Path, level: int, suffix: str | None, inside: str, is_made_again: bool, is_running: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, *map("line {}".format, range(50)))
    rig.step()
    if not is_running:
        rig.stop()
    expected += write(log, "unread 1")
    for number in range(2 if inside == "rotated twice" else bool(inside)):
        old = log.rename(f"{log}.{2 - number}")
        expected += write(log, f"of the next file {number}")
        if inside == "compressed":
            compress(old)
    directory = log.parents[level]
    moved = directory.rename(directory.with_name("kept" if suffix is None else f"{directory.name}{suffix}"))
    if is_made_again:
        log.parent.mkdir(parents=True)
        expected += write(log, "new 1")
    if not is_running:
        rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    expected += write(moved / log.relative_to(directory), "of a server that was told nothing")
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert len({each.id for each in rig.receiver.arrivals}) == len(expected)
    assert not rig.told(What.LOST)


def test_a_link_to_the_same_directory_is_not_where_it_has_gone(tmp_path: Path, log: Path) -> None:
    (tmp_path / "by-another-name").symlink_to(tmp_path / "srv")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "app").symlink_to(tmp_path / "srv/app")
    assert not [each for each in moved_folders(str(log.parent)) if each.startswith(str(tmp_path))]
    log.parent.rename(tmp_path / "srv/app/logs.old")
    assert f"{tmp_path}/srv/app/logs.old" in list(moved_folders(str(log.parent)))


def test_another_log_in_a_directory_beside_it_is_not_taken_for_it(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "line 1", "line 2")
    rig.step()
    rig.stop()
    log.unlink()
    beside = log.parent.with_name("logs.old")
    beside.mkdir()
    write(beside / "access.log", "line 1", "of another server")
    rig.start()
    assert rig.settle() == expected
    [notice] = rig.told(What.LOST)
    assert f"these are not it: {beside}/access.log" in notice.message


@pytest.mark.parametrize("is_running", [True, False])
def test_a_short_log_beside_it_that_is_equal_so_far_is_not_taken_for_it(
    tmp_path: Path, log: Path, is_running: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "line 1")
    rig.step()
    beside = log.parent.with_name("other")
    beside.mkdir()
    write(beside / "access.log", "line 1", "of another server")
    if not is_running:
        rig.stop()
    log.write_bytes(b"")
    if not is_running:
        rig.start()
    assert rig.settle() == expected


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("name", ["access.log.1", "access-20261129.log", "kept"])
def test_a_log_is_read_on_in_a_directory_below_that_nobody_named(
    tmp_path: Path, log: Path, name: str, is_packed: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "line 1", "line 2")
    rig.step()
    rig.stop()
    expected += write(log, "unread 1")
    (log.parent / "old").mkdir()
    old = log.rename(log.parent / "old" / name)
    if is_packed:
        compress(old)
    expected += write(log, "new 1")
    rig.start()
    found = rig.settle()
    if is_packed and name == "kept":  # neither a number nor a name says where to look
        assert rig.told(What.LOST)
    else:
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("name", ["elsewhere/other.db", "logs/error.log", "elsewhere/access.db"])
def test_another_file_with_the_number_of_a_log_that_was_empty_is_not_read(rig: Rig, log: Path, name: str) -> None:
    log.touch()
    rig.step()
    rig.stop()
    other = log.parent.parent / name
    other.parent.mkdir(exist_ok=True)
    log.rename(other)
    write(other, "nobody's business")
    rig.start()
    assert rig.settle() == []
