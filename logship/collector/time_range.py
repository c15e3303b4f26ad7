"""The time that somebody asks for: a range as people say it, or from and until."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, timedelta, tzinfo

from logship.collector.refusal import bad_parameter
from logship.collector.times import moment, read_moment
from logship.errors import FormatError
from logship.formats.times import find_zone
from logship.records import record

RANGES = ("15m", "1h", "24h", "7d", "30d", "all")  # that the page offers; any other number works, too
DEFAULT_RANGE = "24h"
UNITS_S = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
BACK = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MONTH = re.compile(r"\d{4}-\d\d", re.ASCII)
BETWEEN = ".."
MAX_ZONE_CHARS = 60
AHEAD_MS = 600_000  # that senders' clocks may be ahead of ours; an event of the year 9999 is not of the last day
ADVICE = "give 90m, 24h, 7d or 2w, today, yesterday, a date as 2026-11-27, two as 2026-11-20..2026-11-27, or all"


@record
class TimeRange:
    """Shapes: milliseconds since 1970; `since_ms` is inclusive, `until_ms` exclusive; None is no bound."""

    since_ms: int | None = None
    until_ms: int | None = None


def read_zone(parameters: Mapping[str, str]) -> tzinfo | None:
    """The zone in which a reader gives and sees times: `tz`, an IANA name; None for UTC.

    Raises: RefusalError 400 for a name that isn't one.
    """
    name = parameters.get("tz", "").strip()
    try:
        return find_zone(name[:MAX_ZONE_CHARS])
    except FormatError as exc:
        raise bad_parameter("tz", name, exc.hint or "write an IANA name like Europe/Berlin") from exc


def read_range(parameters: Mapping[str, str], now_ms: int, zone: tzinfo | None = None) -> TimeRange:
    """`since` and `until`, which win, else `range`; without any of them DEFAULT_RANGE.

    Times without a zone are times of `zone`. Where its clocks leave an hour out or show it twice, the offset before
    the change counts.
    Raises: RefusalError 400 naming the parameter.
    """
    found = TimeRange(_time(parameters, "since", zone), _time(parameters, "until", zone))
    name = "until"
    if found == TimeRange():
        name, text = "range", parameters.get("range", "").strip() or DEFAULT_RANGE
        try:
            found = _range(text, now_ms, zone)
        except (ValueError, OverflowError) as exc:
            raise bad_parameter("range", text, ADVICE) from exc
    if found.since_ms is not None and found.until_ms is not None and found.since_ms >= found.until_ms:
        raise bad_parameter(name, parameters.get(name, ""), "the time must end after it begins")
    return found


def _range(text: str, now_ms: int, zone: tzinfo | None) -> TimeRange:
    """Raises: ValueError, OverflowError for what is no range."""
    if text == "all":
        return TimeRange()
    if back := BACK.fullmatch(text):
        return TimeRange(now_ms - int(back[1]) * UNITS_S[back[2]] * 1000, now_ms + AHEAD_MS)
    today = moment(now_ms).astimezone(zone or UTC).date()
    if text == "today":
        return _days(today, today, zone)
    if text == "yesterday":
        return _days(today - timedelta(days=1), today - timedelta(days=1), zone)
    if MONTH.fullmatch(text):
        first = date.fromisoformat(f"{text}-01")
        following = (first + timedelta(days=31)).replace(day=1)
        return TimeRange(_midnight(first, zone), _midnight(following, zone))
    since, dots, until = (text, BETWEEN, text) if DATE.fullmatch(text) else text.partition(BETWEEN)
    if not dots or not (since or until):
        raise ValueError("no range")
    return TimeRange(
        read_moment(since, zone) if since else None,
        _end(until, zone) if until else None,
    )


def _days(first: date, last: date, zone: tzinfo | None) -> TimeRange:
    return TimeRange(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def _end(text: str, zone: tzinfo | None) -> int:
    """The end of a range: that of the day where it is a date."""
    if DATE.fullmatch(text):
        return _midnight(date.fromisoformat(text) + timedelta(days=1), zone)
    return read_moment(text, zone)


def _midnight(day: date, zone: tzinfo | None) -> int:
    return read_moment(day.isoformat(), zone)


def _time(parameters: Mapping[str, str], name: str, zone: tzinfo | None) -> int | None:
    text = parameters.get(name, "").strip()
    if not text:
        return None
    try:
        return read_moment(text, zone)
    except ValueError as exc:
        raise bad_parameter(name, text, str(exc)) from exc


def zone_name(zone: tzinfo | None) -> str:
    return "UTC" if zone is None else str(zone)
