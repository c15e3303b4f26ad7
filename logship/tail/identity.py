"""Is it the same file? First lines, anchors, places and the file key made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from sys import intern
from typing import Protocol, TypeVar

from logship.event import ANCHOR_BYTES, KEY_BITS
from logship.records import record
from logship.tail.globs import Globs
from logship.tail.naming import any_names, likely_names, linked_names, stem_among, unpacked

FIRST_LINE_BYTES = 1024  # what stands for a first line that is longer
_NUL_BLOCK_BYTES = 65_536
_DIGEST_BYTES = 16
_KEY_MASK = (1 << KEY_BITS) - 1


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

    Shapes: without its newline; None while it is not complete yet (the stream ended before either).
    """
    head, size = b"", FIRST_LINE_BYTES
    while len(head) < FIRST_LINE_BYTES:
        block = stream.read(size if not head else FIRST_LINE_BYTES - len(head))
        if not block:
            return None
        head = head + block if head else block.lstrip(b"\0")
        size = _NUL_BLOCK_BYTES
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


def stem_of(path: str, paths: Globs | Sequence[str]) -> str:
    """The name of a file's log: what `paths` matches of its own name, or of it without what rotation added."""
    directory = os.path.dirname(path)
    globs = _compiled(paths)

    def fits(name: str) -> bool:
        return globs.fits(os.path.join(directory, name))

    stem = stem_among(os.path.basename(path), fits)
    if fits(stem):
        return stem
    return next(filter(fits, linked_names(os.path.basename(path), globs.extensions)), stem)


class Patterns(Protocol):
    """The files of a source, as patterns, compiled or not."""

    @property
    def paths(self) -> Globs | Sequence[str]: ...

    @property
    def rotated(self) -> Globs | Sequence[str]: ...

    @property
    def exclude(self) -> Globs | Sequence[str]: ...


P = TypeVar("P", bound=Patterns)


def owner_of(path: str, sources: Iterable[P]) -> P | None:
    """The source that a log is of, under the name it has, or had before rotation: the first whose patterns match it."""
    directory, name = os.path.split(path)
    candidates = [each for each in sources if not _compiled(each.exclude).fits(path)]
    likely = [os.path.join(directory, each.name) for each in likely_names(name)]
    others = [os.path.join(directory, each) for each in (unpacked(name), *any_names(name))]
    for former in (path, *likely):
        if (own := next((each for each in candidates if _compiled(each.paths).fits(former)), None)) is not None:
            return own
    if (own := next((each for each in candidates if _compiled(each.rotated).fits(path)), None)) is not None:
        return own
    fitting = (each for former in others for each in candidates if _compiled(each.paths).fits(former))
    linking = (
        each for each in candidates if _compiled(each.paths).fits(os.path.join(directory, stem_of(path, each.paths)))
    )
    return next(chain(fitting, linking), None)


def _compiled(patterns: Globs | Sequence[str]) -> Globs:
    return patterns if isinstance(patterns, Globs) else Globs(patterns)


@record(order=True)
class Place:
    """Where a log lives: what its file key is made of besides content."""

    directory: str  # real
    stem: str


def place_of(path: str, paths: Globs, rotated: Globs, real_folder: Callable[[str], str] = os.path.realpath) -> Place:
    """The place of a file; one that only `rotated` matches takes the directory of the `paths` entry with its stem.

    `real_folder` gives a directory without links; who asks for many files at a time remembers it for that time.
    """
    directory, name = os.path.split(path)
    if paths.fits(path) or not rotated.fits(path):
        if os.path.islink(path):
            return Place(*os.path.split(os.path.realpath(path)))
        return Place(intern(real_folder(directory)), stem_of(path, paths))  # one text for all logs of a directory
    stem = stem_among(name, lambda each: paths.fitting_name(each) is not None)
    if paths.fitting_name(stem) is None:
        return Place(os.path.realpath(directory), stem)
    return Place(os.path.realpath(directory_of_entry(directory, stem, paths)), stem)


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
