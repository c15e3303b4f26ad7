"""Logs opened for reading at any position, wherever they are: on disk, in a store, on stdin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import BinaryIO, Protocol

from logship.backfill.cutting import read_at
from logship.backfill.paths import STDIN, is_remote
from logship.backfill.remote import open_remote
from logship.tail.archives import MAGIC_BYTES, LogReader, compression_of
from logship.tail.content import ArchiveContent, Content, PlainContent, open_content

HEAD_BYTES = 1_048_576  # of a stream that can be read only once: so much may be looked at before it is read


class RemoteLog(Protocol):
    """What is read through its seek() and read()."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...
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
    """Decompressed bytes, forwards, of what is no file of this machine; going back opens it again."""

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
    """A stream that can't seek, behind the seek() and read() of one that is read forwards."""

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
    """The log's bytes, decompressed; their first bytes say whether they are, not the name.

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
