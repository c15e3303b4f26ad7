"""The store of several machines: a PostgreSQL database that collectors behind a balancer share."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg import errors

from logship.collector import schema
from logship.collector.database import Pool, Record, Run, StoreUnavailableError, Value
from logship.collector.migrations import Progress, fold_all, migrate
from logship.collector.row import EventRow
from logship.errors import StateError

log = logging.getLogger(__name__)

FOLDED = "CREATE TABLE IF NOT EXISTS folded (version INTEGER PRIMARY KEY, last_id BIGINT NOT NULL)"
FOLD_LOCK = 0x6C6F6773  # "logs": inserts hold it together, a fold holds it alone, so that it sees no gap of ids
SET_UP_LOCK = FOLD_LOCK + 1
ATTEMPTS = 5  # of a transaction that lost a deadlock against another collector
COLUMNS = ", ".join(schema.COLUMNS)
INCOMING = f"""
CREATE TEMP TABLE IF NOT EXISTS incoming ON COMMIT DELETE ROWS AS SELECT {COLUMNS} FROM events WITH NO DATA
"""  # noqa: S608 - names of columns
COPY = f"COPY incoming ({COLUMNS}) FROM STDIN"
TAKE_OVER = f"""
WITH stored AS (
  INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM incoming ON CONFLICT DO NOTHING RETURNING id
)
SELECT count(*), min(id), max(id) FROM stored
"""  # noqa: S608 - a temporary table is read in the order of COPY
CONNECT_TIMEOUT_S = 10
UNREACHABLE = re.compile(r"connection to server (?:at|on) .* failed: .*|connection timeout.*")


class PostgresStore:
    """A Database in PostgreSQL; connections that broke are made again at the next use."""

    holds_text = "CAST(event AS TEXT) ILIKE ? ESCAPE '!'"

    def __init__(self, url: str, progress: Progress = log.info) -> None:
        self.url = url
        self._connections = Pool(self._connect)
        with self._transaction(SET_UP_LOCK) as run:
            run(FOLDED, ())
            version = run("SELECT max(version) FROM folded", ())[0][0]
        if version is not None and version > schema.VERSION:
            raise StateError(f"the store has version {version} of the tables, this program knows {schema.VERSION}")
        if version is not None and version < schema.VERSION:
            migrate(self, int(version), schema.POSTGRES, progress)
        if version != schema.VERSION:  # asking whether an index is there would lock out those who store
            self._make_tables()
        fold_all(self, progress)

    def _make_tables(self) -> None:
        with self._transaction(SET_UP_LOCK) as run:
            for statement in schema.statements(schema.POSTGRES):
                run(statement, ())
            run("INSERT INTO folded VALUES (?, 0) ON CONFLICT DO NOTHING", (schema.VERSION,))

    def _connect(self) -> psycopg.Connection[Record]:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)

    def insert(self, rows: Sequence[EventRow]) -> int | None:
        if not rows:
            return None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._insert(rows)
            except DeadlockError:
                if attempt == ATTEMPTS:
                    raise
        return None

    def _insert(self, rows: Sequence[EventRow]) -> int | None:
        """COPY is several times as fast as INSERT but knows no conflicts: so by way of a temporary table."""
        with translated(), self._connections.lend() as connection, connection.transaction():
            connection.execute(in_postgres("SELECT pg_advisory_xact_lock_shared(?)"), (FOLD_LOCK,))
            connection.execute(INCOMING.encode())
            with connection.cursor() as cursor, cursor.copy(COPY.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            count, first_id, last_id = connection.execute(TAKE_OVER.encode()).fetchall()[0]
        is_whole = count == len(rows) == last_id - first_id + 1  # no repeats, and nobody else's events among them
        return int(last_id) if is_whole else None

    def make_durable(self) -> None:
        """Nothing: PostgreSQL's COMMIT returns when it is."""

    def transaction(self) -> AbstractContextManager[Run]:
        return self._transaction(FOLD_LOCK)

    @contextmanager
    def _transaction(self, lock: int) -> Iterator[Run]:
        with translated(), self._connections.lend() as connection:

            def run(statement: str, values: Sequence[Value]) -> list[Record]:
                return _records(connection.execute(in_postgres(statement), values))

            with connection.transaction():
                run("SELECT pg_advisory_xact_lock(?)", (lock,))
                yield run

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Record]:
        with translated(), self._connections.lend() as connection:
            return _records(connection.execute(in_postgres(statement), values))

    def size_bytes(self) -> int:
        return int(self.read("SELECT pg_total_relation_size('events')")[0][0])

    def close(self) -> None:
        self._connections.close()


@contextmanager
def translated() -> Iterator[None]:
    """psycopg's errors as ours; the URL may hold a password and is never shown."""
    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure) as exc:
        raise DeadlockError("PostgreSQL: another collector was in the way") from exc
    except psycopg.Error as exc:
        raise StoreUnavailableError(f"PostgreSQL: {_reason(exc)}") from exc


def _reason(error: psycopg.Error) -> str:
    """What the server said, or the system of a connection that failed; nothing else of what the driver says."""
    if "failed to resolve host" in str(error):  # an @ in a password makes part of it look like a host
        return "the host in its URL is not known"
    refused = UNREACHABLE.search(str(error))
    return error.diag.message_primary or (refused.group() if refused else type(error).__name__)


class DeadlockError(StoreUnavailableError):
    """Two collectors stored the same ids in another order; one of them tries again."""


def in_postgres(statement: str) -> bytes:
    """`?` as psycopg writes it; our statements hold no other question mark and no percent sign."""
    return statement.replace("?", "%s").encode()


def _records(cursor: psycopg.Cursor[Record]) -> list[Record]:
    return cursor.fetchall() if cursor.description is not None else []
