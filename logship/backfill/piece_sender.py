"""Sends the events of one piece, no faster than the receiver takes them; or counts them, in a dry run."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import field
from threading import Event

import orjson

from logship.backfill.run_settings import BackfillLog, RunSettings
from logship.backfill.watermark import Watermark
from logship.clock import SystemClock
from logship.counters import Counters
from logship.delivery import Delivery, DeliveryState
from logship.delivery.dead_letter import too_large
from logship.errors import RefusedError
from logship.event import Chunk, Conversion, origin_of_line
from logship.mapping.disclosure import Disclosures
from logship.records import record
from logship.route.batcher import Batcher, span
from logship.route.output import Output, SettledBatch

CATCH_UP_S = 0.25  # how much a late batch may catch up; converting a chunk on a busy machine takes 20 ms
LOOK_S = 0.1  # how often a wait for the receiver looks for a stop and reports progress
NO_MONTH = "no time"
DISCLOSED_EVENTS = 500  # of a piece are searched for secrets


class StoppedError(Exception):
    """The driver has stopped the work."""


@record(frozen=False)
class RateLimit:
    """So many events a second, counted from the first; a batch that is late by less than CATCH_UP_S costs nothing."""

    rate: float  # 0: no limit
    due_s: float = -math.inf  # when the next batch may go

    def take(self, events: int, now_s: float) -> None:
        if self.rate:
            begin_s = now_s if self.due_s == -math.inf else max(self.due_s, now_s - CATCH_UP_S)
            self.due_s = begin_s + events / self.rate


class PieceSender:
    """One delivery for one piece.

    The watermark gets what is settled. While the sender waits it calls `idle`, which raises StoppedError to stop.
    """

    def __init__(
        self,
        run_settings: RunSettings,
        log: BackfillLog,
        watermark: Watermark,
        clock: SystemClock,
        idle: Callable[[], None],
    ) -> None:
        settings = run_settings.settings
        self.wake = Event()
        self._delivery = Delivery(
            log.endpoint,
            settings.delivery,
            clock=clock,
            random=random.Random(),
            counters=Counters(),
            wake=self.wake,
        )
        self._output = Output(self._delivery, Batcher(settings.batch.max_bytes, math.inf, span))
        self._rate_limit = RateLimit(run_settings.rate)
        self._watermark = watermark
        self._clock = clock
        self._idle = idle

    def add(self, chunk: Chunk, conversion: Conversion, start: int, end: int) -> None:
        """Send the events of a range that the watermark has; waits while the receiver has no room."""
        cut = self._output.add(chunk, conversion, start, end, 0.0)
        for letter in cut.too_large:
            self._watermark.refuse(letter)
        self._watermark.settle((one.start, one.end) for one in cut.settled)
        if self._rate_limit.rate:
            self._output.flush()
        self._submit()

    def finish(self) -> None:
        """Send what is left and wait until everything is settled."""
        self._output.flush()
        self._submit()
        self._delivery.finish()
        while self._output.unsettled:
            self._wait()

    def close(self, within_s: float) -> None:
        """For up to `within_s`, send what is converted and take the answers; the rest stays undecided."""
        deadline_s = self._clock.monotonic() + within_s
        self._output.flush()
        try:
            while self._output.ready and self._clock.monotonic() < deadline_s:
                if not self._submit_one():
                    self._await_news()
        finally:
            self._delivery.close(max(0.0, deadline_s - self._clock.monotonic()))
        self._collect()

    @property
    def in_flight(self) -> int:
        return self._output.unsettled

    @property
    def retries(self) -> int:
        return self._delivery.status().retries

    @property
    def trouble(self) -> str:
        """The receiver's last failure, while it lasts."""
        status = self._delivery.status()
        return status.last_error if status.state is DeliveryState.PAUSED else ""

    def _submit(self) -> None:
        self._collect()
        while self._output.ready:
            if self._rate_limit.due_s > self._clock.monotonic() or not self._submit_one():
                self._wait()

    def _submit_one(self) -> bool:
        """Hands the next batch over; False while there is no room for it."""
        batch = self._output.send_next()
        if batch is not None:
            self._rate_limit.take(len(batch), self._clock.monotonic())
        return batch is not None

    def _wait(self) -> None:
        self._await_news()
        self._idle()

    def _await_news(self) -> None:
        self._delivery.rest()
        until_due_s = self._rate_limit.due_s - self._clock.monotonic()
        self.wake.wait(min(LOOK_S, until_due_s) if until_due_s > 0 else LOOK_S)
        self.wake.clear()
        self._collect()

    def _collect(self) -> None:
        for settled in self._output.settled():
            self._settle(settled)
        status = self._delivery.status()
        if status.state is DeliveryState.HELD:
            raise RefusedError("; ".join(filter(None, (status.last_error, status.hint))))

    def _settle(self, settled: SettledBatch) -> None:
        for letter in settled.letters.values():
            self._watermark.refuse(letter)
        self._watermark.settle((one.start, one.end) for one in settled.batch.spans)


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
        """Nothing is in flight."""

    def close(self, within_s: float) -> None:
        """Nothing is open."""


def month_of(event: Mapping[str, object]) -> str:
    """The month of an event's request time; a mapping may have left it out."""
    request = event.get("request")
    time = request.get("time") if isinstance(request, dict) else None
    return time[:7] if isinstance(time, str) else NO_MONTH
