"""Waiting for another process: a condition, polled, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.02


def wait_until(
    condition: Callable[[], object], deadline_s: float = 20.0, what: str = "", *, every_s: float = POLL_S
) -> None:
    """Returns as soon as `condition()` is true; polls, because another process decides when.

    Raises: AssertionError naming `what` when `deadline_s` is over.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline_s:g} s still not: {what or condition}")
        time.sleep(every_s)
