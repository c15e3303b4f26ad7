"""JSON as log formats make it by hand: not always JSON.

Apache writes \\xhh and \\v into strings, nginx's default escaping \\xHH; a number that is missing leaves `"x":-,` or
`"x":,`; bytes may be no UTF-8. All of it is mended without changing what is right already. Raw control characters are
not: no server writes them, and they make the line no JSON.
"""

from __future__ import annotations

import re

import orjson

MAX_ODD_ESCAPES = 4_096  # no honest line has more; the rest stays as it is and makes the line no JSON
_PLACEHOLDER = "\0"  # stands for an escaped backslash; a line that holds it already is no JSON anyway
_HEX = "0123456789abcdefABCDEF"
_BYTES = {  # most bytes are themselves, from 0x80 on to be UTF-8 with their neighbours
    high + low: f"\\u{code:04x}" if (code := int(high + low, 16)) < 0x20 or chr(code) in '"\\' else chr(code)
    for high in _HEX
    for low in _HEX
}
_ESCAPE = re.compile(
    r"(\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})"  # a surrogate pair is right
    r"|(\\u[dD][89a-fA-F][0-9A-Fa-f]{2})|\\(?![\"/bfnrt]|u[0-9A-Fa-f]{4})(['v]?)"
)
_GAP = re.compile(r":\s*+-?+\s*+[,}]")
_MISSING = re.compile(  # a string that never ends is passed over too, or each of its quotes would be tried as a start
    r'("[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z))|(:\s*+)-?+(?=\s*+[,}])', re.DOTALL
)
_LETTERS = {"v": "\\u000b", "'": "'", "": _PLACEHOLDER}


def loads(line: bytes) -> object:
    """The JSON value of a line, mended where it has to be.

    Raises: orjson.JSONDecodeError for what is no JSON even so; its `pos` counts characters of `repair(line)`.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return orjson.loads(repair(line))


def repair(line: bytes) -> str:
    """The line as JSON would have it; linear in its length."""
    text = line.decode("latin-1")
    if "\\" in text and _PLACEHOLDER not in text:
        text = _mend_all(text.replace("\\\\", _PLACEHOLDER)).replace(_PLACEHOLDER, "\\\\")
    text = text.encode("latin-1").decode("utf-8", "replace")
    if _GAP.search(text):
        text = _MISSING.sub(lambda match: match[1] or f"{match[2]}null", text)
    return text


def _mend_all(text: str) -> str:
    """Every \\xhh as JSON spells it, and between them the other escapes that JSON lacks.

    By splitting: a pattern that looked at each \\xhh again would take 15 ms for 64 KiB of nothing else.
    """
    first, *others = text.split("\\x")
    known = _BYTES.get
    return _mend_others(first) + "".join(
        [
            known(part) or (byte + part[2:] if (byte := known(part[:2])) and "\\" not in part else _mend_part(part))
            for part in others
        ]
    )


def _mend_part(part: str) -> str:
    """What followed an \\x, up to the next one."""
    if part[:2] in _BYTES:
        return _BYTES[part[:2]] + _mend_others(part[2:])
    return f"{_PLACEHOLDER}x{_mend_others(part)}"


def _mend_others(text: str) -> str:
    return _ESCAPE.sub(_mend, text, MAX_ODD_ESCAPES) if "\\" in text else text


def _mend(match: re.Match[str]) -> str:
    """Another escape that JSON lacks."""
    pair, lone_surrogate, letter = match.groups()
    return pair or ("\\ufffd" if lone_surrogate else _LETTERS[letter])
