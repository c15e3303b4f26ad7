"""The table of answers: what each one means for the events that were sent."""

from __future__ import annotations

from enum import StrEnum

from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.endpoint import MOESIFAPI, V1, Api, ApiPaths
from logship.records import record


class Verdict(StrEnum):
    """What is done next."""

    CONFIRMED = "confirmed"
    RETRY = "retry"  # the same again, after a pause of all senders
    SMALLER = "smaller"  # halved and sent again
    REFUSED = "refused"  # bisected until the bad events are alone
    HOLD = "hold"  # the data is good, the door is wrong: a person is needed


@record
class Decision:
    """A verdict, and for HOLD what a person may do."""

    verdict: Verdict
    hint: str = ""


CONFIRMED = Decision(Verdict.CONFIRMED)
RETRY = Decision(Verdict.RETRY)
SMALLER = Decision(Verdict.SMALLER)
REFUSED = Decision(Verdict.REFUSED)

CATCH_ALL = "this is a web page or a catch-all, not the ingestion API; check endpoint.url and its path prefix"
PAGE_401 = ", or, since the answer is a web page, a proxy before the receiver wants a password"
HINTS = {
    401: "the application id is refused",
    402: "the receiver asks for a subscription or payment; settle it there",
    403: "the receiver or something before it forbids this; check the application id, allow-lists and proxies",
    405: "something else than the ingestion API answers there; check endpoint.url and endpoint.api",
    407: "the proxy wants a user and password; put them into endpoint.proxy",
    410: "the receiver says this address is gone for good; check endpoint.url",
}


def decide(answer: Answer | Failure, paths: ApiPaths, api: Api) -> Decision:
    """What `answer` means for what was posted to `paths`; `api` is the setting.

    A status that the contract doesn't name is held: nothing is lost, and a person sees it.
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
    """Whether the time was over before everything was there, here or (408, 504) at the other end."""
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
    return HINTS.get(status, "no answer the ingestion API is known to give; check endpoint.url and proxies before it")
