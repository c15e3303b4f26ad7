"""What a backfill writes down, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from logship.backfill.ledger import Ledger
from logship.backfill.order import Log
from logship.backfill.reports import Confirmed
from logship.checkpoint import Range
from logship.clock import SystemClock
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.event import EventOrigin, LogFile
from logship.state import State
from tests.tail.driver import FakeClock

FILE = LogFile(0, "/logs/access.log", "web", 7, "web-1")
LOG = cast(Log, SimpleNamespace(file=FILE, endpoint=SimpleNamespace(receiver="https://receiver.test")))
LETTER = DeadLetter.of(EventOrigin(FILE, 10, b"odd " + b"x" * 1_000), "fits no format")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Ledger:
    state = State.open(tmp_path, clock, daemon=False)
    return Ledger(state, DeadLetters(tmp_path, counters=Counters()), cast(SystemClock, clock))


def full_disk(self: DeadLetters, letters: Sequence[DeadLetter]) -> None:
    raise OSError(28, "No space left on device")


def test_a_range_is_not_written_before_the_dead_letters_in_it(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between both repeats a dead letter and loses none."""
    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "append", full_disk)
        ledger.write(LOG, [LETTER], [Confirmed(0, 100, b"")], records=True)
        assert ledger.confirmed(LOG) == []
        assert "No space left" in ledger.problem
    ledger.flush()
    assert ledger.confirmed(LOG) == [], "it is tried once a second"
    clock.pass_s(2)
    ledger.flush()
    assert ledger.confirmed(LOG) == [Range(0, 100)]
    assert ledger.problem == ""


def test_dead_letters_that_can_not_be_written_are_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeadLetters, "append", full_disk)
    count = 0
    while not ledger.is_full:
        ledger.write(LOG, [LETTER], [], records=True)
        count += 1
    assert count < 4_000
