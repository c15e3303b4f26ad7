"""Trusted proxies: whose word about the client is taken, and what they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton

from logship.mapping.values import NO_ADDRESS, address, unmapped
from logship.patterns import deferred

# RFC 1918, loopback, link local, shared address space (RFC 6598), unique local and their IPv6 likes
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip

_LIKE_NETWORK = deferred(r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*(?:/[0-9]*)?\Z")
MAX_HOPS = 64  # more proxies than anybody has; a client may send thousands of their addresses

_FORWARDED_FOR = deferred(r"""for=(?:"([^"]*)"|([^;,\s]*))""", re.IGNORECASE)


class Networks:
    """A test whether an address lies in one of the networks; `private` stands for PRIVATE.

    Raises: ValueError for what is no network, with the text first in its arguments.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        spelled = [network for text in texts for network in (PRIVATE if text == "private" else (text,))]
        parsed = [ip_network(text, strict=False) for text in spelled]
        self._ranges = {4: _ranges(parsed, 4), 6: _ranges(parsed, 6)}

    def __call__(self, text: str) -> bool:
        if text == NO_ADDRESS:
            return False
        text = unmapped(text)
        version, family = (6, AF_INET6) if ":" in text else (4, AF_INET)
        try:
            number = int.from_bytes(inet_pton(family, text), "big")
        except OSError:
            return False
        return any(low <= number <= high for low, high in self._ranges[version])

    @property
    def ranges(self) -> tuple[str, ...]:
        """The networks of IPv4 as Known.AMONG has them; NO_ADDRESS, which is 0, is in none."""
        return tuple(f"{max(low, 1):08x}{high:08x}" for low, high in self._ranges[4])


def is_network(text: str) -> bool:
    """Whether the text is a network or an address, or at least written like one: a wrong one is no plain text."""
    return text == "private" or _LIKE_NETWORK.match(text) is not None


def _ranges(parsed: Sequence[object], version: int) -> list[tuple[int, int]]:
    return [
        (int(network.network_address), int(network.broadcast_address))  # type: ignore[attr-defined]
        for network in parsed
        if network.version == version  # type: ignore[attr-defined]
    ]


def rightmost_untrusted(header: str, is_trusted: Callable[[str], bool]) -> str:
    """The last address of `a, b, c` that no trusted proxy has, the first if all are trusted; '' without a usable one.

    Only the last MAX_HOPS entries are looked at. Source: RFC 7239 for `Forwarded`, whose `for=` parts are read the same
    way.
    """
    entries = header.rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    if "=" in header:
        entries = [quoted or bare for quoted, bare in _FORWARDED_FOR.findall(",".join(entries))]
    client = ""
    for entry in reversed(entries):
        found = address(entry)
        if found == NO_ADDRESS:
            return client
        client = found
        if not is_trusted(found):
            return found
    return client
