"""The state: how far every log is confirmed, for which receiver.

A state that can't be read or written never stops the shipping: it is reported and retried. At worst lines are sent
again under the same ids.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from logship.checkpoint import Checkpoint, Range
from logship.clock import Clock
from logship.errors import StateError
from logship.state import database, schema
from logship.state import folder as place
from logship.state.folder import lock_holder

__all__ = ["State", "lock_holder"]

log = logging.getLogger(__name__)

_LOST = "lost"  # note: "yes" until the first look after a loss is over
COPY_EVERY_S = 3600.0
WATCH_EVERY_S = 1.0
RETRY_EVERY_S = 1.0  # a full disk may have room again soon
RANGE_KEPT_S = 400 * 86_400.0  # so that a backfill of last year's logs knows what was sent


class State:
    """One state directory, open.

    `is_first_start`: no daemon has looked at files with this directory yet, so start_at counts.
    `is_lost`: a daemon has, but neither the database nor its copy can be read: everything is read from the beginning.
    `problem`: why the state can't be written now, "" while it can; what waits is written as soon as it can be.
    `was_removed`: the directory or its database was removed or replaced while this daemon ran.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.is_first_start = False
        self.is_lost = False
        self.problem = ""
        self.wants_everything = False
        self.was_removed = False
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._is_read_only = False
        self._is_alone = False  # on a full disk no other process can read it
        self._identity: tuple[int, int] | None = None
        self._watch_due_s = float("-inf")
        self._is_daemon = False
        self._lock: place.Lock | None = None
        self._waiting: dict[int, Checkpoint] = {}
        self._waiting_notes: dict[str, str] = {}
        self._notes: dict[str, str] = {}  # all notes written or read
        self._forgotten: set[int] = set()
        self._marker_due = False
        self._retry_at_s = float("-inf")
        self._copy_due_s = clock.monotonic() + COPY_EVERY_S
        self._has_changed = False  # since the last copy

    @classmethod
    def open(cls, directory: Path, clock: Clock, *, daemon: bool = True) -> State:
        """The state in `directory`; a `daemon` takes the lock, others (status, backfill) read and write beside it.

        Raises: StateError where another daemon runs, the database is a newer logship's or another program's, or this
        user may not even look into the directory.
        """
        state = cls(directory, clock)
        place.make(directory)
        if daemon:
            state._is_daemon, state._lock = True, place.Lock(directory)
        try:
            state._start()
        except PermissionError as exc:
            if state._lock is not None:
                state._lock.close()
            raise place.closed_to_us(directory) from exc
        except BaseException:
            if state._lock is not None:
                state._lock.close()
            raise
        return state

    # reading

    def load(self) -> list[Checkpoint]:
        """Every generation in the state, oldest first."""
        return list(self.each())

    def each(self) -> Iterator[Checkpoint]:
        """As load(), one at a time; nothing may be written meanwhile."""
        return iter(()) if self._connection is None else schema.load_checkpoints(self._connection)

    def ranges(self, receiver: str, key: int) -> list[Range]:
        """The confirmed ranges of a file key for a receiver, ordered and merged."""
        if self._connection is None:
            return []
        try:
            return schema.load_ranges(self._connection, receiver, key)
        except sqlite3.Error as exc:  # then lines are sent again
            self._fail(exc)
            return []

    def note(self, name: str) -> str | None:
        """The value that remember() stored last; None for none."""
        if name in self._waiting_notes:
            return self._waiting_notes[name]
        if self._connection is None:
            return None
        row = self._connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        if row is not None:
            self._notes[name] = str(row[0])
        return None if row is None else str(row[0])

    def notes(self, prefix: str) -> dict[str, str]:
        """All values of remember() whose names begin so."""
        waiting = {name: value for name, value in self._waiting_notes.items() if name.startswith(prefix)}
        if self._connection is None:
            return waiting
        query = "SELECT name, value FROM notes WHERE substr(name, 1, ?) = ?"
        return dict(self._connection.execute(query, (len(prefix), prefix)).fetchall()) | waiting

    # writing

    def save(self, checkpoints: Iterable[Checkpoint] = ()) -> bool:
        """Writes these and whatever waits in one transaction; False if that failed, and all of it waits.

        If `wants_everything` is set (the database was lost while running) the owner passes every generation.
        """
        for row in checkpoints:
            self._waiting[row.generation] = row
        if not (self._waiting or self._waiting_notes or self._forgotten or self._marker_due):
            return True
        if self._clock.monotonic() < self._retry_at_s:
            return False
        if self._write():
            self._copy_if_due()
            return True
        return False

    def add_range(self, receiver: str, key: int, start: int, end: int, anchor: bytes = b"") -> None:
        """A backfill's confirmed range, merged with those it touches.

        Raises: sqlite3.Error, where it can't be written.
        """
        connection = self._writable()
        with _transaction(connection):
            schema.add_range(connection, receiver, key, Range(start, end, anchor), self._clock.time())
        self._has_changed = True

    def add_ranges(self, ranges: Iterable[tuple[str, int, Range]]) -> bool:
        """A backfill's confirmed ranges (receiver, key, range), together; False if they can't be written."""

        def add(connection: sqlite3.Connection) -> None:
            for receiver, key, one in ranges:
                schema.add_range(connection, receiver, key, one, self._clock.time())

        return self._change_ranges(add)

    def forget_ranges(self, receiver: str, key: int) -> bool:
        """Removes what is confirmed of this log for the receiver; False if that can't be written."""
        return self._change_ranges(
            lambda connection: connection.execute("DELETE FROM ranges WHERE receiver = ? AND key = ?", (receiver, key))
        )

    def _change_ranges(self, change: Callable[[sqlite3.Connection], object]) -> bool:
        if self._clock.monotonic() < self._retry_at_s:
            return False
        try:
            connection = self._writable()
            with _transaction(connection):
                change(connection)
        except (OSError, sqlite3.Error) as exc:
            self._fail(exc)
            return False
        self.problem = ""
        self._has_changed = True
        return True

    def remember(self, name: str, value: str) -> None:
        """Stores a note; on disk with the next save()."""
        self._waiting_notes[name] = self._notes[name] = value

    def forget(self, generations: Iterable[int]) -> None:
        """Removes generations that are gone; on disk with the next save()."""
        self._forgotten.update(generations)

    def mark_started(self) -> None:
        """The first look is over and its checkpoints were passed to save(): from now on start_at does not count."""
        if self.is_lost:
            self.is_lost = False
            self.remember(_LOST, "no")
        if self.is_first_start:
            self._marker_due = True
            self.save()

    def watch(self) -> None:
        """Looks once a second whether the database is still there, and makes it again if not."""
        now_s = self._clock.monotonic()
        if self._connection is None or not self._is_daemon or now_s < self._watch_due_s:
            return
        self._watch_due_s = now_s + WATCH_EVERY_S
        with contextlib.suppress(OSError):
            if place.identity(self.folder) != self._identity:
                self._start_again()

    def copy(self) -> None:
        """Makes the copy now. Raises: OSError, sqlite3.Error."""
        connection = self._writable()
        database.write_copy(connection, self.folder)
        self._has_changed = False

    def close(self) -> None:
        """Writes what waits, makes the copy, releases the directory."""
        self._retry_at_s = float("-inf")
        self.save()
        if self._connection is not None:
            if self._has_changed:
                try:
                    self.copy()
                except (OSError, sqlite3.Error) as exc:
                    log.warning("the state's copy can't be written path=%s error=%s", self.folder, exc)
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()

    # opening and failing

    def _start(self) -> None:
        marker = (self.folder / place.MARKER).exists()
        self.is_first_start = not marker
        path = self.folder / place.DATABASE
        if marker and not (path.exists() and path.stat().st_size):
            self._replace_by_copy("is missing or empty")
        try:
            self._connect()
        except sqlite3.Error as exc:
            if database.is_damage(exc):
                self._rescue(exc)
            else:
                self._fail(exc)
                self._read_only()
        if self.is_lost:
            self.remember(_LOST, "yes")
            self.save()  # at once: a daemon that is killed before the first look has not looked
        else:
            self.is_lost = self.note(_LOST) == "yes" or (marker and self._is_blank())

    def _is_blank(self) -> bool:
        """Whether nothing was ever saved: the disk was full when a lost database was made anew."""
        return not self.notes("") and next(self.each(), None) is None

    def _read_only(self) -> None:
        """Reads a database that can't be written: its content still counts."""
        if not (self.folder / place.DATABASE).exists():
            self.is_lost = not self.is_first_start
            return
        try:
            self._connection = database.connect_read_only(self.folder, is_alone=place.is_full(self.folder))
            self._is_read_only, self._identity = True, place.identity(self.folder)
        except sqlite3.Error as exc:
            if not self._is_daemon and place.is_full(self.folder):
                raise StateError(
                    f"{self.folder}: the disk is full, and the state is in use ({exc}); make room"
                ) from exc
            log.error("the state can't be read, logs are read from their beginning path=%s error=%s", self.folder, exc)
            self.is_lost = True

    def _rescue(self, damage: sqlite3.Error) -> None:
        """Moves a damaged database aside and takes its copy.

        Raises: StateError if a running daemon uses the file.
        """
        holder = None if self._lock is not None else lock_holder(self.folder)
        if holder is not None:
            raise StateError(
                f"{self.folder}: the state is damaged ({damage}); process {holder} still uses it:"
                " restart that daemon, it takes the copy"
            )
        try:
            aside = place.move_aside(self.folder, int(self._clock.time()))
            log.error("the state was damaged and is moved aside path=%s error=%s", aside, damage)
            self._replace_by_copy("was damaged")
            self._connect()
        except (OSError, sqlite3.Error) as exc:
            self.is_lost = True
            self._fail(exc)

    def _replace_by_copy(self, why: str) -> None:
        path = self.folder / place.DATABASE
        if database.take_copy(self.folder):
            log.error("the state %s, its copy is taken; lines may be sent again under the same ids path=%s", why, path)
        else:
            self.is_lost = True
            log.error("the state %s, without a copy; every log is read from its beginning path=%s", why, path)

    def _writable(self) -> sqlite3.Connection:
        if self._is_read_only and self._connection is not None:
            self._connection.close()
            self._connection, self._is_read_only = None, False
        elif self._is_alone and self._connection is not None and not place.is_full(self.folder):
            self._connection.close()  # there is room again: others may read
            self._connection = None
        if self._connection is None:
            place.make(self.folder)
            if self._is_daemon and self._lock is None:
                self._lock = place.Lock(self.folder)
            return self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        self._is_alone = place.is_full(self.folder)
        self._connection = database.connect(self.folder, is_alone=self._is_alone)
        self._identity = place.identity(self.folder)
        return self._connection

    def _start_again(self) -> None:
        """The directory was replaced or removed: writes everything that this process knows into the new one."""
        log.error(
            "the state directory was removed or replaced while logship runs, it is created again with all positions,"
            " nothing is lost; ranges of backfills, dead letters and the state's copy in it are gone path=%s",
            self.folder,
        )
        assert self._connection is not None
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self.was_removed = self.wants_everything = True
        self._marker_due |= not self.is_first_start
        self._waiting_notes = {**self._notes, **self._waiting_notes}
        self._retry_at_s = float("-inf")

    def _write(self) -> bool:
        try:
            connection = self._writable()
            now_s = self._clock.time()
            with _transaction(connection):
                schema.save_checkpoints(connection, self._waiting.values(), now_s)
                schema.save_notes(connection, self._waiting_notes)
                connection.executemany(
                    "DELETE FROM generations WHERE generation = ?", [(each,) for each in self._forgotten]
                )
                connection.execute("DELETE FROM ranges WHERE touched_s < ?", (now_s - RANGE_KEPT_S,))
            if self._marker_due:
                place.set_marker(self.folder)
                place.give_to_owner(self.folder, place.MARKER, place.LOCK)
        except (OSError, StateError, sqlite3.Error) as exc:
            self._fail(exc)
            return False
        self._succeeded()
        return True

    def _succeeded(self) -> None:
        if self.problem:
            log.info("the state can be written again path=%s", self.folder)
        if self._marker_due:
            self._marker_due, self.is_first_start = False, False
        self.problem = ""
        self._has_changed = True
        self.wants_everything = False
        self._waiting.clear()
        self._waiting_notes.clear()
        self._forgotten.clear()

    def _fail(self, error: Exception) -> None:
        """What waits waits on; the connection is opened again: after an I/O error it can't be trusted."""
        if not self.problem:
            log.error(
                "the state can't be written, shipping continues; after a restart lines may be sent again"
                " path=%s error=%s",
                self.folder,
                error,
            )
        self.problem = str(error)
        self._retry_at_s = self._clock.monotonic() + RETRY_EVERY_S
        if self._connection is not None and not self._is_read_only:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
            self._recover_from(error)

    def _recover_from(self, error: Exception) -> None:
        """Damage met while running: the file is moved aside and the owner gives everything again."""
        is_ours = self._lock is not None or lock_holder(self.folder) is None
        if is_ours and database.is_damage(error):
            with contextlib.suppress(OSError):
                place.move_aside(self.folder, int(self._clock.time()))
            self.wants_everything = True

    def _copy_if_due(self) -> None:
        if self._clock.monotonic() < self._copy_due_s:
            return
        self._copy_due_s = self._clock.monotonic() + COPY_EVERY_S
        try:
            self.copy()
        except (OSError, sqlite3.Error) as exc:
            log.warning("the state's copy can't be written path=%s error=%s", self.folder, exc)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
