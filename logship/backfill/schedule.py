"""What is still to be handed out, in which order and in which portions, so that all workers are busy to the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from logship.backfill.run_settings import BackfillLog, LogPiece

MAX_PIECE_BYTES = 64 * 1024 * 1024
MIN_PIECE_BYTES = 4 * 1024 * 1024  # a piece costs its senders and their connections: some 5 ms
PORTION = 2  # a piece is at most the 2nd part of what is left for each worker: they get smaller, and end together
EXPANSION = 8  # bytes of log in a byte of an archive, more or less; it only tells what is large


def work_of(log: BackfillLog) -> int:
    """Bytes of log in it, as far as one can tell from its size; 0 for stdin."""
    return log.size_bytes * (EXPANSION if log.compression else 1)


class Schedule:
    """Logs, oldest first, and those of their pieces that wait; nothing of it is running yet."""

    def __init__(self, logs: Iterable[BackfillLog]) -> None:
        self._logs = {log.number: log for log in logs}
        self._largest = sorted((log for log in self._logs.values() if not log.is_divisible), key=work_of)
        self._pieces: deque[LogPiece] = deque()
        self._left = sum(map(work_of, self._logs.values()))

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._logs or self._pieces)

    def next_log(self, jobs: int) -> BackfillLog | None:
        """The log whose pieces are wanted now; None while there are some to hand out, or where no log is left.

        It is the oldest, but for one that can't be divided and would keep a single worker busy when all the rest is
        done: that one begins earlier.
        """
        while self._largest and self._largest[-1].number not in self._logs:
            self._largest.pop()
        if self._largest and work_of(self._largest[-1]) * jobs > self._left:
            return self._taken(self._largest.pop())
        if self._pieces or not self._logs:
            return None
        return self._taken(next(iter(self._logs.values())))

    def put(self, pieces: Iterable[LogPiece]) -> None:
        """Pieces to be handed out next, in this order."""
        pieces = list(pieces)
        self._pieces.extendleft(reversed(pieces))
        self._left += sum(map(_piece_work, pieces))

    def next_piece(self) -> LogPiece | None:
        """The piece to hand out; None where none waits."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._left -= _piece_work(piece)
        return piece

    def portion(self, jobs: int, rest_bytes: int) -> int:
        """How large the next piece of a log may be, `rest_bytes` of which are still to be cut."""
        fair_bytes = (self._left + rest_bytes) // (jobs * PORTION)
        return min(MAX_PIECE_BYTES, max(MIN_PIECE_BYTES, fair_bytes))

    def _taken(self, log: BackfillLog) -> BackfillLog:
        del self._logs[log.number]
        self._left -= work_of(log)
        return log


def _piece_work(piece: LogPiece) -> int:
    return work_of(piece.log) if piece.end is None else piece.end - piece.start
