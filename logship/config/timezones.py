"""Names of time zones, checked before a line needs one."""

from __future__ import annotations

from logship.config.quantities import UnfitError
from logship.config.validation import closest
from logship.errors import FormatError
from logship.formats.times import find_zone


def check_timezone(name: str) -> None:
    """Nothing for an IANA name or an offset such as +02:00.

    Raises: UnfitError with the nearest name.
    """
    try:
        find_zone(name)
    except FormatError as exc:
        from zoneinfo import available_timezones

        close = closest(name, sorted(available_timezones()))
        if "/" not in name:  # an abbreviation; the zones that are spelled like it are others
            close = next(
                (zone for zone in available_timezones() if zone.rpartition("/")[2].lower() == name.lower()), None
            )
        hint = f"did you mean '{close}'?" if close else "write an IANA name such as Europe/Berlin, or +02:00"
        raise UnfitError(f"there is no time zone '{name}'", hint) from exc
