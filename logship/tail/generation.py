"""One generation of a log: the content between two rotations, under whatever name it is now."""

from __future__ import annotations

from dataclasses import dataclass, field

from logship.checkpoint import Anchor, Checkpoint
from logship.event import ANCHOR_BYTES, LogFile
from logship.tail.content import Content, Facts
from logship.tail.identity import Place, anchor_of
from logship.tail.positions import Positions
from logship.tail.reader import Lookahead
from logship.tail.source import TailSource

NOWHERE = Facts(0, 0, 0, 0, 0, 0)


@dataclass(slots=True, eq=False)
class Generation:
    """What the tailer knows of one generation while it runs.

    Shapes: `key` is None until the first line stands; positions and size_bytes count decompressed bytes; for an archive
    size_bytes is what has been seen of it. `before` is what stood before read_to, up to ANCHOR_BYTES (None: not read).
    `names`: the paths that hold it now; `path` the last of them, for people.
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
    tail: bytes = b""  # hash of what stood before size_bytes, while nothing is confirmed
    read_to: int = 0
    before: bytes | None = None
    stalled_at: int = -1  # the size at which nothing more could be read
    names: set[str] = field(default_factory=set)
    changed_s: float = 0.0  # monotonic: when it was last seen to change
    lost_at_s: float | None = None  # monotonic: since when no name and no descriptor holds it
    lost_bytes: int = 0
    gone_at_s: float = 0.0
    read_end: int | None = None  # --once: not further than this
    ahead: Lookahead = field(default_factory=Lookahead)
    file: LogFile | None = None
    problem: str = ""
    is_stored: bool = False
    is_dirty: bool = False
    is_held: bool = False
    is_finished: bool = False
    is_final: bool = False  # nothing will follow: a last line without newline counts
    is_read_out: bool = False  # an archive, read to its true end

    @property
    def has_data(self) -> bool:
        """Whether reading may bring something."""
        if self.content is None or self.key is None or self.is_held or self.is_read_out:
            return False
        if self.read_end is not None and self.read_to >= self.read_end:
            return False
        if self.content.is_archive:
            return self.stalled_at < 0
        return self.size_bytes > self.read_to and self.stalled_at != self.size_bytes

    @property
    def is_deleted(self) -> bool:
        return self.content is not None and self.facts.links == 0

    def log_file(self) -> LogFile:
        """The route's name for it, made anew when its path changes."""
        assert self.key is not None
        if self.file is None or self.file.path != self.path:
            self.file = LogFile(self.number, self.path, self.log.source.name, self.key, self.origin)
        return self.file

    def passed(self, end: int, data: bytes) -> None:
        """Reading stands at `end` now; `data` are the bytes before it that were read last."""
        self.before = ((self.before or b"") + data)[-ANCHOR_BYTES:]
        self.read_to = end

    def checkpoint(self, receiver: str) -> Checkpoint:
        """The record that the state keeps."""
        return Checkpoint(
            generation=self.number,
            source=self.log.source.name,
            receiver=receiver,
            directory=self.log.place.directory,
            stem=self.log.place.stem,
            origin=self.origin,
            path=self.path,
            device=self.facts.device,
            inode=self.facts.inode,
            size_bytes=max(self.size_bytes, self.read_to),
            mtime_ns=self.facts.mtime_ns,
            first_line=self.first_line,
            key=self.key,
            range_start=self.positions.start,
            position=self.positions.confirmed,
            anchors=tuple(self.positions.anchors),
            tail=self.tail,
            is_finished=self.is_finished,
            lost_bytes=self.lost_bytes,
            gone_at_s=self.gone_at_s,
        )


@dataclass(slots=True, eq=False)
class Log:
    """A name in a directory and its generations, oldest first."""

    source: TailSource
    place: Place
    generations: list[Generation] = field(default_factory=list)
    is_waiting_for_turn: bool = False

    def add(self, generation: Generation) -> None:
        self.generations.append(generation)

    def next_with_data(self) -> Generation | None:
        """The oldest generation that has something to read."""
        return next((each for each in self.generations if each.has_data), None)


def restored(row: Checkpoint, log: Log) -> Generation:
    """A generation as it was before the restart; where its content is now has to be found out."""
    positions = Positions(row.range_start)
    positions.confirmed = positions.issued_to = row.position
    positions.anchors = list(row.anchors)
    if row.receiver != log.source.receiver:
        positions = Positions(0)
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
        tail=row.tail,
        read_to=positions.confirmed,
        lost_bytes=row.lost_bytes,
        gone_at_s=row.gone_at_s,
        is_finished=row.is_finished,
        is_stored=True,
    )


def anchor_at(position: int, before: bytes) -> Anchor:
    return Anchor(position, anchor_of(before))
