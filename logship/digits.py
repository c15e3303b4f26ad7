"""JSON whose numbers keep their digits: what 64 bits can't hold stays as it is spelled.

An account number of 20 digits, read as a double, is another account's.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

LONG_RUN = b"0" * 16  # with fewer digits a number is the same as a double or as an integer of 64 bits
LONGEST_FLOAT = 16  # characters: 15 digits and a dot
LONGEST_INTEGER = 20
LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1
_RUN = re.compile(b"0{16,}")
_DIGITS = bytes.maketrans(b"123456789.", b"0000000000")


class Digits:
    """A number by its spelling; str() gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def loads(text: bytes | str) -> Any:
    """The JSON value; a number that a double or 64 bits would change is Digits.

    Raises: orjson.JSONDecodeError for what is no JSON, and for long numbers inside of more nesting than Python reads.
    """
    raw = text.encode() if isinstance(text, str) else text
    tree = orjson.loads(raw)
    if not _has_long(raw):
        return tree
    try:
        return _READER.decode(raw.decode())
    except RecursionError as exc:
        raise orjson.JSONDecodeError("nested too deeply", raw.decode(), 0) from exc


def spelled(text: bytes) -> Any:
    """The JSON value, each of its numbers as Digits, however short; `text` is known to be JSON.

    Raises: RecursionError for more nesting than Python reads.
    """
    return _SPELLING.decode(text.decode())


def dumps(tree: object, option: int = 0) -> bytes:
    """The tree as compact JSON, or as orjson's `option` says.

    Raises: TypeError as orjson's: for what is no JSON, or nested too deeply.
    """
    return orjson.dumps(tree, default=_fragment, option=option)


def _has_long(raw: bytes) -> bool:
    """Whether there may be a number that is longer than its double or integer; in a text it does no harm."""
    runs = raw.translate(_DIGITS)
    if LONG_RUN not in runs:
        return False
    for run in _RUN.finditer(runs):
        start, end = run.span()
        if (
            end - start >= LONGEST_INTEGER
            or raw[end : end + 1] in (b"e", b"E")
            or b"." in raw[start:end]
            or (end - start == LONGEST_INTEGER - 1 and raw[start - 1 : start] == b"-")
        ):
            return True
    return False


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Digits):
        return orjson.Fragment(str(value))
    raise TypeError(type(value))


def _integer(text: str) -> int | Digits:
    number = int(text) if len(text) <= LONGEST_INTEGER else HIGHEST + 1
    return number if LOWEST <= number <= HIGHEST else Digits(text)


def _float(text: str) -> float | Digits:
    return float(text) if len(text) <= LONGEST_FLOAT else Digits(text)


_READER = json.JSONDecoder(parse_int=_integer, parse_float=_float)
_SPELLING = json.JSONDecoder(parse_int=Digits, parse_float=Digits)
