"""Time as a part that is plugged in, so that a test of an outage does not wait; and how times are written."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time."""

    def monotonic(self) -> float:
        """Seconds that never jump: for waits and ages."""

    def time(self) -> float:
        """Seconds since the epoch by the machine's clock: only for what people, servers or later runs read."""


class WaitingClock(Clock, Protocol):
    """A clock that can also wait."""

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        """Block until `event` is set or the time is over (None: never). True where it is set."""


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """Seconds that never jump: for waits and ages."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch by the machine's clock."""
        return time.time()

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        """Block until `event` is set or the time is over; True where it is set."""
        return event.wait(timeout_s)


def iso_time(epoch_s: float) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`, the only spelling of times; the texts compare as times do."""
    return iso_text(datetime.fromtimestamp(epoch_s, UTC))


def iso_text(utc: datetime) -> str:
    """The same for a datetime in UTC."""
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
