"""The followed files, look by look: what each name holds, what has gone where, what is new."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from logship.checkpoint import Anchor
from logship.tail.aging import CUT_AFTER_S, Aging, descriptors_max
from logship.tail.beginning import Beginnings
from logship.tail.content import ArchiveContent, Content, Facts, PlainContent, facts_of, open_content
from logship.tail.copies import Copies, Likeness, is_beginning_of
from logship.tail.discovery import Discovery, Watched, kernel_time_s
from logship.tail.generation import Generation, Log
from logship.tail.globs import Globs
from logship.tail.identity import Place
from logship.tail.naming import is_packed
from logship.tail.notices import Notice, What
from logship.tail.refusals import Refusals, Remedy, not_regular
from logship.tail.register import Name, Register
from logship.tail.relatives import Relatives
from logship.tail.replaced import Replaced
from logship.tail.rotation import (
    RotationVerdict,
    Stranger,
    by_age,
    compare,
    end_alike,
    first_line_hash,
    has_nothing_new,
    is_copy_in_the_making,
    last_common,
    verdicts,
)
from logship.tail.search import Match, Search, missing_of
from logship.tail.source import Memory

log = logging.getLogger(__name__)

YOUNG_S = 3600.0  # a rotated file without a whole first line may still get one
ACTIVE_S = 30.0  # in a directory with too many hints, what changed within is looked at often
LATE_EVERY_S = 60.0  # how often finished files are looked at for late lines: one stat(2) for each uncompressed one
UNDECIDED_S = 60.0  # a copy in the making has grown enough by then
_STAMP_GRAIN_S = 0.1  # the kernel stamps files by a clock that ticks; a hundred milliseconds are ten ticks at least


class Followed:
    """Binds names to generations, and makes generations of what is new."""

    def __init__(self, discovery: Discovery, state: Memory, held_max_bytes: int, remedy: Remedy, *, once: bool) -> None:
        self.register = Register()
        self._search = Search(self._is_taken)
        cut_after_s = 0.0 if once else CUT_AFTER_S
        self.discovery = discovery
        self.beginnings = Beginnings(self.register, state, once=once)
        self.beginnings.know(discovery)
        self.aging = Aging(
            self.register, held_max_bytes, self._search.looked_at, self.beginnings, self._read_remains, cut_after_s
        )
        self._strangers: dict[Log, list[Stranger]] = {}
        self._strangers_open = 0
        self._settled: set[Log] = set()  # since the names were taken
        self._young: dict[Log, dict[str, None]] = {}  # siblings that can't be judged yet, and are ours if nobody's else
        self._truncated: dict[Log, Generation] = {}  # since their siblings were judged
        self._undecided: dict[str, float] = {}
        self._copies = Copies()
        self.refusals = Refusals(self.register, remedy)
        self._descriptors_max = descriptors_max()
        self._found: dict[str, Watched] = {}
        self._has_warned = False
        self._unheard: list[tuple[str, int]] = []
        self._late_due_s = float("-inf")
        self.replaced = Replaced(self.register)
        self._relatives = Relatives(self.register, discovery, self.beginnings, self._is_taken)
        self.register.restore(state.each(), discovery)
        self.beginnings.looked_to = self.register.next_number - 1

    def follow(self, discovery: Discovery) -> None:
        """Other sources from now on: what they match too continues where it is, the rest is closed and kept in mind."""
        self.discovery = self._relatives.discovery = discovery
        self.beginnings.know(discovery)
        self.register.unsettled.clear()
        for its in self.register.logs.values():
            own = [os.path.join(its.place.directory, its.place.stem), *its.live_names]
            watched = next((each for each in discovery.watched if any(map(each.paths.fits, own))), None)
            its.is_parked = watched is None
            if watched is None:
                self.register.park(its)
                continue
            if its.source.receiver != watched.source.receiver:
                for generation in its.generations:
                    generation.positions.start = generation.positions.confirmed
            its.source = watched.source
            self.register.unsettled[its] = watched
        for name in self.register.names.values():
            name.watched = discovery.of(name.generation.log.source)

    def folders(self) -> set[str]:
        """Every directory that a change may matter in."""
        real = {its.place.directory for its in self.register.logs.values() if its.generations and its.live_names}
        return self.discovery.folders | {os.path.dirname(path) for path in self.register.links} & real

    def active_in(self, folders: Iterable[str], now_s: float) -> list[str]:
        """Paths in these directories that changed lately."""
        chosen = set(folders)
        return [
            path
            for path, name in self.register.names.items()
            if now_s - name.generation.changed_s < ACTIVE_S and os.path.dirname(path) in chosen
        ]

    def take_unheard(self) -> list[tuple[str, int]]:
        """What the last full look found changed: path and mtime in ns."""
        unheard, self._unheard = self._unheard, []
        return unheard

    def forget_old(self, wall_s: float) -> list[int]:
        """Generations that nothing is left of for long enough."""
        logs = [its for its in self.register.logs.values() if not its.is_parked]
        forgotten, self.aging.forgotten = self.aging.forgotten, []
        return forgotten + [number for its in logs for number in self.aging.forget_old(its, self.discovery, wall_s)]

    def unmatched(self) -> list[tuple[str, str]]:
        """See Tailer.unmatched()."""
        places = (its.place for its in self.register.logs.values() if its.generations)
        paths = [*self._found, *(os.path.join(place.directory, place.stem) for place in places)]
        return [
            (watched.source.name, pattern)
            for watched in self.discovery.watched
            for pattern in watched.source.paths
            if not any(map(Globs([pattern]).fits, paths))
        ]

    # looking

    def look(self, now_s: float) -> None:
        """A full look: every name."""
        began_s = kernel_time_s() - _STAMP_GRAIN_S
        self.refusals.now_s = self.register.now_s = now_s
        self.register.real_folders.clear()
        self._unheard.clear()
        self._take_names()
        for path, watched in self._found.items():
            self._check(path, watched, now_s)
        for name in [name for name in self.register.names.values() if name.is_sibling]:
            self._check(name.path, name.watched, now_s, is_sibling=True)
        if now_s >= self._late_due_s:
            self._late_due_s = now_s + LATE_EVERY_S
            self._look_for_late_lines(now_s)
        self._settle_all(now_s)
        for generation in list(self.register.numbered.values()):
            if not self._is_behind_a_refusal(generation):
                self.aging.age(generation, now_s)
        self.aging.bound_held()
        self.beginnings.looked(began_s)

    def _is_behind_a_refusal(self, generation: Generation) -> bool:
        """Whether a name that can't be read may hold it."""
        place = generation.log.place
        if self.discovery.is_closed(place.directory):
            return True
        if generation.names or generation.content is not None:
            return False
        return self.refusals.has(generation.path, os.path.join(place.directory, place.stem))

    @property
    def is_searching(self) -> bool:
        """Whether something is missing that may still be found, or is going to be counted as lost."""
        return any(self._searched())

    def _searched(self) -> Iterator[Generation]:
        for each in self.register.numbered.values():
            if each.lost_at_s is not None and not (each.is_finished or each.log.is_parked):
                yield each

    def note_look(self) -> None:
        """Remembers when everything was looked at last; not while it is open what became of a file since then."""
        if all(each.is_met for each in self._searched()):
            self.beginnings.note_look()

    def look_at(self, paths: Iterable[str], now_s: float, *, has_new_names: bool) -> None:
        """A look at some paths; with `has_new_names` also at what came and went in the directories."""
        known = self.register.names
        self.refusals.now_s = self.register.now_s = now_s
        self.register.real_folders.clear()
        self.discovery.refresh()
        if has_new_names:
            before = self._found
            self._take_names()
            for path in self._found.keys() - before.keys():
                self._check(path, self._found[path], now_s)
        for hinted in paths:
            path = hinted if hinted in known else self.register.links.get(hinted, hinted)
            if path in known:
                self._check(path, known[path].watched, now_s, is_sibling=known[path].is_sibling)
            elif path in self._found:
                self._check(path, self._found[path], now_s)
        self._settle_all(now_s)

    def _take_names(self) -> None:
        self._settled.clear()
        names = self.register.names
        before, self._found = (
            self._found,
            self.discovery.names(lambda path: names[path].path if path in names else path),
        )
        self.refusals.folders(self.discovery.closed)
        for path in before.keys() - self._found.keys():  # deleted, or of a source that is no more
            self.refusals.forget(path)
        for path in [path for path, name in names.items() if path not in self._found and not name.is_sibling]:
            self._vanished(path)

    def _check(self, path: str, watched: Watched, now_s: float, *, is_sibling: bool = False) -> None:
        """What the name holds now; an unchanged file costs one stat(2)."""
        name = self.register.names.get(path)
        try:
            found = os.stat(path)
        except FileNotFoundError:
            self._vanished(path)
            return
        except OSError as exc:
            if name is not None and name.generation.content is not None:
                self._refresh(name.generation, now_s)  # what is open is read on
            self._refused(path, watched, exc)
            return
        if name is not None:
            if name.is_as(found) and not name.generation.problem:
                return
            self._unheard.append((path, found.st_mtime_ns))
            if self._has_grown(name, found, now_s):
                return
        elif not stat.S_ISREG(found.st_mode):
            self.refusals.file(path, watched.source.name, not_regular(path, found.st_mode))
            return
        self._identify(path, watched, now_s, is_sibling=is_sibling)

    def _has_grown(self, name: Name, found: os.stat_result, now_s: float) -> bool:
        """Whether the name still holds the open content of its generation, which then is refreshed."""
        generation = name.generation
        if generation.content is not None and generation.facts.hint == (found.st_dev, found.st_ino):
            name.facts = facts_of(found)
            has_grown = self._refresh(generation, now_s)
            if name.facts == generation.facts:
                name.facts = generation.facts  # one for both
            return has_grown
        if generation.content is not None:
            self.register.unbind(name)
        return False

    def _refresh(self, generation: Generation, now_s: float) -> bool:
        """Takes note of growth; False where the content is not the generation's any more (it was truncated)."""
        content = generation.content
        assert content is not None
        try:
            facts, seen = content.facts(), generation.size_bytes
            if facts == generation.facts and (generation.is_damaged or not generation.problem):
                return True
            if generation.key is None and isinstance(content, PlainContent) and content.turned_archive():
                self._unlearn(generation)
                return False
            if not content.is_archive and not self._is_continued(generation, facts):
                self.detach(generation, now_s)
                return False
            generation.changed_s = now_s
            self.register.recovers(generation)
            self.aging.note_rewritten(generation)
            self._grew(generation, facts)
            self._note_shrunk(generation, seen)
        except OSError as exc:
            self.register.fails(generation, exc)
        return True

    def take_facts(self, generation: Generation, facts: Facts) -> None:
        """What reading saw of a content that is the generation's still."""
        seen = generation.size_bytes
        generation.take_facts(facts)
        self._note_shrunk(generation, seen)

    def _note_shrunk(self, generation: Generation, seen: int) -> None:
        """Bytes that were seen at its end are not there any more."""
        if generation.size_bytes < seen and isinstance(generation.content, PlainContent):
            self.aging.note_cut_off(generation, seen - max(generation.size_bytes, generation.read_to))

    def _unlearn(self, generation: Generation) -> None:
        """An empty file said nothing of what it would be; it is an archive in the making, and is judged as one."""
        for path in generation.names:
            self.register.unbind(self.register.names[path])
        self.aging.forget(generation)

    @staticmethod
    def _is_continued(generation: Generation, facts: Facts) -> bool:
        """What only grew is compared when it is read; what shrank, or changed at the same size, is compared now.

        So is one of which nothing is confirmed: growth makes a new anchor, which must not be another content's.
        """
        if facts.size_bytes < generation.read_to or not generation.still_has_seen(facts.size_bytes):
            return False
        return facts.size_bytes > generation.facts.size_bytes or generation.still_holds()

    def _grew(self, generation: Generation, facts: Facts) -> None:
        if generation.take_facts(facts):
            self.register.changed[generation.log] = None
            generation.note_seen()
        if generation.make_key():
            generation.is_stored = False  # the key stands in the state before the first event is sent
            # what was written to it before, and put into a copy, is looked for now: later the copy would seem older
            self.register.unsettled.setdefault(generation.log, self.discovery.of(generation.log.source))
            self.register.dirty[generation] = None
            self.register.changed[generation.log] = None

    # whose content is it?

    def _identify(self, path: str, watched: Watched, now_s: float, *, is_sibling: bool) -> None:
        """Opens the name and finds out, on that descriptor, whose content it holds."""
        content = self._open(path, watched)
        if content is None:
            return
        try:
            facts = content.facts()
            known = self.register.inodes.get(facts.hint)
            if known is not None and self._refresh(known, now_s):
                content.close()
                self._bind(path, watched, content, facts, known, is_sibling=is_sibling)
                return
            self._judge(path, watched, content, facts, now_s, is_sibling=is_sibling)
        except OSError as exc:
            content.close()
            self.refusals.file(path, watched.source.name, exc)

    def _open(self, path: str, watched: Watched) -> Content | None:
        if not self.aging.make_room(self._descriptors_max - self._strangers_open):
            self.refusals.file(path, watched.source.name, OSError(errno.EMFILE, "too many open files"))
            return None
        if self.register.descriptors + 1 >= self._descriptors_max and not self._has_warned:
            self._has_warned = True
            log.warning("more logs than descriptors, opening them in rotation limit=%d", self._descriptors_max)
            self.register.notices.append(Notice(What.LIMIT, path, watched.source.name, "more logs than descriptors"))
        try:
            return open_content(path)
        except FileNotFoundError:
            self._vanished(path)
        except OSError as exc:
            self.refusals.file(path, watched.source.name, exc)
        return None

    def _judge(
        self, path: str, watched: Watched, content: Content, facts: Facts, now_s: float, *, is_sibling: bool
    ) -> None:
        """Takes the content over: closes it, gives it to its generation, or keeps it as a stranger's."""
        self.refusals.ends(path)
        its = self.register.log_of(path, watched, is_sibling=is_sibling)
        first_line = first_line_hash(content)
        judged = verdicts(its, self.register.hinted.get(facts.hint), content, facts, first_line)
        same = next((each for each, verdict in judged.items() if verdict is RotationVerdict.SAME), None)
        if is_sibling and (same is None or same.is_finished) and has_nothing_new(content, facts, judged):
            if path in self.register.names:
                self.register.unbind(self.register.names[path])
            its.rejected = {**(its.rejected or {}), path: facts}
            content.close()
            return
        is_own = not is_sibling and path in its.live_names
        if same is not None:
            self._undecided.pop(path, None)
            self._take_over(same, path, watched, content, facts, now_s, is_sibling=is_sibling)
            return
        if path in self.register.names:
            self.register.unbind(self.register.names[path])
        cut_back = self._most_of(content, facts, judged, is_own=is_own)
        if cut_back is not None:
            generation = self._cut_back(cut_back, path, content, facts, now_s)
            self._bind(path, watched, content, facts, generation, is_sibling=is_sibling)
            return
        shorter = [each for each, verdict in judged.items() if verdict is RotationVerdict.SHORTER]
        parted = next((each for each in shorter if self._has_parted(each, content, now_s)), None)
        if parted is not None:  # it is no copy in the making
            branch = self._branch_off(parted, path, content, facts, now_s)
            self._bind(path, watched, content, facts, branch, is_sibling=is_sibling)
            return
        is_copy = not is_own and any(is_copy_in_the_making(verdict, facts, each) for each, verdict in judged.items())
        is_waited_for = is_copy and self._is_waited_for(path, now_s)
        if is_waited_for or (is_sibling and first_line is None):
            if is_waited_for or kernel_time_s() - facts.mtime_ns / 1e9 < YOUNG_S:
                self._young.setdefault(its, {})[path] = None
            content.close()
            return
        self._undecided.pop(path, None)
        self._strangers.setdefault(its, []).append(Stranger(path, content, facts, is_sibling, first_line=first_line))
        self._strangers_open += content.descriptors
        self.register.unsettled.setdefault(its, watched)
        if self._strangers_open >= self._descriptors_max // 2:
            for each in list(self._strangers):
                self._settle(each, now_s)
                self._settled.add(each)

    def _take_over(
        self,
        generation: Generation,
        path: str,
        watched: Watched,
        content: Content,
        facts: Facts,
        now_s: float,
        *,
        is_sibling: bool,
    ) -> None:
        """A content that has the generation's confirmed lines is its own, unless it has others than its open one after
        them: then both are read to their ends."""
        if self._has_parted(generation, content, now_s):
            generation = self._branch_off(generation, path, content, facts, now_s)
        elif self._ends_unconfirmed(generation, content, facts):
            generation = self._cut_back(generation, path, content, facts, now_s)
        else:
            self._adopt(generation, content, facts, now_s)
        self._bind(path, watched, content, facts, generation, is_sibling=is_sibling)

    def _has_parted(self, generation: Generation, content: Content, now_s: float) -> bool:
        """Whether a file that has the generation's confirmed lines has others than were read, or than its open one."""
        if generation.content is None and not generation.may_be_read_on_in(content):
            return True
        known = generation.content
        if generation.key is None or known is None:
            return False
        if not self._refresh(generation, now_s):
            return not generation.may_be_read_on_in(content)
        if isinstance(known, ArchiveContent):
            return isinstance(content, PlainContent) and not end_alike(content, known)
        if not generation.still_holds():  # it may have grown as another
            self.detach(generation, now_s)
            return False
        return not end_alike(content, known)

    def _is_waited_for(self, path: str, now_s: float) -> bool:
        """A copy that is still too short to tell is waited for, but not for ever."""
        return now_s - self._undecided.setdefault(path, now_s) < UNDECIDED_S

    @staticmethod
    def _ends_unconfirmed(generation: Generation, content: Content, facts: Facts) -> bool:
        """Whether a log was cut back to less than was read of it, and to no less than is confirmed."""
        is_cut = not content.is_archive and facts.size_bytes < generation.read_to
        return is_cut and generation.content is None and not generation.is_finished

    @staticmethod
    def _most_of(
        content: Content, facts: Facts, judged: Mapping[Generation, RotationVerdict], *, is_own: bool
    ) -> Generation | None:
        """Of what a log's own name, or the same inode, still holds the beginning of: the generation with the most."""
        if content.is_archive:
            return None
        shorter = [
            (anchor.position, each.number, each)
            for each, verdict in judged.items()
            if verdict is RotationVerdict.SHORTER and not each.is_finished and (is_own or each.facts.hint == facts.hint)
            if (anchor := last_common(content, facts.size_bytes, each)) is not None
        ]
        return max(shorter)[2] if shorter else None

    def _cut_back(self, old: Generation, path: str, content: Content, facts: Facts, now_s: float) -> Generation:
        """A new generation for a log that came back shorter: it continues from the last anchor that still holds.

        What was read beyond is under way as the old one's, and must not move the new one's position.
        """
        generation, anchor = self._continue_from_anchor(old, path, content, facts, now_s)
        message = (
            f"was cut back: of {old.read_to} bytes that were read, the first {anchor.position} are unchanged;"
            " it is read from there, and lines that come again have the same ids"
        )
        self.register.report(What.TRUNCATED, generation, message)
        return generation

    def _continue_from_anchor(
        self, old: Generation, path: str, content: Content, facts: Facts, now_s: float
    ) -> tuple[Generation, Anchor]:
        """A new generation that is read from the last of another's anchors that its content has."""
        size = sys.maxsize if content.is_archive else facts.size_bytes
        anchor = last_common(content, size, old) or Anchor(0, b"")
        generation = self.register.begin(old.log, path, content, facts, now_s)
        generation.begin_as(old, anchor)
        self.beginnings.limit(generation, facts)
        return generation, anchor

    def _bind(
        self, path: str, watched: Watched, content: Content, facts: Facts, generation: Generation, *, is_sibling: bool
    ) -> None:
        """The name holds the generation's content, as `content` does, which may be closed by now."""
        archived_bytes = content.seen_bytes if isinstance(content, ArchiveContent) else 0
        self.register.bind(Name(path, watched, facts, generation, is_sibling, archived_bytes))

    def _adopt(self, generation: Generation, content: Content, facts: Facts, now_s: float) -> None:
        """The generation's content stands here: read on there, unless it has it open already."""
        if generation.content is not None:
            with suppress(OSError):  # damaged there
                content.read_at(generation.size_bytes, 1)  # an archive is known by what was seen of it
            content.close()
            return
        known = generation.hints()
        was_appended_to = content.is_archive and _has_more(generation.path, facts, generation)
        was_read = generation.is_finished and not generation.lost_bytes and not was_appended_to
        if not generation.is_finished:
            generation.expected_bytes = max(generation.size_bytes, generation.expected_bytes)
        if generation.positions.confirmed >= generation.read_to:
            generation.before = None  # the anchor tells
        generation.stalled_at, generation.elsewhere = -1, None
        generation.is_read_out = was_read and content.is_archive
        generation.changed_s = now_s
        self.aging.make_room(self._descriptors_max - self._strangers_open)  # what a search found, too, counts
        self.register.give(generation, content, facts)
        generation.lost_at_s, generation.gone_at_s = None, 0.0
        if generation.is_finished and generation.lost_bytes:
            generation.lost_bytes = 0  # found after all
        if generation.is_finished:
            generation.is_finished = not was_appended_to and (
                generation.is_read_out or facts.size_bytes <= generation.read_to
            )
        self.beginnings.limit(generation, facts)
        self._grew(generation, facts)
        generation.note_seen()
        if generation.hints() != known:  # a restart finds 100,000 as they were
            self.register.dirty[generation] = None
        if generation.is_finished:
            self.register.take(generation)

    def _move_over(self, generation: Generation, now_s: float) -> None:
        """A file that was replaced, and is read to its end, is read on where a name has more of it."""
        for name in self.replaced.names_to_compare(generation):
            content = self._open(name.path, name.watched)
            if content is None:
                continue
            facts = content.facts()
            if self.replaced.has_more(generation, name, content):
                self.replaced.keep(generation, now_s)
                self._adopt(generation, content, facts, now_s)
                self._bind(name.path, name.watched, content, facts, generation, is_sibling=name.is_sibling)
                self._compare_others(generation, facts, now_s)
                return
            if self.replaced.differs(generation, content):
                branch = self._branch_off(generation, name.path, content, facts, now_s)
                self._bind(name.path, name.watched, content, facts, branch, is_sibling=name.is_sibling)
            else:
                content.close()
        self.register.note_loose(generation)

    def _compare_others(self, generation: Generation, facts: Facts, now_s: float) -> None:
        """What had nothing but what was read of the old file may have other lines than the one that is read on."""
        for name in [self.register.names[path] for path in generation.names]:
            if name.facts.hint != facts.hint:
                self._young.setdefault(generation.log, {})[name.path] = None
                self._identify(name.path, name.watched, now_s, is_sibling=name.is_sibling)

    def _branch_off(
        self, generation: Generation, path: str, content: Content, facts: Facts, now_s: float
    ) -> Generation:
        """Two files continue one: a log came back shorter, say, and the old file has another name."""
        if facts.size_bytes >= generation.expected_bytes:
            generation.expected_bytes = 0
        branch, anchor = self._continue_from_anchor(generation, path, content, facts, now_s)
        message = f"has the first {anchor.position} bytes of {generation.path} and others after them, which are read"
        self.register.report(What.FOUND, branch, message)
        return branch

    def detach(self, generation: Generation, now_s: float) -> None:
        """The content on this inode is another now: the generation's own is looked for elsewhere."""
        if isinstance(generation.content, ArchiveContent):
            self._read_cut_back_archive(generation, generation.content, now_s)
            return
        self._keep_nameless(generation)
        self.register.take(generation)
        generation.facts = generation.sure  # a file rotated since then is younger than it
        generation.lost_at_s = now_s
        generation.log.rejected = None
        if generation.key is not None:
            self._truncated.setdefault(generation.log, generation)
        self.register.report(What.TRUNCATED, generation, "was truncated, its unread rest is looked for in copies")
        for path in generation.names:
            self.register.unbind(self.register.names[path])
        self.register.dirty[generation] = None

    def _read_cut_back_archive(self, generation: Generation, content: ArchiveContent, now_s: float) -> None:
        """An archive that has a log's first anchors only was made of it after it was cut back. Raises: OSError."""
        names = [self.register.names[path] for path in generation.names]
        facts = content.facts()
        generation.size_bytes = generation.read_to  # what else was seen of it is expected
        part, _ = self._continue_from_anchor(generation, generation.path, content, facts, now_s)
        self.register.release(generation)
        generation.lost_at_s = now_s
        message = "was cut back before it was compressed: it is read from the last place where it is as it was"
        self.register.report(What.TRUNCATED, part, message)
        for name in names:
            self._bind(name.path, name.watched, content, facts, part, is_sibling=name.is_sibling)
        self.register.dirty[generation] = None

    def _keep_nameless(self, generation: Generation) -> None:
        """What was truncated and written again is newer than what was read of the inode, whatever its name is now, and
        may stand nowhere but on this descriptor."""
        content = generation.content
        if isinstance(content, PlainContent):
            twin = content.twin()
            stranger = Stranger(generation.path, twin, twin.facts(), is_sibling=False, is_nameless=True)
            self._strangers.setdefault(generation.log, []).append(stranger)
            self._strangers_open += twin.descriptors
            self.register.unsettled.setdefault(generation.log, self.discovery.of(generation.log.source))

    def reopen(self, generation: Generation, now_s: float) -> bool:
        """Opens a resting generation for its turn; False where its name holds something else by now."""
        self.register.real_folders.clear()
        for path in generation.names:
            name = self.register.names[path]
            self._identify(path, name.watched, now_s, is_sibling=name.is_sibling)
        self._settle_all(now_s)
        return generation.content is not None

    # what has gone where, and what is new

    def _settle_all(self, now_s: float) -> None:
        for generation in list(self.register.loose):
            if self._refresh(generation, now_s):
                self._move_over(generation, now_s)
        self.replaced.look(now_s)
        self.discovery.refresh()
        for folder, stem in dict.fromkeys(self.discovery.take_appeared()):
            for its in self.register.family_of(folder, stem) or self._log_without_its_name(folder, stem):
                if its not in self._settled:
                    self.register.unsettled.setdefault(its, self.discovery.of(its.source))
        self._settled.clear()
        for its in list(self.register.unsettled):
            self._settle(its, now_s)
        if self._search.is_over():
            self.discovery.release_searched()
        self._relatives.settled()

    def _log_without_its_name(self, folder: str, stem: str) -> list[Log]:
        """A log that was rotated away before anybody saw it under its own name."""
        found = self.discovery.former_path(folder, stem)
        if found is None or found[0] in self._found:
            return []
        return [self.register.log_at(Place(os.path.realpath(os.path.dirname(found[0])), stem), found[1])]

    def _settle(self, its: Log, now_s: float) -> None:
        """Looks for what has lost its name, then begins with what nobody claims, oldest first."""
        watched = self.register.unsettled.pop(its)
        looked_to = self.beginnings.looked_to
        stored = (each for each in reversed(its.generations) if each.key is not None and each.is_stored)
        known = (each for each in stored if each.number <= looked_to)
        newest = next(known, None)  # known before this look: what was empty then says nothing of age
        newest = self._truncated.pop(its, newest)  # what was begun since may be younger than what is looked for
        self._search_missing(its, watched, now_s)
        young = self._young.pop(its, {})
        for path in (*self._relatives.of(its, watched, newest), *young):
            if not self._is_taken(path):
                self._identify(path, watched, now_s, is_sibling=True)
        strangers = self._strangers.pop(its, [])
        self._strangers_open -= sum(each.content.descriptors for each in strangers)
        for stranger in by_age(strangers, its.place.stem):
            if self._is_known_elsewhere(its, watched, stranger, now_s):
                continue
            is_wanted = stranger.path in young or self._relatives.is_wanted(its, stranger, newest)
            if stranger.is_sibling and not is_wanted:
                its.rejected = {**(its.rejected or {}), stranger.path: stranger.facts}
                stranger.content.close()
                continue
            self._begin(its, watched, stranger, now_s)
        self.register.unsettled.pop(its, None)
        if its in self._young or missing_of(its):
            self.register.unsettled[its] = watched

    def _search_missing(self, its: Log, watched: Watched, now_s: float) -> None:
        """What no name holds any more is read on wherever its content is."""
        if missing_of(its):
            self._look_for_late_lines_of(its, now_s)
            for match in self._search.find(its, watched, self.discovery, now_s):
                self._take_match(match, watched, now_s)
                folder = os.path.dirname(match.path)
                self._relatives.note_name(its, match.path)
                if folder not in self.discovery.rotation_folders(watched, its.place.directory):
                    self.register.homes[folder] = its.place.directory
        if not missing_of(its):
            self._search.ends(its)

    def _read_remains(self, generation: Generation, now_s: float) -> int:
        """A log that was cut back, and put away before the next look, is shorter than anything that is known of it."""
        match = self._search.remains(generation)
        if match is None:
            return 0
        self._take_match(match, self.discovery.of(generation.log.source), now_s)
        return match.kept_bytes

    def _take_match(self, match: Match, watched: Watched, now_s: float) -> None:
        """What a search found is read on there."""
        old, path, content, facts = match.generation, match.path, match.content, match.facts
        if match.is_cut_back:
            part = self._cut_back(old, path, content, facts, now_s)
            self._bind(path, watched, content, facts, part, is_sibling=True)
        else:
            self._take_over(old, path, watched, content, facts, now_s, is_sibling=True)

    def _is_taken(self, path: str) -> bool:
        return path in self._found or path in self.register.names

    def _is_known_elsewhere(self, its: Log, watched: Watched, stranger: Stranger, now_s: float) -> bool:
        """Gives a content to a generation of another log where it is that one's: what is missing anywhere, or what was
        rotated away under a name that this one may have been made of."""
        if stranger.is_nameless or stranger.first_line is None:
            return False
        try:
            for each in self._relatives.elsewhere(its, stranger, stranger.first_line):
                if each.is_live:
                    if self._is_copy_of_live(each, watched, stranger, now_s):
                        return True
                    continue
                verdict = compare(stranger.content, stranger.facts, stranger.first_line, each)
                if verdict is RotationVerdict.SAME:
                    path, content, facts = stranger.path, stranger.content, stranger.facts
                    self._take_over(each, path, watched, content, facts, now_s, is_sibling=stranger.is_sibling)
                    return True
                is_copy = is_copy_in_the_making(verdict, stranger.facts, each)
                if is_copy and self._is_waited_for(stranger.path, now_s):
                    stranger.content.close()
                    return True
        except OSError:
            return False  # its reading will say so
        return False

    def _is_copy_of_live(self, live: Generation, watched: Watched, stranger: Stranger, now_s: float) -> bool:
        """Whether a file has nothing of its own, as far as can be told now; a copy is another name of the log."""
        if not is_beginning_of(stranger.content, stranger.facts, live):
            return False
        likeness = self._copies.likeness(stranger.path, stranger.content, stranger.facts, now_s)
        if likeness is Likeness.COPY:
            self._bind(stranger.path, watched, stranger.content, stranger.facts, live, is_sibling=stranger.is_sibling)
        if likeness is not Likeness.OWN:
            stranger.content.close()
        return likeness is not Likeness.OWN

    def _look_for_late_lines(self, now_s: float) -> None:
        """A server that was not told of a rotation may write to a file again that seemed finished.

        The inode is only the hint that it is worth opening: first line and anchor decide, as always.
        """
        for its in list(self.register.logs.values()):  # what is found may be a log of its own
            self._look_for_late_lines_of(its, now_s)

    def _look_for_late_lines_of(self, its: Log, now_s: float) -> None:
        done = [] if its.is_parked else [each.path for each in its.generations if each.is_finished]
        if not done:
            return
        watched = self.discovery.of(its.source)
        siblings = self.discovery.siblings(watched, its.place.directory, its.place.stem)
        for path in dict.fromkeys((*siblings, *done)):
            if self._is_taken(path):
                continue
            try:
                facts = facts_of(os.stat(path))
            except OSError:
                continue
            known = self.register.hinted.get(facts.hint)
            if known is not None and known.is_finished and _has_more(path, facts, known):
                self._identify(path, watched, now_s, is_sibling=True)

    def _begin(self, its: Log, watched: Watched, stranger: Stranger, now_s: float) -> None:
        """A new generation, or another name of a file that was begun in the same look."""
        facts = stranger.facts
        generation = self.register.inodes.get(facts.hint)
        if generation is not None:
            stranger.content.close()
            self._refresh(generation, now_s)  # it may have been opened before something was written to it
        else:
            generation = self.beginnings.begin(its, watched.source, stranger, now_s)
            self._relatives.note_begun(generation)
        if not stranger.is_nameless:
            self._bind(stranger.path, watched, stranger.content, facts, generation, is_sibling=stranger.is_sibling)
        elif not generation.names:
            self.register.loose[generation] = None

    # names that say no

    def _refused(self, path: str, watched: Watched, error: OSError) -> None:
        """A name that can't be looked up: its directory is reported where that is why, once for all its files."""
        folder = os.path.dirname(path)
        if not self.discovery.is_closed(folder):
            self._take_names()  # a hint may come before the look that finds the directory closed
        if not self.discovery.is_closed(folder):
            self.refusals.file(path, watched.source.name, error)

    def _vanished(self, path: str) -> None:
        self.refusals.forget(path)
        self._undecided.pop(path, None)
        self._copies.forget(path)
        name = self.register.names.get(path)
        if name is not None:
            self.register.unbind(name)


def _has_more(path: str, facts: Facts, known: Generation) -> bool:
    """Whether a file of which a generation was read to its end has more by now; an archive is written again at most."""
    if is_packed(path):
        return facts.hint == known.facts.hint and facts.mtime_ns != known.facts.mtime_ns
    return facts.size_bytes > known.read_to
