"""The register of logs, generations and names: who holds what, who is open, what is new to say and to save."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable

from logship.checkpoint import Checkpoint
from logship.records import record
from logship.tail.content import ArchiveContent, Content, Facts
from logship.tail.discovery import Discovery, Watched
from logship.tail.generation import Generation, Log, restored, with_path, without_path
from logship.tail.identity import Place, place_of
from logship.tail.notices import Notice, Refusal, What
from logship.tail.positions import Positions

log = logging.getLogger(__name__)

TOLD_AT_ONCE = 100  # files that the same happened to in one look; the log tells how many more there were

# WARN: nothing is lost; ERROR: something is; INFO: the daily round
_LEVELS = {
    What.FOUND: logging.INFO,
    What.LEFT_OLDER: logging.INFO,
    What.ROTATED: logging.INFO,
    What.READABLE: logging.INFO,
    What.GONE: logging.INFO,
    What.DELETED: logging.INFO,
    What.LOST: logging.ERROR,
    What.UNREADABLE: logging.ERROR,
    What.DAMAGED: logging.ERROR,
}


@record(frozen=False)
class Name:
    """A path, what it was seen to hold, and whose content that is."""

    path: str
    watched: Watched
    facts: Facts  # unchanged means nothing to do; the generation's own, where it was seen so
    generation: Generation
    is_sibling: bool  # found beside a log, not by `paths`
    archived_bytes: int = 0  # of log that an archive was seen to have

    @property
    def log_bytes(self) -> int:
        """How much of the log its file has, or has at least."""
        return self.archived_bytes or self.facts.size_bytes

    @property
    def may_have_more(self) -> bool:
        """Whether it is another file than the one that its generation is read from, and a larger one."""
        generation = self.generation
        return self.facts.hint != generation.facts.hint and self.log_bytes > generation.found_bytes

    def is_as(self, found: os.stat_result) -> bool:
        """Whether it holds what it held, and as much."""
        facts = self.facts
        return (
            facts.mtime_ns == found.st_mtime_ns
            and facts.size_bytes == found.st_size
            and facts.inode == found.st_ino
            and facts.device == found.st_dev
        )


class Register:
    """All generations and the names they are known by."""

    def __init__(self) -> None:
        self.numbered: dict[int, Generation] = {}
        self.logs: dict[Place, Log] = {}
        self.stems: dict[str, list[Log]] = {}  # logs that rotation may move to another directory
        self.names: dict[str, Name] = {}
        self.links: dict[str, str] = {}  # real path -> the link that is followed
        self.inodes: dict[tuple[int, int], Generation] = {}  # open plain contents: an open inode can't be reused
        self.hinted: dict[tuple[int, int], Generation] = {}  # by the numbers they had when they were seen last
        self.open: dict[Generation, None] = {}  # the least recently used first
        self.descriptors = 0  # of what is open
        self.loose: dict[Generation, None] = {}  # open, but no name holds that inode, or another holds more
        self.unsettled: dict[Log, Watched] = {}
        self.changed: dict[Log, None] = {}
        self.dirty: dict[Generation, None] = {}
        self.given: dict[str, Log] = {}  # files whose names do not say of which log they are
        self.homes: dict[str, str] = {}  # where a directory has gone: its name now -> the directory of its logs
        self.real_folders: dict[str, str] = {}  # without links; forgotten before each look
        self.refusals: dict[Generation, Refusal] = {}  # reading failed of these, and is tried again
        self.now_s = 0.0  # monotonic: when the last look began
        self.notices: list[Notice] = []
        self._told: Counter[What] = Counter()  # since notices were taken last
        self.next_number = 1

    # logs and generations

    def restore(self, rows: Iterable[Checkpoint], discovery: Discovery) -> None:
        """What the state knows; generations of sources that are not configured now stay in the state."""
        for row in rows:
            self.next_number = max(self.next_number, row.generation + 1)
            watched = _watched_of(row, discovery)
            if watched is None:
                continue
            its = self.log_at(Place(row.directory, row.stem), watched)
            generation = restored(row, its)
            self.numbered[row.generation] = generation
            self.hinted[generation.facts.hint] = generation
            its.generations.append(generation)
            if (row.source, row.receiver) != (its.source.name, its.source.receiver):
                self.dirty[generation] = None
            if not generation.is_finished:
                self.unsettled.setdefault(its, watched)

    def log_of(self, path: str, watched: Watched, *, is_sibling: bool) -> Log:
        """The log that a file belongs to by its name."""
        if path in self.given:
            return self.given[path]
        its = self.log_at(place_of(self.at_home(path), watched.paths, watched.rotated, self._real_folder), watched)
        is_link = os.path.islink(path)
        if is_link:
            self.links[os.path.join(its.place.directory, its.place.stem)] = path
        if not is_sibling and (is_link or os.path.basename(path) == its.place.stem):
            its.live_names = with_path(its.live_names, path)
        return its

    def at_home(self, path: str) -> str:
        """The name that a file had before its directory got another."""
        folder, name = os.path.split(path)
        return os.path.join(self.homes[folder], name) if folder in self.homes else path

    def _real_folder(self, folder: str) -> str:
        if folder not in self.real_folders:
            self.real_folders[folder] = os.path.realpath(folder)
        return self.real_folders[folder]

    def log_at(self, place: Place, watched: Watched) -> Log:
        its = self.logs.get(place)
        if its is None:
            its = self.logs[place] = Log(watched.source, place)
            if watched.source.rotated:
                self.stems.setdefault(place.stem, []).append(its)
        return its

    def family_of(self, folder: str, stem: str) -> Iterable[Log]:
        """The logs that a name in `folder`, stripped to `stem`, may be a sibling of."""
        its = self.logs.get(Place(folder, stem)) or self.logs.get(Place(os.path.realpath(folder), stem))
        family = [its] if its else self.stems.get(stem, [])
        return [each for each in family if not each.is_parked]

    def begin(self, its: Log, path: str, content: Content, facts: Facts, now_s: float) -> Generation:
        """A new generation of a log, the newest."""
        generation = Generation(
            number=self.next_number, log=its, path=path, positions=Positions(0), facts=facts, changed_s=now_s
        )
        self.next_number += 1
        self.numbered[generation.number] = generation
        its.generations.append(generation)
        self.give(generation, content, facts)
        self.dirty[generation] = None
        return generation

    def forget(self, generation: Generation) -> None:
        """Nothing is left of it anywhere."""
        self.take(generation)
        del self.numbered[generation.number]
        if self.hinted.get(generation.facts.hint) is generation:
            del self.hinted[generation.facts.hint]
        generation.log.generations.remove(generation)
        self.dirty.pop(generation, None)
        self.refusals.pop(generation, None)

    # contents

    def give(self, generation: Generation, content: Content, facts: Facts) -> None:
        """An opened content is this generation's."""
        generation.content, generation.is_met = content, True
        self.open[generation] = None
        self.descriptors += content.descriptors
        hint = facts.hint
        self.hinted.pop(hint, None)  # its key goes, too: both maps have the same
        self.hinted[hint] = generation
        if not content.is_archive:
            self.inodes[hint] = generation
        generation.take_facts(facts)
        generation.sure = facts
        self.changed[generation.log] = None

    def take(self, generation: Generation) -> None:
        """Closes what it has open."""
        if (content := self.release(generation)) is not None:
            content.close()

    def release(self, generation: Generation) -> Content | None:
        """What it had open is not its any more; the caller closes it."""
        content = generation.content
        if content is None:
            return None
        if self.inodes.get(generation.facts.hint) is generation:
            del self.inodes[generation.facts.hint]
        self.open.pop(generation, None)
        self.descriptors -= content.descriptors
        self.loose.pop(generation, None)
        generation.content = None
        return content

    def used(self, generation: Generation) -> None:
        """It was read: the last to be closed for want of descriptors."""
        if generation in self.open:
            del self.open[generation]
            self.open[generation] = None

    # names

    def bind(self, name: Name) -> None:
        """The path holds this generation's content."""
        before = self.names.get(name.path)
        if before is not None and before.generation is not name.generation:
            self.unbind(before)
        generation = name.generation
        self.names[name.path] = name
        generation.names = with_path(generation.names, name.path)
        if generation.names == generation.log.live_names:
            generation.names = generation.log.live_names  # one tuple for both
        self.note_loose(generation)
        generation.lost_at_s = None
        self.changed[generation.log] = None
        if generation.path == name.path:
            generation.path = name.path  # one text, not two alike
        elif generation.path not in generation.names:
            self._rename(generation, name.path)

    def unbind(self, name: Name) -> None:
        """The path does not hold this content any more; whose last name it was is looked for."""
        del self.names[name.path]
        generation = name.generation
        if generation.content is not None and not generation.is_finished and name.may_have_more:
            generation.expected_bytes = max(generation.expected_bytes, name.log_bytes)
        generation.names = without_path(generation.names, name.path)
        generation.log.live_names = without_path(generation.log.live_names, name.path)
        generation.log.rejected = None  # by its name it may have seemed younger than what it is older than
        self.note_loose(generation)
        if not generation.names:
            self.unsettled.setdefault(generation.log, name.watched)
        elif generation.path == name.path:  # hints come in any order: the new name was seen before the old one
            self._rename(generation, generation.names[0])

    def _rename(self, generation: Generation, path: str) -> None:
        generation.path = path
        self.dirty[generation] = None
        self.report(What.ROTATED, generation, "is followed under its new name")

    def note_loose(self, generation: Generation) -> None:
        """Whether its descriptor, or a larger file that has what it has, may bring what no name tells of."""
        is_held = any(self.names[path].facts.hint == generation.facts.hint for path in generation.names)
        if generation.content is not None and (not is_held or self.has_larger(generation)):
            self.loose[generation] = None
        else:
            self.loose.pop(generation, None)

    def has_larger(self, generation: Generation) -> bool:
        """Whether one of its names holds more than the file that it is read from."""
        return len(generation.names) > 1 and any(self.names[path].may_have_more for path in generation.names)

    def park(self, its: Log) -> None:
        """Closes a log whose source is gone; what is in flight of it is still confirmed."""
        for generation in its.generations:
            self.take(generation)
            for path in generation.names:
                del self.names[path]
            generation.names = ()
        self.unsettled.pop(its, None)

    # telling

    def report(self, what: What, generation: Generation, message: str, size_bytes: int = 0) -> None:
        """Logs it, and keeps it for the next Look."""
        source = generation.log.source.name
        level = _LEVELS.get(what, logging.WARNING)
        self._told[what] += 1
        if level == logging.INFO and self._told[what] > TOLD_AT_ONCE:
            level = logging.DEBUG
        log.log(level, "a log %s path=%s source=%s generation=%d", message, generation.path, source, generation.number)
        self.notices.append(Notice(what, generation.path, source, message, size_bytes))

    def take_notices(self) -> tuple[Notice, ...]:
        """What happened since it was asked last; of what happened to very many files the log gets their number."""
        for what, count in self._told.items():
            if count > TOLD_AT_ONCE and _LEVELS.get(what) == logging.INFO:
                log.info("the same of more logs what=%s more=%d", what.value, count - TOLD_AT_ONCE)
        self._told.clear()
        notices, self.notices = self.notices, []
        return tuple(notices)

    def fails(self, generation: Generation, error: OSError) -> None:
        """Reading failed: reported once, tried again at the next look; what is damaged, once it has changed."""
        generation.stalled_at = generation.size_bytes
        generation.is_damaged = error.errno is None  # the system's own errors have a number
        if generation.problem == str(error):
            if (refusal := self.refusals.get(generation)) is not None:
                refusal.tries += 1
        else:
            self.refusals.pop(generation, None)
            if not generation.is_damaged:
                self.refusals[generation] = Refusal(generation.log.source.name, str(error), self.now_s)
            if generation.is_damaged:
                self.report(
                    What.DAMAGED, generation, f"can't be read to its end, everything before that point is sent: {error}"
                )
            else:
                self.report(What.UNREADABLE, generation, f"can't be read, it is tried again: {error}")
        generation.problem = str(error)

    def recovers(self, generation: Generation) -> None:
        if generation.problem:
            if generation.is_damaged and isinstance(generation.content, ArchiveContent):
                generation.content.retry()
            refusal = self.refusals.pop(generation, None)
            generation.problem, generation.is_damaged = "", False
            generation.stalled_at = -1
            self.changed[generation.log] = None
            tries = f" after {refusal.tries} tries" if refusal else ""
            self.report(What.READABLE, generation, f"can be read again{tries}")


def _watched_of(row: Checkpoint, discovery: Discovery) -> Watched | None:
    live = os.path.join(row.directory, row.stem)
    fitting = (each for each in discovery.watched if each.paths.fits(live) or each.paths.fits(row.path))
    named = (each for each in discovery.watched if each.source.name == row.source)
    return next(fitting, None) or next(named, None)
