"""The database file: opening, checking, copying, and replacing it by its copy."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from logship.errors import StateError
from logship.process.whole_file import sync_folder
from logship.state import folder as place
from logship.state import schema

log = logging.getLogger(__name__)

BUSY_S = 1.0  # a backfill's driver writes for milliseconds; if the lock is held longer the next save tries again
_HEADER_BYTES = 100
_VERSION_AT, _APPLICATION_AT = 60, 68  # Source: sqlite.org/fileformat.html, 1.3
_WRITTEN_AT, _WRITTEN = 18, {1, 2}  # file format versions for writing and reading: rollback journal or WAL


def connect(folder: Path, *, is_alone: bool = False) -> sqlite3.Connection:
    """The database in `folder`, created if there is none.

    `is_alone` locks all others out, and maps no file: on a full disk a page of a mapped file that has no block yet ends
    the process with SIGBUS. Source: sqlite.org/wal.html, 6 (use without shared memory).

    Raises: StateError for a newer or foreign one, sqlite3.OperationalError where it can't be opened or written now,
    sqlite3.DatabaseError (not Operational) for a damaged one.
    """
    _judge_header(folder / place.DATABASE)
    connection = sqlite3.connect(folder / place.DATABASE, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    with _closed_on_error(connection):
        if is_alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA cache_size = -256")  # KiB; rows are read once and written in order
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a confirmation must be on disk
        schema.prepare(connection, str(folder / place.DATABASE))
        check(connection)
    place.give_to_owner(folder, place.DATABASE, *(place.DATABASE + suffix for suffix in place.SIDE_FILES))
    return connection


def connect_read_only(folder: Path, *, is_alone: bool = False) -> sqlite3.Connection:
    """As connect(), for a file that can't be written: its content still counts."""
    _judge_header(folder / place.DATABASE)
    connection = sqlite3.connect(f"file:{folder / place.DATABASE}?mode=ro", uri=True, timeout=BUSY_S)
    with _closed_on_error(connection):
        try:
            if is_alone:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("SELECT 1 FROM generations LIMIT 1")
        except sqlite3.OperationalError as exc:  # no shared memory file can be made beside it
            if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise
            connection.close()
            connection = sqlite3.connect(f"file:{folder / place.DATABASE}?immutable=1", uri=True)
    with _closed_on_error(connection):
        check(connection)
    return connection


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Closes a database that is refused."""
    try:
        yield
    except UnicodeDecodeError as exc:  # sqlite3 quotes what it can't read in its own messages
        connection.close()
        raise sqlite3.DatabaseError(str(exc)) from exc
    except BaseException:
        connection.close()
        raise


def check(connection: sqlite3.Connection) -> None:
    """Reads every value, in linear time: a bad byte in a text shows only then.

    Raises: sqlite3.DatabaseError for a damaged database.
    """
    connection.text_factory = bytes.decode
    try:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
        for table in schema.COLUMNS:
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608  # our own names
                schema.judge_row(table, row)
    except ValueError as exc:  # of a text that is no UTF-8, or a row that can't be
        raise sqlite3.DatabaseError(str(exc)) from exc
    finally:
        connection.text_factory = str


_CIRCUMSTANCES = {  # errors that say nothing about the content
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_INTERRUPT,
}  # fmt: skip


def is_damage(error: Exception) -> bool:
    """Whether the content is damaged: a missing table or column is an OperationalError, too."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # ours have none
    return isinstance(error, sqlite3.DatabaseError) and code & 0xFF not in _CIRCUMSTANCES


def _judge_header(path: Path) -> None:
    """A newer or foreign database is refused before SQLite may touch it.

    Raises: StateError for such a one, sqlite3.DatabaseError for a damaged header.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return  # connecting reports it better
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        return
    version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
    application = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    schema.judge(application, version, str(path))
    if not {header[_WRITTEN_AT], header[_WRITTEN_AT + 1]} <= _WRITTEN:
        raise sqlite3.DatabaseError("the header is damaged")  # SQLite would call it read-only


def write_copy(connection: sqlite3.Connection, folder: Path) -> None:
    """Replaces the copy by the current state, completely or not at all.

    Raises: OSError, sqlite3.Error.
    """
    temporary = folder / f"{place.COPY}.new"
    temporary.unlink(missing_ok=True)
    target = sqlite3.connect(temporary)
    try:
        connection.backup(target)
    finally:
        target.close()
    fd = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(folder / place.COPY)
    place.give_to_owner(folder, place.COPY)
    sync_folder(folder)


def take_copy(folder: Path) -> bool:
    """Replaces the database by its copy; False if there is no readable one.

    Raises: StateError for a newer copy.
    """
    copy = folder / place.COPY
    try:
        if not copy.stat().st_size:
            return False
        _judge_header(copy)
        connection = sqlite3.connect(f"file:{copy}?immutable=1", uri=True)
        try:
            check(connection)
        finally:
            connection.close()
        for suffix in place.SIDE_FILES:
            (folder / (place.DATABASE + suffix)).unlink(missing_ok=True)
        import shutil  # loads four compressors

        shutil.copyfile(copy, folder / f"{place.DATABASE}.new")
        (folder / f"{place.DATABASE}.new").replace(folder / place.DATABASE)
    except StateError:
        raise
    except (OSError, sqlite3.Error) as exc:
        log.error("the state's copy can't be used path=%s error=%s", copy, exc)
        return False
    return True
