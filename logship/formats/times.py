"""Times of log lines: text or JSON number to epoch milliseconds, never depending on the locale.

Fractions have 1 to 9 digits and mean what they say (.138633 is 138.633 ms); offsets are +hhmm, +hh:mm, +hh or Z;
a date that does not exist is no time. A second of 60 is the next second, as POSIX has it.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from logship.errors import FormatError
from logship.formats.slot import DecodeTime
from logship.kernel.program import Known
from logship.patterns import deferred
from logship.records import record

EPOCH_ORDINAL: Final = 719_163  # date(1970, 1, 1).toordinal()
MAX_EPOCH_MS: Final = 253_402_300_799_999  # the last millisecond of year 9999
MAX_TEXT: Final = 80  # no time is longer; bounds the work a hostile field can cause
MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS: Final = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
_CASED_MONTHS = {name.lower(): number for name, number in MONTHS.items()}
_CLF = deferred(r"([0-9]{2})/([A-Za-z]{3})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})")
_ISO = deferred(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))? ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_EPOCH = deferred(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?")
MINUTES_KEPT: Final = 64
CLF_SECONDS_AT: Final = len("10/Oct/2000:13:55:")
ISO_SECONDS_AT: Final = len("2000-10-10T13:55:")
_SECONDS_MS = {f"{second:02}": second * 1000 for second in range(60)}


@record
class ClfTime:
    """10/Oct/2000:13:55:36 -0700, of Apache's %t and nginx's $time_local."""

    resolution_ms: float = 1000.0
    example: str = "10/Oct/2000:13:55:36 -0700"
    pattern: str = r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"

    def lacks_zone(self, text: str) -> bool:
        return False

    def decoder(self, timezone: str) -> DecodeTime:
        return by_minute(_decode_clf, CLF_SECONDS_AT)

    def known(self, timezone: str) -> Known:
        return Known.CLF


@record
class IsoTime:
    """2000-10-10T13:55:36.123+02:00; a space for the T, any fraction, any offset or none."""

    resolution_ms: float = 1000.0
    example: str = "2000-10-10T13:55:36+02:00"
    pattern: str = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.,]{8,18}(?:[Zz]| ?[+-][0-9:]{2,5})?"

    def lacks_zone(self, text: str) -> bool:
        return _lacks_zone(text)

    def decoder(self, timezone: str) -> DecodeTime:
        return _iso_decoder(find_zone(timezone))

    def known(self, timezone: str) -> Known:
        return Known.ISO_UTC if find_zone(timezone) is None else Known.ISO_ZONED


@record
class EpochTime:
    """A count since 1970: `unit` is s, ms, us or ns; with or without fraction."""

    unit: str
    resolution_ms: float = 1.0
    example: str = "1718000000.123"
    pattern: str = r"[0-9]{1,19}(?:\.[0-9]{1,9})?"

    def lacks_zone(self, text: str) -> bool:
        return False

    def decoder(self, timezone: str) -> DecodeTime:
        unit = self.unit
        return lambda text: _decode_epoch(text, unit)

    def known(self, timezone: str) -> Known:
        return {"s": Known.EPOCH_S, "ms": Known.EPOCH_MS, "us": Known.EPOCH_US}.get(self.unit, Known.NOTHING)


@record
class AnyTime:
    """A time of a JSON or regex format that was not told its format: CLF, ISO 8601, or an epoch told by its size."""

    resolution_ms: float = 1.0
    example: str = "2000-10-10T13:55:36.123Z, 10/Oct/2000:13:55:36 -0700 or 1718000000.123"
    pattern: str = r".{1,40}"

    def lacks_zone(self, text: str) -> bool:
        return _lacks_zone(text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text)

    def decoder(self, timezone: str) -> DecodeTime:
        iso = _iso_decoder(find_zone(timezone))
        clf = by_minute(_decode_clf, CLF_SECONDS_AT)

        def decode(value: str) -> int | None:
            text = value[1:-1] if value[:1] == "[" and value[-1:] == "]" else value
            if text[2:3] == "/":
                return clf(text)
            if text[4:5] == "-":
                return iso(text)
            return _decode_epoch(text, "")

        return decode

    def known(self, timezone: str) -> Known:
        return Known.ANY_UTC if find_zone(timezone) is None else Known.ANY_ZONED


def _lacks_zone(text: str) -> bool:
    match = _ISO.fullmatch(text) if len(text) <= MAX_TEXT else None
    return match is not None and match[8] is None


def _decode_clf(text: str) -> int | None:
    match = _CLF.fullmatch(text)
    if match is None:
        return None
    day, name, year, hour, minute, second, sign, offset_hours, offset_minutes = match.groups()
    month = MONTHS.get(name) or _CASED_MONTHS.get(name.lower(), 0)
    offset_s = _offset_s(sign, offset_hours, offset_minutes)
    return epoch_ms(int(year), month, int(day), int(hour), int(minute), int(second), 0, offset_s)


def _iso_decoder(zone: tzinfo | None) -> DecodeTime:
    def decode(text: str) -> int | None:
        match = _ISO.fullmatch(text)
        if match is None:
            return None
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        civil = (int(year), int(month), int(day), int(hour), int(minute), int(second))
        ms = int((fraction + "00")[:3]) if fraction else 0
        if offset is None and zone is not None:
            return in_zone(civil, ms, zone)
        return epoch_ms(*civil, ms, parse_offset_s(offset or "Z"))

    return decode if zone is not None else by_minute(decode, ISO_SECONDS_AT)  # clocks were put forward within minutes


def by_minute(decode: DecodeTime, seconds_at: int) -> DecodeTime:
    """The same for times with their seconds at one place and offsets of whole minutes, decoding each minute once.

    A busy log has a new second every dozen lines and a new minute every thousand.
    """
    minute_ms = lru_cache(MINUTES_KEPT)(decode)
    end = seconds_at + 2

    def decode_second(text: str) -> int | None:
        second_ms = _SECONDS_MS.get(text[seconds_at:end])
        if second_ms is None or len(text) > MAX_TEXT:  # a leap second, or no time at all
            return decode(text)
        ms = minute_ms(f"{text[:seconds_at]}00{text[end:]}")
        return None if ms is None else ms + second_ms

    return decode_second


def _decode_epoch(text: str, unit: str) -> int | None:
    """Epoch ms of a number's text; unit '' is told by the size (before the year 5138 for seconds)."""
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    whole, fraction = int(match[1]), match[2] or ""
    unit = unit or epoch_unit(whole)
    if unit == "s":
        ms = whole * 1000 + int((fraction + "000")[:3])
    elif unit == "ms":
        ms = whole
    else:
        ms = whole // (1000 if unit == "us" else 1_000_000)
    return ms if 0 <= ms <= MAX_EPOCH_MS else None


