"""What was appended to a file may be another content, read where it stood before: `cat log >> log.old; : > log`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from logship.checkpoint import Range
from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content, open_content
from logship.tail.elsewhere import Elsewhere
from logship.tail.generation import Generation, Log
from logship.tail.identity import FIRST_LINE_BYTES, Place, anchor_of, digest
from logship.tail.naming import any_names

GROWING_S = 2.0  # what changed since then is still being appended
UNDECIDED_S = 60.0  # a part has grown enough by then to be told


class Part(Enum):
    """What stands at a position where another content may begin."""

    OWN = "own"  # the file's own lines
    WAITS = "waits"  # another's, as it seems, which is not settled yet
    ANOTHERS = "another's"  # confirmed there


@record
class Appended:
    """Recognises parts by first line and anchors, as whole files are; `finish` ends a generation that is looked for."""

    logs: Mapping[Place, Log]
    finish: Callable[[Generation], None]

    def part_at(self, generation: Generation, data: bytes, now_s: float) -> Part:
        """What `data`, read at a generation's reading position, begins; another's range is noted as confirmed.

        Raises: OSError.
        """
        line, content, at = data[: data.find(b"\n")], generation.content, generation.read_to
        assert content is not None
        others = self._others(generation)
        if len(others) < 2 or not at:
            return Part.OWN
        first_line, found = digest(line[:FIRST_LINE_BYTES]), Part.OWN
        for other in reversed(others):
            if other.first_line != first_line or other is generation or other.key is None:
                continue
            size = _common(content, at, other)
            if size is None:
                is_young = now_s - generation.changed_s < UNDECIDED_S and not other.names
                found = Part.WAITS if is_young and not content.is_archive else found
            elif size > len(line) + 1 or not other.names:
                return self._settled(generation, other, size, now_s)
            elif size and now_s - generation.changed_s < GROWING_S:
                found = Part.WAITS  # one line alone: two servers may have written the same
        return found

    def _others(self, generation: Generation) -> list[Generation]:
        """The generations of its log, and of the logs that it may have been made of."""
        its = generation.log
        if its.kin is None:
            kin = (self.logs.get(Place(its.place.directory, name)) for name in any_names(its.place.stem))
            its.kin = tuple(each for each in kin if each is not None and each is not its)
        return [each for log in (*its.kin, its) for each in log.generations]

    def _settled(self, generation: Generation, other: Generation, size: int, now_s: float) -> Part:
        assert generation.content is not None
        is_growing = now_s - generation.changed_s < GROWING_S and size < other.size_bytes
        confirmed = other.positions.confirmed
        if is_growing or other.read_to != confirmed or (other.has_data and confirmed < size):
            return Part.WAITS
        at, size = generation.read_to, min(size, confirmed)
        before = max(0, at + size - ANCHOR_BYTES)
        end = Range(at, at + size, anchor_of(generation.content.read_at(before, at + size - before)))
        generation.elsewhere = generation.elsewhere or Elsewhere(())
        generation.elsewhere.add(end)
        if not other.names and not other.is_finished:
            self.finish(other)  # what is unread of it is read here
        return Part.ANOTHERS


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
    return all(content.read_at(at + start, length) == whole.read_at(start, length) for start, length in _ends(size))


def _ends(size: int) -> Iterator[tuple[int, int]]:
    yield 0, min(size, ANCHOR_BYTES)
    start = max(0, size - ANCHOR_BYTES)
    yield start, size - start


def _up_to_an_anchor(content: Content, at: int, other: Generation) -> int | None:
    """For a content that is nowhere else any more: up to its confirmed position."""
    for anchor in reversed(other.anchors):
        start = max(0, anchor.position - ANCHOR_BYTES)
        before = content.read_at(at + start, anchor.position - start)
        if len(before) == anchor.position - start:
            return anchor.position if anchor_of(before) == anchor.digest else 0
    return None
