"""Patterns that are compiled when they are first used: a start makes 200 of them and uses a dozen, which took 12 ms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, AnyStr, cast

_compile = re.compile


class _LazyPattern:
    """Has what the pattern has, from the first question on; isinstance() and the functions of re take it for one."""

    __class__ = property(lambda self: re.Pattern)

    def __init__(self, text: Any, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(_compile(*self._given), name)
        setattr(self, name, value)
        return value


def deferred(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """re.compile(), but a mistake in the text shows at the first use; for constants of modules."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(text, flags))


@contextmanager
def lazily_compiled() -> Iterator[None]:
    """Libraries that are imported meanwhile compile their patterns at the first use, too."""
    re.compile = deferred  # type: ignore[assignment]
    try:
        yield
    finally:
        re.compile = _compile
