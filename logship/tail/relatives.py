"""Whose file may it be? Files that no name of a log and no generation claims: siblings, and copies of other logs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

from logship.tail.beginning import Beginnings
from logship.tail.content import Facts, facts_of, open_content
from logship.tail.discovery import Discovery, Watched
from logship.tail.generation import Generation, Log
from logship.tail.identity import owner_of, place_of
from logship.tail.moved import entries_of, shaped_like
from logship.tail.naming import any_names, shape_of, unpacked
from logship.tail.register import Register
from logship.tail.rotation import Stranger, first_line_hash


class Relatives:
    """Names only say where to look; `is_taken` says whether a path's content is known, or judged by itself."""

    def __init__(
        self, register: Register, discovery: Discovery, beginnings: Beginnings, is_taken: Callable[[str], bool]
    ) -> None:
        self.discovery = discovery
        self._register = register
        self._beginnings = beginnings
        self._is_taken = is_taken
        self._shapes: dict[Log, dict[tuple[str, re.Pattern[str]], None]] = {}  # of rotated names that say nothing
        self._begun: dict[bytes, list[Generation]] | None = None  # by first line, while strangers are settled

    def of(self, its: Log, watched: Watched, newest: Generation | None) -> Iterator[str]:
        """The files that may be newer than a log's newest known generation: rotated before anybody saw them."""
        moved = (now for now, before in self._register.homes.items() if before == its.place.directory)
        beside = (path for folder in moved for path in entries_of(folder).logs(its.place.stem))
        unknown = (path for path in self._without_names(its, watched) if not self._is_taken(path))
        nameless = {path for path in unknown if self._is_nobodys(path)}
        for path in (
            *self.discovery.siblings(watched, its.place.directory, its.place.stem),
            *beside,
            *sorted(nameless),
        ):
            if self._is_taken(path):
                continue
            try:
                facts = facts_of(os.stat(path))
            except OSError:
                continue  # gone again, or no file: no sibling
            if its.rejected is not None and facts == its.rejected.get(path):
                continue
            if not self._beginnings.is_wanted(path, facts, newest, its) and not self._begins_as(path, facts, newest):
                continue
            if self._is_its(its, path) or path in nameless:
                if path in nameless:
                    self._register.given[path] = its
                yield path

    def is_wanted(self, its: Log, stranger: Stranger, newest: Generation | None) -> bool:
        """Whether a sibling that nobody knows, and that no generation claims, is read."""
        is_newer = self._beginnings.is_wanted(stranger.path, stranger.facts, newest, its)
        return is_newer or self._has_parted_unseen(stranger, newest)

    def note_name(self, its: Log, path: str) -> None:
        """A log's file was found under this name; others may be made like it."""
        folder, name = os.path.split(path)
        if (shape := shape_of(name)) is not None and self._is_nobodys(path):
            self._shapes.setdefault(its, {})[folder, shape] = None

    def note_begun(self, generation: Generation) -> None:
        """A generation of this look, which what comes after may be, too."""
        if self._begun is not None and generation.key is not None:
            self._begun.setdefault(generation.first_line, []).append(generation)

    def settled(self) -> None:
        """Everything that was new is judged."""
        self._begun = None

    def elsewhere(self, its: Log, stranger: Stranger, first_line: bytes) -> Iterator[Generation]:
        """The generations of other logs that a content may be: missing ones, and those its name may be made of."""
        if self._begun is None:
            self._begun = {}
            for log_ in self._register.logs.values():
                for each in log_.generations:
                    if each.key is not None:
                        self._begun.setdefault(each.first_line, []).append(each)
        alike = self._begun.get(first_line)
        if not alike:
            return
        folder, name = os.path.split(stranger.path)
        formers = {os.path.join(folder, each) for each in (unpacked(name), *any_names(name))}
        for each in reversed(alike):
            if each.log is its or each.log.is_parked:
                continue
            own = os.path.join(each.log.place.directory, each.log.place.stem)
            is_made_of_it = own in formers and (not each.is_live or stranger.path.startswith(own))
            if is_made_of_it or (not each.is_live and each.path in formers) or not (each.names or each.is_finished):
                yield each

    def _begins_as(self, path: str, facts: Facts, newest: Generation | None) -> bool:
        """Whether a file that was written since the last look begins as the newest generation.

        That may be read on in another file meanwhile, which is younger: their times say nothing then.
        """
        if newest is None or not self._beginnings.is_written_since(facts, newest.log):
            return False
        with suppress(OSError), closing(open_content(path)) as content:
            return self._has_parted_unseen(
                Stranger(path, content, facts, True, False, first_line_hash(content)), newest
            )
        return False

    def _has_parted_unseen(self, stranger: Stranger, newest: Generation | None) -> bool:
        if newest is None or newest.first_line != stranger.first_line:
            return False
        return self._beginnings.is_written_since(stranger.facts, newest.log)

    def _without_names(self, its: Log, watched: Watched) -> Iterator[str]:
        """Files that may be this log's though their names do not say so: made as one that was its, or put away for its
        source's only log."""
        for folder, shape in self._shapes.get(its, ()):
            yield from (path for path in shaped_like(folder, shape) if not watched.exclude.fits(path))
        others = (each for each in self._register.logs.values() if each is not its and each.source is its.source)
        if watched.rotated.globs and next(others, None) is None:
            yield from self.discovery.put_away(watched)

    def _is_nobodys(self, path: str) -> bool:
        """Whether a name says nothing of the log that its file is of."""
        owner = owner_of(path, self.discovery.watched)
        stem = place_of(path, owner.paths, owner.rotated).stem if owner else unpacked(os.path.basename(path))
        return stem == unpacked(os.path.basename(path))

    def _is_its(self, its: Log, path: str) -> bool:
        """Whether a file that nobody knows is, by its name, this log's rather than another's."""
        path = self._register.at_home(path)
        owner = owner_of(path, self.discovery.watched)
        return owner is not None and place_of(path, owner.paths, owner.rotated) == its.place
