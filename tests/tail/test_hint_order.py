"""Hints come in any order: what a name holds now must not depend on which name was looked at first."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from logship.state import State
from logship.tail.discovery import Discovery
from logship.tail.followed import Followed
from tests.tail.driver import FakeClock, source


def rotate(log: Path, generations: int) -> None:
    for number in range(generations, 0, -1):
        log.with_name(f"access.log.{number}").rename(log.with_name(f"access.log.{number + 1}"))
    log.rename(log.with_name("access.log.1"))


@pytest.mark.parametrize("order", list(permutations(("access.log", "access.log.1", "access.log.2"))))
def test_a_file_that_never_was_seen_under_the_logs_own_name_is_followed(
    tmp_path: Path, log: Path, order: tuple[str, ...]
) -> None:
    state = State.open(tmp_path / "state", FakeClock())
    followed = Followed(Discovery([source(log)]), state, 10**9, lambda path, error: "", once=False)
    for generation in range(3):
        if generation:
            rotate(log, generation - 1)
        log.write_text(f"line of generation {generation}\n")
        followed.look(float(generation))
    rotate(log, 2)
    log.write_text("written and rotated away at once\n")
    rotate(log, 3)
    log.write_text("live\n")
    followed.look_at([str(log.with_name(name)) for name in order], 10.0, has_new_names=True)
    followed.look(20.0)
    paths = sorted(each.path for each in followed.register.numbered.values())
    assert paths == [str(log), *(f"{log}.{number}" for number in range(1, 5))]
    for each in list(followed.register.open):
        followed.register.take(each)
    state.close()


def test_a_copy_of_what_was_written_to_an_empty_log_between_two_looks_is_followed(tmp_path: Path, log: Path) -> None:
    state = State.open(tmp_path / "state", FakeClock())
    followed = Followed(Discovery([source(log)]), state, 10**9, lambda path, error: "", once=False)
    log.touch()
    followed.look(0.0)
    log.write_text("copied and truncated before anybody looked\n")
    log.with_name("access.log.1").write_bytes(log.read_bytes())
    log.write_text("live\n")
    followed.look_at([str(log)], 1.0, has_new_names=False)
    for each in followed.register.numbered.values():
        each.is_stored = True
    followed.look(20.0)
    assert sorted(each.path for each in followed.register.numbered.values()) == [str(log), f"{log}.1"]
    for each in list(followed.register.open):
        followed.register.take(each)
    state.close()


@pytest.mark.parametrize("order", list(permutations(("access.log", "access.log.1"))))
@pytest.mark.parametrize("is_empty_first", [True, False])
def test_what_was_rotated_away_is_followed_though_the_log_still_seemed_to_be_there(
    tmp_path: Path, log: Path, is_empty_first: bool, order: tuple[str, ...]
) -> None:
    """A hint of the rotated name came first: by its number it was older than the log, whose name was gone."""
    state = State.open(tmp_path / "state", FakeClock())
    followed = Followed(Discovery([source(log)]), state, 10**9, lambda path, error: "", once=False)
    log.write_text("" if is_empty_first else "older\n")
    followed.look(0.0)
    log.rename(log.with_name("access.log.1"))
    log.write_text("read from the log\n")
    followed.look(1.0)
    for each in followed.register.numbered.values():
        each.is_stored = True
    log.with_name("access.log.1").rename(log.with_name("access.log.2"))
    log.unlink()
    log.with_name("access.log.1").write_text("never seen under the log's name\n")
    for at_s, name in enumerate(order, 2):
        followed.look_at([str(log.with_name(name))], float(at_s), has_new_names=False)
    followed.look(20.0)
    assert f"{log}.1" in [each.path for each in followed.register.numbered.values()]
    for each in list(followed.register.open):
        followed.register.take(each)
    state.close()
