"""One receiver and its queue: events become batches, batches are sent, answers settle them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Protocol

from logship.delivery import Delivery, DeliveryState
from logship.delivery.dead_letter import DeadLetter
from logship.delivery.rules_feed import FeedStatus, RulesFeed
from logship.event import Batch, Chunk, Conversion, LogFile, Outcome, Window
from logship.formats.directives import Heading
from logship.kernel.program import ProgramError
from logship.mapping.remote_rules import RemoteRules
from logship.records import record
from logship.route.batcher import Batcher, Cut

log = logging.getLogger(__name__)

READY_BATCHES = 2  # converted ahead of a free sender, so that converting and sending overlap


class LineConverter(Protocol):
    """A compiled format and mapping."""

    def convert(
        self, data: bytes, start: int, file: LogFile, window: Window | None = None, heading: bytes = b""
    ) -> Conversion: ...

    def heading_unknown(self, start: int, file: LogFile) -> Heading | None: ...

    def pass_over(self, chunk: Chunk) -> None: ...

    def obey(self, rules: RemoteRules | None) -> None: ...


@record
class Route:
    """The route of one source's lines; `output` is the name of its receiver's output."""

    source: str
    converter: LineConverter
    output: str
    drops_unmatched: bool = False


@record
class SettledBatch:
    """A batch whose events are confirmed, except its dead letters.

    Shapes: `letters` maps the index of a refused event to its letter.
    """

    batch: Batch
    letters: Mapping[int, DeadLetter]

    @classmethod
    def of(cls, outcome: Outcome) -> SettledBatch:
        """The result of a batch's answers."""
        batch, letters = outcome.batch, {}
        for refused in outcome.refused:
            origin, event = batch.origin(refused.index), batch.event(refused.index)
            letters[refused.index] = DeadLetter.of(
                origin, "the receiver refused it", event, refused.status, refused.reason
            )
        return cls(batch, letters)


@record(frozen=False)
class Output:
    """One receiver's batcher and delivery; `sources` are those whose lines go there."""

    delivery: Delivery
    batcher: Batcher
    sources: frozenset[str] = frozenset()
    max_event_age_s: float | None = None
    feed: RulesFeed | None = None  # None: the receiver's rules are not asked for
    ready: deque[Batch] = field(default_factory=deque)
    unsettled: int = 0  # batches submitted and not answered yet

    @property
    def is_empty(self) -> bool:
        return not (self.batcher.waiting or self.ready or self.unsettled)

    @property
    def wants_more(self) -> bool:
        return len(self.ready) < READY_BATCHES and self.delivery.room() > 0 and (self.feed is None or self.feed.is_open)

    def add(self, chunk: Chunk, conversion: Conversion, start: int, end: int, now_s: float) -> Cut:
        """Takes the events of [start, end) of a chunk; gives what is settled without being sent."""
        cut = self.batcher.add(chunk, conversion, start, end, now_s)
        self.ready.extend(cut.batches)
        return cut

    def flush(self) -> None:
        """Makes waiting events ready, also without a full batch."""
        self.ready.extend(self.batcher.flush())

    def send_next(self) -> Batch | None:
        """Sends one batch; None while none is ready or there is no room for it."""
        if not self.ready or self.delivery.room() <= 0:
            return None
        batch = self.ready.popleft()
        self.unsettled += 1
        self.delivery.begin(batch)
        return batch

    def settled(self) -> Iterator[SettledBatch]:
        """The batches that answers have settled since the last call; never blocks.

        Raises: what ended a sender's thread.
        """
        if self.delivery.failure is not None:
            raise self.delivery.failure
        for outcome in self.delivery.outcomes():
            self.unsettled -= 1
            yield SettledBatch.of(outcome)
        self.batcher.max_bytes = self.delivery.max_body_bytes

    def obey(self, routes: Mapping[str, Route]) -> None:
        """New rules of the receiver apply from the next chunk on."""
        if self.feed is None:
            return
        self.feed.start()
        known = self.feed.take()
        if known is not None:
            self._convert_by(known.rules, routes)

    def obey_as_before(self, routes: Mapping[str, Route]) -> None:
        """The rules in force, for new converters."""
        if self.feed is not None and self.feed.adopted is not None:
            self._convert_by(self.feed.adopted.rules, routes)

    def _convert_by(self, rules: RemoteRules, routes: Mapping[str, Route]) -> None:
        for source in sorted(self.sources):
            try:
                routes[source].converter.obey(rules)
            except ProgramError as exc:
                log.error(
                    "the receiver's rules make the mapping too large, the old ones stay: %s source=%s", exc, source
                )

    @property
    def needs_a_person(self) -> bool:
        """Nothing can be delivered until somebody acts."""
        feed = self.feed_status
        return (feed is not None and feed.is_refused) or self.delivery.status().state is DeliveryState.HELD

    @property
    def feed_status(self) -> FeedStatus | None:
        """The state of the receiver's rules; None where they are not asked for."""
        return None if self.feed is None else self.feed.status()

    def resume(self) -> None:
        """The cause of a pause or hold may be gone: try now."""
        self.delivery.resume()
        if self.feed is not None:
            self.feed.resume()

    def close(self, within_s: float) -> list[Batch]:
        """No further attempt after so many seconds; gives the unsettled batches."""
        if self.feed is not None:
            self.feed.close()
        return self.delivery.close(within_s)
