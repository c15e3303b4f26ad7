"""JSON as log formats make it by hand: not always JSON.

Apache writes \\xhh and \\v into strings, nginx's default escaping \\xHH; a number that is missing leaves `"x":-,` or
`"x":,`; bytes may be no UTF-8. All of it is mended without changing what is right already.
"""

from __future__ import annotations

import re

import orjson

_BACKSLASH = re.compile(
    r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"  # a surrogate pair is right
    r"|\\u([dD][89a-fA-F][0-9A-Fa-f]{2})|\\u[0-9A-Fa-f]{4}|\\x([0-9A-Fa-f]{2})|\\([^\"\\/bfnrtux])|\\|[\x00-\x1f]"
)
_MISSING = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|(:\s*+)-?+(?=\s*+[,}])')
_LETTERS = {"v": "\\u000b", "'": "'"}


def loads(line: bytes) -> object:
    """The JSON value of a line, mended where it has to be.

    Raises: orjson.JSONDecodeError for what is no JSON even so; its `pos` counts characters.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return orjson.loads(repair(line))


def repair(line: bytes) -> str:
    """The line as JSON would have it; linear in its length."""
    text = _mend_strings(line.decode("latin-1")).encode("latin-1").decode("utf-8", "replace")
    return _MISSING.sub(lambda match: match[1] or f"{match[2]}null", text)


def _mend_strings(text: str) -> str:
    """Escapes that JSON lacks as it spells them; a byte above 0x7f becomes itself, to be UTF-8 with its neighbours."""
    out: list[str] = []
    at = 0
    while (place := _next_escape(text, at)) < len(text):
        out.append(text[at:place])
        mended, at = _mend(text, place)
        out.append(mended)
    out.append(text[at:])
    return "".join(out)


_INTERESTING = re.compile(r"[\\\x00-\x1f]")


def _next_escape(text: str, at: int) -> int:
    match = _INTERESTING.search(text, at)
    return match.start() if match else len(text)


def _mend(text: str, at: int) -> tuple[str, int]:
    """The escape or control character at `at`, mended, and where the text goes on."""
    char, following = text[at], text[at + 1 : at + 2]
    if char != "\\":
        return f"\\u{ord(char):04x}", at + 1
    if following and following in '"\\/bfnrt':
        return text[at : at + 2], at + 2
    match = _BACKSLASH.match(text, at)
    assert match is not None, "a backslash always matches"
    lone_surrogate, byte, letter = match.groups()
    if lone_surrogate:
        return "\\ufffd", match.end()
    if byte:
        return _byte(int(byte, 16)), match.end()
    if letter:
        return _LETTERS.get(letter, f"\\\\{letter}"), match.end()
    return (match[0] if len(match[0]) > 1 else "\\\\"), match.end()


def _byte(code: int) -> str:
    if code < 0x20 or code in {0x22, 0x5C, 0x7F}:
        return f"\\u{code:04x}"
    return chr(code)
