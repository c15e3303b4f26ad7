"""Which files are there? Directories listed only when they changed, names matched only when they are new."""

from __future__ import annotations

import operator
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from logship.records import record
from logship.tail.globs import Glob, Globs
from logship.tail.identity import directory_of_entry
from logship.tail.naming import base_of, is_relative, likely_names, linked_names
from logship.tail.source import TailSource

_MTIME_GRAIN_S = 0.05  # a directory's mtime moves in steps of a clock tick: one that is younger may hide a change
_RELIST_S = 60.0  # a directory whose mtime lies (network file systems) is listed again this often
_NEVER = (-1, -1, -1)


@record
class Closed:
    """A directory that can't be listed or entered, and the source that looks for logs in it."""

    source: str
    why: str
    error: OSError


@record(frozen=False)
class DirectoryListing:
    """A directory's entries as they were last listed; one that is closed now keeps them."""

    stamp: tuple[int, int, int] = _NEVER  # inode, mtime, ctime: permissions change the last alone
    closed: OSError | None = None
    listed_s: float = float("-inf")
    is_settled: bool = False
    names: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    family: dict[str, list[str]] = field(default_factory=dict)  # stem -> names that rotation may have made of it
    ordered: tuple[str, ...] = ()  # the names sorted, once they are searched
    inodes: dict[int, list[str]] | None = None  # names by inode, once they are searched


@record(frozen=False, eq=False)
class Watched:
    """A source with its patterns compiled."""

    source: TailSource
    paths: Globs
    exclude: Globs
    rotated: Globs


