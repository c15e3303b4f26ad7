"""The followed files: names bound to generations, look by look."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from logship.checkpoint import Checkpoint
from logship.event import ANCHOR_BYTES
from logship.tail.content import ArchiveContent, Content, Facts, FromStart, facts_of, open_content
from logship.tail.discovery import Discovery, Watched, kernel_time_s
from logship.tail.generation import Generation, Log, restored
from logship.tail.identity import Place, anchor_of, digest, file_key, first_line_of, place_of, stripped_names
from logship.tail.notices import Notice, What
from logship.tail.positions import Positions
from logship.tail.rotation import Stranger, Verdict, by_age, compare, first_line_hash, is_newer
from logship.tail.source import Clock, TailSource

log = logging.getLogger(__name__)

LOST_AFTER_S = 10.0  # a copy that is being compressed or moved shows up again before
FINAL_AFTER_S = 60.0  # a rotated file unchanged for so long gets no more lines
FINISHED_AFTER_S = 600.0  # servers write on after a rename, until they are told
UNDECIDED_S = 60.0  # a copy in the making has grown enough by then
_STAMP_GRAIN_S = 0.1  # the kernel stamps files by a clock that ticks; a hundred milliseconds are ten ticks at least
_LOOKED = "looked at "  # + source: name of the note with the time of the last look
_LEVELS = {
    What.FOUND: logging.INFO,
    What.LEFT_OLDER: logging.INFO,
    What.ROTATED: logging.INFO,
    What.READABLE: logging.INFO,
    What.GONE: logging.INFO,
    What.DELETED: logging.INFO,
    What.LOST: logging.ERROR,
}


class Remembered(Protocol):
    """What the followed files need of the state."""

    @property
    def is_first_start(self) -> bool: ...

    @property
    def is_lost(self) -> bool: ...

    def load(self) -> list[Checkpoint]: ...

    def note(self, name: str) -> str | None: ...

    def remember(self, name: str, value: str) -> None: ...


@dataclass(slots=True)
class Name:
    """A path, what it was seen to hold, and whose content that is."""

    path: str
    watched: Watched
    facts: Facts
    generation: Generation
    is_sibling: bool  # found beside a log, not by `paths`


class Followed:
    """All generations and the names they are known by."""

    def __init__(self, sources: Sequence[TailSource], state: Remembered, clock: Clock, *, once: bool) -> None:
        self._clock = clock
        self._once = once
        self._is_first_look = True
        self._leaves_older = state.is_first_start and not once
        self._takes_all_siblings = state.is_lost
        self._state = state
        self._looked_s = {each.name: _seconds(state.note(_LOOKED + each.name)) for each in sources}
        self._discovery = Discovery(sources)
        self.numbered: dict[int, Generation] = {}
        self._logs: dict[Place, Log] = {}
        self._stems: dict[str, list[Log]] = {}  # logs that rotation may move to another directory
        self._names: dict[str, Name] = {}
        self._inodes: dict[tuple[int, int], Generation] = {}  # open plain contents: an open inode can't be reused
        self._strangers: dict[Log, list[Stranger]] = {}
        self._unsettled: dict[Log, Watched] = {}
        self._undecided: dict[str, float] = {}
        self._unreadable: dict[str, str] = {}
        self._changed: dict[Log, None] = {}
        self._dirty: set[Generation] = set()
        self._notices: list[Notice] = []
        self._next_number = 1
        self._restore(state.load())

    # what others ask

    def generations(self) -> Iterator[Generation]:
        return iter(self.numbered.values())

    def take_notices(self) -> list[Notice]:
        notices, self._notices = self._notices, []
        return notices

    def take_dirty(self) -> list[Generation]:
        dirty = list(self._dirty)
        self._dirty.clear()
        return dirty

    def take_changed(self) -> Iterable[Log]:
        changed, self._changed = self._changed, {}
        return changed

    def follow(self, sources: Sequence[TailSource]) -> None:
        self._discovery = Discovery(sources)
        self._is_first_look = False

    def close(self) -> None:
        for generation in self.numbered.values():
            if generation.content is not None:
                generation.content.close()
                generation.content = None

    def note_look(self) -> None:
        """Remembers that whatever was written since the last look has not been seen; kept with the next save."""
        for name, looked_s in self._looked_s.items():
            self._state.remember(_LOOKED + name, f"{looked_s:.3f}")

    # looking

    def look(self, now_s: float) -> None:
        """Binds every name to the generation whose content it holds; makes new generations of what is new."""
        began_s = kernel_time_s() - _STAMP_GRAIN_S
        found = self._discovery.names()
        for path in [path for path, name in self._names.items() if path not in found and not name.is_sibling]:
            self._vanished(path)
        for path, watched in found.items():
            self._check(path, watched, now_s)
        for name in [name for name in self._names.values() if name.is_sibling]:
            self._check(name.path, name.watched, now_s, is_sibling=True)
        self._unsettle_families()
        for its in list(self._unsettled):
            self._settle(its, found, now_s)
        for generation in list(self.numbered.values()):
            self._age(generation, now_s)
        self._is_first_look = False
        self._leaves_older = False
        self._looked_s = dict.fromkeys(self._looked_s, began_s)

    def _check(self, path: str, watched: Watched, now_s: float, *, is_sibling: bool = False) -> None:
        """What the name holds now; an unchanged file costs one stat(2)."""
        name = self._names.get(path)
        try:
            facts = facts_of(os.stat(path))
        except FileNotFoundError:
            self._vanished(path)
            return
        except OSError as exc:
            self._refused(path, watched, exc)
            return
        if name is not None:
            if name.facts == facts and not name.generation.problem:
                return
            generation = name.generation
            if generation.content is not None and generation.facts.hint == facts.hint:
                name.facts = facts
                if self._refresh(generation, now_s):
                    return
            else:
                self._unbind(name)
        self._identify(path, watched, now_s, is_sibling=is_sibling)

    def _refresh(self, generation: Generation, now_s: float) -> bool:
        """Takes note of growth; False where the content is not the generation's any more (it was truncated)."""
        content = generation.content
        assert content is not None
        try:
            facts = content.facts()
            if facts == generation.facts and not generation.problem:
                return True
            rewritten = not content.is_archive and facts.size_bytes <= generation.facts.size_bytes
            if facts.size_bytes < generation.read_to and not content.is_archive:
                same = False
            else:
                same = not rewritten or self.still_holds(generation)
        except OSError as exc:
            self.fails(generation, exc)
            return True
        if not same:
            self._detach(generation, now_s)
            return False
        generation.changed_s = now_s
        self._recovered(generation)
        self.grew(generation, facts)
        if generation.key is None:
            self._make_key(generation)
        return True

    def _identify(self, path: str, watched: Watched, now_s: float, *, is_sibling: bool) -> None:
        """Opens the name and finds out, on that descriptor, whose content it holds."""
        try:
            content = open_content(path)
        except FileNotFoundError:
            return
        except OSError as exc:
            self._refused(path, watched, exc)
            return
        try:
            facts = content.facts()
            known = self._inodes.get(facts.hint)
            if known is not None and self._refresh(known, now_s):
                content.close()
                self._bind(path, watched, facts, known, is_sibling=is_sibling)
                return
            self._judge(path, watched, content, facts, now_s, is_sibling=is_sibling)
        except OSError as exc:
            content.close()
            self._refused(path, watched, exc)

    def _judge(
        self, path: str, watched: Watched, content: Content, facts: Facts, now_s: float, *, is_sibling: bool
    ) -> None:
        self._unreadable.pop(path, None)
        its = self._log_of(path, watched)
        first_line = first_line_hash(content)
        verdicts = self._verdicts(its, content, facts, first_line)
        same = next((each for each, verdict in verdicts.items() if verdict is Verdict.SAME), None)
        if same is not None:
            self._undecided.pop(path, None)
            self._adopt(same, path, content, facts, now_s)
            self._bind(path, watched, facts, same, is_sibling=is_sibling)
            return
        if is_sibling and first_line is None:
            content.close()
            return
        if Verdict.UNDECIDED in verdicts.values():
            since_s = self._undecided.setdefault(path, now_s)
            if now_s - since_s < UNDECIDED_S:
                content.close()
                return
        self._undecided.pop(path, None)
        self._strangers.setdefault(its, []).append(Stranger(path, content, facts, is_sibling))
        self._unsettled.setdefault(its, watched)

    def _verdicts(self, its: Log, content: Content, facts: Facts, first_line: bytes | None) -> dict[Generation, Verdict]:
        """Candidates whose numbers agree come first, then the newest; another log's only where the numbers agree."""
        own = sorted(its.generations, key=lambda each: (each.facts.hint != facts.hint, -each.number))
        moved = [
            each for each in self.numbered.values() if each.log is not its and each.facts.hint == facts.hint
        ] if not self._is_known_number(its, facts) else []
        verdicts: dict[Generation, Verdict] = {}
        for each in [*own, *moved]:
            verdicts[each] = compare(content, facts, first_line, each)
            if verdicts[each] is Verdict.SAME:
                break
        return verdicts

    def _is_known_number(self, its: Log, facts: Facts) -> bool:
        return any(each.facts.hint == facts.hint for each in its.generations)

    # binding

    def _bind(self, path: str, watched: Watched, facts: Facts, generation: Generation, *, is_sibling: bool) -> None:
        before = self._names.get(path)
        if before is not None and before.generation is not generation:
            self._unbind(before)
        had_names = bool(generation.names)
        self._names[path] = Name(path, watched, facts, generation, is_sibling)
        generation.names.add(path)
        generation.lost_at_s = None
        if generation.path != path and generation.path not in generation.names:
            generation.path = path
            self._dirty.add(generation)
            if had_names or generation.content is not None:
                self._tell(What.ROTATED, generation, "is followed under its new name")
        self._changed[generation.log] = None

    def _unbind(self, name: Name) -> None:
        del self._names[name.path]
        name.generation.names.discard(name.path)
        if not name.generation.names:
            self._unsettled.setdefault(name.generation.log, name.watched)

    def _vanished(self, path: str) -> None:
        self._unreadable.pop(path, None)
        self._undecided.pop(path, None)
        name = self._names.get(path)
        if name is not None:
            self._unbind(name)

    def _adopt(self, generation: Generation, path: str, content: Content, facts: Facts, now_s: float) -> None:
        """The generation's content stands here: read on there, unless it has it open already."""
        if generation.content is not None:
            content.close()
            return
        was_read = generation.is_finished and not generation.lost_bytes
        generation.content = content
        generation.before = None
        generation.stalled_at = -1
        generation.changed_s = now_s
        generation.is_read_out = was_read and content.is_archive
        if generation.is_finished and generation.lost_bytes:
            generation.lost_bytes = 0
        generation.is_finished = generation.is_finished and not self._has_more(generation, facts)
        if not content.is_archive:
            self._inodes[facts.hint] = generation
        self.grew(generation, facts)
        if generation.key is None:
            self._make_key(generation)
        self._limit(generation, facts)
        self._dirty.add(generation)

    @staticmethod
    def _has_more(generation: Generation, facts: Facts) -> bool:
        assert generation.content is not None
        return not generation.is_read_out if generation.content.is_archive else facts.size_bytes > generation.read_to

    def _detach(self, generation: Generation, now_s: float) -> None:
        """The content on this inode is another now: the generation's own is looked for elsewhere."""
        content = generation.content
        assert content is not None
        self._inodes.pop(generation.facts.hint, None)
        content.close()
        generation.content = None
        generation.lost_at_s = now_s
        self._tell(What.TRUNCATED, generation, "was truncated; what was not read is looked for in its copies")
        for path in list(generation.names):
            self._unbind(self._names[path])
        self._dirty.add(generation)

    def look_again(self, generation: Generation) -> None:
        """Reading found another content than it expected."""
        self._detach(generation, self._clock.monotonic())

    # settling: what has gone where, and what is new

    def _settle(self, its: Log, found: dict[str, Watched], now_s: float) -> None:
        watched = self._unsettled.pop(its)
        known = [each for each in its.generations if each.key is not None]
        for path in self._discovery.siblings(watched, its.place.directory, its.place.stem):
            if path not in found and path not in self._names:
                self._identify(path, watched, now_s, is_sibling=True)
        for generation in its.generations:
            if not generation.names and generation.content is not None:
                self._refresh(generation, now_s)  # deleted, or moved out of sight: only the descriptor tells
        strangers = self._strangers.pop(its, [])
        newest = known[-1] if known else None
        for stranger in by_age(strangers, its.place.stem):
            if stranger.is_sibling and not self._is_wanted(stranger, newest, its):
                stranger.content.close()
                continue
            self._begin(its, watched, stranger, now_s)
        self._unsettled.pop(its, None)
        if any(not each.names and not each.is_finished for each in its.generations):
            self._unsettled[its] = watched

    def _unsettle_families(self) -> None:
        """A name that rotation may have made of a log is looked into."""
        for folder, name in self._discovery.take_appeared():
            for stem in stripped_names(name):
                its = self._logs.get(Place(folder, stem)) or self._logs.get(Place(os.path.realpath(folder), stem))
                for each in [its] if its else self._stems.get(stem, ()):
                    self._unsettled.setdefault(each, self._discovery.of(each.source))

    def _is_wanted(self, stranger: Stranger, newest: Generation | None, its: Log) -> bool:
        if newest is None:
            # nothing was in this log at the last look: what was written since is new, what is older is not ours
            return self._takes_all_siblings or stranger.facts.mtime_ns / 1e9 >= self._looked_s[its.source.name]
        return is_newer(stranger, newest, its.place.stem)

    def _begin(self, its: Log, watched: Watched, stranger: Stranger, now_s: float) -> None:
        """A new generation, read from its start."""
        origin_path = os.path.join(its.place.directory, its.place.stem) if stranger.is_sibling else stranger.path
        generation = Generation(
            number=self._next_number,
            log=its,
            path=stranger.path,
            positions=Positions(0),
            content=stranger.content,
            facts=stranger.facts,
            origin=watched.source.origin_of(origin_path),
            changed_s=now_s,
        )
        self._next_number += 1
        self.numbered[generation.number] = generation
        its.add(generation)
        if not stranger.content.is_archive:
            self._inodes[stranger.facts.hint] = generation
        try:
            self.grew(generation, stranger.facts)
            self._make_key(generation)
            if self._leaves_older and its.source.start_at == "end":
                self._start_at_end(generation)
            self._limit(generation, stranger.facts)
        except OSError as exc:
            self.fails(generation, exc)
        self._bind(stranger.path, watched, stranger.facts, generation, is_sibling=stranger.is_sibling)
        self._dirty.add(generation)
        self._tell(What.FOUND, generation, "is followed")

    def _start_at_end(self, generation: Generation) -> None:
        content = generation.content
        assert content is not None
        if content.is_archive:
            generation.is_finished = generation.is_read_out = True
            return
        position = last_line_start(content, generation.size_bytes)
        generation.positions = Positions(position)
        generation.read_to = position
        if position:
            self._tell(What.LEFT_OLDER, generation, f"{position} bytes older are left: logship backfill", position)

    def _limit(self, generation: Generation, facts: Facts) -> None:
        if self._once and self._is_first_look and not (generation.content and generation.content.is_archive):
            generation.read_end = facts.size_bytes

    def _make_key(self, generation: Generation) -> None:
        assert generation.content is not None
        line = first_line_of(FromStart(generation.content))
        if line is None:
            return
        place = generation.log.place
        generation.first_line = digest(line)
        generation.key = file_key(generation.origin, place.directory, place.stem, line)
        self._dirty.add(generation)

    def _age(self, generation: Generation, now_s: float) -> None:
        """What time brings: a last line counts, a lost rest is lost, a rotated file is finished."""
        if generation.is_finished:
            return
        if generation.content is None:
            self._age_lost(generation, now_s)
            return
        if os.path.join(generation.log.place.directory, generation.log.place.stem) in generation.names:
            return
        quiet_s = now_s - generation.changed_s
        if quiet_s >= FINAL_AFTER_S and not generation.is_final:
            generation.is_final, generation.stalled_at = True, -1
            self._changed[generation.log] = None
        is_settled = generation.positions.confirmed >= generation.read_to and not generation.has_data
        if quiet_s >= FINISHED_AFTER_S and is_settled:
            self._finish(generation)

    def _age_lost(self, generation: Generation, now_s: float) -> None:
        if generation.names:
            return
        if generation.lost_at_s is None:
            generation.lost_at_s = now_s
        if now_s - generation.lost_at_s < LOST_AFTER_S:
            return
        lost = max(0, generation.size_bytes - generation.read_to)
        if lost:
            generation.lost_bytes += lost
            self._tell(What.LOST, generation, f"{lost} bytes were not read and no file holds them any more", lost)
        self._finish(generation)

    def _finish(self, generation: Generation) -> None:
        if generation.content is not None:
            self._inodes.pop(generation.facts.hint, None)
            generation.content.close()
            generation.content = None
        generation.is_finished = True
        for path in list(generation.names):
            if self._names[path].is_sibling:
                del self._names[path]
                generation.names.discard(path)
        self._dirty.add(generation)
        self._tell(What.GONE, generation, "is read to its end")

    # reading's view

    def still_holds(self, generation: Generation) -> bool:
        """Whether the bytes before the reading position are those that were read; at 0 the first line decides."""
        content = generation.content
        assert content is not None
        at = generation.read_to
        if generation.before is None:
            start = max(0, at - ANCHOR_BYTES)
            before = content.read_at(start, at - start)
            if len(before) < at - start or not self._fits_anchor(generation, at, before):
                return False
            generation.before = before
        if content.is_archive:
            return True  # read forwards on one descriptor, and recognised when it was opened
        if at == 0:
            return generation.key is None or first_line_hash(content) == generation.first_line
        before = generation.before
        return content.read_at(at - len(before), len(before)) == before

    @staticmethod
    def _fits_anchor(generation: Generation, position: int, before: bytes) -> bool:
        anchor = next((each for each in reversed(generation.positions.anchors) if each.position == position), None)
        return anchor is None or anchor.digest == anchor_of(before)

    def grew(self, generation: Generation, facts: Facts) -> None:
        """Takes over what fstat(2) said of the open content."""
        content = generation.content
        assert content is not None
        if generation.facts.size_bytes != facts.size_bytes and content.is_archive:
            generation.stalled_at = -1
        generation.facts = facts
        size = content.seen_bytes if isinstance(content, ArchiveContent) else facts.size_bytes
        if size != generation.size_bytes:
            generation.size_bytes = size
            self._changed[generation.log] = None

    def exhausted(self, generation: Generation) -> None:
        """Nothing whole is left to read for now."""
        content = generation.content
        assert content is not None
        generation.stalled_at = generation.size_bytes
        if not isinstance(content, ArchiveContent) or not content.is_complete:
            return
        if content.seen_bytes > generation.read_to and not generation.is_final:
            generation.is_final, generation.stalled_at = True, -1
            return
        generation.is_read_out = True

    def fails(self, generation: Generation, error: OSError) -> None:
        """Reading failed: told once, tried again at the next look."""
        generation.stalled_at = generation.size_bytes
        if not generation.problem:
            self._tell(What.UNREADABLE, generation, f"can't be read: {error}")
        generation.problem = str(error)

    def _recovered(self, generation: Generation) -> None:
        if generation.problem:
            generation.problem = ""
            generation.stalled_at = -1
            self._changed[generation.log] = None

    def _refused(self, path: str, watched: Watched, error: OSError) -> None:
        text = error.strerror or str(error)
        if self._unreadable.get(path) != text:
            self._unreadable[path] = text
            log.warning("can't read a file, it is tried again path=%s error=%s", path, text)
            self._notices.append(Notice(What.UNREADABLE, path, watched.source.name, text))

    # below: restoring and telling

    def _restore(self, rows: Sequence[Checkpoint]) -> None:
        for row in rows:
            self._next_number = max(self._next_number, row.generation + 1)
            watched = self._watched_of(row)
            if watched is None:
                continue  # its source is not configured now; the row stays in the state
            place = Place(row.directory, row.stem)
            its = self._logs.get(place) or self._new_log(place, watched)
            generation = restored(row, its)
            self.numbered[row.generation] = generation
            its.add(generation)
            if not generation.is_finished:
                self._unsettled.setdefault(its, watched)

    def _watched_of(self, row: Checkpoint) -> Watched | None:
        live = os.path.join(row.directory, row.stem)
        fitting = (each for each in self._discovery.watched if each.paths.fits(live) or each.paths.fits(row.path))
        named = (each for each in self._discovery.watched if each.source.name == row.source)
        return next(fitting, None) or next(named, None)

    def _log_of(self, path: str, watched: Watched) -> Log:
        place = place_of(path, watched.paths, watched.rotated)
        return self._logs.get(place) or self._new_log(place, watched)

    def _new_log(self, place: Place, watched: Watched) -> Log:
        its = self._logs[place] = Log(watched.source, place)
        if watched.source.rotated:
            self._stems.setdefault(place.stem, []).append(its)
        return its

    def _tell(self, what: What, generation: Generation, message: str, size_bytes: int = 0) -> None:
        source = generation.log.source.name
        level = _LEVELS.get(what, logging.WARNING)
        log.log(level, "log %s path=%s source=%s generation=%d", message, generation.path, source, generation.number)
        self._notices.append(Notice(what, generation.path, source, message, size_bytes))


def _seconds(note: str | None) -> float:
    """When a source was looked at last; never, for one that is new."""
    return float("inf") if note is None else float(note)


def last_line_start(content: Content, size: int) -> int:
    """The position after the last newline before `size`; 0 without one."""
    end = size
    while end > 0:
        start = max(0, end - 65_536)
        newline = content.read_at(start, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
