"""Text as a person wrote it in YAML."""

from __future__ import annotations


class Plain(str):
    """A scalar that stood unquoted: only these may become true, false, null or numbers, and only as event constants."""

    __slots__ = ()
