"""What came back from one attempt, an answer or a failure, and what it means for the events that were sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from logship.endpoint import MOESIFAPI, V1, Api, ApiPaths
from logship.patterns import deferred
from logship.records import record

EXCERPT_CHARACTERS = 300  # of an answer's body, enough to hold an API's complaint
MAX_RETRY_AFTER_S = 3600.0  # a receiver that asks for more is asked again after an hour
SECONDS = deferred(r"[0-9]{1,10}(?:\.[0-9]+)?\Z")
CATCH_ALL = "this is a web page or a catch-all, not the ingestion API; check endpoint.url and its path prefix"
PAGE_401 = ", or, since the answer is a web page, a proxy before the receiver wants a password"
HINTS = {
    401: "the application id is refused",
    402: "the receiver asks for a subscription or payment; settle it there",
    403: "the receiver or something before it forbids this; check the application id, allow-lists and proxies",
    405: "this is not the ingestion API; check endpoint.url and endpoint.api",
    407: "the proxy wants a user and password; put them into endpoint.proxy",
    410: "the receiver says this address is gone for good; check endpoint.url",
}


@record
class Answer:
    """A complete answer.

    Shapes: `retry_after` is the header as it came, None without one; `excerpt` is the beginning of the body as text,
    control bytes included: whoever prints it escapes them. `config_etag` names the receiver's current rules.
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
    """A complete answer whose content is read; names of headers are in lower case."""

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


class Verdict(StrEnum):
    """What is done next."""

    CONFIRMED = "confirmed"
    RETRY = "retry"  # all senders pause, then the same is sent again
    SMALLER = "smaller"  # halved and sent again
    REFUSED = "refused"  # bisected until the bad events are alone
    HOLD = "hold"  # the address or id is wrong, not the data: somebody must act


@record
class Decision:
    """A verdict, and for HOLD what to do about it."""

    verdict: Verdict
    hint: str = ""


CONFIRMED = Decision(Verdict.CONFIRMED)
RETRY = Decision(Verdict.RETRY)
SMALLER = Decision(Verdict.SMALLER)
REFUSED = Decision(Verdict.REFUSED)


def decide(answer: Answer | Failure, paths: ApiPaths, api: Api) -> Decision:
    """What `answer` means for what was posted to `paths`; `api` is the setting.

    A status that the contract doesn't name is held: nothing is lost, and somebody will look at it.
    """
    if isinstance(answer, Failure):
        if answer.kind is FailureKind.SETTING:
            return Decision(Verdict.HOLD, answer.detail)
        return RETRY
    status = answer.status
    if status == 201:
        return CONFIRMED
    if status in (200, 202, 204):
        return Decision(Verdict.HOLD, CATCH_ALL) if answer.is_html else CONFIRMED
    if status in (408, 425, 429) or status >= 500 or status < 200:
        return RETRY
    if status == 413:
        return SMALLER
    if status in (400, 415, 422):
        return REFUSED
    page = PAGE_401 if status == 401 and answer.is_html else ""
    return Decision(Verdict.HOLD, _hint(status, paths, api) + page)


def is_timeout(answer: Answer | Failure) -> bool:
    """Whether the attempt took too long, here or (408, 504) at the other end."""
    if isinstance(answer, Failure):
        return answer.kind is FailureKind.TIMEOUT
    return answer.status in (408, 504)


def is_wrong_path(answer: Answer | Failure) -> bool:
    """Whether `api: auto` tries the other pair of paths after this answer."""
    return isinstance(answer, Answer) and (answer.status in (404, 405) or 300 <= answer.status < 400)


def _hint(status: int, paths: ApiPaths, api: Api) -> str:
    if 200 <= status < 300:
        return CATCH_ALL
    if 300 <= status < 400:
        return "redirects are never followed, they lose data; put the address it points to into endpoint.url"
    if status == 404:
        if api is Api.AUTO:
            return f"this server has neither {MOESIFAPI.event} nor {V1.event}; check endpoint.url and its path prefix"
        other = V1 if paths is MOESIFAPI else MOESIFAPI
        return f"this server has no {paths.event}; it may speak api: {other.api}"
    return HINTS.get(status, "the ingestion API gives no such answer; check endpoint.url and proxies before it")
