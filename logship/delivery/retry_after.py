"""The Retry-After header, in seconds from now."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 3600.0  # a receiver that asks for more is asked again after an hour
SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]+)?\Z")


def retry_after_s(text: str | None, wall_s: float) -> float | None:
    """How long to wait; None where the header is absent or means nothing.

    Shapes: between 0 and MAX_RETRY_AFTER_S; `wall_s` is now in seconds since 1970.
    Source: RFC 9110, 10.2.3 (seconds, or an HTTP date in any of its three forms).
    """
    if text is None:
        return None
    text = text.strip()
    if SECONDS.match(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment  # asctime's form names no zone
        wait_s = moment.timestamp() - wall_s
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
