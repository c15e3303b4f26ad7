"""Undoing what servers do to bytes that would break a log line.

nginx writes `"`, `\\`, bytes below 0x20 and from 0x7f on as \\xHH.
Apache writes \\" \\\\ \\b \\n \\r \\t \\v and \\xhh.
The two can't collide: nginx never writes a backslash that is not followed by xHH, and Apache doubles its own.
With escape=json nginx writes JSON escapes and leaves bytes from 0x7f on raw.
Sources: ngx_http_log_module, ap_escape_logitem of httpd 2.4.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Escaping(StrEnum):
    """How the values of a text format are escaped."""

    BACKSLASH = "default"
    JSON = "json"
    NONE = "none"


_KNOWN_ONLY = re.compile(r"[^\\]*+(?:\\(?:x[0-9A-Fa-f]{2}|[\"\\bnrtv])[^\\]*+)*+")
_BACKSLASH = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([\"\\bnrtv]))")
_BACKSLASH_LETTERS = {'"': '"', "\\": "\\", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_JSON = re.compile(
    r"\\u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})"
    r"|\\x([0-9A-Fa-f]{2})|\\([\"\\/bfnrtv])"
)
_JSON_LETTERS = _BACKSLASH_LETTERS | {"f": "\f", "/": "/"}


def decode(raw: str, escaping: Escaping) -> str:
    """The text of a raw value.

    Shapes: `raw` is latin-1 text, a character a byte; bytes that are not UTF-8 become U+FFFD. A backslash that starts
    no known escape is left as it is.
    """
    text = raw
    if "\\" in text and escaping is not Escaping.NONE:
        text = _undo_backslashes(text) if escaping is Escaping.BACKSLASH else _JSON.sub(_from_json, text)
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def _undo_backslashes(text: str) -> str:
    """Python's own codec knows all of these escapes and is ten times faster, but knows others too."""
    if _KNOWN_ONLY.fullmatch(text):
        return text.encode("latin-1").decode("unicode_escape")
    return _BACKSLASH.sub(_from_backslash, text)


def _from_backslash(match: re.Match[str]) -> str:
    digits, letter = match.groups()
    return chr(int(digits, 16)) if digits else _BACKSLASH_LETTERS[letter]


def _from_json(match: re.Match[str]) -> str:
    """One JSON escape as the UTF-8 bytes of its character, in latin-1 text."""
    high, low, single, byte, letter = match.groups()
    if letter:
        return _JSON_LETTERS[letter]
    if byte:
        return chr(int(byte, 16))
    code = 0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00 if high else int(single, 16)
    return chr(code).encode("utf-8", "replace").decode("latin-1")  # a lone surrogate becomes '?'
