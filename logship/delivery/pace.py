"""When the next attempt may start and how large it may be. Pure: time and chance come in.

One Pace is shared by all senders of a receiver. A round is what was started since the last pause or hold began; its
attempts fail together, so only the first failure of a round counts: eight senders that meet one outage are one failure.
"""

from __future__ import annotations

import random as random_module

from logship.records import record

HOLD_INTERVAL_S = 60.0  # while held, one attempt a minute
CAUTION = 8.0  # after a timeout: senders share one link, and together they may be too slow again
DOUBLINGS = 30  # keeps the power finite; no retry_max is larger
REFUSED_PATIENCE_S = 600.0  # so long after the last 413, twice the size is tried
TIMEOUT_PATIENCE_S = 0.0  # a receiver that did not answer for a while soon gets whole batches again
LEAST_PATIENCE_S = 10.0  # after a larger size failed
MAX_PATIENCE_S = 3_600.0  # each such failure doubles the wait up to this: a lasting limit costs one 413 an hour
LEAST_BYTES = 1_000  # timeouts make bodies no smaller than an event or two
QUICK = 0.25  # an answer within this part of the timeout means that twice the size will arrive in time, too


@record
class Attempt:
    """One request in flight; numbers grow in the order of starting."""

    number: int


@record(frozen=False)
class Hold:
    """The address, the id or the mapping is wrong: one attempt at a time until one succeeds."""

    next_try_s: float


class Pace:
    """Additive increase, multiplicative decrease; exponential backoff with full jitter; one pause for all."""

    def __init__(
        self, concurrency: int, retry_initial_s: float, retry_max_s: float, random: random_module.Random
    ) -> None:
        self._concurrency = concurrency
        self._retry_initial_s = retry_initial_s
        self._retry_max_s = retry_max_s
        self._random = random
        self._window = 1.0
        self._caution = 1.0  # divides the window's growth while attempts take almost all of their time
        self._is_ramping = True  # until the first failure the window grows by one with each answer
        self._number = 0
        self._round = 0  # first attempt number of the present round
        self.in_flight = 0
        self.failures = 0  # rounds that failed in a row
        self.paused_until_s = 0.0
        self.hold: Hold | None = None

    @property
    def window(self) -> int:
        """How many attempts may be in flight."""
        return int(self._window)

    def may_start(self, now_s: float) -> bool:
        if self.hold:
            return self.in_flight == 0 and now_s >= self.hold.next_try_s
        return now_s >= self.paused_until_s and self.in_flight < self.window

    def next_start_s(self, now_s: float) -> float | None:
        """When may_start() can become true by itself; None where only the end of an attempt changes it."""
        if self.hold:
            return self.hold.next_try_s if self.in_flight == 0 else None
        return self.paused_until_s if self.in_flight < self.window else None

    def start(self) -> Attempt:
        """An attempt begins now."""
        self.in_flight += 1
        self._number += 1
        return Attempt(self._number)

    def accepted(self, attempt: Attempt, *, is_quick: bool = True) -> None:
        """The receiver accepted the events."""
        self._caution = 1.0 if is_quick else self._caution
        step = 1.0 if self._is_ramping else 1.0 / (self._window * self._caution)
        self._window = min(float(self._concurrency), self._window + step)
        self.refused(attempt)

    def refused(self, attempt: Attempt) -> None:
        """The receiver refused the events, so address and id are right."""
        self.in_flight -= 1
        if self._is_of_this_round(attempt):
            self.failures = 0
            self.hold = None

    def doubted(self) -> None:
        """The receiver refused an event of a test during a hold: it stays."""
        self.in_flight -= 1

    def failed(
        self, now_s: float, attempt: Attempt, retry_after_s: float | None = None, *, is_too_slow: bool = False
    ) -> None:
        """No answer, or one that asks for a retry: all senders pause. `is_too_slow`: it timed out."""
        if is_too_slow:
            self._caution = CAUTION
        self.in_flight -= 1
        if self._is_of_this_round(attempt):
            ceiling_s = min(self._retry_max_s, self._retry_initial_s * 2.0 ** min(self.failures, DOUBLINGS))
            self._pause_until(now_s + self._random.uniform(0.0, ceiling_s))
            self.failures += 1
            self._window = max(1.0, self._window / 2)
            self._is_ramping = False
            self._round = self._number + 1
        if retry_after_s is not None:
            self._pause_until(now_s + retry_after_s)
        if self.hold:
            self.hold.next_try_s = max(now_s + HOLD_INTERVAL_S, self.paused_until_s)

    def held(self, now_s: float, attempt: Attempt | None) -> None:
        """Somebody must act: from now on one attempt a minute. `attempt` None: it was known without one."""
        if attempt:
            self.in_flight -= 1
        if self.hold is None:
            self.hold = Hold(now_s + HOLD_INTERVAL_S)
        elif attempt is None or self._is_of_this_round(attempt):
            self.hold.next_try_s = now_s + HOLD_INTERVAL_S
        self._round = self._number + 1

    def resume(self, now_s: float) -> None:
        """The cause may be gone: a pause ends, and a hold is tried now."""
        self.paused_until_s = min(self.paused_until_s, now_s)
        if self.hold:
            self.hold.next_try_s = now_s

    def _pause_until(self, moment_s: float) -> None:
        self.paused_until_s = max(self.paused_until_s, moment_s)

    def _is_of_this_round(self, attempt: Attempt) -> bool:
        return attempt.number >= self._round


class LearnedLimit:
    """One bound: half of what failed, later doubled step by step; a step that fails is undone."""

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
        """Doubles the bound when the last failure is long enough ago."""
        if self.bytes < self._most and now_s - self._since_s >= self._patience_s:
            self.bytes, self._since_s = min(self._most, self.bytes * 2), now_s

    def failed(self, size: int, now_s: float) -> None:
        if self.safe_bytes < size <= self.bytes:
            self.bytes = self.safe_bytes
            self._patience_s = min(MAX_PATIENCE_S, max(LEAST_PATIENCE_S, 2 * self._patience_s))
        elif size <= self.bytes:  # the limit has become smaller
            self.bytes = self.safe_bytes = size // 2
            self._patience_s = self._least_patience_s
        self._since_s = now_s


class BodyLimit:
    """How large a body may be: what the receiver takes (413) and what arrives in time. The smaller of two bounds.

    One body at a time tries a bound that has grown.
    """

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
        """The bound before it grew; a larger body is a probe."""
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
        """A body of `size` timed out again."""
        if size >= 2 * LEAST_BYTES:
            self._by_timeouts.failed(size, now_s)
