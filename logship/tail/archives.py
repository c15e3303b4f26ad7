"""Compressed logs: the format by magic bytes, several members in a row, cut ones distinguished from complete ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from logship.records import record

_RAW_BYTES = 65_536
_SMALL_BYTES = 64  # of raw bytes around a damage


class Codec(Protocol):
    """One member's decompressor, as bz2 and lzma of the standard library have it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip() -> Codec:
    from isal import igzip_lib

    codec: Codec = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return codec


def _bzip2() -> Codec:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> Codec:
    import lzma

    return lzma.LZMADecompressor()


def _zstd() -> Codec:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return zstd.ZstdDecompressor()


@record
class ArchiveCompression:
    """A compressed format: how it begins and how a member of it is read."""

    name: str
    magic: bytes
    codec: Callable[[], Codec]


COMPRESSIONS = (
    ArchiveCompression("gz", b"\x1f\x8b", _gzip),
    ArchiveCompression("bz2", b"BZh", _bzip2),
    ArchiveCompression("xz", b"\xfd7zXZ\0", _xz),
    ArchiveCompression("zst", b"\x28\xb5\x2f\xfd", _zstd),
)
MAGIC_BYTES = max(len(compression.magic) for compression in COMPRESSIONS)


def compression_of(head: bytes) -> ArchiveCompression | None:
    """The format that bytes of a file's beginning announce; None is plain."""
    return next((one for one in COMPRESSIONS if _begins_member(one, head)), None)


def _begins_member(compression: ArchiveCompression, head: bytes) -> bool:
    """Whether a member may begin so; zstd's may be a frame without content, as pzstd writes one before each other.

    Source: RFC 8878, 3.1.2.
    """
    is_skippable = len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"
    return head.startswith(compression.magic) or (compression.name == "zst" and is_skippable)


class LogReader:
    """The decompressed bytes of a log file, forwards from its start; a plain file is read as it is.

    Reading past the present end gives b""; when the file has grown since (gzip is still writing it), reading continues.
    Raises: OSError where the compressed data is damaged; what was read before it is good.
    """

    def __init__(
        self, fd: int, pread: Callable[[int, int, int], bytes] = os.pread, close: Callable[[int], None] = os.close
    ) -> None:
        """Takes the descriptor over, its offset is not used. What is no file brings its own pread(2) and close(2)."""
        self._fd = fd
        self._pread = pread
        self._close = close
        self._raw_offset = 0
        self.compression = compression_of(pread(fd, MAGIC_BYTES, 0))
        self._codec: Codec | None = None
        self._ahead = b""  # raw bytes read and not yet given to a codec
        self._member_at = 0  # raw offset of the present member
        self._member_made = 0  # bytes made of it
        self._given_at = 0  # raw offset of what the codec was given last
        self._damage: OSError | None = None
        self.position = 0

    @property
    def is_cut(self) -> bool:
        """Whether what has been read so far stops in the middle of a compressed member."""
        return self.compression is not None and (self._codec is not None or bool(self._ahead))

    @property
    def is_broken(self) -> bool:
        """Whether reading came to a damage, which no growth repairs."""
        return self._damage is not None

    @property
    def damage(self) -> str:
        """What is wrong where reading has come to, "" for nothing."""
        if self._damage is not None:
            return str(self._damage)
        return f"ends in the middle of the archive, after {self.position:,} bytes of log" if self.is_cut else ""

    @property
    def stored_bytes(self) -> int:
        """How much of the file as it is stored has been read."""
        return self.position if self.compression is None else self._raw_offset

    def read(self, size: int, /) -> bytes:
        """Up to `size` decompressed bytes (at least one before the end; more only right before a damage)."""
        data = self._read_plain(size) if self.compression is None else self._read_member(size)
        self.position += len(data)
        return data

    def _read_plain(self, size: int) -> bytes:
        return self._pread(self._fd, size, self.position)

    def _read_member(self, size: int) -> bytes:
        while True:
            if self._damage is not None:
                raise self._damage
            if self._codec is None and not self._next_member():
                return b""
            assert self._codec is not None
            if self._codec.needs_input and not self._ahead:
                self._ahead = self._raw()
                if not self._ahead:
                    return b""
            try:
                data = self._decompress(self._codec, size)
            except OSError as exc:
                self._damage = exc
                if salvaged := self._salvaged():
                    return salvaged
                raise
            self._member_made += len(data)
            if self._codec.eof:
                self._ahead = self._codec.unused_data
                self._codec = None
            if data:
                return data

    def _decompress(self, codec: Codec, size: int) -> bytes:
        given, self._ahead = (self._ahead, b"") if codec.needs_input else (b"", self._ahead)
        if given:
            self._given_at = self._raw_offset - len(given)
        return self._decompressed(codec, given, size)

    def _decompressed(self, codec: Codec, given: bytes, size: int = _RAW_BYTES) -> bytes:
        try:
            return codec.decompress(given, size)
        except Exception as exc:  # each has an error of its own; bz2's is an OSError
            raise OSError(f"damaged {self.compression.name if self.compression else 'log'}: {exc}") from exc

    def _next_member(self) -> bool:
        """Starts the next member; zero padding between members is skipped.

        Raises: OSError for bytes that begin none. gzip(1) passes over them; here, a member after them would be lost.
        """
        assert self.compression is not None
        self._ahead = self._ahead.lstrip(b"\0")
        while len(self._ahead) < MAGIC_BYTES and (more := self._raw()):
            self._ahead = (self._ahead + more).lstrip(b"\0")
        if not self._ahead or self.compression.magic.startswith(self._ahead):
            return False  # the end, or not enough of it yet to tell
        if not _begins_member(self.compression, self._ahead):
            at = self._raw_offset - len(self._ahead)
            self._damage = OSError(f"damaged {self.compression.name}: what follows at byte {at:,} is no archive")
            raise self._damage
        self._codec = self.compression.codec()
        self._member_at, self._member_made = self._raw_offset - len(self._ahead), 0
        return True

    def _salvaged(self) -> bytes:
        """What stands between what was read and a damage: a codec that meets one keeps up to 128 kB to itself.

        The member is read once more, in small bytes where it went wrong.
        """
        assert self.compression is not None
        codec, at, made, parts = self.compression.codec(), self._member_at, 0, []
        with suppress(OSError):
            while at < self._raw_offset and not codec.eof:
                size = _SMALL_BYTES if at >= self._given_at else min(_RAW_BYTES, self._given_at - at)
                raw = self._pread(self._fd, size, at)
                at += len(raw)
                while True:
                    data = self._decompressed(codec, raw)
                    made += len(data)
                    parts.append(data[len(data) - min(len(data), max(0, made - self._member_made)) :])
                    raw = b""
                    if codec.needs_input or codec.eof:
                        break
        return b"".join(parts)

    def _raw(self) -> bytes:
        data = self._pread(self._fd, _RAW_BYTES, self._raw_offset)
        self._raw_offset += len(data)
        return data

    def close(self) -> None:
        self._close(self._fd)

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()


def open_log(path: str | os.PathLike[str]) -> LogReader:
    """The decompressed bytes of a log, plain or `.gz .bz2 .xz .zst` whatever its name says.

    Raises: OSError as open(2) gives it.
    """
    return LogReader(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
