"""Hints shorten the wait; without them, or with too many, everything still arrives."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail import hints
from logship.tail.hints import Hints, Watcher
from tests.rigs.waiting import wait_until
from tests.tail.driver import RealClock, Rig, source


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher(lambda: None)


def collect(watcher: Watcher, enough: Callable[[Hints], bool]) -> Hints:
    """What the watcher hears until it is enough."""
    heard = Hints()

    def listen() -> bool:
        nonlocal heard
        more = watcher.take(0.0)
        heard = Hints(heard.paths | more.paths, heard.has_new_names or more.has_new_names)
        return enough(heard)

    wait_until(listen, 10)
    return heard


def test_a_write_and_a_new_name_are_hinted_at(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"x")
    watcher.watch({str(tmp_path)}, 0.0)
    append(path, b"x")
    assert not collect(watcher, lambda heard: str(path) in heard.paths).has_new_names
    path.rename(tmp_path / "b.log")
    assert collect(watcher, lambda heard: heard.has_new_names).has_new_names
    watcher.close()


def test_a_wait_ends_when_a_line_is_written_long_before_the_next_full_look(tmp_path: Path, log: Path) -> None:
    append(log, b"one\n")
    rig = Rig(tmp_path / "state", source(log), clock=RealClock(), use_hints=True, full_look_s=3600.0)
    rig.step()
    append(log, b"two\n")

    def arrived(*lines: bytes) -> bool:
        rig.tail.wait(5.0)
        return rig.step() == list(lines)

    wait_until(lambda: arrived(b"one", b"two"), 10)
    append(log.with_name("access.log.new"), b"three\n")
    log.with_name("access.log.new").rename(log)
    wait_until(lambda: arrived(b"one", b"two", b"three"), 10)
    rig.stop()


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced at once", "link changed"])
def test_a_log_directory_that_is_made_again_is_heard_of_at_once_each_time(tmp_path: Path, log: Path, how: str) -> None:
    folder = log.parent
    if how == "link changed":
        folder.rename(tmp_path / "release-0")
        folder.symlink_to("release-0")
    append(log, b"one\n")
    rig = Rig(tmp_path / "state", source(log), clock=RealClock(), use_hints=True, full_look_s=3600.0)
    expected = rig.step()

    def arrived() -> bool:
        rig.tail.wait(5.0)
        return rig.step() == expected

    for number in range(1, 4):
        aside = tmp_path / f"release-{number}"
        if how == "link changed":
            aside.mkdir()
            (tmp_path / "next").symlink_to(aside.name)
            (tmp_path / "next").rename(folder)
        elif how == "removed":
            shutil.rmtree(folder)
            rig.step()
            folder.mkdir()
        else:
            folder.rename(aside)
            if how == "renamed":
                rig.step()
            folder.mkdir()
        for count in range(2):
            append(log, b"%d/%d\n" % (number, count))
            expected = [*expected, b"%d/%d" % (number, count)]
            wait_until(arrived, 10)
    rig.stop()


def test_a_wait_ends_when_it_is_woken(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log), full_look_s=3600.0)
    rig.look()
    rig.tail.wake()
    rig.tail.wait(3600.0)  # pytest's timeout is the assertion
    rig.stop()


def test_a_directory_with_too_many_hints_is_polled_for_a_while(watcher: Watcher, tmp_path: Path) -> None:
    folder = str(tmp_path)
    watcher.watch({folder}, 0.0)
    watcher.take(0.0)
    for number in range(1000):
        watcher._queue.append((folder, f"{number}", True))
    watcher.take(1.0)
    assert folder in watcher.busy
    assert watcher.hears_all({folder})
    watcher.watch({folder}, 2.0)
    assert folder in watcher.busy
    watcher.watch({folder}, 1.0 + hints.BUSY_FOR_S)
    assert not watcher.busy
    watcher.close()


def test_a_directory_that_changes_without_a_hint_is_polled(
    watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(tmp_path)
    watcher.watch({folder}, 0.0)
    for _ in range(hints.DEAF_AFTER):
        assert watcher.hears_all({folder})
        watcher.learn(Hints(), [(f"{folder}/silent.log", 0)], 0.0)
    assert not watcher.hears_all({folder})
    assert "without a hint" in caplog.text
    watcher.close()


def test_an_inotify_limit_is_told_once_and_everything_arrives_by_polling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.inotify.InotifyObserver.schedule", no_room)
    paths = [tmp_path / f"logs{number}" / "access.log" for number in range(5)]
    for path in paths:
        path.parent.mkdir()
        append(path, b"one of %s\n" % os.fsencode(path.parent.name))
    logs = source(tmp_path / "logs*" / "*.log")
    rig = Rig(tmp_path / "state", logs, clock=RealClock(), use_hints=True, full_look_s=None)
    rig.step()
    for path in paths:
        append(path, b"two of %s\n" % os.fsencode(path.parent.name))
    wait_until(lambda: len(rig.step()) == 10, 10)
    assert caplog.text.count("inotify watch limit reached") == 1
    rig.stop()


def test_a_thousand_files_rotated_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    paths = [folder / f"{number}.log" for number in range(1000)]
    expected = []
    rig = Rig(tmp_path / "state", source(folder / "*.log"))
    for round_ in ("before", "just before", "after"):
        if round_ == "after":
            for path in paths:
                path.rename(f"{path}.1")
        for path in paths:
            append(path, b"%s of %s\n" % (round_.encode(), os.fsencode(path.name)))
            expected.append(b"%s of %s" % (round_.encode(), os.fsencode(path.name)))
        if round_ != "just before":
            rig.step()
    assert sorted(rig.receiver.lines) == sorted(expected)
    assert len(rig.receiver.arrivals) == len(expected)
