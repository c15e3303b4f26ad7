"""Time as a part that is plugged in: the real one."""

from __future__ import annotations

import threading
import time


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """Seconds that never jump: for waits and ages."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch, as the machine believes."""
        return time.time()

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        """Block until `event` is set or the time is over; True where it is set."""
        return event.wait(timeout_s)
