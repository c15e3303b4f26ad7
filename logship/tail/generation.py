"""One generation of a log: the content between two rotations, under whatever name it is now."""

from __future__ import annotations

import os
from dataclasses import field

from logship.checkpoint import Anchor, Checkpoint
from logship.event import ANCHOR_BYTES, LogFile, Span
from logship.records import record
from logship.tail.content import ArchiveContent, Content, Facts, FromStart, PlainContent, is_punched
from logship.tail.elsewhere import Elsewhere
from logship.tail.identity import FIRST_LINE_BYTES, Place, anchor_of, digest, file_key, first_line_of
from logship.tail.naming import base_of
from logship.tail.notices import FileStatus
from logship.tail.positions import Positions
from logship.tail.reader import Lookahead
from logship.tail.source import TailSource

NOWHERE = Facts(0, 0, 0, 0, 0, 0)
Paths = tuple[str, ...]  # one, hardly ever two; a set of it takes 170 bytes more, which counts with 10,000 logs


@record(frozen=False, eq=False)
class Generation:
    """What the tailer knows of one generation while it runs.

    Shapes: `key` is None until the first line is complete; positions and size_bytes count decompressed bytes; for an
    archive size_bytes is what has been seen of it. `before` is the bytes before read_to, up to ANCHOR_BYTES (None: not
    read). `names`: the paths that hold it now; `path` the last of them, for people. Without `content` it is either
    resting (it has names, is opened again when it changes) or being looked for.
    """

    number: int
    log: Log
    path: str
    positions: Positions
    content: Content | None = None
    facts: Facts = NOWHERE
    origin: str = ""
    key: int | None = None
    first_line: bytes = b""
    size_bytes: int = 0
    expected_bytes: int = 0  # what was seen of it before it was found elsewhere, shorter than that
    sure: Facts = NOWHERE  # the facts when the content before read_to was compared last: since then it may be another
    seen: Anchor | None = None  # of its size at some time, while nothing is confirmed, or not all is read
    read_to: int = 0
    before: bytes | None = None
    stalled_at: int = -1  # the size at which nothing more could be read
    names: Paths = ()
    changed_s: float = 0.0  # monotonic: when it was last seen to change
    lost_at_s: float | None = None  # monotonic: since when no name and no descriptor holds it
    lost_bytes: int = 0
    gone_at_s: float = 0.0  # wall clock: since when no sibling can be it any more; 0: one may
    read_end: int | None = None  # --once: not further than this
    ahead: Lookahead | None = None  # None: nothing was looked through in vain yet
    elsewhere: Elsewhere | None = None  # None: to be asked for
    file: LogFile | None = None
    problem: str = ""
    is_damaged: bool = False  # the problem is in its bytes: reading them again without a change brings the same
    is_stored: bool = False
    is_offshoot: bool = False  # what was written to a file that was replaced, and to its descriptor only
    is_met: bool = False  # its content was open since the program began
    is_held: bool = False
    is_finished: bool = False
    is_final: bool = False  # nothing will follow: a last line without newline counts
    is_read_out: bool = False  # an archive, read to its true end

    @property
    def has_data(self) -> bool:
        """Whether reading may bring something."""
        if self.key is None or self.is_held or self.is_read_out or self.is_finished:
            return False
        if self.read_end is not None and self.read_to >= self.read_end:
            return False
        if self.content is None and not self.names:
            return False
        if isinstance(self.content, ArchiveContent):
            return self.stalled_at < 0
        return self.size_bytes > self.read_to and self.stalled_at != self.size_bytes

    @property
    def is_cut(self) -> bool:
        """An archive that was read as far as it goes, and ends before its end."""
        is_at_end = self.key is None or self.stalled_at >= 0
        return isinstance(self.content, ArchiveContent) and is_at_end and self.content.is_cut

    @property
    def found_bytes(self) -> int:
        """How much of it stands where it is read; of an archive, how much was read."""
        return max(self.read_to, 0 if isinstance(self.content, ArchiveContent) else self.size_bytes)

    @property
    def is_short(self) -> bool:
        """Whether more was seen of it than the file has that it is read from; an archive says so at its end."""
        is_measured = self.is_read_out or not isinstance(self.content, ArchiveContent)
        return is_measured and self.found_bytes < self.expected_bytes

    @property
    def is_deleted(self) -> bool:
        return self.content is not None and self.facts.links == 0

    @property
    def is_live(self) -> bool:
        """Whether the log's own name, or a link to it, holds it; or it is the last of those with a date inside."""
        if any(path in self.log.live_names for path in self.names):
            return True
        return self is self.log.generations[-1] and any(map(self._has_part_inside, self.names))

    def _has_part_inside(self, path: str) -> bool:
        """rotatelogs and cronolog write to access-20261129.log itself."""
        stem, name = self.log.place.stem, os.path.basename(path)
        return not name.startswith(stem) and name.endswith(stem[len(base_of(stem)) :] or "/")

    @property
    def is_followed(self) -> bool:
        """Whether there is something to say about it."""
        return not (self.is_finished or self.log.is_parked)

    def log_file(self) -> LogFile:
        """The route's name for it: the log's own path even after rotation, which path_fields and people know."""
        assert self.key is not None
        if self.file is None or self.file.source != self.log.source.name:
            path = min(self.log.live_names, default=os.path.join(self.log.place.directory, self.log.place.stem))
            self.file = LogFile(self.number, path, self.log.source.name, self.key, self.origin)
        return self.file

    def make_key(self) -> bool:
        """The file key, once the first line is complete; it never changes. Raises: OSError as reading gives it."""
        assert self.content is not None
        line = None if self.key is not None else first_line_of(FromStart(self.content))
        if line is None:
            return False
        self.first_line = digest(line)
        self.key = file_key(self.origin, self.log.place.directory, self.log.place.stem, line)
        return True

    def begin_as(self, other: Generation, anchor: Anchor) -> None:
        """Continues what another generation began, from one of its positions."""
        self.origin, self.key, self.first_line = other.origin, other.key, other.first_line
        self.positions = Positions(min(other.positions.start, anchor.position))
        self.positions.confirmed = anchor.position
        self.positions.anchors = [each for each in other.positions.anchors if each.position <= anchor.position]
        self.read_from(anchor.position)

    def passed(self, end: int, data: bytes) -> None:
        """Reading stands at `end` now; `data` are the bytes before it that were read last."""
        self.before = ((self.before or b"") + data)[-ANCHOR_BYTES:]
        self.read_to = end

    def confirm(self, span: Span) -> bool:
        """Takes a settled span; True where the position moved."""
        positions = self.positions
        has_moved = positions.confirm(span)
        if has_moved and self.seen is not None and self.seen.position <= positions.confirmed:
            self.seen = None  # the anchors tell more
        is_read_out = has_moved and positions.confirmed == self.read_to and isinstance(self.content, PlainContent)
        if is_read_out and positions.last_anchor.digest:
            self.before = self.file = None  # the anchor tells as much: 400 bytes less of each log with nothing new
        return has_moved

    def read_from(self, position: int) -> None:
        """Reading continues from another position than it had come to."""
        self.read_to = position
        self.before = None
        self.stalled_at = -1
        self.is_read_out = False
        self.elsewhere = None

    def still_holds(self) -> bool:
        """Whether its first line, and the bytes before the reading position, are those that were read.

        Both: requests of one client may end alike for longer than an anchor, and the first line has its time in it.
        """
        content = self.content
        assert content is not None
        if self.before is None:
            return self.learn_before() and (content.is_archive or self._begins_the_same(content))
        # an archive is read forwards on one descriptor, and was recognised when it was opened
        return content.is_archive or (self._is_as_before(content, self.before) and self._begins_the_same(content))

    def learn_before(self) -> bool:
        """Reads the content before the reading position, unless it is known; False where it fits no anchor."""
        content = self.content
        assert content is not None
        if self.before is None:
            start = max(0, self.read_to - ANCHOR_BYTES)
            before = content.read_at(start, self.read_to - start)
            if len(before) < self.read_to - start or not self._fits_anchor(before):
                return False
            self.before = before
        return True

    def _is_as_before(self, content: Content, before: bytes) -> bool:
        return content.read_at(self.read_to - len(before), len(before)) == before

    def _begins_the_same(self, content: Content) -> bool:
        if self.key is None:
            return True
        head = content.read_at(0, FIRST_LINE_BYTES)  # one small read, twice a chunk: holes are the exception
        if b"\n" in head and not head.startswith(b"\0"):
            return digest(head[: head.index(b"\n")]) == self.first_line
        line = first_line_of(FromStart(content))
        return (line is not None and digest(line) == self.first_line) or is_punched(content, self.read_to)

    def is_read_on_in(self, other: Content) -> bool:
        """Whether another content has the same bytes before the reading position. Raises: OSError."""
        assert self.content is not None
        start = max(0, self.read_to - ANCHOR_BYTES)
        before = self.content.read_at(start, self.read_to - start)
        return len(before) == self.read_to - start and other.read_at(start, len(before)) == before

    def may_be_read_on_in(self, other: Content) -> bool:
        """Whether another content has what was read and is not confirmed, as far as it goes by now. Raises: OSError."""
        if self.before is None or self.positions.confirmed >= self.read_to:
            return True
        return self.before.startswith(other.read_at(self.read_to - len(self.before), len(self.before)))

    def still_has_seen(self, size_bytes: int) -> bool:
        """Whether what is known of it while nothing is confirmed stands there yet: it finds the copy if not."""
        if self.positions.has_anchors or self.seen is None or self.content is None:
            return True
        at = max(0, self.seen.position - ANCHOR_BYTES)
        return (
            self.seen.position <= size_bytes
            and anchor_of(self.content.read_at(at, self.seen.position - at)) == self.seen.digest
        )

    def _fits_anchor(self, before: bytes) -> bool:
        known = (each for each in reversed(self.positions.anchors) if each.position == self.read_to)
        anchor = next(known, None)
        return anchor is None or not anchor.digest or anchor.digest == anchor_of(before)

    def take_facts(self, facts: Facts) -> bool:
        """Takes over what fstat(2) said of the open content; True where there is more or less of it than before."""
        content = self.content
        assert content is not None
        if self.facts.size_bytes != facts.size_bytes:
            if content.is_archive:
                self.stalled_at = -1
            else:
                self.is_final = False  # whoever wrote to it may write more
        if facts != self.facts:  # the names' own stay shared
            self.facts = facts
        size = content.seen_bytes if isinstance(content, ArchiveContent) else facts.size_bytes
        has_changed = size != self.size_bytes
        self.size_bytes = size
        return has_changed

    @property
    def anchors(self) -> list[Anchor]:
        """What tells this content from another, lowest positions first."""
        return self.positions.anchors or ([self.seen] if self.seen is not None else [])

    def note_seen(self) -> None:
        """Keeps an anchor of the present size while nothing is confirmed, or not all is read. Raises: OSError."""
        content = self.content
        if content is None or content.is_archive:
            return
        least = self.read_to if self.positions.has_anchors else 0
        self.seen = self._anchor_at(content, self.size_bytes) if self.size_bytes > least else None

    def rewritten_bytes(self) -> int:
        """How much of what was seen and not read yet was written again since: it is known once. Raises: OSError."""
        content, seen = self.content, self.seen
        if content is None or content.is_archive or seen is None or seen.position <= self.read_to:
            return 0
        if content.facts().size_bytes < seen.position or self._anchor_at(content, seen.position) == seen:
            return 0
        self.seen = None
        return seen.position - self.read_to

    @staticmethod
    def _anchor_at(content: Content, position: int) -> Anchor:
        at = max(0, position - ANCHOR_BYTES)
        return Anchor(position, anchor_of(content.read_at(at, position - at)))

    def exhausted(self) -> None:
        """Nothing whole is left to read for now."""
        content = self.content
        self.stalled_at = self.size_bytes
        if not isinstance(content, ArchiveContent) or not content.is_complete:
            return
        if content.seen_bytes > self.read_to and not self.is_final:
            self.is_final, self.stalled_at = True, -1
            return
        self.is_read_out = True

    def hints(self) -> tuple[object, ...]:
        """What a new look at its file may change of its checkpoint: one that finds the same need not be saved."""
        size_bytes, facts = max(self.size_bytes, self.read_to), self.facts
        return (*facts.hint, facts.mtime_ns, size_bytes, self.seen, self.is_finished, self.lost_bytes, self.gone_at_s)

    def checkpoint(self) -> Checkpoint:
        """The record that the state keeps."""
        return Checkpoint(
            generation=self.number,
            source=self.log.source.name,
            receiver=self.log.source.receiver,
            directory=self.log.place.directory,
            stem=self.log.place.stem,
            origin=self.origin,
            path=self.path,
            device=self.facts.device,
            inode=self.facts.inode,
            size_bytes=max(self.size_bytes, self.read_to, self.expected_bytes),
            mtime_ns=self.facts.mtime_ns,
            first_line=self.first_line,
            key=self.key,
            range_start=self.positions.start,
            position=self.positions.confirmed,
            anchors=tuple(self.anchors),
            is_finished=self.is_finished and self.positions.confirmed >= self.read_to,  # else it may end with us
            lost_bytes=self.lost_bytes,
            gone_at_s=self.gone_at_s,
        )

    def status(self) -> FileStatus:
        """As people see it."""
        size = max(self.size_bytes, self.read_to)
        is_newest = self is self.log.generations[-1]  # it shows what was lost of those that are gone, too
        lost_bytes = sum(each.lost_bytes for each in self.log.generations) if is_newest else self.lost_bytes
        return FileStatus(
            source=self.log.source.name,
            path=self.path,
            generation=self.number,
            position=self.positions.confirmed,
            read_to=self.read_to,
            size_bytes=size,
            lag_bytes=size - self.positions.confirmed,
            lost_bytes=lost_bytes,
            held_bytes=self.facts.blocks_bytes if self.is_deleted else 0,
            is_deleted=self.is_deleted,
            is_live=self.is_live,
            is_held=self.is_held,
            problem=self.problem,
        )


