"""Bounded memories of what a text becomes: a log repeats its times, addresses and statuses thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from time import gmtime
from typing import Generic, TypeVar

V = TypeVar("V")

MEMO_ENTRIES = 4_096  # about 0.6 MB of short texts; a full memory is emptied, which costs one conversion per text
TIME_ENTRIES = 1_024  # of times, which come in order: two chunks of lines that all have their own
SHARED_ENTRIES = 16_384  # of memories that all converters share: addresses have many values
MINUTES_KEPT = 256
MEMO_CHARS = 256  # of a text that is remembered: clients may send 8 kB of other addresses with each request
_TO_MINUTE = len("YYYY-MM-DDTHH:MM:")
_TO_SECOND = len("YYYY-MM-DDTHH:MM:SS")
_SECOND_TEXTS = tuple(f"{second:02}" for second in range(60))
_SECONDS = {f":{second:02}": f"{second:02}.000Z" for second in range(60)}
_LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class Unreadable(Exception):  # noqa: N818 -- it names what the row is; nobody above sees it
    """A row's value is not what its format promises; the line goes the exact way, which decides."""


class Memo(dict[object, V], Generic[V]):
    """`memo[text]` is `make(text)`, remembered where the text is short.

    Raises: what `make` raises, which is not remembered.
    """

    def __init__(self, make: Callable[[object], V], entries: int = MEMO_ENTRIES) -> None:
        super().__init__()
        self._make = make
        self._entries = entries

    def __missing__(self, key: object) -> V:
        value = self._make(key)
        if _chars(key) <= MEMO_CHARS:
            if len(self) >= self._entries:
                self.clear()
            self[key] = value
        return value


def _chars(key: object) -> int:
    """How long a key is as text; a tuple of them as long as all its members."""
    if isinstance(key, str):
        return len(key)
    return sum(map(_chars, key)) if isinstance(key, tuple) else 0


_SHARED: dict[Callable[[object], object], Memo[object]] = {}


def shared(make: Callable[[object], object]) -> Memo[object]:
    """The one memory of a pure function: a hundred converters need not remember the same addresses each."""
    if make not in _SHARED:
        _SHARED[make] = Memo(make, SHARED_ENTRIES)
    return _SHARED[make]


class Bounds:
    """The least and the greatest ISO time made since the last reset: a chunk inside a window needs no look at lines."""

    def __init__(self) -> None:
        self.least = "~"  # above every time
        self.greatest = ""
        self._memos: list[Memo[str]] = []

    def watch(self, memo: Memo[str]) -> None:
        """`memo` tells what it makes; a reset empties it."""
        self._memos.append(memo)

    def reset(self) -> None:
        """Forgets all times, so that the bounds are those of what comes from here on."""
        self.least, self.greatest = "~", ""
        for memo in self._memos:
            memo.clear()

    def add(self, least: str, greatest: str) -> None:
        """From one time to the end of the other's second: what an event makes of it may have a duration's fraction."""
        end = f"{greatest[:_TO_SECOND]}.999Z"
        if least < self.least:
            self.least = least
        if end > self.greatest:
            self.greatest = end


class Times(Memo[str]):
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of a logged time; `bounds` spans all that was made.

    Where a time is written with its seconds at `seconds_at` and an offset of whole minutes, only the minute is decoded:
    a busy log has a new second every dozen lines and a new minute every thousand (6 % of the converter).
    """

    def __init__(
        self, decode: Callable[[object], int | None], bounds: Bounds, seconds_at: int | None = None
    ) -> None:
        super().__init__(self._text if seconds_at is None else self._text_by_minute, TIME_ENTRIES)
        self._decode = decode
        self._bounds = bounds
        self._first, self._last = (seconds_at or 0) - 1, (seconds_at or 0) + 2
        self._minutes = Memo(self._minute, TIME_ENTRIES)
        bounds.watch(self)
        bounds.watch(self._minutes)

    def _text(self, key: object) -> str:
        text = self._decoded(key)
        self._bounds.add(text, text)
        return text

    def _text_by_minute(self, key: object) -> str:
        seconds = _SECONDS.get(key[self._first : self._last]) if isinstance(key, str) else None
        if seconds is None:  # a leap second, or no time at all
            return self._text(key)
        assert isinstance(key, str)
        return self._minutes[f"{key[: self._first]}:00{key[self._last :]}"] + seconds

    def _minute(self, key: object) -> str:
        text = self._decoded(key)
        self._bounds.add(text, f"{text[:_TO_MINUTE]}59.000Z")
        return text[:_TO_MINUTE]

    def _decoded(self, key: object) -> str:
        moment_ms = self._decode(key)
        if moment_ms is None:
            raise Unreadable(key)
        return iso(moment_ms)


class Moments(Memo[int]):
    """Epoch milliseconds of a logged time."""

    def __init__(self, decode: Callable[[object], int | None]) -> None:
        super().__init__(self._moment, TIME_ENTRIES)
        self._decode = decode

    def _moment(self, key: object) -> int:
        moment_ms = self._decode(key)
        if moment_ms is None or not 0 <= moment_ms <= _LAST_MS:
            raise Unreadable(key)
        return moment_ms


class Seconds(Memo[str]):
    """`YYYY-MM-DDTHH:MM:SS` of epoch seconds; with MILLISECONDS it makes an event's time."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__(self._text, TIME_ENTRIES)
        self._bounds = bounds
        bounds.watch(self)

    def _text(self, key: object) -> str:
        if not isinstance(key, int) or not 0 <= key <= _LAST_MS // 1000:
            raise Unreadable(key)
        text = iso(key * 1000)
        self._bounds.add(text, text)
        return text[:_TO_SECOND]


MILLISECONDS = tuple(f".{ms:03d}Z" for ms in range(1000))


def iso(moment_ms: int) -> str:
    """The time as the API wants it.

    Raises: Unreadable outside of the years 1970 to 9999.
    """
    if not 0 <= moment_ms <= _LAST_MS:
        raise Unreadable(moment_ms)
    minutes, rest_ms = divmod(moment_ms, 60_000)
    return f"{_minute(minutes)}{_SECOND_TEXTS[rest_ms // 1000]}{MILLISECONDS[rest_ms % 1000]}"


@lru_cache(MINUTES_KEPT)
def _minute(minutes: int) -> str:
    """`YYYY-MM-DDTHH:MM:`; neighbouring lines share their minute, and formatting it is most of the work of a time."""
    year, month, day, hour, minute, *_ = gmtime(minutes * 60)
    return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:"
