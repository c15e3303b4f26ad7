"""What is confirmed, on disk: ranges and dead letters; only the driver writes them."""

from __future__ import annotations

from collections.abc import Iterable

from logship.backfill.order import Log
from logship.backfill.reports import Confirmed, Letter
from logship.checkpoint import Range
from logship.clock import SystemClock, iso_time
from logship.delivery import DeadLetter, DeadLetters
from logship.event import transaction_id
from logship.route.dead_letter_writer import LETTER_BYTES, OWED_BYTES_MAX, RETRY_EVERY_S
from logship.state import State


class Ledger:
    """The state directory's part that a backfill uses.

    Dead letters are on disk before the ranges that pass them. What can't be written waits: it costs at most that events
    are sent again, under the same ids, by the next run.
    """

    def __init__(self, state: State, dead_letters: DeadLetters, clock: SystemClock) -> None:
        self._state = state
        self._dead_letters = dead_letters
        self._clock = clock
        self._letters: list[DeadLetter] = []
        self._letters_bytes = 0
        self._retry_at_s = float("-inf")
        self._ranges: list[tuple[str, int, Range]] = []
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why something waits to be written; "" where nothing does."""
        return (self._problem or self._state.problem) if self._letters or self._ranges else ""

    def confirmed(self, log: Log) -> list[Range]:
        """The ranges of a log that its receiver has."""
        return self._state.ranges(log.endpoint.receiver, log.file.key)

    def forget(self, log: Log) -> None:
        """The log begins anew."""
        self._state.forget_ranges(log.endpoint.receiver, log.file.key)

    def write(self, log: Log, letters: Iterable[Letter], confirmed: Iterable[Confirmed], *, records: bool) -> None:
        """Takes what a report brings and writes it, with what waits; `records` false keeps no ranges of this log."""
        new = [self._dead_letter(log, letter) for letter in letters]
        self._letters += new
        self._letters_bytes += sum(LETTER_BYTES + len(one.raw) + len(one.event) for one in new)
        if records:
            receiver, key = log.endpoint.receiver, log.file.key
            self._ranges += [(receiver, key, Range(one.start, one.end, one.anchor)) for one in confirmed]
        self.flush()

    @property
    def is_full(self) -> bool:
        """So many dead letters wait for the disk that no more may come."""
        return self._letters_bytes > OWED_BYTES_MAX

    def flush(self, *, at_once: bool = False) -> None:
        """Writes what waits, letters first; after a failure they are tried once a second."""
        now_s = self._clock.monotonic()
        if self._letters and now_s < self._retry_at_s and not at_once:
            return
        if self._letters:
            try:
                self._dead_letters.append(self._letters)
            except OSError as exc:
                self._problem = f"dead letters can't be written: {exc.strerror or exc}"
                self._retry_at_s = now_s + RETRY_EVERY_S
                return
            self._letters, self._letters_bytes, self._problem = [], 0, ""
        if self._ranges and self._state.add_ranges(self._ranges):
            self._ranges = []

    def close(self) -> None:
        self.flush(at_once=True)
        self._state.close()

    def _dead_letter(self, log: Log, letter: Letter) -> DeadLetter:
        return DeadLetter(
            id=transaction_id(letter.raw.removesuffix(b"\r"), log.file.key, letter.position),
            time=iso_time(self._clock.time()),
            reason=letter.reason,
            file=log.file,
            position=letter.position,
            raw=letter.raw,
            event=letter.event,
            status=letter.status,
            answer=letter.answer,
        )
