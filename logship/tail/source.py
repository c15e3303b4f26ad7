"""What the tailer is told to follow, and the time it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol


class Clock(Protocol):
    """Time as a part that is plugged in."""

    def monotonic(self) -> float:
        """Seconds that never jump: for waits and ages."""

    def time(self) -> float:
        """Seconds since the epoch, as the machine believes: only for what outlives the process."""


@dataclass(frozen=True, slots=True)
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
