"""The state's tables, and checkpoints as their rows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from sys import intern
from typing import Any
from zlib import crc32

from logship.checkpoint import Anchor, Checkpoint, Range, merged
from logship.errors import StateError

APPLICATION_ID = 0x6C6F6773  # "logs": says that an SQLite file is ours. Source: sqlite.org, PRAGMA application_id
SCHEMA_VERSION = 2
ANCHOR_DIGEST_BYTES = 16
_ANCHOR_ROW_BYTES = 8 + ANCHOR_DIGEST_BYTES
_SIGNED_64 = 1 << 63

TABLES = """
CREATE TABLE generations (
  generation INTEGER PRIMARY KEY, source TEXT NOT NULL, receiver TEXT NOT NULL, directory BLOB NOT NULL,
  stem BLOB NOT NULL, origin TEXT NOT NULL, path BLOB NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, first_line BLOB NOT NULL, key INTEGER,
  range_start INTEGER NOT NULL, position INTEGER NOT NULL, anchors BLOB NOT NULL,
  is_finished INTEGER NOT NULL, lost_bytes INTEGER NOT NULL, gone_at_s REAL NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE TABLE ranges (
  receiver TEXT NOT NULL, key INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, anchor BLOB NOT NULL,
  touched_s REAL NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY (receiver, key, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE notes (
  name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

COLUMNS = {"generations": 19, "ranges": 6, "notes": 2}  # by table; after them the CRC-32 of their values

_SAVE_GENERATION = "INSERT OR REPLACE INTO generations VALUES (" + "?, " * 19 + "?)"
_SAVE_RANGE = """
INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "end" = excluded."end",
anchor = excluded.anchor, touched_s = excluded.touched_s, crc = excluded.crc WHERE excluded."end" > "end"
"""


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Checks that a database is ours and of this schema; fills an empty one.

    Raises: StateError for a newer schema or another program's, sqlite3.Error as it comes.
    """
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application == 0 and version == 0 and tables == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        return
    judge(application, version, where)
    if version < SCHEMA_VERSION:
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """From version 1, which had no checksums."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, count in COLUMNS.items():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # our own names
            connection.execute(f"ALTER TABLE {table} ADD COLUMN crc INTEGER NOT NULL DEFAULT 0")
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
            places = ", ".join("?" * (count + 1))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", map(sealed, rows))  # noqa: S608
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def judge(application: int, version: int, where: str) -> None:
    """Checks that a database with these header numbers may be used.

    Raises: StateError for a newer schema or another program's; 0 and 0 are a file that nobody has claimed.
    """
    if application not in (0, APPLICATION_ID):
        raise StateError(
            f"{where}: is another program's database (application id {application:#x});"
            " give logship a state_dir of its own"
        )
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{where}: written by a newer logship (schema {version}, this one knows {SCHEMA_VERSION});"
            " install that version again, or move the file away to read every log from its beginning"
        )


def sealed(row: tuple[object, ...]) -> tuple[object, ...]:
    """A row with the checksum of its values: SQLite has none, and a changed digit of a position would lose lines."""
    return (*row, crc32(repr(row).encode("utf-8", "surrogatepass")))


def judge_row(table: str, row: tuple[object, ...]) -> None:
    """Raises: ValueError for a row that was never written so; one of version 1 has no checksum."""
    count = COLUMNS[table]
    if len(row) > count and sealed(row[:count]) != row:
        raise ValueError(f"a row of {table} does not fit its checksum")


def save_checkpoints(connection: sqlite3.Connection, checkpoints: Iterable[Checkpoint], now_s: float) -> None:
    """Saves generations and the confirmed range of each, inside the caller's transaction."""
    rows = list(checkpoints)
    connection.executemany(_SAVE_GENERATION, [_row(row) for row in rows])
    connection.executemany(
        _SAVE_RANGE,
        [
            sealed((row.receiver, row.key, row.range_start, row.position, _last_anchor(row), float(now_s)))
            for row in rows
            if row.key is not None and row.position > row.range_start
        ],
    )


def load_checkpoints(connection: sqlite3.Connection) -> Iterator[Checkpoint]:
    """Every generation, oldest first, one at a time: there may be 100,000."""
    rows = connection.execute("SELECT * FROM generations ORDER BY generation")
    return (_checkpoint(row[: COLUMNS["generations"]]) for row in rows)


def load_ranges(connection: sqlite3.Connection, receiver: str, key: int) -> list[Range]:
    """The confirmed ranges, ordered; adjacent ones are merged."""
    rows = connection.execute(
        'SELECT start, "end", anchor FROM ranges WHERE receiver = ? AND key = ? ORDER BY start', (receiver, key)
    )
    return merged(Range(*row) for row in rows)


def add_range(connection: sqlite3.Connection, receiver: str, key: int, added: Range, now_s: float) -> None:
    """Adds a confirmed range, merged with adjacent ones, inside the caller's transaction."""
    ranges = merged([*load_ranges(connection, receiver, key), added])
    connection.execute("DELETE FROM ranges WHERE receiver = ? AND key = ?", (receiver, key))
    rows = [sealed((receiver, key, one.start, one.end, one.anchor, float(now_s))) for one in ranges]
    connection.executemany(_SAVE_RANGE, rows)


def save_notes(connection: sqlite3.Connection, notes: Mapping[str, str]) -> None:
    """Inside the caller's transaction."""
    connection.executemany("REPLACE INTO notes VALUES (?, ?, ?)", map(sealed, notes.items()))


def _last_anchor(row: Checkpoint) -> bytes:
    return row.anchors[-1].digest if row.anchors else b""


def _row(row: Checkpoint) -> tuple[object, ...]:
    anchors = b"".join(
        anchor.position.to_bytes(8, "big") + anchor.digest.ljust(ANCHOR_DIGEST_BYTES, b"\0") for anchor in row.anchors
    )
    names = (os.fsencode(row.directory), os.fsencode(row.stem), row.origin, os.fsencode(row.path))
    hints = (_signed(row.device), _signed(row.inode), row.size_bytes, row.mtime_ns)
    confirmed = (row.first_line, row.key, row.range_start, row.position, anchors)
    fate = (int(row.is_finished), row.lost_bytes, float(row.gone_at_s))
    return sealed((row.generation, row.source, row.receiver, *names, *hints, *confirmed, *fate))


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    generation, source, receiver, directory, stem, origin, path, device, inode, size_bytes, mtime_ns, *rest = row
    first_line, key, range_start, position, anchors, is_finished, lost_bytes, gone_at_s = rest
    return Checkpoint(
        generation=generation,
        source=intern(source),  # one text for all rows
        receiver=intern(receiver),
        directory=intern(os.fsdecode(directory)),
        stem=os.fsdecode(stem),
        origin=intern(origin),
        path=os.fsdecode(path),
        device=_unsigned(device),
        inode=_unsigned(inode),
        size_bytes=size_bytes,
        mtime_ns=mtime_ns,
        first_line=first_line,
        key=key,
        range_start=range_start,
        position=position,
        anchors=tuple(
            Anchor(int.from_bytes(anchors[at : at + 8], "big"), _digest(anchors[at + 8 : at + _ANCHOR_ROW_BYTES]))
            for at in range(0, len(anchors), _ANCHOR_ROW_BYTES)
        ),
        is_finished=bool(is_finished),
        lost_bytes=lost_bytes,
        gone_at_s=gone_at_s,
    )


def _digest(stored: bytes) -> bytes:
    """Zeros are an empty digest: it was not known."""
    return stored if any(stored) else b""


def _signed(number: int) -> int:
    """SQLite's integers are signed; device and inode numbers may use all 64 bits."""
    return number - 2 * _SIGNED_64 if number >= _SIGNED_64 else number


def _unsigned(number: int) -> int:
    return number + 2 * _SIGNED_64 if number < 0 else number
