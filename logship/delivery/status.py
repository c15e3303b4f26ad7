"""How delivery to one receiver is going, for status, metrics and the log."""

from __future__ import annotations

from enum import StrEnum

from logship.records import record


class DeliveryState(StrEnum):
    """What the senders are doing."""

    STARTING = "starting"  # nothing was answered yet
    OK = "ok"
    PAUSED = "paused"  # waits before the next try; needs no action
    HELD = "held"  # a person is needed; tried again every minute


@record
class DeliveryStatus:
    """A look at one delivery.

    Shapes: *_s are moments of the clock's monotonic(), None where the thing never happened.
    """

    state: DeliveryState
    api: str  # paths in use: moesifapi or v1
    compression: str  # none or gzip
    last_status: int | None = None
    last_success_s: float | None = None
    last_error: str = ""  # of the newest try that failed since the last success
    hint: str = ""  # what a person may do about it
    next_try_s: float | None = None
    in_flight: int = 0
    waiting: int = 0  # batches submitted, not settled, not in flight
    window: int = 1  # how many may be in flight now
    posts: int = 0
    retries: int = 0
    max_body_bytes: int = 0
