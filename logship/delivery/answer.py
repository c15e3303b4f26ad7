"""What came back from one attempt: an answer of the receiver, or the failure to get one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from logship.records import record

EXCERPT_CHARACTERS = 300  # of an answer's body, enough to hold an API's complaint


@record
class Answer:
    """A complete answer.

    Shapes: `retry_after` is the header as it came, None without one; `excerpt` is the beginning of the body as text,
    control bytes included: whoever prints it escapes them. `config_etag` names the receiver's rules of now.
    """

    status: int
    is_html: bool = False
    retry_after: str | None = None
    excerpt: str = ""
    config_etag: str | None = None

    @property
    def name(self) -> str:
        """How counters call it."""
        return str(self.status)

    def __str__(self) -> str:
        return f"{self.status} {self.excerpt}".rstrip()


@record
class RulesPage:
    """A complete answer that is read for its content; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "").lower()


class FailureKind(StrEnum):
    """Why there is no answer."""

    TIMEOUT = "timeout"  # the attempt as a whole took too long
    DNS = "dns"
    CONNECT = "connect"  # refused, unreachable
    PROXY = "proxy"
    TLS = "tls"
    LOST = "lost"  # the connection broke before the answer was complete
    GARBAGE = "garbage"  # what came is not HTTP
    SETTING = "setting"  # a value or a file of the endpoint can't be used: nothing was sent


@record
class Failure:
    """No complete answer; whether the events were stored is unknown."""

    kind: FailureKind
    detail: str

    @property
    def name(self) -> str:
        return self.kind.value

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


MAX_RETRY_AFTER_S = 3600.0  # a receiver that asks for more is asked again after an hour
SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]+)?\Z")


def retry_after_s(text: str | None, wall_s: float) -> float | None:
    """How long to wait; None where the header is absent or means nothing.

    Shapes: between 0 and MAX_RETRY_AFTER_S; `wall_s` is now in seconds since 1970.
    Source: RFC 9110, 10.2.3 (seconds, or an HTTP date in any of its three forms).
    """
    if text is None:
        return None
    text = text.strip()
    if SECONDS.match(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment  # asctime's form names no zone
        wait_s = moment.timestamp() - wall_s
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
