"""What a file has may be another's content, which was read there: `cat log >> log.old`, `tail log > t; mv t log`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import islice

from logship.checkpoint import Range
from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content, open_content
from logship.tail.elsewhere import elsewhere_of
from logship.tail.generation import Generation, Log
from logship.tail.identity import FIRST_LINE_BYTES, Place, anchor_of, digest
from logship.tail.naming import any_names
from logship.tail.trimmed import confirmed_part

GROWING_S = 2.0  # what changed since then is still being appended
UNDECIDED_S = 60.0  # a part has grown enough by then to be told
_PROBE_BYTES = 65_536
_STARTS_MAX = 16
_BLOCK_BYTES = 1_048_576
_WHOLE_BYTES = 8 * _BLOCK_BYTES


class Owner(Enum):
    """The content at a position where another content may begin."""

    OWN = "own"  # the file's own lines
    WAITS = "waits"  # another's, as it seems, which is not settled yet
    ANOTHERS = "another's"  # confirmed there


@record
class Appended:
    """Recognises parts by first line and anchors, as whole files are; `finish` ends a generation that is looked for."""

    logs: Mapping[Place, Log]
    finish: Callable[[Generation], None]

    def owner_at(self, generation: Generation, data: bytes, now_s: float) -> Owner:
        """What `data`, read at a generation's reading position, begins; another's range is noted as confirmed.

        Raises: OSError.
        """
        line, content, at = data[: data.find(b"\n")], generation.content, generation.read_to
        assert content is not None
        others = self._others(generation)
        if len(others) < 2:
            return Owner.OWN
        if not at:
            return self._end_of_a_deleted(generation, content)
        first_line, found = digest(line[:FIRST_LINE_BYTES]), Owner.OWN
        for other in reversed(others):
            if other.first_line != first_line or other is generation or other.key is None:
                continue
            size = _common(content, at, other)
            if size is None:
                is_young = now_s - generation.changed_s < UNDECIDED_S and not other.names
                found = Owner.WAITS if is_young and not content.is_archive else found
            elif size and _is_telling(content, at, size, is_missing=not (other.names or other.is_finished)):
                return self._settled(generation, other, size, now_s)
            elif size and now_s - generation.changed_s < GROWING_S:
                found = Owner.WAITS  # the other may be emptied in a moment, which tells
        return found

    def _others(self, generation: Generation) -> list[Generation]:
        """The generations of its log, and of the logs that it may have been made of."""
        its = generation.log
        if its.kin is None:
            kin = (self.logs.get(Place(its.place.directory, name)) for name in any_names(its.place.stem))
            its.kin = tuple(each for each in kin if each is not None and each is not its)
        return [each for log in (*its.kin, its) for each in log.generations]

    def _end_of_a_deleted(self, generation: Generation, content: Content) -> Owner:
        """A log that somebody made shorter at its beginning is another file, and begins with the end of the old one."""
        if content.is_archive:
            return Owner.OWN
        size, newest = 0, generation
        for other in self._others(generation):
            old = other.content
            if other is generation or old is None or old.is_archive or not other.is_deleted:
                continue
            if (found := _size_of_end(content, old)) > size:
                size, newest = found, other
        if size and (newest.has_data or newest.positions.confirmed != newest.read_to):
            return Owner.WAITS  # the old one is read to its end first
        if not size:
            return self._end_of_a_missing(generation, content)
        return self._note(generation, size - (newest.size_bytes - newest.read_to))

    def _end_of_a_missing(self, generation: Generation, content: Content) -> Owner:
        """The same, where nobody has the old one open any more: the anchors tell."""
        for other in reversed(generation.log.generations):
            is_missing = other.key is not None and not (other.names or other.is_finished or other.content)
            if other is generation or not is_missing:
                continue
            if other.is_met and other.positions.confirmed != other.read_to:
                return Owner.WAITS  # what is on its way is settled first
            if size := confirmed_part(content, other):
                self.finish(other)  # what is unread of it is read here
                return self._note(generation, size)
        return Owner.OWN

    def _settled(self, generation: Generation, other: Generation, size: int, now_s: float) -> Owner:
        assert generation.content is not None
        is_growing = now_s - generation.changed_s < GROWING_S and size < other.size_bytes
        confirmed = other.positions.confirmed
        if is_growing or other.read_to != confirmed or (other.has_data and confirmed < size):
            return Owner.WAITS
        if not other.names and not other.is_finished:
            self.finish(other)  # what is unread of it is read here
        return self._note(generation, min(size, confirmed))

    @staticmethod
    def _note(generation: Generation, size: int) -> Owner:
        """So many bytes at the reading position are confirmed."""
        if size <= 0:
            return Owner.OWN
        assert generation.content is not None
        at, end = generation.read_to, generation.read_to + size
        before = max(0, end - ANCHOR_BYTES)
        known = generation.elsewhere or elsewhere_of(())
        anchor = anchor_of(generation.content.read_at(before, end - before))
        generation.elsewhere = known.with_next(Range(at, end, anchor))
        return Owner.ANOTHERS


def _common(content: Content, at: int, other: Generation) -> int | None:
    """How much of another's content stands at a position, 0 for nothing; None where it can't be told yet."""
    if not other.names and (other.content is None or other.content.is_archive):
        return _up_to_an_anchor(content, at, other)
    whole = other.content or open_content(other.names[0])
    try:
        size = other.size_bytes
        if not content.is_archive:
            size = min(size, content.facts().size_bytes - at)
        return size if _agree(content, at, whole, size) else 0
    finally:
        if other.content is None:
            whole.close()


def _agree(content: Content, at: int, whole: Content, size: int) -> bool:
    """Whether so much of the one stands at a position of the other; of more than _WHOLE_BYTES the end is enough."""
    end = max(0, size - ANCHOR_BYTES)
    return _is_same(whole, content, at, at + min(size, _WHOLE_BYTES)) and (
        content.read_at(at + end, size - end) == whole.read_at(end, size - end)
    )


def _is_telling(content: Content, at: int, size: int, *, is_missing: bool) -> bool:
    """Whether the same lines say that it is the same content: a load test writes one or two to any file, all over.

    Of one that is missing everywhere else fewer will do.
    """
    lines = content.read_at(at, min(size, _PROBE_BYTES)).splitlines()
    return len(set(lines)) >= (min(3, len(lines)) if is_missing else 3)


def _up_to_an_anchor(content: Content, at: int, other: Generation) -> int | None:
    """For a content that is nowhere else any more: up to its confirmed position."""
    for anchor in reversed(other.anchors):
        start = max(0, anchor.position - ANCHOR_BYTES)
        before = content.read_at(at + start, anchor.position - start)
        if len(before) == anchor.position - start:
            return anchor.position if anchor_of(before) == anchor.digest else 0
    return None


def _size_of_end(content: Content, old: Content) -> int:
    """How much of a content's beginning is the end of an older one, two lines at least; 0 where that is not certain."""
    lines = content.read_at(0, _PROBE_BYTES).splitlines(keepends=True)
    size, old_size = content.facts().size_bytes, old.facts().size_bytes
    if len(lines) < 2 or not lines[1].endswith(b"\n"):
        return 0
    likely = islice(_found(old, b"".join(lines[:2]), max(0, old_size - size), old_size), _STARTS_MAX + 1)
    starts = list(likely)
    same = [start for start in starts if _is_same(content, old, start, old_size)] if len(starts) <= _STARTS_MAX else []
    if len(same) != 1 or not _is_telling(old, same[0], old_size - same[0], is_missing=True):
        return 0  # of lines that repeat it may be any, or none
    return old_size - same[0]


def _found(content: Content, probe: bytes, start: int, end: int) -> Iterator[int]:
    """The positions from `start` on where a probe stands."""
    at = start
    while at < end:
        block = content.read_at(at, _BLOCK_BYTES + len(probe))
        hit = block.find(probe)
        while 0 <= hit < _BLOCK_BYTES:
            yield at + hit
            hit = block.find(probe, hit + 1)
        at += _BLOCK_BYTES


def _is_same(content: Content, old: Content, start: int, end: int) -> bool:
    for at in range(start, end, _BLOCK_BYTES):
        length = min(_BLOCK_BYTES, end - at)
        if content.read_at(at - start, length) != old.read_at(at, length):
            return False
    return True
