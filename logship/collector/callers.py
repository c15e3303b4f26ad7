"""Who called, in names short enough to be counted: programs and bots of user agents, hosts of referrers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_NAME_CHARS = 60
AGENTS_CACHED = 8_192
BOT = re.compile(r"[\w.-]*(?:bot|crawler|spider|slurp)\b[\w.-]*", re.IGNORECASE | re.ASCII)
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
OTHER_BROWSER = "other browser"
PRODUCT_END = re.compile(r"[/ ;(]")


class Agents:
    """Names of user agents; remembers the texts it has seen."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, user_agent: str) -> str:
        """`curl` of curl/8.5.0, `Firefox` of a browser's long text, `Googlebot` of what names itself one; "" of ""."""
        name = self._names.get(user_agent)
        if name is None:
            if len(self._names) >= AGENTS_CACHED:
                self._names.clear()
            name = self._names[user_agent] = agent_name(user_agent)
        return name


def agent_name(user_agent: str) -> str:
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


def header(headers: Mapping[str, Any] | None, name: str) -> str:
    """A header's text, its name in any case; "" when it isn't there or no text."""
    if not headers:
        return ""
    value = headers.get(name)
    if value is None:
        lower = name.lower()
        value = next((value for key, value in headers.items() if key.lower() == lower), "")
    return value if isinstance(value, str) else ""
