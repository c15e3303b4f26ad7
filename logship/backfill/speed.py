"""Events a second, over the last seconds, and how long the rest takes at that speed."""

from __future__ import annotations

from collections import deque
from dataclasses import field

from logship.records import record

SECONDS = 10.0


@record(frozen=False)
class Speed:
    """A window over what was counted.

    Shapes: `_seen` are (moment, events, bytes), oldest first; the oldest is at most SECONDS old, or the first.
    """

    _seen: deque[tuple[float, int, int]] = field(default_factory=deque)

    def see(self, now_s: float, events: int, done_bytes: int) -> None:
        self._seen.append((now_s, events, done_bytes))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Events a second."""
        seconds = self._seconds
        return max(0, self._seen[-1][1] - self._seen[0][1]) / seconds if seconds else 0.0

    def seconds_for(self, left_bytes: int) -> float | None:
        """How long so many bytes take; None where there is no telling."""
        done = self._seen[-1][2] - self._seen[0][2] if self._seen else 0
        return left_bytes * self._seconds / done if done > 0 else None

    @property
    def _seconds(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
