"""A log replaced by a copy of itself: reading moves over to the copy, and the old file is watched for late lines."""

from __future__ import annotations

from collections.abc import Iterator

from logship.checkpoint import Anchor
from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content, PlainContent
from logship.tail.generation import Generation
from logship.tail.identity import anchor_of
from logship.tail.register import Name, Register

WATCHED_S = 600.0  # a server writes to the file that it opened until it is told of another
WATCHED_MAX = 64  # descriptors


@record(frozen=False)
class _Former:
    """What a generation was read from before, and how far."""

    content: PlainContent
    size_bytes: int
    read_to: int
    since_s: float


class Replaced:
    """Files whose logs are read on elsewhere."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._formers: dict[Generation, _Former] = {}  # the oldest first
        self._compared: dict[Generation, tuple[object, ...]] = {}

    def names_to_compare(self, generation: Generation) -> Iterator[Name]:
        """The names whose files may have more than the open one; each once as it is now."""
        is_at_end = generation.is_read_out or generation.is_damaged or isinstance(generation.content, PlainContent)
        if generation.has_data or generation.is_held or generation.content is None or not is_at_end:
            return
        names = [self._register.names[path] for path in generation.names]
        state = (generation.read_to, generation.positions.confirmed, *(each.facts for each in names))
        if names and self._compared.get(generation) != state:
            self._compared[generation] = state
            yield from (each for each in names if each.facts.hint != generation.facts.hint)

    @staticmethod
    def has_more(generation: Generation, name: Name, content: Content) -> bool:
        """Whether a name's file is read on: the log's own will grow, another must have more."""
        try:
            if not generation.is_read_on_in(content):
                return False
            is_own = name.path in generation.log.live_names
            return (is_own and not content.is_archive) or bool(content.read_at(generation.read_to, 1))
        except OSError:
            return False  # damaged before that

    @staticmethod
    def differs(generation: Generation, content: Content) -> bool:
        """Whether a file that begins as the generation has other lines by now than those that were read."""
        try:
            if generation.positions.confirmed < generation.read_to or generation.is_read_on_in(content):
                return False
            return not content.is_archive or bool(content.read_at(generation.read_to, 1))
        except OSError:
            return False

    def keep(self, generation: Generation, now_s: float) -> None:
        """The generation is read on elsewhere; what it had open is watched."""
        read_to, size = generation.read_to, generation.facts.size_bytes
        self._compared.pop(generation, None)
        content = self._register.release(generation)
        self._close(generation)
        if isinstance(content, PlainContent):
            self._formers[generation] = _Former(content, size, read_to, now_s)
        elif content is not None:
            content.close()
        if len(self._formers) > WATCHED_MAX:
            self._close(next(iter(self._formers)))

    def look(self, now_s: float) -> None:
        """What was written to a file after its log was read on elsewhere becomes a generation of its own."""
        for generation, former in list(self._formers.items()):
            try:
                facts = former.content.facts()
                is_read = facts.hint in self._register.inodes  # under a name that it has
                if is_read or generation.log.is_parked:
                    self._close(generation)
                elif facts.size_bytes > former.size_bytes:
                    self._split_off(generation, former, now_s)
                elif now_s - former.since_s >= WATCHED_S:
                    self._close(generation)
            except OSError:
                self._close(generation)
        for generation in [each for each in self._compared if each not in self._register.loose]:
            del self._compared[generation]

    def close(self) -> None:
        """Every descriptor."""
        for generation in list(self._formers):
            self._close(generation)

    def _split_off(self, generation: Generation, former: _Former, now_s: float) -> None:
        del self._formers[generation]
        content, at = former.content, max(0, former.read_to - ANCHOR_BYTES)
        anchor = Anchor(former.read_to, anchor_of(content.read_at(at, former.read_to - at)))
        new = self._register.begin(generation.log, generation.path, content, content.facts(), now_s)
        new.begin_as(generation, anchor)
        new.positions.start, new.positions.anchors = anchor.position, [anchor]
        new.is_offshoot = True
        self._register.loose[new] = None

    def _close(self, generation: Generation) -> None:
        former = self._formers.pop(generation, None)
        if former is not None:
            former.content.close()
