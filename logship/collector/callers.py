"""Who called, in names short enough to be counted: programs and bots of user agents, hosts of referrers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_NAME_CHARS = 60
CALLERS_CACHED = 8_192
MAX_CACHED_CHARS = 1_000
NOBODY = ("", "")
BOT = re.compile(r"[\w.-]*(?:bot|crawler|spider|slurp)\b[\w.-]*", re.IGNORECASE | re.ASCII)
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
OTHER_BROWSER = "other browser"
PRODUCT_END = re.compile(r"[/ ;(]")


class Callers:
    """Names of those who call; remembers the headers it has seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def of(self, headers: Mapping[str, Any] | None) -> tuple[str, str]:
        """The program and the host of the referrer, "" for none.

        `curl` of curl/8.5.0, `Firefox` of a browser's long text, `Googlebot` of what names itself one.
        """
        if not headers:
            return NOBODY
        said = header(headers, "User-Agent"), header(headers, "Referer")
        names = self._known.get(said)
        if names is None:
            names = agent_name(said[0]), referrer_host(said[1])
            if len(said[0]) + len(said[1]) <= MAX_CACHED_CHARS:
                if len(self._known) >= CALLERS_CACHED:
                    self._known.clear()
                self._known[said] = names
        return names


def agent_name(user_agent: str) -> str:
    if not user_agent:
        return ""
    bot = BOT.search(user_agent)
    if bot:
        return bot.group()[:MAX_NAME_CHARS]
    if not user_agent.startswith("Mozilla/"):
        return PRODUCT_END.split(user_agent.strip(), maxsplit=1)[0][:MAX_NAME_CHARS]
    return next((name for mark, name in BROWSERS if mark in user_agent), OTHER_BROWSER)


def referrer_host(referrer: str) -> str:
    """The host of a Referer header, "" of what has none."""
    start = referrer.find("://", 0, 16) + 3
    if start < 4:
        return ""
    return re.split("[/?#]", referrer[start : start + 300], maxsplit=1)[0].rpartition("@")[2][:MAX_NAME_CHARS].lower()


def header(headers: Mapping[str, Any], name: str) -> str:
    """A header's text, its name in any case; "" when it isn't there or no text."""
    value = headers.get(name)
    if value is None:
        lower = name.lower()
        for key, other in headers.items():
            if len(key) == len(lower) and key.lower() == lower:
                value = other
                break
    return value if isinstance(value, str) else ""
