"""The bytes behind one opened descriptor: everything about a file is decided on it, never on its name."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat

from logship.checkpoint import Anchor
from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.archives import MAGIC_BYTES, LogReader, compression_of
from logship.tail.identity import anchor_of

_WINDOW_KEPT_BYTES = 131_072  # of what an archive gave before: an anchor or a line's start need no second pass
_SKIP_BYTES = 1_048_576
_F_SETSIG = 10  # of Linux; the fcntl module has no name for it


@record
class Facts:
    """What fstat(2) says of a regular file; size_bytes counts bytes on disk."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    links: int
    blocks: int

    @property
    def blocks_bytes(self) -> int:
        """What it takes on disk."""
        return self.blocks * 512

    @property
    def hint(self) -> tuple[int, int]:
        return self.device, self.inode


_devices: dict[int, int] = {}  # one number for all files of a device, not 100,000 alike


def facts_of(result: os.stat_result) -> Facts:
    """Raises: OSError (EINVAL) for what is no regular file."""
    if not stat.S_ISREG(result.st_mode):
        kind = "a directory" if stat.S_ISDIR(result.st_mode) else "no regular file"
        raise OSError(errno.EINVAL, f"is {kind}")
    device = _devices.setdefault(result.st_dev, result.st_dev)
    return Facts(device, result.st_ino, result.st_size, result.st_mtime_ns, result.st_nlink, result.st_blocks)


class PlainContent:
    """An uncompressed file."""

    __slots__ = ("_fd",)
    descriptors = 1
    is_archive = False
    is_cut = False
    damage = ""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def twin(self) -> PlainContent:
        """The same file on a descriptor of its own."""
        return PlainContent(os.dup(self._fd))

    def facts(self) -> Facts:
        return facts_of(os.fstat(self._fd))

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from `position`; fewer only at the present end."""
        data = os.pread(self._fd, size, position)
        if len(data) == size or not data:
            return data
        more = os.pread(self._fd, size - len(data), position + len(data))
        return data + more

    def turned_archive(self) -> bool:
        """Whether what was too short to tell when it was opened begins as an archive now. Raises: OSError."""
        return compression_of(self.read_at(0, MAGIC_BYTES)) is not None

    def next_data(self, position: int) -> int:
        """The first position at or after this one that is not inside a hole of a sparse file."""
        try:
            return os.lseek(self._fd, position, os.SEEK_DATA)
        except OSError:
            return position  # a hole up to the end, or a file system that knows no holes

    def has_writer(self) -> bool:
        """Whether a process has it open for writing; False where the system does not say.

        A read lease is given only where nobody has (fcntl(2), F_SETLEASE); it takes the file's owner, or CAP_LEASE.
        """
        try:
            fcntl.fcntl(self._fd, _F_SETSIG, signal.SIGURG)  # whoever opens it in this moment: SIGIO would end us
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as exc:
            return exc.errno == errno.EAGAIN
        return False

    def close(self) -> None:
        os.close(self._fd)


class ArchiveContent:
    """A compressed file, read forwards; positions are those of the decompressed log.

    `is_complete`: its end has been reached, and it is a true one; `seen_bytes`: decompressed so far.
    """

    descriptors = 2  # the file's own, and one that the decompressor reads from
    is_archive = True

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._reader = LogReader(os.dup(fd))
        self._window = b""
        self.seen_bytes = 0
        self.is_complete = False

    @property
    def is_cut(self) -> bool:
        return self._reader.is_cut

    @property
    def is_broken(self) -> bool:
        return self._reader.is_broken

    @property
    def damage(self) -> str:
        """What is wrong where reading has come to, "" for nothing."""
        return self._reader.damage

    @property
    def stored_bytes(self) -> int:
        """How much of the file as it is stored has been read."""
        return self._reader.stored_bytes

    def facts(self) -> Facts:
        return facts_of(os.fstat(self._fd))

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from `position`; fewer only at the present end.

        Raises: OSError where the archive is damaged.
        """
        if position < self.seen_bytes - len(self._window):
            self._rewind()
        self._skip_to(position)
        self._fill(position, position + size - self.seen_bytes)
        at = position - (self.seen_bytes - len(self._window))
        return self._window[at : at + size] if at >= 0 else b""

    def next_data(self, position: int) -> int:
        return position

    def close(self) -> None:
        self._reader.close()
        os.close(self._fd)

    def retry(self) -> None:
        """The file has changed since a damage was met: it may be whole by now."""
        self._rewind()

    def _rewind(self) -> None:
        self._reader.close()
        self._reader = LogReader(os.dup(self._fd))
        self._window, self.seen_bytes, self.is_complete = b"", 0, False

    def _skip_to(self, position: int) -> None:
        """Everything before `position` but the last few bytes is let go."""
        while self.seen_bytes < position:
            data = self._reader.read(min(_SKIP_BYTES, position - self.seen_bytes))
            if not data:
                self._note_end()
                return
            self.seen_bytes += len(data)
            self._window = (self._window + data)[-_WINDOW_KEPT_BYTES:]

    def _fill(self, position: int, missing: int) -> None:
        if missing <= 0:
            return
        parts = [self._window[-_WINDOW_KEPT_BYTES - missing :]]
        while missing > 0:
            try:
                data = self._reader.read(missing)
            except OSError:
                if self.seen_bytes <= position:
                    raise
                break  # the content before the damage is good; the next call meets the damage again
            if not data:
                self._note_end()
                break
            missing -= len(data)
            self.seen_bytes += len(data)
            parts.append(data)
        self._window = b"".join(parts)

    def _note_end(self) -> None:
        self.is_complete = not self._reader.is_cut


Content = PlainContent | ArchiveContent


def open_content(path: str) -> Content:
    """Opens a log by name; a FIFO or a device is refused without waiting for its other end.

    Raises: OSError as open(2) gives it, EINVAL for what is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        facts_of(os.fstat(fd))
        if compression_of(os.pread(fd, MAGIC_BYTES, 0)) is None:
            return PlainContent(fd)
        return ArchiveContent(fd)
    except BaseException:
        os.close(fd)
        raise


class FromStart:
    """A content as a stream from its first byte, for first_line_of(); holes are jumped over."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._position = content.next_data(0)

    def read(self, size: int, /) -> bytes:
        data = self._content.read_at(self._position, size)
        self._position += len(data)
        return data


def is_punched(content: Content, position: int) -> bool:
    """Whether a plain file begins with a hole, and has none before a position (fallocate --punch-hole).

    Raises: OSError.
    """
    if content.is_archive or content.read_at(0, 1) != b"\0":
        return False
    at = max(0, position - ANCHOR_BYTES)
    return position - at == ANCHOR_BYTES and b"\0" not in content.read_at(at, ANCHOR_BYTES)


def has_anchor(content: Content, anchor: Anchor) -> bool:
    """Whether the content before the anchor's position is what stood there; an empty digest fits. Raises: OSError."""
    at = max(0, anchor.position - ANCHOR_BYTES)
    return not anchor.digest or anchor_of(content.read_at(at, anchor.position - at)) == anchor.digest
