"""Logs in object stores and on other file systems: the only door to fsspec."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from logship.errors import LogshipError
from logship.tail.globs import MAGIC

READ_AHEAD_BYTES = 4 * 1024 * 1024  # one request to the store, whose latency is some 30 ms


class RemoteError(LogshipError):
    """The store, or the library for it, reported an error."""


def listing(url: str) -> list[str]:
    """The objects that a URL names: itself, the matches of a glob, everything below a directory; full URLs, sorted.

    Raises: RemoteError.
    """
    file_system, path = _file_system(url)
    try:
        if MAGIC.search(path):
            names = [name for name in file_system.glob(path) if not file_system.isdir(name)]
        elif file_system.isdir(path):
            names = file_system.find(path)
        else:
            file_system.info(path)
            names = [path]
    except Exception as exc:  # every store has errors of its own, and no common class
        raise RemoteError(_text(exc)) from exc
    return sorted(str(file_system.unstrip_protocol(name)) for name in names)


def size(url: str) -> int:
    """Bytes of an object as it is stored.

    Raises: RemoteError.
    """
    file_system, path = _file_system(url)
    try:
        return int(file_system.info(path)["size"])
    except Exception as exc:  # see listing
        raise RemoteError(_text(exc)) from exc


class RemoteFile:
    """An object's bytes, seekable, with the store's errors translated."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)
        except Exception as exc:  # see listing
            raise RemoteError(_text(exc)) from exc

    def close(self) -> None:
        self._file.close()


def open_remote(url: str) -> RemoteFile:
    """The object, read by the process that calls.

    Raises: RemoteError, while reading too.
    """
    file_system, path = _file_system(url)
    try:
        return RemoteFile(cast(BinaryIO, file_system.open(path, "rb", block_size=READ_AHEAD_BYTES)))
    except Exception as exc:  # see listing
        raise RemoteError(_text(exc)) from exc


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as exc:
        raise RemoteError("needs fsspec: pip install 'logshipd[cluster]'") from exc
    try:
        file_system, path = url_to_fs(url)
    except (ValueError, ImportError) as exc:  # an unknown scheme, or one whose library is missing; it says which
        raise RemoteError(str(exc)) from exc
    return file_system, str(path)


def _text(exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError):
        return "there is no such object"
    return f"can't be read: {type(exc).__name__}: {exc}"