def with_path(paths: Paths, path: str) -> Paths:
    return paths if path in paths else (*paths, path)


def without_path(paths: Paths, path: str) -> Paths:
    return tuple(each for each in paths if each != path)


@record(frozen=False, eq=False)
class Log:
    """A name in a directory and its generations, oldest first."""

    source: TailSource
    place: Place
    generations: list[Generation] = field(default_factory=list)
    live_names: Paths = ()  # its own, and links to it
    rejected: dict[str, Facts] | None = None  # siblings that are none of the generations, as they were
    kin: tuple[Log, ...] | None = None  # logs that this one may have been made of by hand; None: not looked for yet
    is_waiting_for_turn: bool = False
    is_parked: bool = False  # its source is not configured any more

    def next_with_data(self) -> Generation | None:
        """The oldest generation that has something to read."""
        return next((each for each in self.generations if each.has_data), None)


def restored(row: Checkpoint, log: Log) -> Generation:
    """A generation as it was before the restart; where its content is now has to be found out.

    For another receiver than the row's nothing is confirmed: it is read from its start, but it is known.
    """
    is_same_receiver = row.receiver == log.source.receiver
    positions = Positions(row.range_start if is_same_receiver else 0)
    positions.confirmed = row.position if is_same_receiver else 0
    seen = row.anchors[-1] if row.anchors and row.anchors[-1].position > row.position else None
    positions.anchors = [each for each in row.anchors if each is not seen]
    return Generation(
        number=row.generation,
        log=log,
        path=row.path,
        positions=positions,
        facts=Facts(row.device, row.inode, 0, row.mtime_ns, 1, 0),
        origin=row.origin,
        key=row.key,
        first_line=row.first_line,
        size_bytes=row.size_bytes,
        seen=seen,
        read_to=positions.confirmed,
        lost_bytes=row.lost_bytes,
        gone_at_s=row.gone_at_s,
        is_finished=row.is_finished,
        is_stored=True,
    )
