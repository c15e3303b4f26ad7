"""Time as a part that is plugged in, so that an outage of half an hour takes a test no time."""

from __future__ import annotations

import threading
from typing import Protocol


class Clock(Protocol):
    """What delivery needs to know about time."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    def time(self) -> float:
        """Seconds since 1970, for dates that people and servers write."""

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        """Block until `event` is set or the time is over; None waits for the event alone. True where it is set."""
