"""What is confirmed, on disk: ranges and dead letters; only the driver writes them."""

from __future__ import annotations

from collections.abc import Iterable

from logship.backfill.reports import Confirmed
from logship.backfill.run_settings import BackfillLog
from logship.checkpoint import Range
from logship.clock import SystemClock
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.route.dead_letter_writer import DeadLetterWriter
from logship.state import State


class RangeStore:
    """The part of the state that a backfill uses.

    Dead letters are on disk before the ranges that cover them. What can't be written waits; at worst the next run sends
    events again, under the same ids.
    """

    def __init__(self, state: State, dead_letters: DeadLetters, clock: SystemClock) -> None:
        self._state = state
        self._letters = DeadLetterWriter(dead_letters, Counters(), clock, is_quiet=True)
        self._ranges: list[tuple[str, int, Range]] = []

    @property
    def problem(self) -> str:
        """Why something can't be written; "" where nothing waits."""
        if self._letters.problem:
            return f"dead letters can't be written: {self._letters.problem}"
        return self._state.problem if self._ranges else ""

    def confirmed(self, log: BackfillLog) -> list[Range]:
        """The ranges of a log that its receiver has."""
        return self._state.ranges(log.endpoint.receiver, log.file.key)

    def forget(self, log: BackfillLog) -> None:
        """The log begins again."""
        self._state.forget_ranges(log.endpoint.receiver, log.file.key)

    def write(
        self, log: BackfillLog, letters: Iterable[DeadLetter], confirmed: Iterable[Confirmed], *, records: bool
    ) -> None:
        """Takes what a report brings and writes it, with what waits; `records` false keeps no ranges of this log."""
        self._letters.add(letters)
        if records:
            receiver, key = log.endpoint.receiver, log.file.key
            self._ranges += [(receiver, key, Range(one.start, one.end, one.anchor)) for one in confirmed]
        self.flush()

    @property
    def is_full(self) -> bool:
        """Too many dead letters wait for the disk to take more."""
        return self._letters.is_full

    def flush(self, *, at_once: bool = False) -> None:
        """Writes what waits, letters first; after a failure they are tried once a second."""
        if not self._letters.write(at_once=at_once):
            return
        if self._ranges and self._state.add_ranges(self._ranges):
            self._ranges = []

    def close(self) -> None:
        self.flush(at_once=True)
        self._state.close()
