"""Writes dead letters: positions wait until they are on disk, shipping does not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from logship.clock import Clock, iso_time
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.patterns import deferred
from logship.records import record

log = logging.getLogger(__name__)

OWED_BYTES_MAX = 4_000_000  # of memory for letters that can't be written; above it reading stops
WRITE_BYTES = 1_000_000  # of letters in one write
RETRY_EVERY_S = 1.0
REPORT_EVERY_S = 60.0
NUMBERS = deferred(r"[0-9]+")


@record(frozen=False)
class Repeats:
    """Dead letters of one source and reason: `more` came since the last log line, the next is due at `due_s`."""

    due_s: float
    more: int = 0


class DeadLetterWriter:
    """Collects dead letters, and writes and counts them before any position passes them.

    Shapes: `problem` is why letters can't be written now, "" while they can; `is_full`: nothing more should be read
    until they can.
    """

    def __init__(self, store: DeadLetters, counters: Counters, clock: Clock, *, is_quiet: bool = False) -> None:
        """`is_quiet`: nothing goes to the log."""
        self.problem = ""
        self._store = store
        self._counters = counters
        self._clock = clock
        self._is_quiet = is_quiet
        self._owed: list[DeadLetter] = []
        self._owed_bytes = 0
        self._retry_at_s = float("-inf")
        self._problem_due_s = float("-inf")
        self._repeats: dict[tuple[str, str], Repeats] = {}
        self._counted_bytes = 0
        self._kept = 0

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Takes further letters."""
        for letter in letters:
            if not self._is_quiet:
                self._report(letter)
            self._owed_bytes += letter.size_bytes
            self._owed.append(replace(letter, time=iso_time(self._clock.time())))

    @property
    def is_full(self) -> bool:
        return self._owed_bytes > OWED_BYTES_MAX

    def write(self, *, at_once: bool = False) -> bool:
        """True when all letters are written: positions may move. After a failure it is tried once a second.

        A letter counts once it is on disk; until then its line waits.
        """
        now_s = self._clock.monotonic()
        self._report_more(now_s)
        if not self._owed:
            return True
        if now_s < self._retry_at_s and not at_once:
            return False
        try:
            while self._owed:
                self._write_some()
        except OSError as exc:
            self._fail(exc, now_s)
            return False
        if self.problem and not self._is_quiet:
            log.info("dead letters can be written again")
        self.problem, self._retry_at_s = "", float("-inf")
        return True

    def close(self) -> None:
        """Logs what was not logged yet."""
        self._report_more(float("inf"))

    def _write_some(self) -> None:
        size, count = 0, 0
        while count < len(self._owed) and size < WRITE_BYTES:
            size += self._owed[count].size_bytes
            count += 1
        some = self._owed[:count]
        self._store.append(some)
        del self._owed[:count]
        self._owed_bytes -= size
        for letter in some:
            for tally in self._counters.of(letter.file):
                tally.dead_letters += 1

    def _fail(self, error: OSError, now_s: float) -> None:
        if not self._is_quiet and (str(error) != self.problem or now_s >= self._problem_due_s):
            log.error("dead letters can't be written, positions wait count=%d error=%s", len(self._owed), error)
            self._problem_due_s = now_s + REPORT_EVERY_S
        self.problem = str(error)
        self._retry_at_s = now_s + RETRY_EVERY_S

    def _report(self, letter: DeadLetter) -> None:
        """Logs the first of a source and reason at once, further ones once a minute."""
        file, reason, status = letter.file, letter.reason, letter.status
        said = reason if status is None else f"{reason} (HTTP {status})"
        key = file.source, NUMBERS.sub("N", reason) if status is None else said
        repeats = self._repeats.get(key)
        if repeats is not None:
            repeats.more += 1
            return
        self._repeats[key] = Repeats(self._clock.monotonic() + REPORT_EVERY_S)
        log.warning(
            "a line is a dead letter: %s source=%s path=%s position=%d hint=see: logship dead-letters list",
            said, file.source, file.path, letter.position,
        )  # fmt: skip

    def _report_more(self, now_s: float) -> None:
        for (source, reason), repeats in list(self._repeats.items()):
            if now_s < repeats.due_s:
                continue
            if not repeats.more:
                del self._repeats[source, reason]
                continue
            log.warning("more lines are dead letters: %s source=%s count=%d", reason, source, repeats.more)
            repeats.more, repeats.due_s = 0, now_s + REPORT_EVERY_S

    def kept(self) -> int:
        """Letters in the store, of this run and earlier ones; the store is read only when its size has changed."""
        size = self._store.size().bytes
        if size != self._counted_bytes:
            self._counted_bytes, self._kept = size, len(self._store)
        return self._kept
