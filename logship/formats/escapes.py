"""Undoing what servers do to bytes that would break a log line.

nginx writes `"`, `\\`, bytes below 0x20 and from 0x7f on as \\xHH.
Apache writes \\" \\\\ \\b \\n \\r \\t \\v and \\xhh.
The two can't collide: nginx never writes a backslash that is not followed by xHH, and Apache doubles its own.
With escape=json nginx writes JSON escapes and leaves bytes from 0x7f on raw.
Sources: ngx_http_log_module, ap_escape_logitem of httpd 2.4.
"""

from __future__ import annotations

from orjson import JSONDecodeError

from logship.formats.json_repair import MAX_ODD, loads
from logship.kernel.program import Escaping
from logship.patterns import deferred

ESCAPINGS = {"default": Escaping.BACKSLASH, "json": Escaping.JSON, "none": Escaping.NONE}  # as nginx names them
_PAIR = "\ue000"  # stands for an escaped backslash in text that is latin-1
_KNOWN_ONLY = deferred(r"[^\\]*+(?:\\(?:x[0-9A-Fa-f]{2}|[\"\\bnrtv])[^\\]*+)*+")
_STRANGE = deferred(r"\\(?!x[0-9A-Fa-f]{2}|[\"bnrtv])")
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x20)}


def decode(raw: str, escaping: Escaping) -> str:
    """The text of a raw value.

    Shapes: `raw` is latin-1 text, a character a byte; bytes that are not UTF-8 become U+FFFD. A backslash that starts
    no known escape is left as it is.
    """
    text = raw
    if "\\" in text:
        if escaping is Escaping.BACKSLASH:
            text = _undo_backslashes(text)
        elif escaping is Escaping.JSON:
            return _undo_json(text)
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def _undo_backslashes(text: str) -> str:
    """By Python's own codec, which knows all of these escapes; it knows others too, which are no escapes here."""
    known = text
    if not _KNOWN_ONLY.fullmatch(text):
        known, strange = _STRANGE.subn(_PAIR, text.replace("\\\\", _PAIR), MAX_ODD)
        if strange == MAX_ODD:
            return text
    return known.replace(_PAIR, "\\\\").encode("latin-1").decode("unicode_escape")


def _undo_json(text: str) -> str:
    """By the JSON parser, for which raw control characters are escaped; no quote stands in the text by itself."""
    if (len(text) - len(text.rstrip("\\"))) % 2:  # it would escape the closing quote
        text += "\\"
    line = f'"{text.translate(_CONTROLS)}"'.encode("latin-1")
    try:
        found = loads(line)
    except JSONDecodeError:  # it has MAX_ODD escapes that are none
        return line[1:-1].decode("utf-8", "replace")
    return found if isinstance(found, str) else text
