"""One event as its page shows it: the facts, the headers, and the whole JSON in coloured pieces."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import orjson

from logship import digits
from logship.collector.listing import StoredEvent
from logship.collector.time_range import zone_name
from logship.collector.times import date_time, iso_time, short_duration
from logship.collector.turning import TURNING
from logship.records import record

FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?P<colon>:)?|-?\d[\d.eE+-]*|true|false|null')


@record
class EventView:
    """Shapes: `facts` are name, value, and the filter of that value ("" for none); `curl` is a command for a shell.

    `pieces` joined are the indented JSON; each is (kind for the style, "" for none; text).
    """

    uri: str
    facts: tuple[tuple[str, str, str], ...]
    request_headers: tuple[tuple[str, str], ...]
    response_headers: tuple[tuple[str, str], ...]
    pieces: tuple[tuple[str, str], ...]
    curl: str


def view_of(found: StoredEvent, zone: tzinfo | None = None) -> EventView:
    """What to show of a stored event; in a zone its time is shown in both, that and UTC."""
    event = digits.loads(found.event)
    request, response = event["request"], event.get("response") or {}
    facts = (
        ("Time", iso_time(found.time_ms), ""),
        (f"Time in {zone_name(zone)}", date_time(found.time_ms, zone) if zone else "", ""),
        ("Duration", short_duration(found.duration_ms or None), ""),
        ("Route", found.route, "route"),
        ("Client", found.client, "client"),
        ("User", found.user_id, "user"),
        ("Company", found.company, "company"),
        ("Host", found.host, "host"),
        ("Source", found.source, "source"),
        ("Agent", found.agent, "agent"),
        ("Referrer", found.referrer, "referrer"),
        ("Direction", event.get("direction"), ""),
        ("Weight", str(found.weight) if found.weight > 1 else "", ""),
        ("Transaction", found.transaction_id, ""),
        ("Received", iso_time(found.received_at), ""),
    )
    return EventView(
        uri=request["uri"],
        facts=tuple((name, str(value), field) for name, value, field in facts if value),
        request_headers=headers_of(request),
        response_headers=headers_of(response),
        pieces=tuple(coloured(digits.dumps(event, orjson.OPT_INDENT_2).decode())),
        curl=curl_of(request),
    )


def curl_of(request: dict[str, Any]) -> str:
    """A command that asks the same again, for a shell."""
    parts = ["curl", "-g", *(["--head"] if request["verb"] == "HEAD" else ["-X", request["verb"]])]
    for name, value in headers_of(request):
        if (
            FIELD_NAME.fullmatch(name) and value.isprintable()
        ):  # `@file` would be read, control bytes are for a terminal
            parts += ["-H", f"{name}: {value}" if value.strip() else f"{name};"]
    body = request.get("body")
    if body is not None and request.get("transfer_encoding") != "base64":
        parts += ["--data-raw", body if isinstance(body, str) else digits.dumps(body).decode()]
    parts += ["--url", request["uri"]]  # which may begin with a dash
    command = " ".join(shlex.quote(part) for part in parts)
    return TURNING.sub(lambda match: f"'$'\\u{ord(match[0]):04x}''", command)  # they only stand between quotes


def headers_of(message: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = message.get("headers") or {}
    return tuple(
        (name, value if isinstance(value, str) else digits.dumps(value).decode()) for name, value in headers.items()
    )


def coloured(text: str) -> Iterator[tuple[str, str]]:
    """`text` in pieces with their kinds: key, text, number, word."""
    end = 0
    for match in TOKEN.finditer(text):
        if match.start() > end:
            yield "", text[end : match.start()]
        yield kind_of(match), match.group()
        end = match.end()
    yield "", text[end:]


def kind_of(match: re.Match[str]) -> str:
    if match.group("colon"):
        return "key"
    first = match.group()[0]
    return "text" if first == '"' else "word" if first in "tfn" else "number"
