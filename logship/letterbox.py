"""Dead letters on their way to disk: they hold the checkpoint until they are written, never the shipping."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.event import EventOrigin, transaction_id
from logship.tail.source import Clock

log = logging.getLogger(__name__)


class Letterbox:
    """Collects what can't be delivered, counts it, and writes it before any position passes it.

    Shapes: `problem` is why the letters can't be written now, "" while they can.
    """

    def __init__(self, store: DeadLetters, counters: Counters, clock: Clock) -> None:
        self.problem = ""
        self._store = store
        self._counters = counters
        self._clock = clock
        self._owed: list[DeadLetter] = []
        self._counted_bytes = 0
        self._kept = 0

    def owe(
        self, origin: EventOrigin, reason: str, event: str = "", status: int | None = None, answer: str = ""
    ) -> None:
        """One line more to set aside; `event`, `status` and `answer` where there are such."""
        file = origin.file
        self._counters.of_source(file.source).dead_letters += 1
        self._counters.of_file(file.file_id).dead_letters += 1
        self._owed.append(
            DeadLetter(
                id=transaction_id(origin.raw.removesuffix(b"\r"), file.key, origin.position),
                time=iso_time(self._clock.time()),
                reason=reason,
                file=file,
                position=origin.position,
                raw=origin.raw,
                event=event,
                status=status,
                answer=answer,
            )
        )

    def write(self) -> bool:
        """True when nothing is owed any more: positions may move."""
        if self._owed:
            try:
                self._store.append(self._owed)
            except OSError as exc:
                log.error("dead letters can't be written, checkpoints wait error=%s", exc)
                self.problem = str(exc)
                return False
            self._owed = []
            self.problem = ""
        return True

    def kept(self) -> int:
        """Letters in the store, of this run and earlier ones; the store is read only when its size has changed."""
        size = self._store.size().bytes
        if size != self._counted_bytes:
            self._counted_bytes, self._kept = size, len(self._store)
        return self._kept


def iso_time(epoch_s: float) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`, the one spelling of times in events; texts of it compare as times."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
