"""What time and limits bring: last lines that count, a lost rest, finished and forgotten generations, descriptors."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import field
from itertools import islice

from logship.records import record
from logship.tail.beginning import Beginnings
from logship.tail.content import ArchiveContent
from logship.tail.discovery import Discovery
from logship.tail.generation import Generation, Log, without_path
from logship.tail.notices import What
from logship.tail.register import Register

LOST_AFTER_S = 10.0  # a copy that is being compressed or moved shows up again before
FINAL_AFTER_S = 60.0  # a rotated file unchanged for so long gets no more lines
CUT_AFTER_S = 60.0  # a cut archive that doesn't change for so long is no archive in the making
FINISHED_AFTER_S = 600.0  # servers write on after a rename, until they are told
ASLEEP_S = 86_400.0  # a log that got nothing for so long before it was looked at last got hardly more before it went
UNSEEN_BYTES = 1  # what was written while nobody looked can't be counted: it is this much at least
KEPT_S = 30 * 86_400.0  # a generation without any sibling left stays in the state for so long
NAMES_SHOWN = 5  # of those that were looked at in vain
DESCRIPTORS_KEPT_FREE = 40  # for senders' sockets, the state, watches, the status page
DESCRIPTORS_MIN = 8
DESCRIPTORS_WANTED = 65_536


@record(frozen=False)
class Aging:
    """Judges generations by the clock; `now_s` is monotonic everywhere."""

    register: Register
    held_max_bytes: int
    looked_at: Callable[[Log], Sequence[str]]  # the names that were opened in vain for what is missing of a log
    beginnings: Beginnings
    read_remains: Callable[[Generation, float], int]  # reads what is left of one; gives the size of that
    cut_after_s: float = CUT_AFTER_S
    forgotten: list[int] = field(default_factory=list)  # since the state was told last

    def age(self, generation: Generation, now_s: float) -> None:
        """What the time since its last change means for a generation."""
        if generation.is_finished or generation.log.is_parked:
            return
        if generation.content is None and not generation.names:
            self._age_lost(generation, now_s)
            return
        if not generation.problem:
            self.note_cut(generation, now_s)
        if generation.expected_bytes:
            self._note_short(generation, now_s)
        if generation.is_live:
            return
        quiet_s = now_s - generation.changed_s
        if quiet_s >= FINAL_AFTER_S and not generation.is_final:
            generation.is_final, generation.stalled_at = True, -1
            self.register.changed[generation.log] = None
        is_settled = generation.positions.confirmed >= generation.read_to and not generation.has_data
        is_stuck = generation.is_held or generation.is_damaged
        if quiet_s >= FINISHED_AFTER_S and is_settled and not (is_stuck or self.register.has_larger(generation)):
            self.finish(generation)

    def note_cut(self, generation: Generation, now_s: float) -> None:
        """An archive that ends in mid-stream and gets no more is damaged."""
        content = generation.content
        if not (generation.is_cut and isinstance(content, ArchiveContent)):
            return
        if content.is_broken or now_s - generation.changed_s >= self.cut_after_s:
            self.register.fails(generation, OSError(content.damage))

    def _note_short(self, generation: Generation, now_s: float) -> None:
        """Where it was found there is less of it than was seen before; a copy that is still made has all of it soon."""
        if generation.found_bytes >= generation.expected_bytes:
            generation.expected_bytes = 0
        elif generation.is_short and now_s - generation.changed_s >= self.cut_after_s:
            lost, generation.expected_bytes = generation.expected_bytes - generation.found_bytes, 0
            self.note_cut_off(generation, lost)
            self.register.dirty[generation] = None

    def _age_lost(self, generation: Generation, now_s: float) -> None:
        """No name and no descriptor holds it; a copy may still turn up, but for a log that came back shorter."""
        if generation.lost_at_s is None:
            generation.lost_at_s = now_s
        came_back = not generation.is_met and self._is_continued(generation)
        if came_back:
            self.give_up(generation)
        elif now_s - generation.lost_at_s >= LOST_AFTER_S:
            left_bytes = self.read_remains(generation, now_s)
            if generation.content is None:
                self.give_up(generation, left_bytes)

    def give_up(self, generation: Generation, left_bytes: int = 0) -> None:
        """What was not read of it is lost, and counted; its first `left_bytes` are read as another's."""
        where, seen = self._where(generation.log), max(generation.size_bytes, generation.expected_bytes)
        lost = max(0, seen - max(generation.read_to, left_bytes))
        generation.expected_bytes = 0
        if lost and not generation.is_read_out:
            least = "" if generation.is_met else "at least "
            message = (
                f"is gone before it was read: {least}{lost:,} bytes are lost, unless they are found later; {where}"
            )
            self._lost(generation, lost, message)
            generation.size_bytes = min(generation.size_bytes, generation.read_to)
        elif not generation.is_met and self._has_grown_unseen(generation):
            message = (
                f"was changed or taken away while nobody looked: what it got after byte {seen:,} is lost, unless it is"
                f" found later; at least {UNSEEN_BYTES} byte is counted; {where}"
            )
            self._lost(generation, UNSEEN_BYTES, message)
        elif not generation.is_met and not self._is_continued(generation):
            message = f"was not found again: what was written to it after byte {seen:,} is lost; {where}"
            self.register.report(What.MISSING, generation, message)
        self.finish(generation)

    def _lost(self, generation: Generation, size_bytes: int, message: str) -> None:
        generation.lost_bytes += size_bytes
        self.register.report(What.LOST, generation, message, size_bytes)

    def _has_grown_unseen(self, generation: Generation) -> bool:
        """Whether a content that went between two lives of the program had probably got more than was seen of it.

        The newest of a log had, unless it slept; an older one only while its server was not told of the rotation yet.
        """
        if generation.key is None:
            return False  # it was empty, and what it may be by now is read from its start
        others, known_to = generation.log.generations, self.beginnings.known_to
        younger = [each for each in others if generation.number < each.number <= known_to]
        if any(each.key == generation.key and each.positions.start <= generation.positions.start for each in younger):
            return False  # it was cut back, and looked for, in that life
        quiet_s = self.beginnings.last_life_s(generation.log) - generation.facts.mtime_ns / 1e9
        return quiet_s < (FINISHED_AFTER_S if younger else ASLEEP_S)

    def note_cut_off(self, generation: Generation, lost: int) -> None:
        """Bytes that were seen at its end, and not read yet, were cut off."""
        self._lost(generation, lost, f"was cut off before it was read: at least {lost:,} bytes are lost")

    def note_rewritten(self, generation: Generation) -> None:
        """It was cut back to what was read, or to more, and has grown again. Raises: OSError."""
        if lost := generation.rewritten_bytes():
            self._lost(generation, lost, f"was written again behind what was read: up to {lost:,} bytes are lost")

    def _where(self, its: Log) -> str:
        names = self.looked_at(its)
        if not names:
            return "no other file is there that may be it"
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        return f"these are not it: {', '.join(names[:NAMES_SHOWN])}{more}"

    @staticmethod
    def _is_continued(generation: Generation) -> bool:
        """Whether a younger generation continues what this one began."""
        others = generation.log.generations
        return any(each.number > generation.number and each.key == generation.key for each in others)

    def finish(self, generation: Generation) -> None:
        """Nothing more is expected of it; it stays known, so that its copies are recognised."""
        register = self.register
        register.take(generation)
        generation.is_finished = True
        for path in generation.names:
            if register.names[path].is_sibling:
                del register.names[path]
                generation.names = without_path(generation.names, path)
        if generation.is_offshoot:
            self.forget(generation)
            return
        register.dirty[generation] = None
        register.report(What.GONE, generation, "is finished")

    def forget(self, generation: Generation) -> None:
        """It is known no more, neither here nor in the state."""
        self.register.forget(generation)
        self.forgotten.append(generation.number)

    def bound_held(self) -> None:
        """Deleted files that are open take disk space nobody sees: above the limit the oldest is given up."""
        held = [each for each in self.register.open if each.is_deleted]
        held.sort(key=lambda each: each.number)
        total = sum(each.facts.blocks_bytes for each in held)
        for generation in held:
            if total <= self.held_max_bytes:
                return
            total -= generation.facts.blocks_bytes
            if generation.names:
                self.register.take(generation)  # a copy has it too: read on there
            else:
                self.give_up(generation)

    def make_room(self, descriptors_max: int) -> bool:
        """Closes what was used least recently and can be opened again; False where nothing can be closed."""
        excess = self.register.descriptors - descriptors_max + 1
        if excess <= 0:
            return True
        closable = (each for each in self.register.open if each.names and not each.is_deleted)
        for generation in list(islice(closable, excess)):
            if self.register.descriptors < descriptors_max:
                break
            self.rest(generation)
        return self.register.descriptors < descriptors_max

    def rest(self, generation: Generation) -> None:
        """Without a descriptor until it changes or its turn comes."""
        try:
            generation.note_seen()
        except OSError as exc:
            self.register.fails(generation, exc)
        self.register.take(generation)

    def forget_old(self, its: Log, discovery: Discovery, wall_s: float) -> list[int]:
        """Drops finished generations that no sibling can be any more, KEPT_S after that was so; gives their numbers."""
        done = [each for each in its.generations if each.is_finished and not each.names]
        if not done:
            return []
        watched = discovery.of(its.source)
        siblings = sum(map(os.path.exists, discovery.siblings(watched, its.place.directory, its.place.stem)))
        forgotten = []
        for generation in done[: max(0, len(done) - siblings)]:
            if not generation.gone_at_s:
                generation.gone_at_s = wall_s
                self.register.dirty[generation] = None
            elif wall_s - generation.gone_at_s >= KEPT_S:
                self.register.forget(generation)
                forgotten.append(generation.number)
        return forgotten


def descriptors_max() -> int:
    """How many logs may be open at once; the soft limit is raised to the hard one first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # else the limit stays what it was, and is kept to
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(DESCRIPTORS_MIN, soft - DESCRIPTORS_KEPT_FREE)
