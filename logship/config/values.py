"""Values as people write them: durations, sizes, addresses, URLs and time zones."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from logship.errors import FormatError
from logship.fields import closest
from logship.formats.times import find_zone
from logship.sections import UnfitError

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
BYTES = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "m": 1000**2,
    "mb": 1000**2,
    "g": 1000**3,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
API_PATHS = ("/moesifapi/events/batch", "/moesifapi/events", "/v1/events/batch", "/v1/events", "/moesifapi", "/v1")
LOCAL = "local"


def duration(value: object) -> float:
    """Seconds of `500ms`, `1s`, `5m`, `24h`, `30d`.

    Raises: UnfitError, also for a bare number: it could be seconds or milliseconds.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)  # a default, in seconds
    text = scalar_text(value, "a duration such as 500ms, 30s, 5m, 24h or 30d")
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UnfitError(f"'{text}' is no duration", "write a number and a unit: 500ms, 30s, 5m, 24h, 30d")
    number, unit = match.groups()
    if not unit and float(number) == 0:
        return 0.0
    if not unit:
        raise UnfitError(f"'{text}' has no unit", f"write {number}s for seconds, {number}ms for milliseconds")
    if unit.lower() not in SECONDS:
        raise UnfitError(f"'{unit}' is no unit of time", "the units are ms, s, m, h, d, w")
    return float(number) * SECONDS[unit.lower()]


def size(value: object) -> int:
    """Bytes of `250000`, `250kB`, `1GB`, `64KiB`.

    Raises: UnfitError.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = scalar_text(value, "a size such as 250000, 250kB or 1GB")
    match = QUANTITY.fullmatch(text.strip().replace("_", "").replace(",", ""))
    if match is None:
        raise UnfitError(f"'{text}' is no size", "write bytes, or a number and a unit: 250000, 250kB, 1GB")
    number, unit = match.groups()
    if unit.lower() not in BYTES:
        raise UnfitError(f"'{unit}' is no unit of size", "the units are kB, MB, GB, KiB, MiB, GiB")
    return int(float(number) * BYTES[unit.lower()])


def listen_address(value: object) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9640`, `[::1]:9640` or `:9640` (loopback).

    Raises: UnfitError.
    """
    text = scalar_text(value, "an address such as 127.0.0.1:9640")
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise UnfitError(f"'{text}' is no address with a port", 'write "127.0.0.1:9640"')
    host = host.removeprefix("[").removesuffix("]")
    return host or "127.0.0.1", int(port)


def scalar_text(value: object, wanted: str) -> str:
    """The text of a scalar.

    Raises: UnfitError for lists, maps and null, naming what was wanted.
    """
    if isinstance(value, str):
        return value
    raise UnfitError(f"this is {kind_of(value)}, not {wanted}")


def kind_of(value: object) -> str:
    """The everyday name of this kind of YAML."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "text"


def normalised(url: str, *, may_hold_password: bool = False) -> str:
    """The URL in one spelling: lower-case host, no default port, no slash at the end.

    Raises: UnfitError.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise UnfitError(f"'{url}' is no URL: {exc}", "write https://host or https://host:port") from exc
    if parts.scheme not in {"http", "https"}:
        hint = "give an https URL, e.g. https://api.moesif.net"
        if may_hold_password:
            hint = "only http proxies work: http://host:port" if "://" in url else f"write http://{url.strip()}"
        raise UnfitError(f"'{url}' is not http(s)", hint)
    if not parts.hostname or any(char.isspace() or not char.isprintable() for char in url.strip()):
        raise UnfitError(f"'{url}' names no host", "write https://host or https://host:port")
    if (parts.username or parts.password) and not may_hold_password:
        raise UnfitError("a user or password in the URL", "the application id goes into application_id")
    if parts.query or parts.fragment:
        raise UnfitError(f"'{url}' has a query", "end it before the ? or #")
    path = parts.path.rstrip("/")
    for api_path in API_PATHS:
        if path.endswith(api_path):
            raise UnfitError(f"'{url}' ends in {api_path}", "remove that: logship adds it (see api:)")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    authority = host if port in {None, default} else f"{host}:{port}"
    if may_hold_password and "@" in parts.netloc:
        authority = f"{parts.netloc.rpartition('@')[0]}@{authority}"
    return f"{parts.scheme}://{authority}{path}"


def environment_proxy(parts: SplitResult, environ: Mapping[str, str]) -> str | None:
    """The proxy for a URL by $HTTPS_PROXY, $HTTP_PROXY, $ALL_PROXY and $NO_PROXY; None for a direct connection."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    entries = _variable(environ, "NO_PROXY").replace(",", " ").split()
    if any(_leaves_out(entry.lower(), host, port) for entry in entries):
        return None
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "ALL_PROXY")
    return proxy or None


def _leaves_out(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY matches: `*`, a name with its subdomains, an address, a CIDR; each with `:port`.

    Names are not looked up for an address, as in curl and Go.
    """
    name, given_port = entry, ""
    if entry.startswith("["):
        name, _, given_port = entry[1:].partition("]")
        given_port = given_port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, given_port = entry.partition(":")
    if given_port and given_port != str(port):
        return False
    if name == "*":
        return True
    try:
        network = ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith("." + name))
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address in network


def _variable(environ: Mapping[str, str], name: str) -> str:
    """Lower case has precedence, as in curl; HTTP_PROXY in capitals counts, too: this is no CGI script."""
    return environ.get(name.lower()) or environ.get(name.upper()) or ""


def zone_of(name: str, base: Path = Path("/")) -> str:
    """The zone that a configuration names; for `local` the zone of the system below `base`.

    Shapes: an IANA name or an offset such as +02:00; "UTC" where the system names none.
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
    """Accepts `local`, an IANA name or an offset such as +02:00.

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
