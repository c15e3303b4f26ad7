"""One receiver's lane: what waits for it, and which sources' lines travel it."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Protocol

from logship.batcher import Batcher
from logship.delivery import Delivery
from logship.event import Batch, Conversion, LogFile, Window
from logship.records import record

READY_BATCHES = 2  # converted ahead of a free sender, so that converting and sending overlap


class Converter(Protocol):
    """What a format and a mapping are compiled to."""

    def convert(self, data: bytes, start: int, file: LogFile, window: Window | None = None) -> Conversion: ...


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
    ready: deque[Batch] = field(default_factory=deque)
    unsettled: int = 0  # batches submitted whose fate is open

    @property
    def is_empty(self) -> bool:
        return not (self.batcher.waiting or self.ready or self.unsettled)

    @property
    def wants_more(self) -> bool:
        return len(self.ready) < READY_BATCHES and self.delivery.room() > 0
