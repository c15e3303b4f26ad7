"""What is new: whether a content that nobody knows is ours to read, and where its reading begins."""

from __future__ import annotations

import os

from logship.records import record
from logship.tail.content import Facts
from logship.tail.discovery import Discovery
from logship.tail.generation import Generation, Log
from logship.tail.notices import What
from logship.tail.positions import Positions
from logship.tail.register import Register
from logship.tail.rotation import Stranger, is_newer, last_line_start
from logship.tail.source import Memory, TailSource

_LOOKED = "looked at "  # + source: name of the note with the time of the last look
_KNOWN = "newest generation"  # at that time


@record
class Beginning:
    """How what is new is begun with.

    `leaves_older`: the daemon's first look, start_at counts; `takes_all`: the state was lost, siblings are read too;
    `limits`: --once, nothing is read that was not there.
    """

    leaves_older: bool = False
    takes_all: bool = False
    limits: bool = False


class Beginnings:
    """Judges what is new by what was known and when it was looked last, and begins generations of it."""

    def __init__(self, register: Register, state: Memory, *, once: bool) -> None:
        self._register = register
        self._state = state
        self._beginning = Beginning(state.is_first_start and not once, state.is_lost, once)
        self._looked_s: dict[str, float] = {}  # by source, kernel time
        self._has_looked = False
        self._last_life_s: dict[str, float] = {}  # by source, wall clock
        self.looked_to = 0  # the number of the newest generation that was known when the last full look was over
        self.known_to = int(state.note(_KNOWN) or 0)  # the number of the newest generation that the last life knew

    def know(self, discovery: Discovery) -> None:
        """When each source was looked at last; sources that are known already keep their time."""
        for watched in discovery.watched:
            note = self._state.note(_LOOKED + watched.source.name)
            looked_s = self._looked_s.setdefault(watched.source.name, float("inf") if note is None else float(note))
            self._last_life_s.setdefault(watched.source.name, looked_s)

    def note_look(self) -> None:
        """Remembers that whatever was written since the last look has not been seen; kept with the next save."""
        looked = [(name, looked_s) for name, looked_s in self._looked_s.items() if looked_s < float("inf")]
        for name, looked_s in looked:
            self._state.remember(_LOOKED + name, f"{looked_s:.3f}")
        self._state.remember(_KNOWN, str(self._register.next_number - 1))

    def looked(self, began_s: float) -> None:
        """A full look is over; it began at this time of the clock that stamps files."""
        self._beginning, self._has_looked = Beginning(takes_all=self._beginning.takes_all), True
        self.looked_to = self._register.next_number - 1
        self._looked_s = dict.fromkeys(self._looked_s, began_s)

    def last_life_s(self, its: Log) -> float:
        """When the last life of the program looked at a log's source last; inf where nothing says so."""
        return self._last_life_s[its.source.name]

    def is_wanted(self, path: str, facts: Facts, newest: Generation | None, its: Log) -> bool:
        """Whether a sibling that nobody knows is read: `newest` is the newest generation that was known before.

        What was written while the program did not run is new, whatever its name says. Names and times of archives
        mislead: one that kubelet compressed is younger than the file that was rotated after it.
        """
        is_written_since = self.is_written_since(facts, its)
        if newest is None:  # nothing was in this log at the last look: what is older is not ours
            return self._beginning.takes_all or is_written_since
        return (is_written_since and not self._has_looked) or is_newer(path, facts, newest, its.place.stem)

    def is_written_since(self, facts: Facts, its: Log) -> bool:
        """Whether a file was written after the last full look at a log's source."""
        return facts.mtime_ns / 1e9 >= self._looked_s.get(its.source.name, float("inf"))

    def begin(self, its: Log, source: TailSource, stranger: Stranger, now_s: float) -> Generation:
        """A new generation, read from its start; the caller binds its name."""
        content, facts = stranger.content, stranger.facts
        generation = self._register.begin(its, stranger.path, content, facts, now_s)
        generation.origin = source.origin_of(_name_for_origin(its, stranger))
        self._register.report(What.FOUND, generation, "is followed")
        try:
            generation.make_key()
            if self._beginning.leaves_older and its.source.start_at == "end":
                self._leave_older(generation)
            self.limit(generation, facts)
            generation.note_seen()
        except OSError as exc:
            self._register.fails(generation, exc)
        return generation

    def _leave_older(self, generation: Generation) -> None:
        """start_at: end."""
        content = generation.content
        assert content is not None
        if content.is_archive:
            generation.is_read_out = generation.is_finished = True
            self._register.take(generation)
            return
        position = last_line_start(content, generation.size_bytes)
        generation.positions = Positions(position)
        generation.read_from(position)
        if position:
            message = f"holds {position} bytes that are older: logship backfill {generation.path}"
            self._register.report(What.LEFT_OLDER, generation, message, position)

    def limit(self, generation: Generation, facts: Facts) -> None:
        """--once: no further than what stands there now."""
        if self._beginning.limits and generation.content is not None and not generation.content.is_archive:
            generation.read_end = facts.size_bytes


def _name_for_origin(its: Log, stranger: Stranger) -> str:
    """The log's own name, whatever rotation made of it: the origin may be taken from it."""
    if os.path.islink(stranger.path):
        return stranger.path
    if stranger.is_sibling:
        return os.path.join(its.place.directory, its.place.stem)
    return os.path.join(os.path.dirname(stranger.path), its.place.stem)
