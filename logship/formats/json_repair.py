"""JSON as log formats make it by hand: not always JSON.

Apache writes \\xhh and \\v into strings, nginx's default escaping \\xHH; a number that is missing leaves `"x":-,` or
`"x":,`; bytes may be no UTF-8. All of it is repaired without changing what is right already. Raw control characters are
not: no server writes them, and they make the line no JSON.

A line may hold nothing but 20,000 of these, so no Python runs for one of them: every pass is a plain replacement, a
pattern with a constant replacement, or a codec.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

import orjson

from logship import digits
from logship.patterns import deferred

MAX_ODD = 1_024  # missing values, lone surrogates, or backslashes that begin nothing; with more a line is no JSON
PLACED_BYTES = 8_192  # of a line in which a place is found by repairing its beginnings, 13 of them
_PLACEHOLDER = "\0"  # stands for an escaped backslash; a line that holds it already is no JSON anyway
_STRANGE = deferred(r"\\(?![\"'/bfnrtvx])(?!u[0-9A-Fa-f]{4})")
_ESCAPED_BYTES = (
    ("\\x0", "\\u000"), ("\\x1", "\\u001"), ("\\x22", '\\"'), ("\\x5C", _PLACEHOLDER), ("\\x5c", _PLACEHOLDER),
)  # fmt: skip
_CUT = deferred(r"\\x(?![0-9A-Fa-f]{2})")
_LONE_SURROGATE = deferred(
    r"\\u[dD](?:[89abAB][0-9A-Fa-f]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F][0-9A-Fa-f]{2})"
)
_GAP = deferred(r":\s*+-?+\s*+[,}]")
_STRING = deferred(  # one that never ends is a string too, or each of its quotes would be tried as a start
    r'("[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z))', re.DOTALL
)
_MISSING = deferred(r"(?<=:)\s*+-?+(?=\s*+[,}])")


def loads(line: bytes) -> object:
    """The JSON value of a line, repaired where it has to be.

    Raises: orjson.JSONDecodeError for what is no JSON even so; its `pos` counts characters of `repair(line)`.
    """
    try:
        return digits.loads(line)
    except orjson.JSONDecodeError:
        return digits.loads(repaired_once(line))


def repair(line: bytes) -> str:
    """The line as JSON would have it; linear in its length."""
    text = line.decode("latin-1")
    if "\\" in text and _PLACEHOLDER not in text:
        text = _mend_escapes(text.replace("\\\\", _PLACEHOLDER)).replace(_PLACEHOLDER, "\\\\")
    text = text.encode("latin-1").decode("utf-8", "replace")
    return _fill_gaps(text) if _GAP.search(text) and _PLACEHOLDER not in text else text


repaired_once = lru_cache(1)(repair)  # each JSON member of a list of formats tries the same line


def place_of(line: bytes, pos: int) -> int:
    """The byte of the line that character `pos` of `repair(line)` comes from; in long lines near it."""
    repaired = repair(line)
    if len(line) > PLACED_BYTES or repaired.encode() == line:
        return min(len(repaired[:pos].encode()), len(line))
    return bisect_left(range(len(line)), pos + 1, key=lambda end: len(repair(line[: end + 1])))


def _mend_escapes(text: str) -> str:
    """Every escape that JSON lacks as JSON spells it; a backslash that begins none is one that was not escaped."""
    count = text.count("\\x")
    if count - (len(text) - 2 * count) // 2 >= MAX_ODD:  # the others have no room for two digits each
        return text
    text = _STRANGE.sub(_PLACEHOLDER, text, MAX_ODD)
    text = text.replace("\\v", "\\u000b").replace("\\'", "'")
    if count:
        text = _mend_bytes(text)
    return _LONE_SURROGATE.sub(r"\\ufffd", text, MAX_ODD) if "\\ud" in text or "\\uD" in text else text


def _mend_bytes(text: str) -> str:
    """Each \\xhh as its byte, in latin-1, to be UTF-8 with its neighbours; what strings can't hold stays escaped."""
    text, cut = _CUT.subn(f"{_PLACEHOLDER}x", text, MAX_ODD)
    if cut == MAX_ODD:
        return text
    for spelled, repaired in _ESCAPED_BYTES:
        text = text.replace(spelled, repaired)
    # by Python's own codec, for which all other backslashes are escaped
    text = text.replace("\\", "\\\\").replace("\\\\x", "\\x")
    return text.encode("latin-1").decode("unicode_escape")


def _fill_gaps(text: str) -> str:
    """`null` for every missing value: what stands between strings is repaired in one piece."""
    parts = _STRING.split(text, MAX_ODD)
    if len(parts) > 2 * MAX_ODD:
        return text
    parts[::2] = _MISSING.sub("null", _PLACEHOLDER.join(parts[::2])).split(_PLACEHOLDER)
    return "".join(parts)
