"""How far a piece is decided: ranges are issued in order, settled in any order, and passed in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import field

from logship.backfill.split import Part
from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.records import record


@record(frozen=False)
class UndecidedRange:
    """A range of a log and what its lines have become once it is settled.

    Shapes: [start, end) at line starts; `confirms` is false where some of its lines are out of range: a later run with
    other bounds wants them.
    """

    start: int
    end: int
    anchor: bytes
    tally: Tally
    letters: list[DeadLetter] = field(default_factory=list)
    confirms: bool = True
    unsettled: int = 0  # bytes in it that no answer covers yet


class Watermark:
    """Ranges from `start`, without gaps; `decided_to` is the start of the first that is not settled."""

    def __init__(self, start: int) -> None:
        self.decided_to = start
        self._ranges: deque[UndecidedRange] = deque()
        self._issued_to = start

    @property
    def is_settled(self) -> bool:
        return not self._ranges

    def issue(self, step: UndecidedRange) -> None:
        """The next range; nothing of it is settled yet."""
        assert step.start == self._issued_to, f"a gap at {self._issued_to}: the next step begins at {step.start}"
        step.unsettled = step.end - step.start
        self._issued_to = step.end
        self._ranges.append(step)

    def settle(self, parts: Iterable[Part]) -> None:
        """These positions are decided: by an answer, or because no event came of them. Each is settled once."""
        for start, end in parts:
            for step in self._ranges:
                if step.start >= end:
                    break
                overlap = min(end, step.end) - max(start, step.start)
                if overlap > 0:
                    step.unsettled -= overlap

    def refuse(self, letter: DeadLetter) -> None:
        """An event that was counted as sent is a dead letter; call before its range is settled."""
        step = next(step for step in self._ranges if step.start <= letter.position < step.end)
        step.tally.sent -= 1
        step.tally.dead_letters += 1
        step.letters.append(letter)

    def advance(self) -> list[UndecidedRange]:
        """The ranges that `decided_to` passes now, in order."""
        passed: list[UndecidedRange] = []
        while self._ranges and not self._ranges[0].unsettled:
            step = self._ranges.popleft()
            self.decided_to = step.end
            passed.append(step)
        return passed