def epoch_unit(value: int) -> str:
    """The unit that puts an epoch between 1970 and the year 5138."""
    for unit, limit in (("s", 10**11), ("ms", 10**14), ("us", 10**17)):
        if value < limit:
            return unit
    return "ns"


def epoch_ms(
    year: int, month: int, day: int, hour: int, minute: int, second: int, ms: int, offset_s: int | None
) -> int | None:
    if offset_s is None or hour > 23 or minute > 59 or second > 60:
        return None
    try:
        days = date(year, month, day).toordinal() - EPOCH_ORDINAL
    except ValueError:
        return None
    return (days * 86400 + hour * 3600 + minute * 60 + second - offset_s) * 1000 + ms


def in_zone(civil: tuple[int, int, int, int, int, int], ms: int, zone: tzinfo) -> int | None:
    """A civil time of a named zone; the first of the two where clocks were put back."""
    if epoch_ms(*civil, ms, 0) is None:
        return None
    year, month, day, hour, minute, second = civil
    local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    offset = local.utcoffset() or timedelta(0)
    return epoch_ms(*civil, ms, int(offset.total_seconds()))


def parse_offset_s(text: str) -> int | None:
    """Seconds east of UTC of 'Z', '+05', '+0530', '-03:30'; None: no offset on Earth."""
    if text in {"Z", "z", "UTC", "GMT"}:
        return 0
    digits = text[1:].replace(":", "")
    return _offset_s(text[0], digits[:2], digits[2:] or "00")


def _offset_s(sign: str, hours: str, minutes: str) -> int | None:
    if hours > "23" or minutes > "59":
        return None
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds


def find_zone(name: str) -> tzinfo | None:
    """The zone of an IANA name; None for UTC, which needs no zone database.

    Raises: FormatError for a name that is not in the system's zone database.
    """
    if name in {"UTC", "utc", "Z", ""}:
        return None
    if re.fullmatch(r"[+-][0-9]{2}:?[0-9]{2}", name) and (offset_s := parse_offset_s(name)) is not None:
        return timezone(timedelta(seconds=offset_s))
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise FormatError(f"no time zone {name!r}", text=name, hint="write an IANA name like Europe/Berlin") from exc
