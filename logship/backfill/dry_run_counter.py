"""Counts what would be sent, in place of the piece sender: for dry runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import orjson

from logship.backfill.watermark import Watermark
from logship.delivery.dead_letter import too_large
from logship.event import Chunk, Conversion, origin_of_line
from logship.mapping.disclosure import Disclosures
from logship.records import record

NO_MONTH = "no time"
DISCLOSED_EVENTS = 500  # of a piece are looked at


@record(frozen=False)
class DryRunCounter:
    """Events by month; everything is settled at once.

    Shapes: `months` maps '2026-10' to events; `found` is what looks like a secret in the first events of the piece.
    """

    watermark: Watermark
    max_bytes: int
    months: dict[str, int] = field(default_factory=dict)
    found: Disclosures = field(default_factory=Disclosures)
    in_flight: int = 0
    retries: int = 0
    trouble: str = ""

    def add(self, chunk: Chunk, conversion: Conversion, start: int, end: int) -> None:
        for index in range(len(conversion.ends)):
            event = conversion.event(index)
            if len(event) > self.max_bytes:
                origin = origin_of_line(chunk, conversion, conversion.event_lines[index])
                self.watermark.refuse(too_large(origin, event))
                continue
            tree = orjson.loads(event)
            if self.found.events < DISCLOSED_EVENTS:
                self.found.look_at(tree)
            month = month_of(tree)
            self.months[month] = self.months.get(month, 0) + 1
        self.watermark.settle([(start, end)])

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self, within_s: float) -> None:
        """Nothing is open."""


def month_of(event: Mapping[str, object]) -> str:
    """The month of an event's request time; a mapping may have left it out."""
    request = event.get("request")
    time = request.get("time") if isinstance(request, dict) else None
    return time[:7] if isinstance(time, str) else NO_MONTH
