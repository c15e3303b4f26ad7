"""What the tailer is given: what to follow, the time, and a memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from logship.checkpoint import Checkpoint, Range
from logship.records import record


class Memory(Protocol):
    """What outlives the process (logship.state.State has it)."""

    @property
    def is_first_start(self) -> bool: ...

    @property
    def is_lost(self) -> bool: ...

    @property
    def wants_everything(self) -> bool: ...

    def each(self) -> Iterable[Checkpoint]: ...

    def ranges(self, receiver: str, key: int) -> list[Range]: ...

    def save(self, checkpoints: Iterable[Checkpoint]) -> bool: ...

    def note(self, name: str) -> str | None: ...

    def remember(self, name: str, value: str) -> None: ...

    def forget(self, generations: Iterable[int]) -> None: ...

    def mark_started(self) -> None: ...


@record
class TailSource:
    """The files of one source.

    Shapes: globs are absolute, with `**` and `{a,b}`; `origin_of` takes the path as the glob matched it.
    `receiver` is the normalised base URL of the endpoint: confirmed ranges belong to it.
    `start_at` counts for files that stand there at the daemon's first start; later ones are read from the beginning.
    """

    name: str
    paths: tuple[str, ...]
    receiver: str
    origin_of: Callable[[str], str]
    exclude: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    start_at: Literal["end", "beginning"] = "end"
