"""Where the work thread leaves its snapshots and others ask for fresh ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # snapshots are made by others, and not before somebody asks
    from logship.status.model import Status


class StatusBoard:
    """One snapshot, and the proof that the work thread moves: it answers when asked.

    The work thread calls `is_asked()` on each pass, observes if so, and calls `post()`. Others call `ask()`.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        """Shapes: `wake` ends the work thread's wait, so that an idle daemon needs no timer for this."""
        self._wake = wake
        self._changed = threading.Condition()
        self._status: Status | None = None
        self._asked = 0
        self._answered = 0

    def is_asked(self) -> bool:
        """True when somebody waits for a snapshot; cheap, without a lock."""
        return self._asked != self._answered

    def post(self, status: Status) -> None:
        """The work thread's newest snapshot."""
        with self._changed:
            self._status = status
            self._answered = self._asked
            self._changed.notify_all()

    @property
    def last(self) -> Status | None:
        """The newest snapshot, however old."""
        with self._changed:
            return self._status

    def ask(self, timeout_s: float) -> Status | None:
        """A snapshot made after this call; None when the work thread did not move for `timeout_s`."""
        with self._changed:
            self._asked += 1
            mine = self._asked
        self._wake()
        with self._changed:
            moved = self._changed.wait_for(lambda: self._answered >= mine, timeout_s)
            return self._status if moved else None
