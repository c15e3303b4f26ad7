"""Patterns of the plainest kind, which Python's own engine runs in linear time, at a third of the cost of RE2.

`^/api/v[0-9]+/users/(?P<user>[0-9]+)/` is one: from the beginning, literal text and classes of ASCII, where a repeated
class is never followed by a character of its own. So no match has a second way, and repeats need not give back.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_RANGES = {"a-z": "abcdefghijklmnopqrstuvwxyz", "A-Z": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0-9": "0123456789"}
_ASCII = frozenset(map(chr, range(128)))
_TOKEN = re.compile(
    r"(?P<open>\(\?P<[A-Za-z_][A-Za-z0-9_]*>)|(?P<close>\))"
    r"|(?:\[(?P<class>\^?(?:a-z|A-Z|0-9|[A-Za-z0-9_./=%]|-(?=\]))+)\]|\\(?P<mark>[^A-Za-z0-9\s])"
    r"|(?P<char>[^\\.^$*+?{}\[\]()|\x00-\x1f\x7f-\U0010ffff]))(?P<times>[+*]?)(?![*+?{])"
)


def plain_pattern(text: str) -> Callable[[str], re.Match[str] | None] | None:
    """A function that matches ASCII texts as RE2 does, None for a pattern that is not plain.

    Shapes: its match has the pattern's named groups.
    """
    end = len(text) - 1 if text.endswith("$") else len(text)
    if not text.startswith("^"):
        return None
    out: list[str] = []
    at, is_open, before = 1, False, frozenset[str]()  # what the repeat just before could still take
    while at < end:
        token = _TOKEN.match(text, at, end)
        if token is None or (token["open"] and is_open) or (token["close"] and not is_open):
            return None
        at = token.end()
        if token["open"] or token["close"]:
            is_open = bool(token["open"])
            out.append(token[0])
            continue
        members = _members(token)
        if members & before:
            return None
        if token["times"]:
            before = members if token["times"] == "+" else members | before
        else:
            before = frozenset()
        out.append(token[0] + ("+" if token["times"] else ""))
    if is_open:
        return None
    return re.compile("".join(out) + (r"\Z" if end < len(text) else "")).match


def _members(token: re.Match[str]) -> frozenset[str]:
    """The ASCII characters that a literal or a class takes."""
    inside = token["class"]
    if inside is None:
        return frozenset(token["mark"] or token["char"])
    is_negated = inside.startswith("^")
    inside = inside.removeprefix("^")
    for written, stands_for in _RANGES.items():
        inside = inside.replace(written, stands_for)
    return _ASCII - frozenset(inside) if is_negated else frozenset(inside)
