"""The keys of an event that the API knows, and what it expects at each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from logship.mapping import values

Path = tuple[str, ...]

MAX_ID_CHARS = 256  # of user_id and the like: the API refuses longer ones

REQUIRED_KEYS: tuple[Path, ...] = (
    ("request", "time"), ("request", "verb"), ("request", "uri"), ("response", "time"), ("response", "status"),
)  # fmt: skip
EVENT_KEYS: Mapping[Path, tuple[str, ...]] = {  # all that the API knows, by where it stands
    (): (
        "request", "response", "user_id", "company_id", "session_token", "subscription_id", "transaction_id",
        "metadata", "direction", "weight", "tags", "blocked_by", "action_name", "trace_id", "span",
    ),
    ("request",): ("time", "verb", "uri", "ip_address", "headers", "body", "transfer_encoding", "api_version"),
    ("response",): ("time", "status", "ip_address", "headers", "body", "transfer_encoding", "verb"),
}  # fmt: skip
KEEPS_EMPTY: frozenset[Path] = frozenset({("request", "headers"), ("response", "headers"), ("request",), ("response",)})


class Shape(StrEnum):
    """What the API expects at a place of the event."""

    TEXT = "text"
    ID = "id"
    TIME = "time"
    VERB = "verb"
    URI = "uri"
    CLIENT_ADDRESS = "client address"
    STATUS = "status"
    BODY = "body"
    UUID = "uuid"
    HEADERS = "headers"
    ANY = "any"


SHAPES: dict[Path, Shape] = {
    ("request", "time"): Shape.TIME,
    ("response", "time"): Shape.TIME,
    ("request", "verb"): Shape.VERB,
    ("request", "uri"): Shape.URI,
    ("request", "ip_address"): Shape.CLIENT_ADDRESS,
    ("response", "ip_address"): Shape.TEXT,
    ("response", "status"): Shape.STATUS,
    ("request", "body"): Shape.BODY,
    ("response", "body"): Shape.BODY,
    ("request", "headers"): Shape.HEADERS,
    ("response", "headers"): Shape.HEADERS,
    ("request", "api_version"): Shape.TEXT,
    ("transaction_id",): Shape.UUID,
    ("user_id",): Shape.ID,
    ("company_id",): Shape.ID,
    ("session_token",): Shape.ID,
    ("subscription_id",): Shape.ID,
    ("direction",): Shape.TEXT,
}
FALLBACKS = {  # of what every event has, where a rule took it away
    Shape.TIME: '"1970-01-01T00:00:00.000Z"',
    Shape.VERB: f'"{values.UNKNOWN_METHOD}"',
    Shape.URI: '"/"',
    Shape.CLIENT_ADDRESS: f'"{values.NO_ADDRESS}"',
    Shape.STATUS: "0",
}


def shape_of(path: Path) -> Shape:
    return Shape.TEXT if len(path) == 3 and path[1] == "headers" else SHAPES.get(path, Shape.ANY)
