"""What a person means by --since and --until: a date, a time, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from logship.clock import iso_text
from logship.config.quantities import duration
from logship.errors import UsageError

AGO = re.compile(r"[\d.]+\s*[a-zA-Z]+")


def moment(text: str, now_s: float, option: str = "--since") -> str:
    """The moment as 'YYYY-MM-DDTHH:MM:SS.mmmZ', the form that event times have.

    Shapes: `text` is ISO 8601 (a date is its first instant; without a zone it is UTC), or `7d`, `24h`, `90m`: so long
    before `now_s` (seconds since the epoch).
    Raises: UsageError with what would be right.
    """
    try:
        if AGO.fullmatch(text.strip()):
            return iso_text(datetime.fromtimestamp(now_s, UTC) - timedelta(seconds=duration(text)))
        when = datetime.fromisoformat(text.strip())
        return iso_text(when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC))
    except (ValueError, OverflowError) as exc:
        message = f"{option}: '{text}' is no time; give 2026-10-01, 2026-10-01T13:55:00Z, 7d or 24h"
        raise UsageError(message) from exc


def shifted(text: str, by_s: float) -> str:
    """A moment (as `moment` gives it) moved by so many seconds; it stays inside the years that can be written."""
    try:
        return iso_text(datetime.fromisoformat(text) + timedelta(seconds=by_s))
    except OverflowError:
        return text
