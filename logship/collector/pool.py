"""Connections that readers borrow, so that threads that come and go leave none behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Frees it."""


C = TypeVar("C", bound=Closable)


class Pool(Generic[C]):
    """Opens a connection when none is idle; one that was in use during an error is not used again."""

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._idle: list[C] = []
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[C]:
        """A connection for the caller alone."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Closes what is idle; the caller sees to it that nothing is lent."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
