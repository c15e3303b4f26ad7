"""A log's chunks from one position to another, cut as the tailer cuts them."""

from __future__ import annotations

from logship.backfill.opening import open_log
from logship.backfill.run_settings import BackfillLog
from logship.event import ANCHOR_BYTES, Chunk
from logship.formats.directives import Heading, heading_at
from logship.records import record
from logship.tail.content import ArchiveContent
from logship.tail.identity import anchor_of
from logship.tail.reader import Bounds, Lookahead, next_stretch

COUNT_BYTES = 1_048_576


@record
class Passage:
    """A chunk and the anchor of its end."""

    chunk: Chunk
    anchor: bytes


class LogReading:
    """One log, open; `position` is where the next chunk starts."""

    def __init__(self, log: BackfillLog, position: int, max_line_bytes: int) -> None:
        """Raises: OSError, RemoteError."""
        self.position = position
        self._log = log
        self._max_line_bytes = max_line_bytes
        self._content = open_log(log.path)
        self._before: bytes | None = None  # up to ANCHOR_BYTES before `position`; None: not at hand

    @property
    def is_cut(self) -> bool:
        """Whether the archive, as far as it was read, ends in the middle."""
        return self._content.is_cut

    @property
    def damage(self) -> str:
        """What is wrong with the archive where reading has come to, "" for nothing."""
        return self._content.damage

    @property
    def stored_bytes(self) -> int:
        """How much of the file as it is stored has been read; of a plain one everything before `position`."""
        return self._content.stored_bytes if isinstance(self._content, ArchiveContent) else self.position

    def passage(self, limit_bytes: int, end: int | None) -> Passage | None:
        """The next chunk; None at `end` (None: of the log).

        Raises: OSError, RemoteError; everything before a damage has been given by then.
        """
        start = self.position
        found = next_stretch(self._content, start, Bounds(limit_bytes, self._max_line_bytes, end), Lookahead())
        if found is None and self._log.is_final and not self.is_cut:
            final = Bounds(limit_bytes, self._max_line_bytes, end, is_final=True)
            found = next_stretch(self._content, start, final, Lookahead())
        if found is None:
            return None
        before = self._bytes_before(start) if self._before is None else self._before
        chunk = Chunk(self._log.file, start, found.end, found.data, before, found.skipped_nul, found.oversize)
        self.position = found.end
        self._before = found.before_end if found.oversize else (before + found.before_end)[-ANCHOR_BYTES:]
        return Passage(chunk, anchor_of(self._before))

    def heading(self, position: int, known: Heading) -> bytes:
        """The directives in force at a position; `known` are those of a place before it.

        Raises: OSError, RemoteError.
        """
        return heading_at(self._content.read_at, position, known)

    def lines_to(self, end: int) -> int:
        """Newlines from `position` to `end`, where it is then; fewer bytes where the log is shorter.

        Raises: OSError, RemoteError.
        """
        lines = 0
        self._before = None
        while self.position < end:
            data = self._content.read_at(self.position, min(COUNT_BYTES, end - self.position))
            if not data:
                break
            lines += data.count(b"\n")
            self.position += len(data)
        return lines

    def has_shrunk(self, end: int) -> bool:
        """Whether the log no longer reaches to where the piece ends."""
        return self.position < end and not self._content.read_at(end - 1, 1)

    def has_anchor(self, anchor: bytes) -> bool:
        """Whether this hash is that of the bytes before `position`; unknown (b"") is taken for yes."""
        return not anchor or self.anchor(self.position) == anchor

    def go_to(self, position: int) -> None:
        self.position = position
        self._before = None

    def close(self) -> None:
        self._content.close()

    def anchor(self, position: int) -> bytes:
        """The hash of the bytes before a position."""
        return anchor_of(self._bytes_before(position))

    def _bytes_before(self, position: int) -> bytes:
        size = min(position, ANCHOR_BYTES)
        return self._content.read_at(position - size, size)


def anchor_within(chunk: Chunk, position: int) -> bytes:
    """The hash of the bytes before a position in a chunk."""
    at = position - chunk.start
    before = chunk.data[max(0, at - ANCHOR_BYTES) : at]
    return anchor_of(before if len(before) == ANCHOR_BYTES else chunk.before + before)
