"""Names of time zones, checked before a line needs one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from logship.config.validation import closest
from logship.errors import FormatError
from logship.formats.times import find_zone
from logship.sections import UnfitError

LOCAL = "local"


def zone_of(name: str, base: Path = Path("/")) -> str:
    """The zone that a configuration names: itself; of `local` the system's, which has its root at `base`.

    Shapes: an IANA name or an offset as +02:00; "UTC" where the system says none.
    """
    if name != LOCAL:
        return name
    own = os.environ.get("TZ", "").removeprefix(":") if base == Path("/") else ""
    if own and _is_zone(own):
        return own
    link = base / "etc/localtime"
    if link.is_symlink():
        _, found, zone = os.readlink(link).partition("zoneinfo/")
        if found and _is_zone(zone):
            return zone
    try:
        zone = (base / "etc/timezone").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        zone = ""
    if zone and _is_zone(zone):
        return zone
    return f"{time.strftime('%z')[:3]}:{time.strftime('%z')[3:]}" if base == Path("/") else "UTC"


def _is_zone(name: str) -> bool:
    try:
        find_zone(name)
    except FormatError:
        return False
    return True


def check_timezone(name: str) -> None:
    """Nothing for `local`, an IANA name or an offset such as +02:00.

    Raises: UnfitError with the nearest name.
    """
    try:
        find_zone(zone_of(name))
    except FormatError as exc:
        from zoneinfo import available_timezones

        close = closest(name, sorted(available_timezones()))
        if "/" not in name:  # an abbreviation; the zones that are spelled like it are others
            close = next(
                (zone for zone in available_timezones() if zone.rpartition("/")[2].lower() == name.lower()), None
            )
        hint = f"did you mean '{close}'?" if close else "write local, an IANA name such as Europe/Berlin, or +02:00"
        raise UnfitError(f"there is no time zone '{name}'", hint) from exc
