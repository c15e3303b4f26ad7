"""The state directory: who may use it, who owns its files, and where an unreadable database is kept."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from logship.errors import StateError
from logship.process.whole_file import sync_folder

log = logging.getLogger(__name__)

LOCK = "lock"
MARKER = "first-start"  # exists after the daemon's first look: then start_at does not count
DATABASE = "state.db"
COPY = "state.copy.db"
LOCKS = Path("/proc/locks")
SIDE_FILES = ("-wal", "-shm", "-journal")
ROOM_BYTES = 131_072  # four times what SQLite maps of its shared memory file when it opens a database


class Lock:
    """One daemon per state_dir: held as long as the process lives."""

    def __init__(self, folder: Path) -> None:
        """Raises: StateError if another daemon has it."""
        self._fd = self._open(folder / LOCK)
        if self._fd is None:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StateError(
                f"{folder}: another logship daemon{f' (process {owner})' if owner else ''} uses this state_dir;"
                " stop it, or give this one a state_dir of its own"
            ) from None
        self._sign(self._fd)

    @staticmethod
    def _open(path: Path) -> int | None:
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            try:
                return os.open(path, flags | os.O_CLOEXEC, 0o600)
            except OSError as exc:
                reason = exc
        log.warning("can't lock the state directory, a second daemon would go unnoticed path=%s error=%s", path, reason)
        return None

    @staticmethod
    def _sign(fd: int) -> None:
        """Writes the process number, only for the message of a second daemon."""
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError as exc:
            log.debug("can't sign the lock error=%s", exc)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def lock_holder(folder: Path) -> int | None:
    """Process number of the daemon that has this directory's lock; None if none has it, or it is unknown.

    Reads what the kernel lists: trying the lock, be it for a moment, could turn away a daemon that starts just then.
    Source: proc_locks(5).
    """
    try:
        path = folder / LOCK
        signed = path.read_text(encoding="ascii", errors="replace").strip()
        inode = str(path.stat().st_ino)
        held = LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in held:  # 3: FLOCK  ADVISORY  WRITE 18378 fe:00:2196552 0 EOF
        words = line.split()
        # the device is left out: overlayfs and btrfs list another than stat() gives
        if words[1:2] == ["FLOCK"] and words[-4] == signed and words[-3].rpartition(":")[2] == inode:
            return int(signed)
    return None


def is_full(folder: Path) -> bool:
    """Whether the directory's file system is almost full; False if it is unknown."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_frsize * (found.f_bavail if os.geteuid() else found.f_bfree) < ROOM_BYTES


def identity(folder: Path) -> tuple[int, int] | None:
    """Device and inode of the database; None if it does not exist. Raises: OSError if that is unknown."""
    try:
        found = os.stat(folder / DATABASE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def make(folder: Path) -> None:
    """Creates the directory, for its owner only; a failure shows when the state is written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        log.error("can't make the state directory path=%s error=%s", folder, exc)


def closed_to_us(folder: Path) -> StateError:
    """The error for a user who may not read the directory; it names who may."""
    try:
        owner = folder.owner()
    except (OSError, KeyError):
        owner = "root"
    who = "root" if owner == "root" else f"root or {owner}"
    return StateError(f"{folder}: Permission denied; run this as {who}, or name another state_dir")


def give_to_owner(folder: Path, *names: str) -> None:
    """Gives files that root made to the directory's owner, or their daemon could not write them."""
    if os.geteuid() != 0:
        return
    try:
        owner = folder.stat()
        for name in names:
            path = folder / name
            if path.exists() and path.stat().st_uid != owner.st_uid:
                os.chown(path, owner.st_uid, owner.st_gid)
    except OSError as exc:
        log.warning("can't give the state to its owner path=%s error=%s", folder, exc)


def move_aside(folder: Path, stamp: int) -> Path:
    """Renames an unreadable database and its files, to keep them; gives the new name."""
    aside = folder / f"{DATABASE}.corrupt-{stamp}"
    number = 0
    while aside.exists():
        number += 1
        aside = folder / f"{DATABASE}.corrupt-{stamp}.{number}"
    for suffix in ("", *SIDE_FILES):
        path = folder / (DATABASE + suffix)
        if path.exists():
            path.rename(f"{aside}{suffix}")
    return aside


def set_marker(folder: Path) -> None:
    """Raises: OSError as the system gives it."""
    fd = os.open(folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(fd)
    sync_folder(folder)
