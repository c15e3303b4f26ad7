"""Where has it gone? What no name holds any more is looked for by its content, in whatever may be it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from itertools import chain, repeat

from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content, Facts, facts_of, open_content
from logship.tail.discovery import Discovery, Watched
from logship.tail.generation import Generation, Log
from logship.tail.moved import FolderEntries, entries_of, moved_folders
from logship.tail.naming import any_names, unpacked
from logship.tail.rotation import RotationVerdict, compare, first_line_hash, is_copy_in_the_making, last_reached

SEARCH_EVERY_S = 5.0  # for other names of what is open still


@record
class Match:
    """A name that holds a generation's content, opened."""

    path: str
    content: Content
    facts: Facts
    generation: Generation
    is_cut_back: bool  # only up to one of its anchors
    kept_bytes: int = 0  # of what is left of a generation: how much of it that is


@record(frozen=False)
class _Tried:
    """What was looked at for the missing generations of a log, as it was then."""

    numbers: tuple[int, ...]
    paths: dict[str, Facts] = field(default_factory=dict)
    parts: dict[str, None] = field(default_factory=dict)  # of those: what begins as one of them and is shorter
    due_s: float = float("-inf")
    moved_due_s: float = float("-inf")


class Search:
    """Looks for missing generations; `is_taken` says whether a path's content is known, or judged by itself."""

    def __init__(self, is_taken: Callable[[str], bool]) -> None:
        self._is_taken = is_taken
        self._tried: dict[Log, _Tried] = {}
        self._listed: dict[str, tuple[float, FolderEntries]] = {}  # by directory, and when it was listed
        self._moved: dict[str, tuple[float, list[str]]] = {}  # when it was looked for, and where a directory may be
        self._has_searched = False
        self._heads: dict[str, tuple[Facts, bytes | None]] = {}  # first lines, for many logs that look in one place

    def looked_at(self, its: Log) -> list[str]:
        """The paths that were opened in vain for what is missing of a log."""
        tried = self._tried.get(its)
        return sorted(tried.paths) if tried else []

    def ends(self, its: Log) -> None:
        """Nothing is missing of this log."""
        self._tried.pop(its, None)

    def is_over(self) -> bool:
        """Once, when nothing is missing of any log any more."""
        if self._tried or not self._has_searched:
            return False
        self._heads.clear()
        self._moved.clear()
        self._listed.clear()
        self._has_searched = False
        return True

    def find(self, its: Log, watched: Watched, discovery: Discovery, now_s: float) -> Iterator[Match]:
        """The names that hold what is missing; the caller takes over each match's content before the next one."""
        numbers = tuple(each.number for each in missing_of(its))
        tried = self._tried.get(its)
        if tried is None or tried.numbers != numbers:
            tried = self._tried[its] = _Tried(numbers)
        if now_s < tried.due_s and all(each.content is not None for each in missing_of(its)):
            return
        tried.due_s = now_s + SEARCH_EVERY_S
        self._has_searched = True
        near = zip(self._places(its, watched, discovery), repeat(False))
        far = zip(self._moved_places(its, tried, now_s), repeat(True))
        for path, is_far in chain(near, far):
            missing = missing_of(its)
            if not missing:
                return
            if not self._is_taken(path) and (match := self._compared(path, tried, missing, is_far=is_far)) is not None:
                yield match

    def remains(self, generation: Generation) -> Match | None:
        """The largest of the files that begin as a missing generation did, and were too short to be it."""
        tried = self._tried.get(generation.log)
        paths = [path for path in tried.parts if not self._is_taken(path)] if tried is not None else []
        found = [match for path in paths if (match := _part(path, generation)) is not None]
        found.sort(key=lambda each: each.facts.size_bytes)
        for smaller in found[:-1]:
            smaller.content.close()
        return found[-1] if found else None

    def _moved_places(self, its: Log, tried: _Tried, now_s: float) -> Iterator[str]:
        """Where it was seen last, and where its directory may have gone; that takes too many looks to do it often."""
        if now_s < tried.moved_due_s:
            return
        tried.moved_due_s = now_s + SEARCH_EVERY_S
        missing, directory = missing_of(its), its.place.directory
        if (looked := self._moved.get(directory)) is None or now_s - looked[0] >= SEARCH_EVERY_S:
            looked = self._moved[directory] = now_s, list(moved_folders(directory))
        inodes, seen_in = {each.facts.inode for each in missing}, {os.path.dirname(each.path) for each in missing}
        for folder in dict.fromkeys([*sorted(seen_in - {directory}), *looked[1]]):
            entries = self._entries_of(folder, now_s)
            yield from entries.with_inodes(inodes)
            if folder in seen_in or os.path.dirname(folder) in (directory, os.path.dirname(directory)):
                yield from entries.logs(its.place.stem)

    def _entries_of(self, folder: str, now_s: float) -> FolderEntries:
        if (known := self._listed.get(folder)) is None or known[0] != now_s:  # once in a look
            known = self._listed[folder] = now_s, entries_of(folder)
        return known[1]

    @staticmethod
    def _places(its: Log, watched: Watched, discovery: Discovery) -> Iterator[str]:
        """Everything that may be it, each once: what its inode and names say first."""
        directory, stem = its.place.directory, its.place.stem
        siblings = discovery.siblings(watched, directory, stem)
        yield siblings[0]
        inodes = {each.facts.inode for each in missing_of(its)}
        yield from (path for path in siblings[1:] if _inode(path) in inodes)
        for folder in discovery.rotation_folders(watched, directory):
            for each in missing_of(its):
                yield from discovery.by_inode(folder, each.facts.inode)
        yield from siblings
        yield from discovery.relatives(directory, stem)
        yield from discovery.put_away(watched)

    def _compared(self, path: str, tried: _Tried, missing: list[Generation], *, is_far: bool) -> Match | None:
        """What the file at a path holds of what is missing.

        A file of another directory (`is_far`) may well be another site's log that begins alike.
        """
        try:
            facts = facts_of(os.stat(path))
        except OSError:
            return None  # gone again, or no file
        if tried.paths.get(path) == facts:
            return None
        tried.paths[path] = facts
        at, first_line = self._heads.get(path, (None, None))
        if at == facts and all(each.key and each.first_line != first_line for each in missing):
            return None
        try:
            content = open_content(path)
        except OSError:
            return None  # what can't be read is no copy that can be read on; `paths` and `rotated` report it
        try:
            facts = content.facts()
            first_line = first_line_hash(content)
            self._heads[path] = facts, first_line
            own = sorted(missing, key=lambda each: (each.facts.hint != facts.hint, -each.number))
            for each in own:
                if not _may_be_ours(path, facts, each, is_far=is_far):
                    continue
                verdict = compare(content, facts, first_line, each)
                if verdict is RotationVerdict.SAME and _is_of_another(content, facts, each):
                    continue
                is_part = verdict in (RotationVerdict.SHORTER, RotationVerdict.UNDECIDED)
                is_known = is_part or (each.first_line == first_line and not each.positions.has_anchors)
                is_cut_back = is_known and facts.hint == each.facts.hint and not content.is_archive
                if verdict is RotationVerdict.SAME or is_cut_back:
                    return Match(path, content, facts, each, verdict is not RotationVerdict.SAME)
                if (is_part or each.first_line == first_line) and not is_far:
                    tried.parts[path] = None
                if is_copy_in_the_making(verdict, facts, each):
                    each.lost_at_s = None  # a copy in the making: there is hope for as long as it grows
        except OSError:
            pass  # damaged before anything could be compared
        content.close()
        return None


