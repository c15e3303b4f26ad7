"""A log's chunks from one position to another, cut as the tailer cuts them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import BinaryIO, Protocol

from logship.backfill.paths import STDIN, is_remote
from logship.backfill.remote import open_remote
from logship.backfill.run_settings import BackfillLog
from logship.event import ANCHOR_BYTES, Chunk
from logship.formats.directives import Heading, heading_at
from logship.records import record
from logship.tail.archives import MAGIC_BYTES, LogReader, compression_of
from logship.tail.content import ArchiveContent, Content, PlainContent, open_content
from logship.tail.identity import anchor_of
from logship.tail.reader import Bounds, Lookahead, next_stretch

HEAD_BYTES = 1_048_576  # of a stream that can be read only once: so much of it may be read twice
COUNT_BYTES = 1_048_576


class Seekable(Protocol):
    """Bytes that can be read anywhere."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


def read_at(log: Seekable, offset: int, size: int) -> bytes:
    """Up to `size` bytes at `offset`; fewer only at the end of the log."""
    log.seek(offset)
    data = b""
    while len(data) < size and (more := log.read(size - len(data))):
        data += more
    return data


class RemoteLog(Seekable, Protocol):
    """An open log of a store, or stdin."""

    def close(self) -> None: ...


class FarPlain(PlainContent):
    """A plain object in a store."""

    def __init__(self, file: RemoteLog) -> None:
        self._file = file

    def read_at(self, position: int, size: int) -> bytes:
        return read_at(self._file, position, size)

    def next_data(self, position: int) -> int:
        return position

    def close(self) -> None:
        self._file.close()


class FarArchive(ArchiveContent):
    """Decompressed bytes of a remote file or stdin, read forwards; going back opens it again."""

    def __init__(self, open_file: Callable[[], RemoteLog]) -> None:
        self._open_file = open_file
        self._reader = self._open_reader()
        self._window = b""
        self.seen_bytes = 0
        self.is_complete = False

    def close(self) -> None:
        self._reader.close()

    def _rewind(self) -> None:
        self._reader.close()
        self._reader = self._open_reader()
        self._window, self.seen_bytes, self.is_complete = b"", 0, False

    def _open_reader(self) -> LogReader:
        file = self._open_file()
        return LogReader(-1, lambda _, size, offset: read_at(file, offset, size), lambda _: file.close())


class OnceThrough:
    """A stream that can't seek, with the seek() and read() that a reader of archives uses."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._head = b""
        self._offset = 0
        self._read_to = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence or not (offset == self._read_to or offset <= len(self._head) == self._read_to):
            raise OSError("stdin can be read only once")
        self._offset = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        if self._offset < self._read_to:
            data = self._head[self._offset : self._offset + size]
        else:
            data = self._stream.read(size)
            if self._read_to < HEAD_BYTES:
                self._head += data
            self._read_to += len(data)
        self._offset += len(data)
        return data

    def close(self) -> None:
        """The stream belongs to the process."""


def open_log(path: str) -> Content:
    """The log's bytes, decompressed; the first bytes say how, not the name.

    Raises: OSError as the system gives it, RemoteError as the store does.
    """
    if path == STDIN:
        return FarArchive(_stdin)
    if not is_remote(path):
        return open_content(path)
    file = open_remote(path)
    head = read_at(file, 0, MAGIC_BYTES)
    if compression_of(head) is None:
        return FarPlain(file)
    file.close()
    return FarArchive(lambda: open_remote(path))


@cache
def _stdin() -> OnceThrough:
    return OnceThrough(sys.stdin.buffer)


@record
class Passage:
    """A chunk and the anchor of its end."""

    chunk: Chunk
    anchor: bytes


class LogReading:
    """One log, open; `position` is where the next chunk starts."""

    def __init__(self, log: BackfillLog, position: int, max_line_bytes: int) -> None:
        """Raises: OSError, RemoteError."""
        self.position = position
        self._log = log
        self._max_line_bytes = max_line_bytes
        self._content = open_log(log.path)
        self._before: bytes | None = None  # up to ANCHOR_BYTES before `position`; None: not at hand

    @property
    def is_cut(self) -> bool:
        """Whether the archive, as far as it was read, ends in the middle."""
        return self._content.is_cut

    @property
    def damage(self) -> str:
        """What is wrong with the archive at the position that was reached, "" for nothing."""
        return self._content.damage

    @property
    def stored_bytes(self) -> int:
        """How much of the file as it is stored has been read; of a plain one everything before `position`."""
        return self._content.stored_bytes if isinstance(self._content, ArchiveContent) else self.position

    def passage(self, limit_bytes: int, end: int | None) -> Passage | None:
        """The next chunk; None at `end` (None: of the log).

        Raises: OSError, RemoteError; everything before the damage has been given by then.
        """
        start = self.position
        found = next_stretch(self._content, start, Bounds(limit_bytes, self._max_line_bytes, end), Lookahead())
        if found is None and self._log.is_final and not self.is_cut:
            final = Bounds(limit_bytes, self._max_line_bytes, end, is_final=True)
            found = next_stretch(self._content, start, final, Lookahead())
        if found is None:
            return None
        before = bytes_before(self._content, start) if self._before is None else self._before
        chunk = Chunk(self._log.file, start, found.end, found.data, before, found.skipped_nul, found.oversize)
        self.position = found.end
        self._before = found.before_end if found.oversize else (before + found.before_end)[-ANCHOR_BYTES:]
        return Passage(chunk, anchor_of(self._before))

    def heading(self, position: int, known: Heading) -> bytes:
        """The directives in force at a position; `known` are those of a place before it.

        Raises: OSError, RemoteError.
        """
        return heading_at(self._content.read_at, position, known)

    def lines_to(self, end: int) -> int:
        """Newlines from `position` to `end`, and moves there, or to the end of a shorter log.

        Raises: OSError, RemoteError.
        """
        lines = 0
        self._before = None
        while self.position < end:
            data = self._content.read_at(self.position, min(COUNT_BYTES, end - self.position))
            if not data:
                break
            lines += data.count(b"\n")
            self.position += len(data)
        return lines

    def has_shrunk(self, end: int) -> bool:
        """Whether the log no longer reaches to where the piece ends."""
        return self.position < end and not self._content.read_at(end - 1, 1)

    def has_anchor(self, anchor: bytes) -> bool:
        """Whether this hash is that of the bytes before `position`; an unknown one (b"") counts as true."""
        return not anchor or self.anchor(self.position) == anchor

    def go_to(self, position: int) -> None:
        self.position = position
        self._before = None

    def close(self) -> None:
        self._content.close()

    def anchor(self, position: int) -> bytes:
        """The hash of the bytes before a position."""
        return anchor_of(bytes_before(self._content, position))


def bytes_before(content: Content, position: int) -> bytes:
    """The last bytes before a position, as many as an anchor needs."""
    size = min(position, ANCHOR_BYTES)
    return content.read_at(position - size, size)


def anchor_within(chunk: Chunk, position: int) -> bytes:
    """The hash of the bytes before a position in a chunk."""
    at = position - chunk.start
    before = chunk.data[max(0, at - ANCHOR_BYTES) : at]
    return anchor_of(before if len(before) == ANCHOR_BYTES else chunk.before + before)
