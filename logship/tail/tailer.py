"""The tailer: one owner of all followed files, driven step by step."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from time import thread_time

from logship.checkpoint import Range
from logship.clock import Clock
from logship.event import ANCHOR_BYTES, Chunk, Span
from logship.formats.directives import Heading, heading_at
from logship.tail.appended import Appended, Owner
from logship.tail.content import Content, Facts, PlainContent
from logship.tail.discovery import Discovery
from logship.tail.elsewhere import elsewhere_of
from logship.tail.followed import Followed
from logship.tail.generation import Generation, Log
from logship.tail.hints import NO_HINTS, Hints, Watcher
from logship.tail.identity import anchor_of
from logship.tail.notices import FileStatus, Look, Refusal
from logship.tail.reader import Bounds, Lookahead, ReplacedError, Stretch, next_stretch
from logship.tail.refusals import Remedy
from logship.tail.source import Memory, TailSource
from logship.tail.turns import Alarm, Turns

log = logging.getLogger(__name__)

UNREAD = -1  # the generation of a file that could not be opened yet
SAVE_EVERY_S = 0.1  # a confirmation is on disk within 200 ms
SAVED_AT_ONCE = 1_000  # checkpoints in a transaction: 50,000 would take 100 MB on their way
NOTE_EVERY_S = 60.0
FORGET_EVERY_S = 3600.0
HINTED_LOOK_S = 5.0  # hints may be missing for reasons nobody sees
POLLED_LOOK_S = 0.25
SETTLE_EVERY_S = 0.1  # while something is looked for, or a busy directory is polled instead of watched
HINT_PAUSE_S = 0.02
POLLED_SHARE = 100  # full looks take at most a hundredth of the time, however many files there are
HINTED_SHARE = 200
LOOK_MAX_S = 10.0


def span(chunk: Chunk, start: int, end: int) -> Span:
    """The span [start, end) of a file whose newest part is `chunk`: `end` lies in it, `start` may lie before it.

    The anchor is left empty where it can't be made from the chunk; Tailer.confirm() knows it.
    """
    if chunk.oversize or chunk.already_confirmed:
        return Span(chunk.file, start, end, b"")
    length = end - chunk.start
    last = chunk.data[max(0, length - ANCHOR_BYTES) : length] if chunk.data else b"\0" * min(length, ANCHOR_BYTES)
    return Span(chunk.file, start, end, anchor_of(chunk.before + last if len(last) < ANCHOR_BYTES else last))


def _is_in(confirmed: Range | None, generation: Generation, stretch: Stretch) -> bool:
    """Whether a stretch at the reading position is confirmed already."""
    return confirmed is not None and confirmed.start <= generation.read_to and stretch.end <= confirmed.end


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
        remedy: Remedy = lambda path, error: "",
    ) -> None:
        """`once`: read only what stands in each file at its first look, from the checkpoint or the beginning.

        `full_look_s`: how often everything is looked at (None: HINTED_LOOK_S, or POLLED_LOOK_S without hints).
        `remedy`: the command that lets this process read a path, "" where it knows none.
        """
        self._state = state
        self._clock = clock
        self._max_line_bytes = max_line_bytes
        self._full_look_s = full_look_s
        self._followed = Followed(Discovery(sources), state, held_max_bytes, remedy, once=once)
        self._register = self._followed.register
        self._turns = Turns()
        self._appended = Appended(self._register.logs, self._followed.aging.finish)
        self._waiting: dict[Generation, None] = {}  # for what is appended to them to be settled where it stood
        self._late_anchors: dict[tuple[int, int], bytes] = {}
        self._unsaved: dict[Generation, None] = {}
        self._save_due_s: float | None = None
        self._note_due_s = self._seen_due_s = float("-inf")
        self._seen: dict[Generation, int] = {}  # the sizes that the state has of what is not confirmed
        self._forget_due_s = clock.monotonic() + FORGET_EVERY_S
        self._look_due_s = self._settle_due_s = float("-inf")
        self._looked_s = float("-inf")
        self._alarm = Alarm()
        self._watcher = Watcher(self._alarm.ring) if use_hints else None

    # the route

    def look(self, now_s: float) -> Look:
        """Discovery: new, gone, rotated, truncated files; cheap when nothing changed."""
        hints = self._watcher.take(now_s) if self._watcher else NO_HINTS
        if now_s >= self._look_due_s or hints.is_overflow:
            self._look_everywhere(hints, now_s)
        elif hints.paths or hints.has_new_names or now_s >= self._settle_due_s:
            busy = self._followed.active_in(self._watcher.busy, now_s) if self._watcher and self._watcher.busy else ()
            self._followed.look_at(hints.paths.union(busy), now_s, has_new_names=hints.has_new_names)
        else:
            return Look(has_data=self._turns.has_any)
        self._looked_s = now_s
        is_unsettled = self._register.unsettled or self._register.loose or (self._watcher and self._watcher.busy)
        self._settle_due_s = now_s + SETTLE_EVERY_S if is_unsettled else float("inf")
        self._store_new()
        self._queue_changed()
        return Look(self._register.take_notices(), self._turns.has_any)

    def read(self, limit_bytes: int, only: frozenset[str] | None = None) -> Chunk | None:
        """The next chunk of the next file whose turn it is; None when there is nothing to read now.

        `only` names the sources whose endpoint has room; None is all.
        """
        for source in self._turns.sources():
            if only is None or source in only:
                for its in self._turns.of(source):
                    chunk = self._read_log(its, limit_bytes)
                    if chunk is not None:
                        return chunk
        return None

    def heading(self, chunk: Chunk, known: Heading) -> bytes:
        """The directives in force where a chunk that was just read begins; `known` are those of a place before it."""
        generation = self._register.numbered.get(chunk.file.file_id)
        if generation is None or generation.content is None:
            return b""
        try:
            return heading_at(generation.content.read_at, chunk.start, known)
        except OSError as exc:
            log.error("the lines above a chunk can't be read path=%s error=%s", chunk.file.path, exc)
            return b""

    def span(self, chunk: Chunk, start: int, end: int) -> Span:
        """See the function span()."""
        return span(chunk, start, end)

    def hold(self, file_id: int, position: int) -> None:
        """Its lines from `position` on fit no format: nothing more of this file until release()."""
        generation = self._register.numbered.get(file_id)
        if generation is not None:
            generation.read_from(position)
            generation.is_held = True

    def release(self, file_id: int, position: int) -> None:
        """Reading continues from `position`, a line start that no confirmed span lies behind; held or not."""
        generation = self._register.numbered.get(file_id)
        if generation is not None:
            generation.read_from(position)
            generation.is_held = False
            self._turns.add(generation.log)

    def is_gone(self, file_id: int) -> bool:
        """Whether nothing more is expected of a file; one whose source is not configured now may come back."""
        generation = self._register.numbered.get(file_id)
        return generation is None or generation.is_finished

    def read_to(self, file_id: int) -> int:
        """The position that reading has come to."""
        return self._register.numbered[file_id].read_to

    def confirm(self, spans: Iterable[Span]) -> None:
        """Positions move over confirmed spans that join on to them; what moved is due for save()."""
        for one in spans:
            generation = self._register.numbered.get(one.file.file_id)
            if generation is None:
                continue
            if not one.anchor:
                late = self._late_anchors.pop((one.file.file_id, one.end), b"")
                if not late and one.end == generation.read_to and generation.before:
                    late = anchor_of(generation.before)
                one = Span(one.file, one.start, one.end, late)
            if generation.confirm(one):
                self._unsaved[generation] = None

    def save(self, now_s: float, *, force: bool = False) -> None:
        """Writes what moved, at most every SAVE_EVERY_S (unless forced), in one transaction."""
        self._unsaved.update(self._take_dirty())
        if now_s >= self._seen_due_s:
            self._seen_due_s = now_s + NOTE_EVERY_S
            self._note_seen()
        if self._state.wants_everything:
            self._unsaved.update(dict.fromkeys(self._register.numbered.values()))
        if not self._unsaved:
            return
        if self._save_due_s is None:
            self._save_due_s = now_s + SAVE_EVERY_S
        if force or now_s >= self._save_due_s:
            self._write()

    def wait(self, timeout_s: float) -> None:
        """Until something may have changed, a look is due, wake() was called, or the time is over."""
        now_s = self._clock.monotonic()
        dues = [self._look_due_s, self._settle_due_s, self._save_due_s or float("inf"), now_s + timeout_s]
        self._alarm.wait(max(0.0, min(dues) - now_s))
        if self._watcher and self._watcher.has_hints:
            # looks are for many changes at a time: a busy log would ask for one at every line
            self._alarm.pause(self._looked_s + HINT_PAUSE_S - self._clock.monotonic())

    def wake(self) -> None:
        """Ends a wait() from another thread or a signal handler."""
        self._alarm.ring()

    def follow(self, sources: Sequence[TailSource]) -> None:
        """After a reload: these sources from now on; files that both read continue where they are."""
        self._followed.follow(Discovery(sources))
        self._turns = Turns()
        for its in self._register.logs.values():
            its.is_waiting_for_turn = False
            self._register.changed[its] = None
        self._look_due_s = float("-inf")

    @property
    def is_searching(self) -> bool:
        """Whether the content of a file is looked for yet; files() and read() do not have it."""
        return self._followed.is_searching or bool(self._waiting)

    def files(self) -> list[FileStatus]:
        """Every followed generation, by source and path, oldest first."""
        return sorted(self.each_file(), key=lambda each: (each.source, each.path, each.generation))

    def each_file(self) -> Iterator[FileStatus]:
        """As files(), in any order and one at a time."""
        refused = dict(self._followed.refusals.items())
        shown: set[str] = set()
        for each in self._register.numbered.values():
            if not each.is_followed:
                continue
            status = each.status()
            if refused or status.problem:
                status = self._with_refusal(each, status, refused)
                shown.add(each.path)
            yield status
        for path in refused.keys() - shown:  # what was never read is no generation yet
            one = refused[path]
            yield FileStatus(one.source, path, UNREAD, 0, 0, 0, 0, problem=one.why, refusal=one)

    def _with_refusal(self, each: Generation, status: FileStatus, refused: Mapping[str, Refusal]) -> FileStatus:
        """Says of one that is not open why its name can't be opened, and of each how often it was tried."""
        if each.problem:
            return replace(status, refusal=self._register.refusals.get(each))
        one = refused.get(each.path) if each.content is None else None
        return status if one is None else replace(status, problem=one.why, refusal=one)

    @property
    def files_followed(self) -> int:
        return sum(each.is_followed for each in self._register.numbered.values())

    def unmatched(self) -> list[tuple[str, str]]:
        """(source, pattern) of every entry of `paths` that fits no file and no log of which rotated files are left."""
        return self._followed.unmatched()

    def close(self) -> None:
        """Saves what moved and closes every descriptor and watch."""
        self._followed.note_look()
        self._unsaved.update(self._take_dirty())
        numbered = self._register.numbered.values()
        self._unsaved.update(
            (each, None) for each in numbered if each.size_bytes > each.positions.confirmed and each.key
        )
        self._write()
        if self._watcher:
            self._watcher.close()
        self._followed.replaced.close()
        for generation in list(self._register.open):
            self._register.take(generation)
        self._alarm.close()

    # below: looking

    def _look_everywhere(self, hints: Hints, now_s: float) -> None:
        began_s = thread_time()
        for generation in self._waiting:
            generation.stalled_at = -1
            self._register.changed[generation.log] = None
        self._waiting.clear()
        self._followed.look(now_s)
        folders = self._followed.folders()
        if self._watcher and self._watcher.watch(folders - self._followed.discovery.closed.keys(), now_s):
            self._followed.look(now_s)  # what changed before the new watches stood
            folders = self._followed.folders()
        cost_s = thread_time() - began_s
        every_s, share = POLLED_LOOK_S, POLLED_SHARE
        if self._watcher and self._watcher.hears_all(folders):
            every_s, share = HINTED_LOOK_S, HINTED_SHARE
        if self._watcher:
            self._watcher.learn(hints, self._followed.take_unheard(), now_s)
        every_s = max(every_s, min(cost_s * share, LOOK_MAX_S))
        self._look_due_s = now_s + (every_s if self._full_look_s is None else self._full_look_s)
        if now_s >= self._forget_due_s:
            self._forget_due_s = now_s + FORGET_EVERY_S
            self._state.forget(self._followed.forget_old(self._clock.time()))

    # below: reading

    def _read_log(self, its: Log, limit_bytes: int) -> Chunk | None:
        chunk = None
        while chunk is None and (generation := its.next_with_data()) is not None:
            chunk = self._read_chunk(generation, limit_bytes)
        if its.next_with_data() is not None:
            self._turns.add(its)
        return chunk

    def _read_chunk(self, generation: Generation, limit_bytes: int) -> Chunk | None:
        """None where there was nothing whole to read, or the content turned out to be another: then it is looked at."""
        if generation.content is None and not self._followed.reopen(generation, self._clock.monotonic()):
            self._look_due_s = float("-inf")
            return None
        if not generation.is_stored:
            self._unsaved[generation] = None
            self._write()
        assert generation.content is not None
        is_final = generation.is_final and not generation.content.is_cut  # half a line in a cut archive is none
        bounds = Bounds(limit_bytes, self._max_line_bytes, generation.read_end, is_final)
        try:
            confirmed = self._confirmed_elsewhere(generation)
            stretch = self._read_stretch(generation, bounds, confirmed)
            if stretch is not None and stretch.data and not _is_in(confirmed, generation, stretch):
                owner = self._appended.owner_at(generation, stretch.data, self._clock.monotonic())
                if owner is Owner.WAITS:
                    self._waiting[generation] = None
                    generation.stalled_at = generation.size_bytes
                    return None
                if owner is Owner.ANOTHERS:
                    confirmed = self._confirmed_elsewhere(generation)
                    stretch = self._read_stretch(generation, bounds, confirmed)
        except OSError as exc:
            self._register.fails(generation, exc)
            return None
        if stretch is None:
            return None
        return self._take(generation, stretch, is_confirmed=_is_in(confirmed, generation, stretch))

    def _confirmed_elsewhere(self, generation: Generation) -> Range | None:
        """The next range that the receiver has though it was not sent from here."""
        assert generation.content is not None
        if generation.elsewhere is None:
            assert generation.key is not None  # or it had no data
            generation.elsewhere = elsewhere_of(self._state.ranges(generation.log.source.receiver, generation.key))
        return generation.elsewhere.next_at(generation.read_to, generation.content)

    def _read_stretch(self, generation: Generation, bounds: Bounds, confirmed: Range | None) -> Stretch | None:
        """The content at the reading position, with the bytes before it compared before and after.

        It does not reach over an end of a range that is confirmed already.
        """
        content = generation.content
        assert content is not None
        with contextlib.suppress(ReplacedError):
            stretch = self._next_stretch(generation, content, bounds, confirmed)
            facts = content.facts()
            if bounds.is_final and stretch is not None and not self._is_last(generation, stretch, facts):
                return None
            if generation.still_holds() and (content.is_archive or not stretch or facts.size_bytes >= stretch.end):
                self._followed.aging.note_rewritten(generation)
                self._followed.take_facts(generation, facts)
                generation.sure = generation.facts
                if stretch is None:
                    generation.exhausted()
                    self._followed.aging.note_cut(generation, self._clock.monotonic())
                return stretch
        if content.facts().size_bytes >= generation.size_bytes:  # it may have grown as another
            generation.size_bytes = max(generation.sure.size_bytes, generation.read_to)
        self._followed.detach(generation, self._clock.monotonic())
        self._look_due_s = float("-inf")
        return None

    @staticmethod
    def _next_stretch(
        generation: Generation, content: Content, bounds: Bounds, confirmed: Range | None
    ) -> Stretch | None:
        """Raises: ReplacedError, OSError."""
        if not generation.learn_before():
            raise ReplacedError
        start, before = generation.read_to, b"" if content.is_archive else generation.before or b""
        if confirmed is not None:
            end = confirmed.end if confirmed.start <= start else confirmed.start
            if bounds.end is None or end <= bounds.end:
                stretch = next_stretch(content, start, replace(bounds, end=end), Lookahead(), before)
                if stretch is not None:
                    return stretch
        ahead = generation.ahead or Lookahead()
        stretch = next_stretch(content, start, bounds, ahead, before)
        generation.ahead = ahead if ahead.scanned_to else None
        return stretch

    def _is_last(self, generation: Generation, stretch: Stretch, facts: Facts) -> bool:
        """Whether a last line without its newline counts: nobody has written to the file meanwhile, or may yet."""
        content = generation.content
        if not isinstance(content, PlainContent) or stretch.end < generation.facts.size_bytes:
            return True
        if content.read_at(stretch.end - 1, 1) in (b"\n", b""):
            return True
        if facts.size_bytes == stretch.end and not content.has_writer():
            return True
        generation.is_final = False
        generation.changed_s = self._clock.monotonic()
        generation.stalled_at = facts.size_bytes
        return False

    def _take(self, generation: Generation, stretch: Stretch, *, is_confirmed: bool) -> Chunk:
        start, before = generation.read_to, generation.before or b""
        confirmed_lines = stretch.data.count(b"\n") if is_confirmed else 0
        data, is_oversize = (b"", False) if confirmed_lines else (stretch.data, stretch.oversize)
        file = generation.log_file()
        chunk = Chunk(file, start, stretch.end, data, before, stretch.skipped_nul, is_oversize, confirmed_lines)
        if is_oversize or confirmed_lines:
            self._late_anchors[generation.number, stretch.end] = anchor_of(before + stretch.before_end)
        generation.passed(stretch.end, stretch.before_end)
        self._register.used(generation)
        return chunk

    # below: turns and saving

    def _queue_changed(self) -> None:
        changed, self._register.changed = self._register.changed, {}
        for its in changed:
            if its.next_with_data() is not None:
                self._turns.add(its)

    def _take_dirty(self) -> dict[Generation, None]:
        dirty, self._register.dirty = self._register.dirty, {}
        return dirty

    def _note_seen(self) -> None:
        """How much there is of what is not confirmed: if it is destroyed while nobody looks, that can be said then."""
        open_ = self._register.open
        seen = {each: each.size_bytes for each in open_ if each.key and each.size_bytes > each.positions.confirmed}
        self._unsaved.update((each, None) for each, size in seen.items() if self._seen.get(each) != size)
        self._seen = seen

    def _store_new(self) -> None:
        """A file's checkpoint stands in the state before its first event is sent; new ones in few transactions."""
        if any(not each.is_stored for each in self._register.dirty):
            self._unsaved.update(self._take_dirty())
            self._write()
        self._state.mark_started()

    def _write(self) -> None:
        now_s = self._clock.monotonic()
        if now_s >= self._note_due_s:
            self._note_due_s = now_s + NOTE_EVERY_S
            self._followed.note_look()
        unsaved = iter(list(self._unsaved))
        is_written = self._state.save([each.checkpoint() for each in islice(unsaved, SAVED_AT_ONCE)])
        while is_written and (more := [each.checkpoint() for each in islice(unsaved, SAVED_AT_ONCE)]):
            is_written = self._state.save(more)
        if not is_written:
            self._state.save([each.checkpoint() for each in unsaved])  # waits there, as what was given before
        for each in self._unsaved:
            each.is_stored = True
        if is_written:  # else it stays due: room on the disk is found without a new line
            self._unsaved.clear()
        self._save_due_s = None
