"""Where has its directory gone? A log directory, or one above it, that was renamed stands beside its old name."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator

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


def logs_in(folder: str, stem: str) -> list[str]:
    """Files of a directory whose names begin like a log's."""
    return sorted(each.path for each in _entries(folder) if is_relative(each.name, stem))


def shaped_like(folder: str, shape: re.Pattern[str]) -> list[str]:
    """Files of a directory whose names are made as one that rotation gave."""
    return sorted(each.path for each in _entries(folder) if shape.fullmatch(each.name))


def with_inodes(folder: str, inodes: Collection[int]) -> list[str]:
    """Files of a directory that have one of these numbers: renaming changes none."""
    return [each.path for each in _entries(folder) if each.inode() in inodes]


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
