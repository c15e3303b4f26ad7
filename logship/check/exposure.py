"""What other users could misuse: configs that anyone may write, ids that anyone may read, and links to files that
their makers could not read."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator

from logship.records import record


@record
class Exposure:
    """What is wrong with a path's permissions, and the command that fixes it."""

    message: str
    hint: str


def writable_by_all(paths: Iterable[str]) -> Iterator[Exposure]:
    """Configs and mappings that everyone may write, or replace in their directory."""
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        folder = os.path.dirname(path)
        mode, folder_mode = _mode(path), _mode(folder)
        if mode & stat.S_IWOTH:
            message = f"{path}: everyone may write it ({mode:04o}), and so choose what is sent where"
            yield Exposure(message, f"run: chmod o-w {shlex.quote(path)}")
        elif folder_mode & stat.S_IWOTH and not folder_mode & stat.S_ISVTX:
            message = f"{path}: everyone may replace it, its directory is writable ({folder_mode:04o})"
            yield Exposure(message, f"run: chmod o-w {shlex.quote(folder)}")


def readable_by_all(paths: Iterable[str]) -> Iterator[Exposure]:
    """Files with a secret that everyone may read."""
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        mode = _mode(path)
        if mode & stat.S_IROTH and all(_mode(folder) & stat.S_IXOTH for folder in _folders(path)):
            message = f"{path}: everyone may read this secret ({mode:04o})"
            yield Exposure(message, f"run: chmod o-r {shlex.quote(path)}   and see that logship may still read it")


def leading_beyond(links: Iterable[str]) -> Iterator[Exposure]:
    """Logs that are links to files which the owner of the link's directory could not read.

    Whoever may write that directory could have any file that logship may read sent as a log.
    Shapes: only permission bits count, not access lists.
    """
    for link in links:
        if not os.path.islink(link):
            continue
        target = os.path.realpath(link)
        try:
            owner = os.stat(os.path.dirname(link)).st_uid
            may_read = _may_read(owner, target)
        except OSError:
            continue  # gone, or closed to us, which is reported elsewhere
        if not may_read:
            message = f"{link} is a link to {target}, which the owner of its directory, {_name(owner)}, can't read"
            yield Exposure(message, "logship would send what they must not see; name the file itself, or exclude it")


def _may_read(uid: int, path: str) -> bool:
    """Raises: OSError where it can't be known."""
    if uid == 0:
        return True
    groups = _groups(uid)
    return _has(uid, groups, path, 4) and all(_has(uid, groups, folder, 1) for folder in _folders(path))


def _has(uid: int, groups: set[int], path: str, bit: int) -> bool:
    found = os.stat(path)
    if found.st_uid == uid:
        return bool(found.st_mode & bit << 6)
    return bool(found.st_mode & (bit << 3 if found.st_gid in groups else bit))


def _groups(uid: int) -> set[int]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return set()
    return set(os.getgrouplist(entry.pw_name, entry.pw_gid))


def _folders(path: str) -> list[str]:
    """Every directory above a path."""
    folders = []
    while path != "/":
        path = os.path.dirname(path)
        folders.append(path)
    return folders


def _mode(path: str) -> int:
    """Permission bits; 0 for a missing file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
