"""What the collector needs of a database, SQLite or PostgreSQL, and the pool of their connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, Protocol, TypeVar

from logship.collector.row import EventRow
from logship.errors import LogshipError

Value = str | int | float | bytes | None
Record = tuple[Any, ...]  # the columns a SELECT names, in their order
Run = Callable[[str, Sequence[Value]], list[Record]]  # one statement inside a transaction


class StoreUnavailableError(LogshipError):
    """The store can't take or give anything now (full, locked, gone); nothing was half-stored."""


class Database(Protocol):
    """One writer (a single thread of this process) and any number of readers.

    Statements are written once, with `?` for values, in the part of SQL that both databases share. `holds_text` is a
    condition on the table `events` with one `?`: whether the JSON is LIKE a pattern, in any case, with ! as ESCAPE.
    """

    holds_text: str

    def insert(self, rows: Sequence[EventRow]) -> int | None:
        """Stores the rows whose ids are new, all in one transaction; durable after the next `make_durable`.

        Shapes: the id of the last row when all of them were new and have ids without a gap, in their order; else, or
        where the database doesn't tell, None.
        Raises: StoreUnavailableError, after which none of them is stored.
        """

    def make_durable(self) -> None:
        """Returns when everything that was committed before the call outlives a power cut; any thread.

        Raises: StoreUnavailableError, after which nobody knows what is durable.
        """

    def transaction(self) -> AbstractContextManager[Run]:
        """A write transaction: committed at the end, rolled back on an exception; waits for inserts."""

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Record]:
        """The records of a SELECT; any thread."""

    def size_bytes(self) -> int:
        """What the stored events take on disk, without free space that will be used again."""

    def close(self) -> None:
        """Closes every connection; nothing may use the database afterwards."""


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