class Discovery:
    """The names that sources match; the first source that matches a name has it."""

    def __init__(self, sources: Sequence[TailSource]) -> None:
        self.watched = [Watched(each, Globs(each.paths), Globs(each.exclude), Globs(each.rotated)) for each in sources]
        self._listings: dict[str, DirectoryListing] = {}
        self._used: list[DirectoryListing] = []  # what the names below were taken from
        self._names: dict[str, Watched] = {}
        self.folders: set[str] = set()  # every directory that a change may matter in
        self.closed: dict[str, Closed] = {}
        self._appeared: list[tuple[str, str]] = []
        self._fresh: set[str] = set()  # directories that were looked at since refresh(): 50,000 logs are in one of them
        self._olddirs: dict[str, list[Watched]] = {}  # what `rotated` may be in, and whose

    def names(self, known_as: Callable[[str], str] = str) -> dict[str, Watched]:
        """Every matched path and who has it, sorted; the same dict while no directory has changed.

        `known_as` gives the text that a path is known by already: each is in memory once.
        """
        places: list[tuple[Watched, Glob, str]] = []
        looked: dict[str, Watched] = {}
        self._olddirs.clear()
        self.refresh()
        for watched in self.watched:
            folders: set[str] = set()
            for glob in watched.paths.globs:
                places += [(watched, glob, folder) for folder in self._folders_of(glob, folders)]
            for glob in watched.rotated.globs:
                for folder in self._folders_of(glob, folders):
                    self._listing(folder)
                    self._olddirs.setdefault(folder, []).append(watched)
            for folder in folders:
                looked.setdefault(folder, watched)
        used = [self._listing(folder) for _, _, folder in places]
        for gone in self._listings.keys() - looked.keys():
            del self._listings[gone]
            self._fresh.discard(gone)
        self.folders = set(looked)
        self.closed = dict(self._closed_among(looked))
        if self.closed or len(used) != len(self._used) or not all(map(operator.is_, used, self._used)):
            self._used = used
            found: dict[str, Watched] = {}
            for (watched, glob, folder), listing in zip(places, used, strict=True):
                for path in self._fitting(folder, listing, glob, watched):
                    found.setdefault(path, watched)
            self._names = {known_as(path): watched for path, watched in sorted(found.items())}
        return self._names

    def refresh(self) -> None:
        """What a directory lists is asked again, once, where it is needed."""
        self._fresh.clear()

    def _closed_among(self, looked: Mapping[str, Watched]) -> Iterator[tuple[str, Closed]]:
        for folder, watched in looked.items():
            error = self._listings[folder].closed if folder in self._listings else None
            if error is not None and not any(map(watched.exclude.fits, (folder, os.path.join(folder, "*")))):
                yield folder, Closed(watched.source.name, error.args[1], error)

    def is_closed(self, folder: str) -> bool:
        """Whether a directory is, or is below, one that can't be looked into now: what is gone from it may be there."""
        return any(folder == each or folder.startswith(f"{each}/") for each in self.closed)

    def of(self, source: TailSource) -> Watched:
        """A source with its patterns compiled."""
        return next(each for each in self.watched if each.source is source)

    def take_appeared(self) -> list[tuple[str, str]]:
        """(directory, stem) of what rotation may have made since the directory was listed before."""
        appeared, self._appeared = self._appeared, []
        return appeared

    def siblings(self, watched: Watched, directory: str, stem: str) -> list[str]:
        """Paths that rotation makes of the log `stem` in `directory`: beside it and where `rotated` says."""
        beside = [
            path
            for folder in self.rotation_folders(watched, directory)
            for name in sorted(self._made_of(folder, stem))
            if watched.rotated.fits(path := os.path.join(folder, name)) or folder == directory
        ]
        return [os.path.join(directory, stem), *beside]

    def former_path(self, folder: str, stem: str) -> tuple[str, Watched] | None:
        """Where the log `stem` was written of which rotation put something into `folder`; None where it is nobody's."""
        beside = ((os.path.join(folder, stem), each) for each in self.watched)
        moved = (
            (os.path.join(directory_of_entry(folder, stem, each.paths), stem), each)
            for each in self._olddirs.get(folder, ())
            if each.paths.fitting_name(stem) is not None
        )
        return next(((path, each) for path, each in (*beside, *moved) if each.paths.fits(path)), None)

    def _made_of(self, folder: str, stem: str) -> Iterator[str]:
        """The names of a folder that rotation may have made of a log, or that the log may have been a link to."""
        family, base = self._listing(folder).family, base_of(stem)
        yield from family.get(stem, ())
        if base != stem:
            yield from (name for name in family.get(base, ()) if stem in linked_names(name, [stem[len(base) :]]))

    def rotation_folders(self, watched: Watched, directory: str) -> list[str]:
        """The directories that rotation may move a log of `directory` to, its own first."""
        folders, seen = [directory], set[str]()
        for glob in watched.rotated.globs:
            folders += self._folders_of(glob, seen)
        return list(dict.fromkeys(folders))

    def relatives(self, directory: str, stem: str) -> list[str]:
        """Paths beside a log whose names begin with its name, or with its name without extension and a separator."""
        listing = self._listing(directory)
        if not listing.ordered:
            listing.ordered = tuple(sorted(listing.names))
        base = base_of(stem)
        found, at = [], bisect_left(listing.ordered, base)
        while at < len(listing.ordered) and (name := listing.ordered[at]).startswith(base):
            if is_relative(name, stem):
                found.append(os.path.join(directory, name))
            at += 1
        return found

    def put_away(self, watched: Watched) -> list[str]:
        """Everything that the source's `rotated` matches."""
        return [
            path
            for glob in watched.rotated.globs
            for folder in self._folders_of(glob, set())
            for path in self._fitting(folder, self._listing(folder), glob, watched)
        ]

    def by_inode(self, folder: str, inode: int) -> list[str]:
        """Paths in a directory whose inode had this number when it was listed; one directory entry may lie."""
        listing = self._listing(folder)
        if listing.inodes is None:
            listing.inodes = {}
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        listing.inodes.setdefault(entry.inode(), []).append(entry.name)
            except OSError:
                return []  # it is reported as closed, or is gone
        return [os.path.join(folder, name) for name in listing.inodes.get(inode, ())]

    def release_searched(self) -> None:
        """Nothing is searched any more: the memory of it is given back."""
        for listing in self._listings.values():
            listing.ordered, listing.inodes = (), None

    @staticmethod
    def _fitting(folder: str, listing: DirectoryListing, glob: Glob, watched: Watched) -> Iterable[str]:
        names: Iterable[str] = listing.names
        if listing.closed is not None and glob.literal and os.path.lexists(os.path.join(folder, glob.literal)):
            names = listing.names | {glob.literal}  # entered, but not listed: who knows its name may open it
        for name in names:
            if glob.name.fullmatch(name):
                path = os.path.join(folder, name)
                if not watched.exclude.fits(path):
                    yield path

    def _folders_of(self, glob: Glob, seen: set[str]) -> list[str]:
        """The directories that may hold the pattern's files; all that were looked through are added to `seen`."""
        here = [glob.base]
        seen.add(glob.base)
        for component in glob.below:
            here = self._below(here, component, seen)
        return here

    def _below(self, folders: Iterable[str], component: str, seen: set[str]) -> list[str]:
        if component == "**":
            return self._tree(folders, seen)
        step = Globs(["/" + component]).globs[0]
        found = []
        for folder in folders:
            seen.add(folder)
            found += [os.path.join(folder, name) for name in self._listing(folder).folders if step.name.fullmatch(name)]
        seen.update(found)
        return found

    def _tree(self, folders: Iterable[str], seen: set[str]) -> list[str]:
        found = list(folders)
        for folder in found:  # grows while it is walked
            seen.add(folder)
            for name in self._listing(folder).folders:
                path = os.path.join(folder, name)
                if not name.startswith(".") and not os.path.islink(path):
                    found.append(path)
        return found

    def _listing(self, folder: str) -> DirectoryListing:
        if folder not in self._fresh:
            self._fresh.add(folder)
            return self._looked_at(folder)
        return self._listings[folder]

    def _looked_at(self, folder: str) -> DirectoryListing:
        listing = self._listings.setdefault(folder, DirectoryListing())
        deed = "entered"
        try:
            found = os.stat(os.path.join(folder, "."))  # needs the right to enter it, as every file in it does
            deed, now_s = "listed", kernel_time_s()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            if listing.is_settled and listing.stamp == stamp and abs(now_s - listing.listed_s) < _RELIST_S:
                return listing
            return self._list(folder, stamp, now_s)
        except (FileNotFoundError, NotADirectoryError):  # looked for again each time
            if listing.stamp != _NEVER or listing.closed:
                listing = self._listings[folder] = DirectoryListing()
        except OSError as exc:  # what was there may be there still: it keeps its names
            listing.is_settled = False
            listing.closed = OSError(exc.errno, f"the directory can't be {deed}: {exc.strerror or exc}", folder)
        return listing

    def _list(self, folder: str, stamp: tuple[int, int, int], now_s: float) -> DirectoryListing:
        files: list[str] = []
        folders: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if _is_folder(entry) else files).append(entry.name)
        names = frozenset(files)
        known = self._listings[folder]
        family = self._family(folder, known, names)
        listing = DirectoryListing(
            stamp=stamp,
            listed_s=now_s,
            is_settled=now_s - stamp[1] / 1e9 > _MTIME_GRAIN_S,
            names=names,
            folders=tuple(sorted(folders)),
            family=family,
        )
        self._listings[folder] = listing
        return listing

    def _family(self, folder: str, known: DirectoryListing, names: frozenset[str]) -> dict[str, list[str]]:
        """The family of a listing brought up to date: only names that came or went are looked at."""
        family = known.family
        for name in sorted(known.names - names):
            for former in likely_names(name):
                family[former.name].remove(name)
                if not family[former.name]:
                    del family[former.name]
        for name in sorted(names - known.names):
            for former in likely_names(name):
                family.setdefault(former.name, []).append(name)
                self._appeared.append((folder, former.name))
        return family


def kernel_time_s() -> float:
    """The clock that stamps files, whatever time the program is given."""
    return time.time()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link into nowhere we may look
