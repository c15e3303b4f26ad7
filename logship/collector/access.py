"""Who may post, by an application id, and who may read: the page and its API show everything that was logged."""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from logship.collector.options import CollectorOptions
from logship.collector.refusal import RefusalError
from logship.process.loopback import host_name, is_loopback

ID_HEADER = "X-Moesif-Application-Id"
MAX_ID_CHARS = 512  # with a user it must fit into a row of a PostgreSQL index
COOKIE = "logship_page"
COOKIE_AGE_S = 30 * 86_400
MAX_FORM_BYTES = 4_096


class Senders:
    """Knows senders by the application id that they send."""

    def __init__(self, options: CollectorOptions) -> None:
        self._known = [one.encode() for one in options.application_ids]

    def application_of(self, request: Request) -> str:
        """The application id of a request.

        Raises: RefusalError 401; comparing takes as long for a wrong id as for a right one.
        """
        given = request.headers.get(ID_HEADER, "").strip()
        if not given:
            raise RefusalError(401, "no_application_id", f"the header {ID_HEADER} is missing")
        if len(given) > MAX_ID_CHARS:
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is over {MAX_ID_CHARS} characters long")
        matches = [hmac.compare_digest(given.encode(), one) for one in self._known]
        if self._known and not any(matches):
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is not an id of this collector")
        return given


class Access:
    """Lets readers in: with the token, or, where none is set, on loopback under a loopback name.

    The name is checked because a page elsewhere can point its own name at 127.0.0.1 (DNS rebinding) and would then be
    of the same origin as the collector for a browser.
    """

    def __init__(self, options: CollectorOptions) -> None:
        self._token = options.page_token
        self._prefix = options.path_prefix

    def check(self, request: Request) -> None:
        """Raises: RefusalError 401 without the token, 403 for a Host that is not ours."""
        if self._token is None:
            if not is_loopback(host_name(request.headers.get("host", ""))):
                raise RefusalError(403, "wrong_host", "the page is read at 127.0.0.1 or localhost; or set a page token")
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and matches(given.strip(), self._token):
            return
        if matches(request.cookies.get(COOKIE, ""), cookie_value(self._token)):
            return
        raise RefusalError(
            401, "token_needed", "send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"}
        )

    async def log_in(self, request: Request) -> Response | None:
        """The page with a cookie for the right token in a form, None for a wrong one."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_FORM_BYTES:
                return None
        token = _form_field(body, "token")
        if self._token is None or not matches(token, self._token):
            return None
        answer = RedirectResponse(f"{self._prefix}/", 303)
        answer.set_cookie(
            COOKIE,
            cookie_value(self._token),
            max_age=COOKIE_AGE_S,
            path=f"{self._prefix}/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer


def _form_field(body: bytes, name: str) -> str:
    from urllib.parse import parse_qs

    return parse_qs(body.decode("utf-8", "replace")).get(name, [""])[0].strip()


def matches(given: str, secret: str) -> bool:
    """Whether they are equal, in a time that says nothing about how much of them is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def cookie_value(token: str) -> str:
    """What the browser keeps in place of the token; another token makes it worthless."""
    return hmac.new(token.encode(), b"logship collector page", hashlib.sha256).hexdigest()
