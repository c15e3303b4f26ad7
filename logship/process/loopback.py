"""Names of this very machine, for those who answer it alone."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def host_name(host: str) -> str:
    """The name in a Host header, without its port, in lower case; "" for what is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""
