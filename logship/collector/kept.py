"""What was used last, in so much memory; any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, those used last, as many as have `limit_bytes` together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[tuple[object, ...], tuple[T, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> T | None:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: tuple[object, ...], value: T, size_bytes: int) -> None:
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value, size_bytes
            self._bytes += size_bytes
            while self._bytes > self._limit_bytes:
                self._bytes -= self._values.popitem(last=False)[1][1]
