"""Log directories that can't be listed or entered: reported once, read on where a file is open, noticed when opened."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.tail.content import PlainContent
from logship.tail.notices import What
from tests.tail.driver import Rig, as_nobody, source

CLOSED = {"nothing": 0o000, "no entering": 0o444, "no listing": 0o111}
PATTERNS = ["logs/*.log", "logs/access.log", "*/*.log", "**/*.log", "logs/{access,other}.log"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that nobody may enter; pytest's own is its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "logs").mkdir()
        yield folder
        (folder / "logs").chmod(0o755)


def write(log: Path, *lines: str) -> list[bytes]:
    with log.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    log.chmod(0o644)
    return [line.encode() for line in lines]


def problems(rig: Rig) -> dict[str, str]:
    return {file.path: file.problem for file in rig.tail.files() if file.problem}


@pytest.mark.parametrize("when", ["at start", "after a restart", "while running"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_log_directory_is_reported_once_loses_nothing_and_is_read_when_it_opens(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, closed: str, pattern: str, when: str
) -> None:
    caplog.set_level(logging.INFO)
    logs, log = place / "logs", place / "logs/access.log"
    expected = write(log, "one", "two")
    rig = Rig(tmp_path / "state", source(place / pattern), remedy=lambda path, error: f"open {path}")
    if when != "at start":
        rig.look()
        rig.read_all(4)  # and not confirmed: what is known to wait is not lost
    if when == "after a restart":
        rig.kill()
        rig.start()
    logs.chmod(CLOSED[closed])
    with as_nobody():
        for _ in range(4):
            rig.clock.pass_s(30.0)
            rig.look()
        assert [notice.path for notice in rig.told(What.UNREADABLE)] == [str(logs)]
        assert "the directory can't be" in problems(rig)[str(logs)]
    loud = (record for record in caplog.records if record.levelno >= logging.ERROR)
    (error,) = [record for record in loud if record.name.startswith("logship.tail")]  # nobody can't write the state
    for part in (str(logs), "Permission denied", "nothing is lost", f"open {logs}"):
        assert part in error.getMessage()
    logs.chmod(0o755)
    expected += write(log, "three")
    assert rig.step() == expected
    assert problems(rig) == {}
    assert [notice.path for notice in rig.told(What.READABLE)] == [str(logs)]
    assert rig.told(What.LOST) == []
    assert len(rig.receiver.arrivals) == 3


@pytest.mark.parametrize("closed", CLOSED)
def test_an_open_file_is_read_on_behind_a_closed_directory(place: Path, tmp_path: Path, closed: str) -> None:
    log = place / "logs/access.log"
    expected = write(log, "one")
    rig = Rig(tmp_path / "state", source(place / "logs/*.log"))
    assert rig.step() == expected
    with log.open("a") as file:
        (place / "logs").chmod(CLOSED[closed])
        with as_nobody():
            for count in range(3):
                file.write(f"behind {count}\n")
                file.flush()
                expected.append(b"behind %d" % count)
                rig.clock.pass_s(61.0)
                assert rig.step() == expected


def test_a_file_whose_name_is_known_is_read_in_a_directory_that_can_not_be_listed(place: Path, tmp_path: Path) -> None:
    expected = write(place / "logs/access.log", "one")
    rig = Rig(tmp_path / "state", source(place / "logs/access.log"))
    (place / "logs").chmod(0o111)
    with as_nobody():
        assert rig.step() == expected
    assert str(place / "logs") in problems(rig)


@pytest.mark.parametrize("excluded", ["logs", "logs/**"])
def test_a_closed_directory_that_is_excluded_is_nobodys_problem(place: Path, tmp_path: Path, excluded: str) -> None:
    (place / "logs").chmod(0)
    rig = Rig(tmp_path / "state", source(place / "**/*.log", exclude=[str(place / excluded)]))
    with as_nobody():
        rig.look()
    assert problems(rig) == {}


def test_a_hint_of_a_file_in_a_closed_directory_reports_the_directory(place: Path, tmp_path: Path) -> None:
    log = place / "logs/access.log"
    write(log, "one")
    rig = Rig(tmp_path / "state", source(place / "logs/*.log"))
    rig.step()
    (place / "logs").chmod(0)
    with as_nobody():
        rig.tail._followed.look_at([str(log)], rig.clock.monotonic(), has_new_names=False)
    assert list(problems(rig)) == [str(place / "logs")]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_closed_parent_is_the_directory_that_can_not_be_entered(place: Path, tmp_path: Path, parts: int) -> None:
    folder = place / "logs" / "/".join("ab"[:parts])
    folder.mkdir(parents=True)
    expected = write(folder / "access.log", "one")
    (place / "logs").chmod(0)
    rig = Rig(tmp_path / "state", source(folder / "access.log"))
    with as_nobody():
        rig.look()
        assert "can't be entered: Permission denied" in problems(rig)[str(folder)]
    (place / "logs").chmod(0o755)
    assert rig.step() == expected


def test_many_logs_of_a_closed_directory_are_one_error(place: Path, tmp_path: Path) -> None:
    for number in range(50):
        write(place / f"logs/{number}.log", "one")
    rig = Rig(tmp_path / "state", source(place / "logs/*.log"))
    rig.step()
    (place / "logs").chmod(0o444)
    with as_nobody():
        rig.look()
        rig.look()
    assert list(problems(rig)) == [str(place / "logs")]
    assert len(rig.told(What.UNREADABLE)) == 1


@pytest.mark.parametrize("known", ["never read", "known from before a restart"])
def test_a_file_that_can_not_be_opened_shows_since_when_and_how_often_it_was_tried(
    place: Path, tmp_path: Path, known: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = place / "logs/access.log"
    expected = write(log, "one")
    rig = Rig(tmp_path / "state", source(log))
    if known != "never read":
        rig.step()
        rig.stop()
        expected += write(log, "two")
        rig.start()
    log.chmod(0)
    with as_nobody():
        for _ in range(3):
            rig.clock.pass_s(30)
            rig.look()
        (file,) = [each for each in rig.tail.files() if each.problem]
        assert (file.path, file.problem) == (str(log), "Permission denied")
        assert file.refusal is not None
        assert (rig.clock.monotonic() - file.refusal.since_s, file.refusal.tries) == (60, 3)
        rig.clock.pass_s(3600)
        rig.look()
        rig.look()
    assert caplog.text.count("still can't be read") == 1, "the journal says as much as status, once an hour"
    assert "for_s=3660 tries=4" in caplog.text
    log.chmod(0o644)
    assert rig.settle() == expected
    assert problems(rig) == {}


def test_an_open_file_that_can_not_be_read_shows_since_when_and_how_often_it_was_tried(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = place / "logs/access.log"
    expected = write(log, "one")
    rig = Rig(tmp_path / "state", source(log))

    def broken(content: PlainContent, position: int, size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        rig.look()
        disk.setattr(PlainContent, "read_at", broken)
        for _ in range(3):
            rig.clock.pass_s(10)
            rig.step()
        (file,) = rig.tail.files()
        assert "Input/output error" in file.problem
        assert file.refusal is not None
        assert file.refusal.tries > 1
    assert rig.settle() == expected
    assert problems(rig) == {}
