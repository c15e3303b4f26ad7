"""Is it the same file? First lines, anchors, stems and the file key made from them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from sys import intern
from typing import Protocol

from logship.event import ANCHOR_BYTES, KEY_BITS
from logship.tail.globs import Globs

FIRST_LINE_BYTES = 1024  # what stands for a first line that is longer
_NUL_BLOCK_BYTES = 65_536
_DIGEST_BYTES = 16
_KEY_MASK = (1 << KEY_BITS) - 1
_LONGEST_SUFFIX_CHAIN = 4  # "-20260101" ".1" ".gz" and one to spare

# what rotation appends: a number, a date (with hour or epoch), a compression
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_SUFFIX = re.compile(
    r"(?:\.[1-9][0-9]{0,2}|-(?:19|20)[0-9]{6}(?:-[0-9]{2}|-[0-9]{9,11})?|\.[0-9]{4}-[0-9]{2}-[0-9]{2}|\.(?:gz|bz2|xz|zst))$"
)


class Stream(Protocol):
    """Decompressed bytes from the start of a log."""

    def read(self, size: int, /) -> bytes: ...


def digest(data: bytes) -> bytes:
    """The hash that first lines and anchors are compared by."""
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def anchor_of(before: bytes) -> bytes:
    """The anchor of a position, from the bytes before it (the last ANCHOR_BYTES of them count)."""
    return digest(before[-ANCHOR_BYTES:])


def first_line_of(stream: Stream) -> bytes | None:
    """The first line: what follows leading NULs up to the first newline, or the first 1,024 bytes.

    Shapes: without its newline; None while it does not stand yet (the stream ended before either).
    """
    head = b""
    while len(head) < FIRST_LINE_BYTES:
        block = stream.read(_NUL_BLOCK_BYTES if not head else FIRST_LINE_BYTES - len(head))
        if not block:
            return None
        head = head + block if head else block.lstrip(b"\0")
        newline = head.find(b"\n", 0, FIRST_LINE_BYTES)
        if newline >= 0:
            return head[:newline]
    return head[:FIRST_LINE_BYTES]


def file_key(origin: str, directory: str, stem: str, first_line: bytes) -> int:
    """KEY_BITS bits that name a log's generation for ever: see DESIGN.md, "File key".

    Shapes: directory is real (os.path.realpath), stem a bare name, first_line as first_line_of() gives it.
    """
    parts = (os.fsencode(origin), os.fsencode(directory), os.fsencode(stem), first_line)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return int.from_bytes(blake2b(framed, digest_size=8).digest(), "big") & _KEY_MASK


def stripped_names(name: str) -> list[str]:
    """What a name may have been before rotation appended to it: the least stripped first."""
    names: list[str] = []
    for _ in range(_LONGEST_SUFFIX_CHAIN):
        shorter = _SUFFIX.sub("", name)
        if not shorter or shorter == name:
            break
        names.append(shorter)
        name = shorter
    return names


def is_packed(path: str) -> bool:
    """Whether a name says that its file is compressed."""
    return path.endswith(_PACKED)


def stem_of(path: str, paths: Globs | Sequence[str]) -> str:
    """The name of a file's log: its own without rotation's suffixes, where `paths` matches what remains."""
    globs = paths if isinstance(paths, Globs) else Globs(paths)
    directory, name = os.path.split(path)
    for shorter in reversed(stripped_names(name)):
        if globs.fits(os.path.join(directory, shorter)):
            return shorter
    return name


def is_log_of(path: str, paths: Sequence[str], rotated: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a log, under the name it has or had before rotation, is one that these patterns mean."""
    if Globs(exclude).fits(path):
        return False
    directory, name = os.path.split(path)
    names = (path, *(os.path.join(directory, shorter) for shorter in stripped_names(name)))
    return Globs(rotated).fits(path) or any(map(Globs(paths).fits, names))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a log lives: what its file key is made of besides content."""

    directory: str  # real
    stem: str


def place_of(path: str, paths: Globs, rotated: Globs) -> Place:
    """The place of a file; one that only `rotated` matches takes the directory of the `paths` entry with its stem."""
    directory, name = os.path.split(path)
    if paths.fits(path) or not rotated.fits(path):
        real = os.path.realpath(path)
        if os.path.islink(path):
            return Place(*os.path.split(real))
        return Place(intern(os.path.dirname(real)), stem_of(path, paths))  # one text for all logs of a directory
    for shorter in reversed(stripped_names(name)):
        glob = paths.fitting_name(shorter)
        if glob is not None:
            home = directory_of_entry(directory, shorter, paths)
            return Place(os.path.realpath(home), shorter)
    return Place(os.path.realpath(directory), name)


def directory_of_entry(olddir: str, stem: str, paths: Globs) -> str:
    """Which directory the log with this stem lives in, for a file that rotation put into `olddir`.

    A pattern without wildcards in its directory says it; otherwise the nearest parent of olddir that a pattern fits.
    """
    named = [glob for glob in paths.globs if glob.name.fullmatch(stem)]
    parent = olddir
    while True:
        if any(glob.fits(os.path.join(parent, stem)) for glob in named):
            return parent
        if parent in ("/", ""):
            break
        parent = os.path.dirname(parent)
    fixed = [glob.base for glob in named if not glob.below]
    return fixed[0] if fixed else olddir
