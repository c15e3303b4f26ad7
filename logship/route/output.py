"""One receiver's lane: what waits for it, and which sources' lines travel it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from logship.delivery import Delivery, DeliveryState
from logship.delivery.rules_feed import FeedStatus, RulesFeed
from logship.event import Batch, Conversion, LogFile, Window
from logship.kernel.program import ProgramError
from logship.mapping.remote_rules import RemoteRules
from logship.records import record
from logship.route.batcher import Batcher

log = logging.getLogger(__name__)

READY_BATCHES = 2  # converted ahead of a free sender, so that converting and sending overlap


class Converter(Protocol):
    """What a format and a mapping are compiled to."""

    def convert(self, data: bytes, start: int, file: LogFile, window: Window | None = None) -> Conversion: ...

    def obey(self, rules: RemoteRules | None) -> None: ...


@record
class Route:
    """How the lines of one source travel; `lane` names the receiver's."""

    source: str
    converter: Converter
    lane: str
    drops_unmatched: bool = False


@record(frozen=False)
class Lane:
    """One receiver and what waits for it."""

    delivery: Delivery
    batcher: Batcher
    sources: frozenset[str]
    max_event_age_s: float | None = None
    feed: RulesFeed | None = None  # None: the receiver's rules are not asked for
    ready: deque[Batch] = field(default_factory=deque)
    unsettled: int = 0  # batches submitted whose fate is open

    @property
    def is_empty(self) -> bool:
        return not (self.batcher.waiting or self.ready or self.unsettled)

    @property
    def wants_more(self) -> bool:
        return len(self.ready) < READY_BATCHES and self.delivery.room() > 0 and (self.feed is None or self.feed.is_open)

    def obey(self, routes: Mapping[str, Route]) -> None:
        """What the receiver asks for by now holds from the next chunk on."""
        if self.feed is None:
            return
        self.feed.start()
        known = self.feed.take()
        if known is not None:
            self._convert_by(known.rules, routes)

    def obey_as_before(self, routes: Mapping[str, Route]) -> None:
        """The rules that hold, for converters that are new."""
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
        """Nothing gets through before somebody has done something about it."""
        feed = self.feed_status
        return (feed is not None and feed.is_refused) or self.delivery.status().state is DeliveryState.HELD

    @property
    def feed_status(self) -> FeedStatus | None:
        """How it stands with the receiver's rules; None where they are not asked for."""
        return None if self.feed is None else self.feed.status()

    def resume(self) -> None:
        """What was waited for may be over: try now."""
        self.delivery.resume()
        if self.feed is not None:
            self.feed.resume()

    def close(self, within_s: float) -> list[Batch]:
        """No further attempt after so many seconds; gives what is unsettled."""
        if self.feed is not None:
            self.feed.close()
        return self.delivery.close(within_s)
