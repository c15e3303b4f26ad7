"""Where has its directory gone? A log directory, or one above it, that was renamed stands beside its old name."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from logship.records import record
from logship.tail.naming import base_of, is_relative

NEIGHBOURS_MAX = 64  # directories of other names beside one that are looked into
ENTRIES_MAX = 10_000  # names of a directory that are looked at


def moved_folders(directory: str) -> Iterator[str]:
    """Directories that `directory` may be by now, the likeliest first: it or a parent of it has another name.

    Those that stand right beside it come first, after those in it, where rotation may have put its files.
    """
    yield from (each.path for each in _directories(directory)[:NEIGHBOURS_MAX])
    parent, below = directory, ""
    while parent != "/":
        parent, name = os.path.split(parent)
        for neighbour in _neighbours(parent, name):
            folder = os.path.join(parent, neighbour, below) if below else os.path.join(parent, neighbour)
            if os.path.isdir(folder) and os.path.realpath(folder) == folder:  # or it is another name of a known one
                yield folder
        below = os.path.join(name, below) if below else name


@record
class FolderEntries:
    """What a directory held when it was listed; many logs ask for it at a time."""

    folder: str
    names: list[str]  # sorted
    inodes: dict[int, list[str]]

    def with_inodes(self, inodes: Iterable[int]) -> list[str]:
        """Files that have one of these numbers: renaming changes none."""
        return [os.path.join(self.folder, name) for inode in inodes for name in self.inodes.get(inode, ())]

    def logs(self, stem: str) -> list[str]:
        """Files whose names begin like a log's."""
        base, found = base_of(stem), []
        at = bisect_left(self.names, base)
        while at < len(self.names) and self.names[at].startswith(base):
            if is_relative(self.names[at], stem):
                found.append(os.path.join(self.folder, self.names[at]))
            at += 1
        return found


def entries_of(folder: str) -> FolderEntries:
    """The files and directories of a directory; none where it can't be listed."""
    inodes: dict[int, list[str]] = {}
    for each in _entries(folder):
        inodes.setdefault(each.inode(), []).append(each.name)
    return FolderEntries(folder, sorted(name for names in inodes.values() for name in names), inodes)


def shaped_like(folder: str, shape: re.Pattern[str]) -> list[str]:
    """Files of a directory whose names are made as one that rotation gave."""
    return sorted(each.path for each in _entries(folder) if shape.fullmatch(each.name))


def _neighbours(parent: str, name: str) -> list[str]:
    base = base_of(name)
    names = [each.name for each in _directories(parent) if each.name != name]
    alike = sorted(each for each in names if base in each)
    others = sorted(each for each in names if base not in each)
    return alike[:NEIGHBOURS_MAX] + (others if len(others) <= NEIGHBOURS_MAX else [])


def _directories(folder: str) -> list[os.DirEntry[str]]:
    return sorted((each for each in _entries(folder) if each.is_dir(follow_symlinks=False)), key=lambda each: each.name)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(ENTRIES_MAX), entries, strict=False):
                yield entry
    except OSError:
        return  # not there, or not for us: nothing can be read in it
