"""How much of requests is in memory at once: bodies as they came, and what they hold decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from logship.collector.options import RETRY_AFTER_S
from logship.collector.refusal import RefusalError


class Budget:
    """Bytes that requests share; who would go over it is told to come again. A request alone may always go over."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @contextmanager
    def request(self) -> Iterator[BudgetShare]:
        """The share of one request, given back at the end."""
        share = BudgetShare(self)
        try:
            yield share
        finally:
            self._held_bytes -= share.held_bytes

    def take(self, share: BudgetShare, more_bytes: int) -> None:
        """Raises: RefusalError 503 when others hold so much that it does not fit."""
        others_bytes = self._held_bytes - share.held_bytes
        if others_bytes and self._held_bytes + more_bytes > self._limit_bytes:
            raise busy("more is arriving than can be stored")
        self._held_bytes += more_bytes
        share.held_bytes += more_bytes


class BudgetShare:
    """What one request holds of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Takes what is missing to `size_bytes`.

        Raises: RefusalError 503, see Budget.
        """
        if size_bytes > self.held_bytes:
            self._budget.take(self, size_bytes - self.held_bytes)


def busy(reason: str) -> RefusalError:
    return RefusalError(503, "busy", f"{reason}; try again", retry_after_s=RETRY_AFTER_S)
