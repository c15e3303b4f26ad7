"""What the PATHs of the command line name: files, globs, directories, remote objects, stdin."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import field

from logship.records import record
from logship.tail.globs import MAGIC, expand_braces

STDIN = "-"
SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@record
class FoundPath:
    """One log that a PATH names.

    Shapes: `path` is absolute, a URL, or STDIN; `searched` is the directory that was named instead of it, "" for none:
    in such a directory a file that is no access log is no mistake.
    """

    path: str
    searched: str = ""

    @property
    def was_named(self) -> bool:
        return not self.searched


@record
class Remark:
    """A remark about a path; a failure means that something asked for is not delivered."""

    path: str
    message: str
    is_failure: bool = True


@record(frozen=False)
class Expansion:
    """Everything that the PATHs name, once each, and the remarks about them."""

    found: list[FoundPath] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    _seen: dict[object, str] = field(default_factory=dict)

    def add(self, one: FoundPath, identity: object) -> None:
        """Take a log, unless it is there already under this or another name."""
        before = self._seen.setdefault(identity, one.path)
        if before != one.path:
            self.remarks.append(Remark(one.path, f"is the same file as {before}; read once", is_failure=False))
        elif one.path not in {other.path for other in self.found}:
            self.found.append(one)

    def refuse(self, path: str, message: str) -> None:
        self.remarks.append(Remark(path, message))


def is_remote(path: str) -> bool:
    """Whether a path is a URL that fsspec opens."""
    return SCHEME.match(path) is not None


def expand(arguments: Iterable[str]) -> Expansion:
    """The logs that PATHs name.

    A name that matches nothing, or something that can't be read as a log, becomes a remark, never an error.
    """
    expansion = Expansion()
    for argument in arguments:
        path = argument.removeprefix("file://")
        if path == STDIN:
            expansion.add(FoundPath(STDIN), STDIN)
        elif is_remote(path):
            _expand_remote(path, expansion)
        else:
            _expand_local(path, expansion)
    return expansion


def _expand_local(argument: str, expansion: Expansion) -> None:
    if os.path.lexists(argument) or not MAGIC.search(argument):
        _add_local(argument, expansion)
        return
    names = sorted({name for pattern in expand_braces(argument) for name in glob.glob(pattern, recursive=True)})
    if not names:
        expansion.refuse(argument, "matches no file")
    for name in names:
        if not os.path.isdir(name):
            _add_local(name, expansion)


def _add_local(name: str, expansion: Expansion, searched: str = "") -> None:
    path = os.path.abspath(name)
    try:
        status = os.stat(path)
    except OSError as exc:
        expansion.refuse(path, f"can't be read: {exc.strerror}")
        return
    if stat.S_ISDIR(status.st_mode):
        _search(path, expansion)
    elif stat.S_ISFIFO(status.st_mode):
        expansion.refuse(path, "is a pipe, not a file; to read one, redirect it to stdin and name - (… - < PIPE)")
    elif not stat.S_ISREG(status.st_mode):
        expansion.refuse(path, "is no regular file")
    else:
        expansion.add(FoundPath(path, searched), (status.st_dev, status.st_ino))


def _search(directory: str, expansion: Expansion) -> None:
    """Takes every visible regular file below a directory."""
    before = len(expansion.found), len(expansion.remarks)
    for name in _walk(directory, expansion):
        if os.path.isfile(name):
            _add_local(name, expansion, directory)
    if (len(expansion.found), len(expansion.remarks)) == before:
        expansion.refuse(directory, "is a directory without logs")


def _walk(directory: str, expansion: Expansion) -> Iterator[str]:
    def report(error: OSError) -> None:
        expansion.refuse(str(error.filename), f"can't be read: {error.strerror}")

    for folder, folders, names in os.walk(directory, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))


def _expand_remote(url: str, expansion: Expansion) -> None:
    from logship.backfill.remote import RemoteError, listing

    try:
        names = listing(url)
    except RemoteError as exc:
        expansion.refuse(url, str(exc))
        return
    if not names:
        expansion.refuse(url, "matches no object")
    for name in names:
        expansion.add(FoundPath(name, url if url.endswith("/") else ""), name)
