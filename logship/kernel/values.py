"""The values that programs compute with: bare JSON texts, times, and what is remembered of functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from time import gmtime
from typing import Generic, TypeVar

from logship import digits
from logship.kernel.program import LAST_MS, MEMO_BYTES, MEMO_ENTRIES, Function
from logship.patterns import deferred

V = TypeVar("V")

MINUTES_KEPT = 256
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_NOT_ASCII = deferred(r"[^\x00-\x7f]")
_SECONDS = tuple(f"{second:02}" for second in range(60))
_MILLISECONDS = tuple(f".{ms:03d}Z" for ms in range(1000))


class Bare(str):
    """The JSON spelling of a value that is no string: 200, 0.5, true, {"a":1}."""

    __slots__ = ()


def body(text: str) -> str:
    """`text` escaped as it stands inside JSON quotes; ASCII."""
    return quoted(text)[1:-1]


def text_of(value: object) -> str:
    """A JSON value as text: its own spelling for what is no text, credentials left out."""
    return value if isinstance(value, str) else json_of(value)


def json_of(value: object) -> str:
    """A value as ASCII JSON, credentials left out of objects."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict | list):
        value = without_secrets(value)
    try:
        return ascii_json(digits.dumps(value).decode())
    except (TypeError, ValueError):  # nested deeper than orjson goes, an integer over 64 bits, a lone surrogate
        return quoted(repr(value)) if not isinstance(value, int) else str(value)


def ascii_json(text: str) -> str:
    """JSON text with everything beyond ASCII escaped; such characters stand only inside strings."""
    return text if text.isascii() else _NOT_ASCII.sub(lambda match: body(match[0]), text)


def without_secrets(value: object) -> object:
    """The value without the members whose names are those of credential headers, at any depth orjson would take."""
    if isinstance(value, dict):
        return {
            key: without_secrets(below)
            for key, below in value.items()
            if key.lower().replace("_", "-") not in SECRET_HEADERS
        }
    return [without_secrets(below) for below in value] if isinstance(value, list) else value


class Unreadable(Exception):  # noqa: N818 -- it names what the line is
    """A time or a duration that no event can have: the line is unmatched."""


class Memo(dict[object, V], Generic[V]):
    """`memo[text]`, or `memo[text, text]`, is what the function gives, remembered where the texts are short."""

    def __init__(self, call: Callable[..., V], entries: int = MEMO_ENTRIES) -> None:
        super().__init__()
        self._call = call
        self._entries = entries

    def __missing__(self, key: object) -> V:
        value = self._call(*key) if isinstance(key, tuple) else self._call(key)
        if (sum(map(len, key)) if isinstance(key, tuple) else len(key)) <= MEMO_BYTES:  # type: ignore[arg-type]
            if len(self) >= self._entries:
                self.clear()
            self[key] = value
        return value


_SHARED: dict[Callable[..., object], Memo[object]] = {}


def memory(function: Function) -> Memo[object]:
    """What is remembered of a function: once in the process of one that `is_shared`, else once for a program."""
    if not function.is_shared:
        return Memo(function.call, function.entries)
    return _SHARED.setdefault(function.call, Memo(function.call, function.entries))


def within(moment_ms: object) -> int:
    """A number that an event's time may be.

    Raises: Unreadable outside of the years 1970 to 9999.
    """
    if isinstance(moment_ms, int) and 0 <= moment_ms <= LAST_MS:
        return moment_ms
    raise Unreadable(moment_ms)


def iso(moment_ms: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of epoch milliseconds in the years 1970 to 9999."""
    minutes, rest_ms = divmod(moment_ms, 60_000)
    return f"{_minute(minutes)}{_SECONDS[rest_ms // 1000]}{_MILLISECONDS[rest_ms % 1000]}"


@lru_cache(MINUTES_KEPT)
def _minute(minutes: int) -> str:
    """`YYYY-MM-DDTHH:MM:`; neighbouring lines share their minute, and formatting it is most of the work of a time."""
    year, month, day, hour, minute, *_ = gmtime(minutes * 60)
    return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:"