def _may_be_ours(path: str, facts: Facts, generation: Generation, *, is_far: bool) -> bool:
    """Whether equal content in another directory says enough: below its own, by its inode, or by a whole anchor.

    Of a log that was empty there is nothing but the inode, and any new file may have that: the name must fit, too.
    """
    if generation.key is None:
        name = os.path.basename(path)
        return generation.log.place.stem in (name, unpacked(name), *any_names(name))
    if not is_far:
        return True
    is_below = path.startswith(f"{generation.log.place.directory}/")
    return is_below or facts.inode == generation.facts.inode or generation.positions.confirmed >= ANCHOR_BYTES


def _is_of_another(content: Content, facts: Facts, generation: Generation) -> bool:
    """Whether more of what is known of another generation, which began alike, stands in a content. Raises: OSError."""
    others = [each for each in generation.log.generations if each is not generation and each.key == generation.key]
    if not others or generation.key is None or generation.facts.hint == facts.hint:
        return False
    reached = last_reached(content, generation)
    return any(last_reached(content, each) > reached for each in others)


def _part(path: str, generation: Generation) -> Match | None:
    try:
        content = open_content(path)
    except OSError:
        return None
    with suppress(OSError):  # damaged before anything could be compared
        facts, first_line = content.facts(), first_line_hash(content)
        verdict, kept_bytes = compare(content, facts, first_line, generation), facts.size_bytes
        if verdict is RotationVerdict.OTHER:  # it was cut back, and has grown beyond what was seen
            kept_bytes = 0
        if verdict is not RotationVerdict.OTHER or first_line == generation.first_line:
            is_cut_back = verdict is not RotationVerdict.SAME
            return Match(path, content, facts, generation, is_cut_back, kept_bytes)
    content.close()
    return None


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def missing_of(its: Log) -> list[Generation]:
    """The generations that no name holds, or none all that was seen of them, though more is expected."""
    known = (each for each in its.generations if not (each.is_finished or each.is_offshoot))
    return [each for each in known if not each.names or each.is_short]
