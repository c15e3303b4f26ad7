"""Dead letters: lines and events that can't be delivered, stored with the reason.

The store is three files under the state directory, all 0600: dead-letters.ndjson, one JSON object a line;
dead-letters.lock, held while one process writes (the daemon appends, the command line retries and purges);
dead-letters.overflow, how many letters the cap kept out. After a crash letters may be
there twice (readers use each id once) and the last line may be cut (readers skip it, the next append begins a new
line).
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from logship.counters import Counters
from logship.delivery.dead_letter import DeadLetter, from_json, to_json
from logship.process.whole_file import sync_folder
from logship.records import record

__all__ = ["DeadLetter", "DeadLetters"]

log = logging.getLogger(__name__)

MAX_STORE_BYTES = 100_000_000  # the disk space that a broken mapping may take
LETTERS = "dead-letters.ndjson"
LOCK = "dead-letters.lock"
OVERFLOW = "dead-letters.overflow"


@record
class StoreSize:
    """How full the store is."""

    bytes: int
    max_bytes: int
    overflow: int  # letters above the cap


class DeadLetters:
    """The store: NDJSON under the state directory, shared by the daemon and the command line."""

    def __init__(self, state_dir: Path, *, counters: Counters, max_bytes: int = MAX_STORE_BYTES) -> None:
        self._dir = state_dir
        self._path = state_dir / LETTERS
        self._counters = counters
        self._max_bytes = max_bytes
        self._is_full = False

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Write and fsync; letters above the cap are only counted.

        Raises: OSError as the system gives it; then none of `letters` is stored.
        """
        if not letters:
            return
        with self._locked():
            descriptor = self._open(LETTERS, os.O_RDWR)
            try:
                size = os.fstat(descriptor).st_size
                text, kept = self._fitting(letters, _line_start(descriptor, size), size)
                _write_all(descriptor, text, size)
            finally:
                os.close(descriptor)
            if kept < len(letters):
                self._count_overflow(len(letters) - kept)
            else:
                self._is_full = False

    def __iter__(self) -> Iterator[DeadLetter]:
        """Every letter once, oldest first.

        Raises: OSError as the system gives it; a store that doesn't exist yet is empty.
        """
        seen: set[str] = set()
        try:
            with self._path.open("rb") as lines:
                for line in lines:
                    letter = from_json(line)
                    if letter is not None and letter.id not in seen:
                        seen.add(letter.id)
                        yield letter
        except FileNotFoundError:
            return

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def size(self) -> StoreSize:
        """How full the store is."""
        try:
            stored = self._path.stat().st_size
        except FileNotFoundError:
            stored = 0
        return StoreSize(stored, self._max_bytes, self._overflow())

    def remove(self, ids: Iterable[str]) -> int:
        """Remove these letters; gives how many there were.

        Raises: OSError as the system gives it; then the store is as it was.
        """
        unwanted = set(ids)
        return self._rewrite(lambda letter: None if letter.id in unwanted else letter) if unwanted else 0

    def replace(self, letters: Iterable[DeadLetter]) -> None:
        """Replace the letters with these ids; a letter that was removed is not added again.

        Raises: OSError as the system gives it; then the store is as it was.
        """
        by_id = {letter.id: letter for letter in letters}
        if by_id:
            self._rewrite(lambda letter: by_id.get(letter.id, letter))

    def purge(self) -> int:
        """Remove all letters and the count of those above the cap; gives how many there were."""
        with self._locked():
            gone = len(self)
            self._replace(LETTERS, b"")
            (self._dir / OVERFLOW).unlink(missing_ok=True)
        return gone

    def _rewrite(self, become: Callable[[DeadLetter], DeadLetter | None]) -> int:
        """Replaces every letter by what `become` gives, None to remove it; gives how many were removed."""
        with self._locked():
            count = forgotten = 0
            lines: list[bytes] = []
            for letter in self:
                count += 1
                new = become(letter)
                forgotten += new is None
                if new is not None:
                    lines.append(to_json(new))
            if count:
                self._replace(LETTERS, b"".join(lines))
        return forgotten

    def _fitting(self, letters: Sequence[DeadLetter], first: bytes, size: int) -> tuple[bytes, int]:
        """The text of the letters that there is room for, and their number."""
        lines: list[bytes] = []
        size += len(first)
        for letter in letters:
            line = to_json(letter)
            size += len(line)
            if size > self._max_bytes:
                break
            lines.append(line)
        return (first + b"".join(lines) if lines else b""), len(lines)

    def _count_overflow(self, count: int) -> None:
        self._counters.dead_letters_overflow += count
        self._replace(OVERFLOW, b"%d\n" % (self._overflow() + count))
        if not self._is_full:
            log.error(
                "the store of dead letters is full, further ones are only counted path=%s max_bytes=%d"
                " hint=run: logship dead-letters list; then retry or purge",
                self._path,
                self._max_bytes,
            )
        self._is_full = True

    def _overflow(self) -> int:
        try:
            text = (self._dir / OVERFLOW).read_bytes().strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isdigit() else 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._open(LOCK, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _replace(self, name: str, content: bytes) -> None:
        """Replace a file, completely or not at all."""
        descriptor = self._open(f"{name}.new", os.O_WRONLY | os.O_TRUNC)
        try:
            _write_all(descriptor, content, 0)
        finally:
            os.close(descriptor)
        os.replace(self._dir / f"{name}.new", self._dir / name)
        sync_folder(self._dir)

    def _open(self, name: str, flags: int) -> int:
        """A file of the store, made with mode 0600 and the directory's owner where it doesn't exist."""
        path = self._dir / name
        is_new = not path.exists()
        descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if is_new:
            if os.geteuid() == 0:  # a command run as root must not lock the service out of its own store
                owner = self._dir.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            sync_folder(self._dir)
        return descriptor


def _line_start(descriptor: int, size: int) -> bytes:
    """What must precede the next line: a newline after one that was cut."""
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    """Write at `offset` and fsync; after a failure the file is truncated to `offset`."""
    try:
        written = 0
        while written < len(content):
            written += os.pwrite(descriptor, content[written:], offset + written)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise
