"""The tailer: one owner of all followed files, driven step by step."""

from __future__ import annotations

import logging
import os
import select
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from logship.checkpoint import Checkpoint
from logship.event import ANCHOR_BYTES, Chunk, Span
from logship.tail.followed import Followed
from logship.tail.generation import Generation, Log
from logship.tail.identity import anchor_of
from logship.tail.notices import FileStatus, Look
from logship.tail.reader import Bounds, Stretch, next_stretch
from logship.tail.source import Clock, TailSource

log = logging.getLogger(__name__)

CHUNK_BYTES = 262_144
SAVE_EVERY_S = 0.1  # a confirmation is on disk within 200 ms
NOTE_EVERY_S = 60.0


class Memory(Protocol):
    """What the tailer needs of the state (logship.state.State has it)."""

    @property
    def is_first_start(self) -> bool: ...

    @property
    def is_lost(self) -> bool: ...

    @property
    def wants_everything(self) -> bool: ...

    def load(self) -> list[Checkpoint]: ...

    def save(self, checkpoints: Iterable[Checkpoint]) -> bool: ...

    def note(self, name: str) -> str | None: ...

    def remember(self, name: str, value: str) -> None: ...

    def forget(self, generations: Iterable[int]) -> None: ...

    def mark_started(self) -> None: ...


def span(chunk: Chunk, start: int, end: int) -> Span:
    """The span [start, end) of a file whose newest part is `chunk`: `end` lies in it, `start` may lie before it.

    The anchor is left empty where it can't be made from the chunk; Tailer.confirm() knows it.
    """
    if chunk.oversize:
        return Span(chunk.file, start, end, b"")
    data = chunk.data[: end - chunk.start] if chunk.data else b"\0" * min(end - chunk.start, ANCHOR_BYTES)
    return Span(chunk.file, start, end, anchor_of((chunk.before + data[-ANCHOR_BYTES:])[-ANCHOR_BYTES:]))


class Tailer:
    """Follows the files of all sources; see the package for the route.

    Use from one thread (wake() from any). Times are seconds of Clock.monotonic().
    """

    def __init__(
        self,
        sources: Sequence[TailSource],
        state: Memory,
        *,
        clock: Clock,
        max_line_bytes: int = 65_536,
        held_max_bytes: int = 1_000_000_000,
        once: bool = False,
        use_hints: bool = True,
        full_look_s: float | None = None,
    ) -> None:
        """`once`: read only what stands in each file at its first look, from the checkpoint or the beginning.

        `full_look_s`: how often everything is looked at whatever the hints say (None: 5 s with hints, 0.25 s without).
        """
        self._state = state
        self._clock = clock
        self._max_line_bytes = max_line_bytes
        self._once = once
        self._full_look_s = full_look_s if full_look_s is not None else 0.25
        self._look_due_s = float("-inf")
        self._followed = Followed(sources, state, clock, once=once)
        self._turns: dict[str, deque[Log]] = {}
        self._source_turn: deque[str] = deque()
        self._late_anchors: dict[tuple[int, int], bytes] = {}
        self._dirty: set[Generation] = set()
        self._save_due_s: float | None = None
        self._note_due_s = float("-inf")
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._wake_fd, select.POLLIN)

    # the route

    def look(self, now_s: float) -> Look:
        """Discovery: new, gone, rotated, truncated files; cheap when nothing changed."""
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + self._full_look_s
            self._followed.look(now_s)
            self._store_new()
            self._queue_changed()
        return Look(tuple(self._followed.take_notices()), any(self._turns.values()))

    def read(self, limit_bytes: int = CHUNK_BYTES, only: frozenset[str] | None = None) -> Chunk | None:
        """The next chunk of the next file whose turn it is; None when there is nothing to read now.

        `only` names the sources whose endpoint has room; None is all.
        """
        for _ in range(len(self._source_turn)):
            source = self._source_turn[0]
            self._source_turn.rotate(-1)
            if only is not None and source not in only:
                continue
            chunk = self._read_turn(self._turns[source], limit_bytes)
            if chunk is not None:
                return chunk
        return None

    def span(self, chunk: Chunk, start: int, end: int) -> Span:
        """See the function span()."""
        return span(chunk, start, end)

    def hold(self, file_id: int, position: int) -> None:
        """Its lines from `position` on fit no format: nothing more of this file until release()."""
        generation = self._followed.numbered.get(file_id)
        if generation is not None:
            self._rewind(generation, position)
            generation.is_held = True

    def release(self, file_id: int, position: int) -> None:
        """Reading of a held file goes on from `position` (a line start at or after the one it was held at)."""
        self.rewind(file_id, position)

    def rewind(self, file_id: int, position: int) -> None:
        """The next chunk of this file starts at `position`, a line start that no confirmed span lies behind."""
        generation = self._followed.numbered.get(file_id)
        if generation is not None:
            self._rewind(generation, position)
            generation.is_held = False
            self._queue(generation.log)

    def confirm(self, spans: Iterable[Span]) -> None:
        """Positions move over confirmed spans that join on to them; what moved is due for save()."""
        for one in spans:
            generation = self._followed.numbered.get(one.file.file_id)
            if generation is None:
                continue
            if not one.anchor:
                late = self._late_anchors.pop((one.file.file_id, one.end), b"")
                one = Span(one.file, one.start, one.end, late)
            if generation.positions.confirm(one):
                self._dirty.add(generation)

    def save(self, now_s: float, *, force: bool = False) -> None:
        """Writes what moved, at most every 100 ms (unless forced), in one transaction."""
        if self._state.wants_everything:
            self._dirty.update(self._followed.generations())
        self._dirty.update(self._followed.take_dirty())
        if self._save_due_s is None and self._dirty:
            self._save_due_s = now_s + SAVE_EVERY_S
        if not self._dirty or (not force and self._save_due_s is not None and now_s < self._save_due_s):
            return
        self._write()
        self._save_due_s = None

    def wait(self, timeout_s: float) -> None:
        """Until something may have changed, a look is due, wake() was called, or the time is over."""
        now_s = self._clock.monotonic()
        due_s = self._look_due_s if self._save_due_s is None else min(self._look_due_s, self._save_due_s)
        wait_s = max(0.0, min(timeout_s, due_s - now_s))
        if self._poll.poll(wait_s * 1000):
            os.eventfd_read(self._wake_fd)

    def wake(self) -> None:
        """Ends a wait() from another thread or a signal handler."""
        os.eventfd_write(self._wake_fd, 1)

    def follow(self, sources: Sequence[TailSource]) -> None:
        """After a reload: these sources from now on; files both know go on where they are."""
        self._followed.follow(sources)
        self._turns.clear()
        self._source_turn.clear()
        self._look_due_s = float("-inf")

    def files(self) -> list[FileStatus]:
        """Every followed generation, by source and path, oldest first."""
        found = [status_of(each) for each in self._followed.generations() if not each.is_finished]
        return sorted(found, key=lambda each: (each.source, each.path, each.generation))

    def close(self) -> None:
        """Saves what moved and closes every descriptor and watch."""
        self._followed.note_look()
        self._dirty.update(self._followed.take_dirty())
        self._write()
        self._followed.close()
        os.close(self._wake_fd)

    # below: reading

    def _read_turn(self, turns: deque[Log], limit_bytes: int) -> Chunk | None:
        for _ in range(len(turns)):
            its = turns.popleft()
            its.is_waiting_for_turn = False
            chunk = None
            while chunk is None and (generation := its.next_with_data()) is not None:
                chunk = self._read_chunk(generation, limit_bytes)
            if its.next_with_data() is not None:
                self._queue(its)
            if chunk is not None:
                return chunk
        return None

    def _read_chunk(self, generation: Generation, limit_bytes: int) -> Chunk | None:
        """None where there was nothing whole to read, or the content turned out to be another: then it is looked at."""
        content = generation.content
        assert content is not None
        if not generation.is_stored:
            self._dirty.add(generation)
            self._write()
        start = generation.read_to
        bounds = Bounds(limit_bytes, self._max_line_bytes, generation.read_end, generation.is_final)
        try:
            if not self._followed.still_holds(generation):
                self._followed.look_again(generation)
                return None
            stretch = next_stretch(content, start, bounds, generation.ahead)
            facts = content.facts()
            if not self._followed.still_holds(generation):
                self._followed.look_again(generation)
                return None
        except OSError as exc:
            self._followed.fails(generation, exc)
            return None
        self._followed.grew(generation, facts)
        if stretch is None:
            self._followed.exhausted(generation)
            return None
        return self._take(generation, stretch)

    def _take(self, generation: Generation, stretch: Stretch) -> Chunk:
        start, before = generation.read_to, generation.before or b""
        chunk = Chunk(
            generation.log_file(), start, stretch.end, stretch.data, before, stretch.skipped_nul, stretch.oversize
        )
        if stretch.oversize:
            self._late_anchors[generation.number, stretch.end] = stretch.anchor
            assert generation.content is not None
            generation.before = b""
            at = max(0, stretch.end - ANCHOR_BYTES)
            generation.passed(stretch.end, generation.content.read_at(at, stretch.end - at))
        elif stretch.skipped_nul:
            generation.passed(stretch.end, b"\0" * min(stretch.skipped_nul, ANCHOR_BYTES))
        else:
            generation.passed(stretch.end, stretch.data[: stretch.end - start][-ANCHOR_BYTES:])
        return chunk

    def _rewind(self, generation: Generation, position: int) -> None:
        generation.read_to = position
        generation.before = None
        generation.stalled_at = -1
        generation.is_read_out = False

    # below: turns and saving

    def _queue_changed(self) -> None:
        for its in self._followed.take_changed():
            if its.next_with_data() is not None:
                self._queue(its)

    def _queue(self, its: Log) -> None:
        if its.is_waiting_for_turn:
            return
        its.is_waiting_for_turn = True
        name = its.source.name
        if name not in self._turns:
            self._turns[name] = deque()
            self._source_turn.append(name)
        self._turns[name].append(its)

    def _store_new(self) -> None:
        """A file's checkpoint stands in the state before its first event is sent."""
        new = self._followed.take_dirty()
        if new:
            self._dirty.update(new)
            self._write()
        self._state.mark_started()

    def _write(self) -> None:
        now_s = self._clock.monotonic()
        if now_s >= self._note_due_s:
            self._note_due_s = now_s + NOTE_EVERY_S
            self._followed.note_look()
        rows = list(self._dirty)
        self._state.save([each.checkpoint(each.log.source.receiver) for each in rows])
        for each in rows:
            each.is_stored = True
        self._dirty.clear()


def status_of(generation: Generation) -> FileStatus:
    """A generation as people see it."""
    size = max(generation.size_bytes, generation.read_to)
    return FileStatus(
        source=generation.log.source.name,
        path=generation.path,
        generation=generation.number,
        position=generation.positions.confirmed,
        read_to=generation.read_to,
        size_bytes=size,
        lag_bytes=size - generation.positions.confirmed,
        lost_bytes=generation.lost_bytes,
        held_bytes=generation.facts.blocks_bytes if generation.is_deleted else 0,
        is_deleted=generation.is_deleted,
        is_held=generation.is_held,
        problem=generation.problem,
        changed_at_s=generation.facts.mtime_ns / 1e9,
    )



