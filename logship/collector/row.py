"""One stored event: the columns that queries need, taken out of the event once, when it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MILLISECONDS = {f"{number:03d}Z": number for number in range(1000)}
SECONDS_CACHED = 4_096  # texts of seconds; live traffic repeats each a few hundred times
ISO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{0,9}))?(?:([Zz])|([+-]\d\d):?(\d\d)?)?", re.ASCII
)
USUAL_URI = re.compile(r"https?://([^/?#@]+)(/[^?#]*)")  # host and path of most URIs, as split_uri gives them

MAX_VERB_CHARS = 24
MAX_PATH_CHARS = 400
MAX_SOURCE_CHARS = 120
MAX_ROUTE_CHARS = 160
MAX_CLIENT_CHARS = 60
MAX_COMPANY_CHARS = 256
MAX_DURATION_MS = 864_000_000.0  # ten days, what the buckets of columns.py reach; beyond, clocks disagree


class EventRow(NamedTuple):
    """A row of the table `events`, in its column order (without the number the store gives).

    Shapes: times and durations in milliseconds; `transaction_id` None = never deduplicated; `status` and `duration_ms`
    None = no response; `path` as logged without the query, `route` the path with its ids replaced; `source` is what
    the event says under metadata.source, else the URI's host; `client` is the address of the request, `agent` the name
    of the program in its User-Agent, `referrer` the host of its Referer; `event` is compact JSON.
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
    client: str | None
    company: str | None
    host: str
    agent: str
    referrer: str
    event: str


class TimeReader:
    """Epoch milliseconds of ISO 8601 texts; remembers the seconds it has seen."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}

    def read(self, text: str) -> int:
        """Milliseconds since 1970, UTC where the text names no zone; digits beyond milliseconds are cut.

        Raises: ValueError for what is no time.
        """
        # the usual YYYY-MM-DDTHH:MM:SS.mmmZ, whose second was seen before, takes two look-ups
        second_ms, milliseconds = self._seconds.get(text[:20]), MILLISECONDS.get(text[20:])
        if second_ms is not None and milliseconds is not None:
            return second_ms + milliseconds
        value = self._parse(text)
        if text[19:20] == "." and text[20:] in MILLISECONDS:
            if len(self._seconds) >= SECONDS_CACHED:
                self._seconds.clear()
            self._seconds[text[:20]] = value - value % 1000
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
    start = uri.find("://", 0, 16) + 3
    slash = uri.find("/", start) if start > 2 else 0
    host = uri[start:slash] if start > 2 else ""
    if slash < 0 or "?" in host or "#" in host:  # https://host, https://host?query
        return authority_host(re.split("[?#]", uri[start:], maxsplit=1)[0]), "/"
    end = uri.find("?", slash)
    path = uri[slash:] if end < 0 else uri[slash:end]
    if "#" in path:
        path = path[: path.index("#")]
    return authority_host(host), path or "/"


def authority_host(authority: str) -> str:
    """An authority without user and password."""
    return authority if "@" not in authority else authority[authority.rindex("@") + 1 :]


def source_of(metadata: Mapping[str, Any] | None, host: str) -> str:
    """What the event's metadata names as its source, else the host of its URI."""
    if metadata:
        source = metadata.get("source")
        if type(source) is str and source:
            return source[:MAX_SOURCE_CHARS]
    return host[:MAX_SOURCE_CHARS]
