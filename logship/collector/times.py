"""Times and amounts as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from logship.collector.row import TimeReader

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KILO = 1_000
DATE_CHARS = len("2026-10-10")
NAMES_ZONE = re.compile(r"[Zz]|[+-]\d\d")


def moment(time_ms: int) -> datetime:
    """The nearest time a calendar has: hostile events name the year 0."""
    try:
        return EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if time_ms < 0 else datetime.max.replace(tzinfo=UTC)


def local_time(time_ms: int, zone: tzinfo | None) -> datetime:
    """What clock and calendar of a zone show then; those of UTC where the zone's calendar ends."""
    try:
        return moment(time_ms).astimezone(zone or UTC)
    except (ValueError, OverflowError):
        return moment(time_ms)


def date_time(time_ms: int, zone: tzinfo | None) -> str:
    """27 Nov 2026 10:00 in a zone, with seconds and milliseconds where they are not 0."""
    clock = local_time(time_ms, zone)
    milliseconds = f".{time_ms % 1000:03d}" if time_ms % 1000 else ""
    seconds = f":{clock:%S}" if milliseconds or clock.second else ""
    return f"{clock:%d %b} {clock.year} {clock:%H:%M}{seconds}{milliseconds}"


def day_of(time_ms: int, zone: tzinfo | None, now_ms: int) -> str:
    """27 Nov in a zone, with the year where it is another one than now."""
    clock = local_time(time_ms, zone)
    return f"{clock:%d %b}" if clock.year == local_time(now_ms, zone).year else f"{clock:%d %b} {clock.year}"


def iso_time(time_ms: int) -> str:
    """YYYY-MM-DDTHH:MM:SS.mmmZ"""
    return moment(time_ms).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read_moment(text: str, zone: tzinfo | None = None) -> int:
    """Milliseconds since 1970 of ISO 8601 or of a date alone, which is its midnight; in `zone` where they name none.

    Shapes: `zone` None is UTC. What the zone's clocks show twice is the first of both.
    Raises: ValueError for what is neither.
    """
    if len(text) == DATE_CHARS:
        text += "T00:00"
    time_ms = TimeReader().read(text)
    if zone is None or NAMES_ZONE.search(text, DATE_CHARS):
        return time_ms
    try:
        offset = moment(time_ms).replace(tzinfo=zone).utcoffset() or timedelta(0)
    except (ValueError, OverflowError) as exc:
        raise ValueError("no such time in this zone") from exc
    return time_ms - offset // timedelta(milliseconds=1)


def short_count(number: int) -> str:
    """1234 as 1,234 and 1234567 as 1.23 M."""
    if number < 100 * KILO:
        return f"{number:,}"
    if number < KILO * KILO:
        return f"{number / KILO:.0f} k"
    if number < KILO**3:
        return f"{number / KILO**2:.3g} M"
    return f"{number / KILO**3:,.3g} G"


def short_duration(duration_ms: float | None) -> str:
    """1.4 ms, 30 ms, 1.24 s, 2.1 min, 5.0 h, 3.5 d; – for none."""
    if duration_ms is None:
        return "–"
    if abs(duration_ms) < 9.95:
        return f"{duration_ms:.2g} ms"
    if duration_ms < KILO:
        return f"{duration_ms:.0f} ms"
    seconds = duration_ms / KILO
    if seconds < 60:
        return f"{seconds:.2f} s"
    for unit_s, name, most in ((60, "min", 120), (3_600, "h", 48)):
        if seconds < most * unit_s:
            return f"{seconds / unit_s:.1f} {name}"
    return f"{seconds / 86_400:.1f} d"


def exact_duration(duration_ms: float | None) -> str:
    """All that was measured; "" for none."""
    return "" if duration_ms is None else f"{duration_ms:,.3f}".rstrip("0").rstrip(".") + " ms"


def change(now: float | None, before: float | None) -> str:
    """What became of a number: +12 %, -3 %, the same; "" where one of them is missing or the earlier one is 0."""
    if now is None or not before:
        return ""
    share = 100 * (now - before) / before
    if abs(share) < 0.5:
        return "the same"
    return f"{share:+.0f} %" if abs(share) < 1_000 else f"{now / before:,.0f} times"


def rate(per_second: float) -> str:
    """Requests per second, minute, hour, day or year, whichever is a number one can picture."""
    units = ((1, "second"), (60, "minute"), (3_600, "hour"), (86_400, "day"))
    factor, unit = next((one for one in units if per_second * one[0] >= 1), (31_557_600, "year"))
    number = per_second * factor
    return f"{number:.1f} per {unit}" if number < 100 else f"{short_count(int(number))} per {unit}"


def percentage(part: int, whole: int) -> str:
    """A share; small ones keep a digit, so that one error in ten thousand is not none."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %" if share >= 0.1 else "<0.1 %"
