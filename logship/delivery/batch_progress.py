"""A batch on its way: which of its events are still to be sent, and in which pieces."""

from __future__ import annotations

from collections.abc import Iterator

from logship.event import Batch, RefusedEvent
from logship.records import record


@record(frozen=False)
class EventRange:
    """Events [first, last) of a batch that go out in one body.

    `is_bad`: it was refused as part of something larger whose other part was accepted, so a bad event is in it.
    `right`: the other half of a refused stretch; once this one is accepted the bad event is known to be there.
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

    At most one stretch is out at a time. Bisecting around one bad event of n costs at most 2 log2(n) extra requests.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.refused: list[RefusedEvent] = []
        self.suspects = 0  # events refused alone that are not judged yet
        self.is_out = False
        self.timeouts = 0  # in a row
        self._pending = [EventRange(0, len(batch))]  # a stack: the earliest events are its last item

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be sent and nothing is out."""
        return bool(self._pending) and not self.is_out

    @property
    def is_undecided(self) -> bool:
        """Whether something is to be sent or out."""
        return bool(self._pending) or self.is_out

    @property
    def is_settled(self) -> bool:
        return not self._pending and not self.is_out and not self.suspects

    def size_bytes(self, stretch: EventRange) -> int:
        """Of the decoded body, brackets and commas included."""
        return self.batch.part_bytes(stretch.first, stretch.last)

    def body(self, stretch: EventRange) -> bytes:
        """The decoded body: one event as the bare object, more as an array."""
        return self.batch.part(stretch.first, stretch.last)

    def take(self, limit_bytes: int) -> EventRange:
        """The next stretch to send, cut to what is known of the receiver's limit; it is out until answered."""
        stretch = self._pending.pop()
        while stretch.count > 1 and (stretch.is_bad or self.size_bytes(stretch) > limit_bytes):
            stretch = self._cut(stretch, is_refused=stretch.is_bad)
        self.is_out = True
        return stretch

    def accept(self, stretch: EventRange) -> None:
        """The receiver has these events."""
        self.is_out = False
        if stretch.right:
            stretch.right.is_bad = True

    def put_back(self, stretch: EventRange) -> None:
        """Nothing is decided: the same again."""
        self.is_out = False
        self._pending.append(stretch)

    def divide(self, stretch: EventRange, *, is_refused: bool) -> None:
        """Send the halves instead; `is_refused` says that a bad event is in one of them."""
        self.is_out = False
        self._pending.append(self._cut(stretch, is_refused=is_refused))

    def suspect(self) -> None:
        """The event that was out alone is refused: a suspect."""
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
        for place, stretch in enumerate(self._pending):
            if stretch.first <= index < stretch.last:
                rest = [EventRange(index + 1, stretch.last), EventRange(stretch.first, index)]
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
        for stretch in self._pending:
            for run in runs:
                first, last = max(run.start, stretch.first), min(run.stop, stretch.last)
                if first < last:
                    yield range(first, last)

    def sources(self, stretch: EventRange) -> set[str]:
        """Which sources the events of a stretch are from."""
        found = set()
        offset = 0
        for piece in self.batch.pieces:
            end = offset + piece.last - piece.first
            if offset < stretch.last and stretch.first < end:
                found.add(piece.chunk.file.source)
            offset = end
        return found

    def _cut(self, stretch: EventRange, *, is_refused: bool) -> EventRange:
        """Left half; the right one waits behind it."""
        left, right = stretch.halves()
        left.right = right if is_refused else None
        self._pending.append(right)
        return left
