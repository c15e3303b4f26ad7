"""One stored event: the columns that queries need, taken out of the event once, when it arrives."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
SECONDS_CACHED = 4_096  # texts of seconds; live traffic repeats each a few hundred times
ISO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{0,9}))?(?:([Zz])|([+-]\d\d):?(\d\d)?)?", re.ASCII
)

MAX_VERB_CHARS = 24
MAX_PATH_CHARS = 400
MAX_SOURCE_CHARS = 120
MAX_ROUTE_CHARS = 160
MAX_DURATION_MS = 86_400_000_000.0  # a thousand days; beyond, clocks disagree


class EventRow(NamedTuple):
    """A row of the table `events`, in its column order (without the number the store gives).

    Shapes: times and durations in milliseconds; `transaction_id` None = never deduplicated; `status` and `duration_ms`
    None = no response; `path` as logged without the query, `route` the path with its ids replaced; `source` is what
    the event says under metadata.source, else the URI's host; `event` is compact JSON.
    """

    application_id: str
    transaction_id: str | None
    received_at: int
    time_ms: int
    verb: str
    status: int | None
    path: str
    route: str
    user_id: str | None
    source: str
    duration_ms: float | None
    weight: int
    event: str


class TimeReader:
    """Epoch milliseconds of ISO 8601 texts; remembers the seconds it has seen."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}

    def read(self, text: str) -> int:
        """Milliseconds since 1970, UTC where the text names no zone; digits beyond milliseconds are cut.

        Raises: ValueError for what is no time.
        """
        if len(text) == 24 and text[19] == "." and text[23] == "Z":
            digits = text[20:23]
            if digits.isdigit() and digits.isascii():
                known = self._seconds.get(text[:19])
                if known is not None:
                    return known + int(digits)
        value = self._parse(text)
        if len(text) == 24 and text[23] == "Z":
            if len(self._seconds) >= SECONDS_CACHED:
                self._seconds.clear()
            self._seconds[text[:19]] = value - value % 1000
        return value

    def _parse(self, text: str) -> int:
        match = ISO_TIME.fullmatch(text)
        if match is None:
            raise ValueError("not an ISO 8601 time; send YYYY-MM-DDTHH:MM:SS.mmmZ")
        date, clock, fraction, _, hours, minutes = match.groups()
        try:
            moment = datetime.fromisoformat(f"{date}T{clock}+00:00")
        except ValueError as exc:
            raise ValueError(f"no such time: {exc}") from exc
        value = (moment - EPOCH) // MILLISECOND + int(((fraction or "") + "000")[:3])
        if hours:
            sign = -1 if hours[0] == "-" else 1
            offset_minutes = int(hours[1:]) * 60 + int(minutes or 0)
            if offset_minutes >= 24 * 60:
                raise ValueError("no such offset; it must be under 24 hours")
            value -= sign * offset_minutes * 60_000
        return value


def split_uri(uri: str) -> tuple[str, str]:
    """Host (with its port, without user and password) and path of a URI or of a bare path.

    Shapes: a URI without a path has "/"; what has no authority has the host "".
    """
    scheme_end = uri.find("://", 0, 16)
    if scheme_end < 0:
        host, rest = "", uri
    else:
        start = scheme_end + 3
        slash = uri.find("/", start)
        host = uri[start:] if slash < 0 else uri[start:slash]
        rest = "/" if slash < 0 else uri[slash:]
        if "?" in host or "#" in host:  # https://host?query
            host = re.split("[?#]", host, maxsplit=1)[0]
            rest = "/"
    at = host.rfind("@")
    if at >= 0:
        host = host[at + 1 :]
    end = rest.find("?")
    path = rest if end < 0 else rest[:end]
    end = path.find("#")
    return host, (path if end < 0 else path[:end]) or "/"


def response_facts(event: dict[str, Any]) -> tuple[str | None, int | None]:
    """Time text and status of the response, None and None without one."""
    response = event.get("response")
    return (None, None) if not response else (response["time"], response["status"])


def source_of(event: dict[str, Any], host: str) -> str:
    metadata = event.get("metadata")
    if metadata:
        source = metadata.get("source")
        if type(source) is str and source:
            return source[:MAX_SOURCE_CHARS]
    return host[:MAX_SOURCE_CHARS]
