"""When the next attempt may start: how many at once, pauses after failures, holds. Pure: time and chance come in.

One Pace is shared by all senders of a receiver. A round is what was started since the last pause or hold began; its
attempts fail together, so only the first failure of a round counts: eight senders that meet one outage are one failure.
"""

from __future__ import annotations

import random as random_module

from logship.records import record

HOLD_INTERVAL_S = 60.0  # a door that needs a person is tried again every minute
CAUTION = 8.0  # after a timeout: several senders share one way, and together they may be too slow again
DOUBLINGS = 30  # beyond this every ceiling is over any retry_max; keeps the power finite


@record
class Attempt:
    """One request on its way; numbers grow in the order of starting."""

    number: int


@record(frozen=False)
class Hold:
    """The door is wrong or the mapping is; one try at a time until one goes well."""

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
        self._caution = 1.0  # the window grows by so much less while attempts take almost all of their time
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
        """The moment from which may_start() can become true by itself; None: only the end of an attempt helps."""
        if self.hold:
            return self.hold.next_try_s if self.in_flight == 0 else None
        return self.paused_until_s if self.in_flight < self.window else None

    def start(self) -> Attempt:
        """Count an attempt that begins now."""
        self.in_flight += 1
        self._number += 1
        return Attempt(self._number)

    def accepted(self, attempt: Attempt, *, is_quick: bool = True) -> None:
        """The receiver took what it was sent."""
        self._caution = 1.0 if is_quick else self._caution
        step = 1.0 if self._is_ramping else 1.0 / (self._window * self._caution)
        self._window = min(float(self._concurrency), self._window + step)
        self.refused(attempt)

    def refused(self, attempt: Attempt) -> None:
        """The receiver said no to the events: the door is right."""
        self.in_flight -= 1
        if self._is_of_this_round(attempt):
            self.failures = 0
            self.hold = None

    def doubted(self) -> None:
        """The receiver said no, and whether door or events are at fault is what the hold is about."""
        self.in_flight -= 1

    def failed(
        self, now_s: float, attempt: Attempt, retry_after_s: float | None = None, *, is_too_slow: bool = False
    ) -> None:
        """No answer, or one that asks to come again: everybody pauses. `is_too_slow`: the time was over."""
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
        """A person is needed: from now on one try a minute. None where no attempt was needed to see it."""
        if attempt:
            self.in_flight -= 1
        if self.hold is None:
            self.hold = Hold(now_s + HOLD_INTERVAL_S)
        elif attempt is None or self._is_of_this_round(attempt):
            self.hold.next_try_s = now_s + HOLD_INTERVAL_S
        self._round = self._number + 1

    def resume(self, now_s: float) -> None:
        """Somebody knows more than the receiver said: a pause is over, and a hold is tried now."""
        self.paused_until_s = min(self.paused_until_s, now_s)
        if self.hold:
            self.hold.next_try_s = now_s

    def _pause_until(self, moment_s: float) -> None:
        self.paused_until_s = max(self.paused_until_s, moment_s)

    def _is_of_this_round(self, attempt: Attempt) -> bool:
        return attempt.number >= self._round
