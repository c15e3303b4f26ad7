"""A batch in delivery: which of its events are still to be sent, and in which parts."""

from __future__ import annotations

from collections.abc import Iterator

from logship.event import Batch, Parts, RefusedEvent
from logship.records import record


@record(frozen=False)
class EventRange:
    """Events [first, last) of a batch that are sent in one body.

    `is_bad`: it was refused as part of something larger whose other part was accepted, so a bad event is in it.
    `right`: the other half of a refused part; once this half is accepted the bad event must be in the other.
    """

    first: int
    last: int
    is_bad: bool = False
    right: EventRange | None = None

    @property
    def count(self) -> int:
        return self.last - self.first

    def halves(self) -> tuple[EventRange, EventRange]:
        middle = self.first + self.count // 2
        return EventRange(self.first, middle), EventRange(middle, self.last)


class BatchProgress:
    """Cuts a batch by the answers until every event is accepted or alone.

    At most one part is in flight at a time. Bisecting around one bad event of n costs at most 2 log2(n) extra requests.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.refused: list[RefusedEvent] = []
        self.suspects = 0  # events refused alone that are undecided
        self.is_out = False
        self.timeouts = 0  # in a row
        self._pending = [EventRange(0, len(batch))]  # a stack: the earliest events are its last item

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be sent and nothing is in flight."""
        return bool(self._pending) and not self.is_out

    @property
    def is_undecided(self) -> bool:
        """Whether something is to be sent or in flight."""
        return bool(self._pending) or self.is_out

    @property
    def is_settled(self) -> bool:
        return not self._pending and not self.is_out and not self.suspects

    def size_bytes(self, part: EventRange) -> int:
        """Of the decoded body, brackets and commas included."""
        return self.batch.part_bytes(part.first, part.last)

    def body(self, part: EventRange) -> bytes:
        """The decoded body: one event as the bare object, more as an array."""
        return self.batch.part(part.first, part.last)

    def parts(self, part: EventRange) -> Parts:
        """The decoded body as it is in memory."""
        return self.batch.parts if part.count == len(self.batch) else (self.body(part),)

    def take(self, limit_bytes: int) -> EventRange:
        """The next part to send, cut to the receiver's limit; it is in flight until answered."""
        part = self._pending.pop()
        while part.count > 1 and (part.is_bad or self.size_bytes(part) > limit_bytes):
            part = self._cut(part, is_refused=part.is_bad)
        self.is_out = True
        return part

    def accept(self, part: EventRange) -> None:
        """The receiver has these events."""
        self.is_out = False
        if part.right:
            part.right.is_bad = True

    def put_back(self, part: EventRange) -> None:
        """Nothing is decided: send the same again."""
        self.is_out = False
        self._pending.append(part)

    def divide(self, part: EventRange, *, is_refused: bool) -> None:
        """Send the halves instead; `is_refused` says that a bad event is in one of them."""
        self.is_out = False
        self._pending.append(self._cut(part, is_refused=is_refused))

    def suspect(self) -> None:
        """An event that was sent alone is refused: a suspect."""
        self.is_out = False
        self.suspects += 1

    def reject(self, refusal: RefusedEvent) -> None:
        """A suspect is rejected: it becomes a dead letter."""
        self.suspects -= 1
        self.refused.append(refusal)

    def clear(self, index: int, *, is_accepted: bool) -> None:
        """A suspect is cleared: the receiver accepted it after all, or it is sent again."""
        self.suspects -= 1
        if not is_accepted:
            self._pending.append(EventRange(index, index + 1))

    def remove(self, index: int) -> None:
        """Event `index`, sent out of turn, is accepted."""
        for place, part in enumerate(self._pending):
            if part.first <= index < part.last:
                rest = [EventRange(index + 1, part.last), EventRange(part.first, index)]
                self._pending[place : place + 1] = [part for part in rest if part.count]
                return

    def pending_of(self, source: str) -> Iterator[range]:
        """Events of one source that are still to be sent, farthest first."""
        offset = len(self.batch)
        runs: list[range] = []
        for piece in reversed(self.batch.pieces):
            count = piece.last - piece.first
            if piece.chunk.file.source == source:
                runs.append(range(offset - count, offset))
            offset -= count
        for part in self._pending:
            for run in runs:
                first, last = max(run.start, part.first), min(run.stop, part.last)
                if first < last:
                    yield range(first, last)

    def sources(self, part: EventRange) -> set[str]:
        """The sources of a part's events."""
        found = set()
        offset = 0
        for piece in self.batch.pieces:
            end = offset + piece.last - piece.first
            if offset < part.last and part.first < end:
                found.add(piece.chunk.file.source)
            offset = end
        return found

    def _cut(self, part: EventRange, *, is_refused: bool) -> EventRange:
        """The left half; the right one waits."""
        left, right = part.halves()
        left.right = right if is_refused else None
        self._pending.append(right)
        return left
