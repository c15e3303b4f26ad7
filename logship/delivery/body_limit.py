"""How large a body may be: what the receiver takes (413), and what the way to it carries in time. Pure."""

from __future__ import annotations

REFUSED_PATIENCE_S = 600.0  # so long after the last 413 a body twice as large is tried
TIMEOUT_PATIENCE_S = 0.0  # a receiver that was mute for a while soon gets whole batches again
LEAST_PATIENCE_S = 10.0  # after a try that failed
MAX_PATIENCE_S = 3_600.0  # each such try doubles the wait, up to this: a lasting limit costs one 413 an hour
LEAST_BYTES = 1_000  # timeouts make bodies no smaller: an event or two
QUICK = 0.25  # an answer within this part of the timeout says that twice the size will be carried, too


class LearnedLimit:
    """One bound: half of what failed; later twice as much, step by step; a step that fails is taken back."""

    def __init__(self, most_bytes: int, patience_s: float) -> None:
        self.bytes = most_bytes
        self.safe_bytes = most_bytes  # what it was before it grew, until a larger body is accepted
        self._most = most_bytes
        self._least_patience_s = self._patience_s = patience_s
        self._since_s = 0.0  # the last failure, or the last step up

    def accepted(self, size: int) -> None:
        if size > self.safe_bytes:
            self.safe_bytes, self._patience_s = self.bytes, self._least_patience_s

    def may_grow(self, now_s: float) -> None:
        """Nothing speaks against a larger one but what failed earlier."""
        if self.bytes < self._most and now_s - self._since_s >= self._patience_s:
            self.bytes, self._since_s = min(self._most, self.bytes * 2), now_s

    def failed(self, size: int, now_s: float) -> None:
        if self.safe_bytes < size <= self.bytes:
            self.bytes = self.safe_bytes
            self._patience_s = min(MAX_PATIENCE_S, max(LEAST_PATIENCE_S, 2 * self._patience_s))
        elif size <= self.bytes:  # the bound is a new one
            self.bytes = self.safe_bytes = size // 2
            self._patience_s = self._least_patience_s
        self._since_s = now_s


class BodyLimit:
    """The smaller of two bounds. Of bodies above what it was before it grew one at a time is tried."""

    def __init__(self, most_bytes: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._by_refusals = LearnedLimit(most_bytes, REFUSED_PATIENCE_S)
        self._by_timeouts = LearnedLimit(most_bytes, TIMEOUT_PATIENCE_S)

    @property
    def bytes(self) -> int:
        """Of the decoded body, brackets and commas included."""
        return min(self._by_refusals.bytes, self._by_timeouts.bytes)

    @property
    def safe_bytes(self) -> int:
        """What it was before it grew; a body above that is a try."""
        return min(self._by_refusals.safe_bytes, self._by_timeouts.safe_bytes)

    def accepted(self, size: int, took_s: float, now_s: float) -> None:
        """A body arrived; its answer took `took_s`."""
        for limit in (self._by_refusals, self._by_timeouts):
            limit.accepted(size)
        self._by_refusals.may_grow(now_s)
        if took_s < QUICK * self._timeout_s:
            self._by_timeouts.may_grow(now_s)

    def refused(self, size: int, now_s: float) -> None:
        """413 to a body of `size`."""
        self._by_refusals.failed(size, now_s)

    def timed_out(self, size: int, now_s: float) -> None:
        """A body of `size` took too long, and not by chance."""
        if size >= 2 * LEAST_BYTES:
            self._by_timeouts.failed(size, now_s)
