"""What a backfill writes down, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from logship.backfill.range_store import RangeStore
from logship.backfill.reports import Confirmed
from logship.backfill.run_settings import BackfillLog
from logship.checkpoint import Range
from logship.clock import SystemClock
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.event import EventOrigin, LogFile
from logship.state import State
from tests.tail.driver import FakeClock

FILE = LogFile(0, "/logs/access.log", "web", 7, "web-1")
LOG = cast(BackfillLog, SimpleNamespace(file=FILE, endpoint=SimpleNamespace(receiver="https://receiver.test")))
LETTER = DeadLetter.of(EventOrigin(FILE, 10, b"odd " + b"x" * 1_000), "fits no format")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def range_store(tmp_path: Path, clock: FakeClock) -> RangeStore:
    state = State.open(tmp_path, clock, daemon=False)
    return RangeStore(state, DeadLetters(tmp_path, counters=Counters()), cast(SystemClock, clock))


def full_disk(self: DeadLetters, letters: Sequence[DeadLetter]) -> None:
    raise OSError(28, "No space left on device")


def test_a_range_is_not_written_before_the_dead_letters_in_it(
    range_store: RangeStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between both repeats a dead letter and loses none."""
    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "append", full_disk)
        range_store.write(LOG, [LETTER], [Confirmed(0, 100, b"")], records=True)
        assert range_store.confirmed(LOG) == []
        assert "No space left" in range_store.problem
    range_store.flush()
    assert range_store.confirmed(LOG) == [], "it is tried once a second"
    clock.pass_s(2)
    range_store.flush()
    assert range_store.confirmed(LOG) == [Range(0, 100)]
    assert range_store.problem == ""


def test_dead_letters_that_can_not_be_written_are_bounded(
    range_store: RangeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadLetters, "append", full_disk)
    count = 0
    while not range_store.is_full:
        range_store.write(LOG, [LETTER], [], records=True)
        count += 1
    assert count < 4_000
