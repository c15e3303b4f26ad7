"""Counts what would be sent, for dry runs; it stands where the courier stands."""

from __future__ import annotations

from dataclasses import field

import orjson

from logship.backfill.courier import too_large_letter
from logship.backfill.frontier import Frontier
from logship.batcher import TooLarge
from logship.event import Chunk, Conversion, Piece
from logship.records import record

NO_MONTH = "no time"


@record(frozen=False)
class Census:
    """Events by month; everything is settled at once.

    Shapes: `months` maps '2026-10' to events.
    """

    frontier: Frontier
    max_bytes: int
    months: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    retries: int = 0
    trouble: str = ""

    def add(self, chunk: Chunk, conversion: Conversion, start: int, end: int) -> None:
        for index in range(len(conversion.ends)):
            event = conversion.event(index)
            if len(event) > self.max_bytes:
                origin = Piece(chunk, conversion, index, index + 1).origin(0)
                self.frontier.refuse(too_large_letter(TooLarge(origin, event)))
                continue
            month = month_of(event)
            self.months[month] = self.months.get(month, 0) + 1
        self.frontier.settle([(start, end)])

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self, within_s: float) -> None:
        """Nothing is open."""


def month_of(event: str) -> str:
    """The month of an event's request time; a mapping may have left it out."""
    request = orjson.loads(event).get("request")
    time = request.get("time") if isinstance(request, dict) else None
    return time[:7] if isinstance(time, str) else NO_MONTH
