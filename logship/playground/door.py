"""Who may use a playground: whoever has the address that the command printed, from this machine's own pages."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request

from logship.process.loopback import host_name, is_loopback

COOKIE = "logship_playground"


class Door:
    """One key in the address, good once; whoever came with it gets a cookie.

    The Host is checked because a page elsewhere can point its own name at this machine (DNS rebinding), the Origin of
    what changes something because such a page may post without reading the answer.
    """

    def __init__(self, listen_host: str) -> None:
        self.key = secrets.token_urlsafe(24)
        self._cookie = secrets.token_urlsafe(24)
        self._is_used = False
        self._host = listen_host.lower()

    def opened_with(self, key: str) -> str | None:
        """The cookie for the right key, the first time; else None."""
        if self._is_used or not _is_same(key, self.key):
            return None
        self._is_used = True
        return self._cookie

    def refusal(self, request: Request) -> str | None:
        """Why this request is not answered; None: it is."""
        host = request.headers.get("host", "")
        name = host_name(host)
        if name != self._host and not is_loopback(name):
            return "this name is not the playground's: use the address that the command printed"
        origin = request.headers.get("origin")
        if request.method != "GET" and (origin is None or urlsplit(origin).netloc != host):
            return "this comes from another page"
        if not _is_same(request.cookies.get(COOKIE, ""), self._cookie):
            return "the address was used already, or is old: start `logship playground` anew"
        return None


def _is_same(given: str, secret: str) -> bool:
    """In a time that says nothing about how much of them is equal."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())
