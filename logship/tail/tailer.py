"""The tailer: one owner of all followed files, driven step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from logship.checkpoint import Checkpoint
from logship.event import Chunk, Span
from logship.tail.notices import FileStatus, Look
from logship.tail.source import Clock, TailSource

CHUNK_BYTES = 262_144


class Memory(Protocol):
    """What the tailer needs of the state (logship.state.State has it)."""

    @property
    def is_first_start(self) -> bool: ...

    def load(self) -> list[Checkpoint]: ...

    def save(self, checkpoints: Iterable[Checkpoint]) -> bool: ...


class Tailer:
    """Follows the files of all sources; see the package for the route.

    Use from one thread. Times are seconds of Clock.monotonic_s().
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
    ) -> None:
        """`once`: read only what stands in each file at its first look, from the checkpoint or the beginning."""
        raise NotImplementedError

    def look(self, now_s: float) -> Look:
        """Discovery: new, gone, rotated, truncated files; cheap when nothing changed."""
        raise NotImplementedError

    def read(self, limit_bytes: int = CHUNK_BYTES, only: frozenset[str] | None = None) -> Chunk | None:
        """The next chunk of the next file whose turn it is; None when there is nothing to read now.

        `only` names the sources whose endpoint has room; None is all.
        """
        raise NotImplementedError

    def span(self, chunk: Chunk, start: int, end: int) -> Span:
        """The span [start, end) of a chunk; `start` and `end` are line starts (or the chunk's end)."""
        raise NotImplementedError

    def hold(self, file_id: int, position: int) -> None:
        """Its lines from `position` on fit no format: nothing more of this file until release()."""
        raise NotImplementedError

    def release(self, file_id: int, position: int) -> None:
        """Reading of a held file goes on from `position` (a line start at or after the one it was held at)."""
        raise NotImplementedError

    def confirm(self, spans: Iterable[Span]) -> None:
        """Positions move over confirmed spans that join on to them; what moved is due for save()."""
        raise NotImplementedError

    def save(self, now_s: float, *, force: bool = False) -> None:
        """Writes what moved, at most every 100 ms (unless forced), in one transaction."""
        raise NotImplementedError

    def wait(self, timeout_s: float) -> None:
        """Until something may have changed, a look is due, wake() was called, or the time is over."""
        raise NotImplementedError

    def wake(self) -> None:
        """Ends a wait() from another thread (a sender has news, a signal came)."""
        raise NotImplementedError

    def follow(self, sources: Sequence[TailSource]) -> None:
        """After a reload: these sources from now on; files both know go on where they are."""
        raise NotImplementedError

    def files(self) -> list[FileStatus]:
        """Every followed generation, by source and path, oldest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Saves what moved and closes every descriptor and watch."""
        raise NotImplementedError
