"""The store of one machine: a SQLite file in WAL mode."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from logship.collector import schema
from logship.collector.database import Pool, Record, Run, StoreUnavailableError, Value
from logship.collector.migrations import Progress, fold_all, migrate
from logship.collector.row import EventRow
from logship.errors import StateError

log = logging.getLogger(__name__)

ROWS_AT_ONCE = (1_024, 128, 16, 4, 1)  # rows of one INSERT: few texts, each compiled once; a step frees the GIL for all
WRITER_CACHE_KIB = 24_000
READER_CACHE_KIB = 4_000
PAGE_BYTES = 8_192  # a dozen events; only a new file takes it
WAL_PAGES = 4_000  # 32 MB between checkpoints
BUSY_TIMEOUT_S = 10.0


class SqliteStore:
    """A Database in one file; the readers see each commit at once and never wait for the writer."""

    holds_text = "event LIKE ? ESCAPE '!'"  # SQLite's LIKE knows no case

    def __init__(self, path: str | Path, progress: Progress = log.info) -> None:
        self._path = str(path)
        self._lost: str | None = None
        self._readers = Pool(self._connect_reader)
        with translated(self._path):
            self._writer = self._connect(WRITER_CACHE_KIB)
            self._writer.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            self._writer.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            self._prepare(progress)
            # Commits only append to the log; `make_durable` fsyncs it. Before its pages move on to the file, and before
            # it begins again, SQLite fsyncs both itself.
            self._writer.execute("PRAGMA synchronous = NORMAL")
            self._log_fd = self._open_log()
        self._inserts = {count: insert_statement(count) for count in ROWS_AT_ONCE}

    def _prepare(self, progress: Progress) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.VERSION:
            raise StateError(f"{self._path} has version {version} of the tables, this program knows {schema.VERSION}")
        if 0 < version < schema.VERSION:
            migrate(self, int(version), schema.SQLITE, progress)
        with self.transaction() as run:
            for statement in schema.statements(schema.SQLITE):
                run(statement, ())
            run("INSERT INTO folded VALUES (?, 0) ON CONFLICT DO NOTHING", (schema.VERSION,))
            run(f"PRAGMA user_version = {schema.VERSION}", ())
        fold_all(self, progress)

    def _open_log(self) -> int:
        """SQLite's write-ahead log, to be fsynced; the writer's connection keeps it where it is."""
        try:
            return os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            self._writer.close()
            raise StoreUnavailableError(
                f"{self._path}-wal: {exc.strerror}; SQLite can't keep a write-ahead log on this file system"
            ) from exc

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect(READER_CACHE_KIB)
        connection.execute("PRAGMA query_only = 1")
        return connection

    def insert(self, rows: Sequence[EventRow]) -> int | None:
        before, start = self._writer.total_changes, 0
        with self.transaction():
            cursor = self._writer.cursor()
            for count, statement in self._inserts.items():
                while len(rows) - start >= count:
                    values = list(chain.from_iterable(rows[start : start + count]))
                    cursor.execute(statement, values)
                    start += count
        # nobody else stores in the middle of a transaction: only where repeats were passed over have ids gaps
        return cursor.lastrowid if self._writer.total_changes - before == len(rows) else None

    def make_durable(self) -> None:
        if self._lost is None:
            try:
                os.fdatasync(self._log_fd)
            except OSError as exc:  # the kernel says so once, and may call the next fsync a success
                self._lost = f"{self._path}-wal: {exc.strerror}; the disk did not keep what was written"
        if self._lost is not None:
            raise StoreUnavailableError(self._lost)

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        def run(statement: str, values: Sequence[Value]) -> list[Record]:
            return self._writer.execute(statement, values).fetchall()

        with translated(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield run
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Record]:
        with translated(self._path), self._readers.lend() as connection:
            return connection.execute(statement, values).fetchall()

    def size_bytes(self) -> int:
        pages, free, page_bytes = (
            self.read(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page_bytes)

    def close(self) -> None:
        self._readers.close()
        os.close(self._log_fd)  # no lock of SQLite's lies on it that this could take away
        self._writer.close()  # last: it folds the write-ahead log into the file


def insert_statement(rows: int) -> str:
    """An INSERT of so many rows that passes over ids it has seen, also inside itself."""
    one = f"({','.join('?' * len(schema.COLUMNS))})"
    columns = ",".join(schema.COLUMNS)
    return f"INSERT INTO events ({columns}) VALUES {','.join([one] * rows)} ON CONFLICT DO NOTHING"  # noqa: S608


@contextmanager
def translated(path: str) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        doubt = "is the disk full, or the file open elsewhere?"
        if not os.path.isdir(os.path.dirname(path) or "."):
            doubt = "there is no such directory"
        raise StoreUnavailableError(f"{path}: {exc}; {doubt}") from exc
    except sqlite3.DatabaseError as exc:
        raise StoreUnavailableError(f"{path}: {exc}; is this a collector's store?") from exc
