"""Lines and events that can't be delivered, kept with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logship.counters import Counters
from logship.event import LogFile

MAX_STORE_BYTES = 100_000_000  # what a broken mapping may cost of the state's disk


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One line that didn't become a delivered event.

    Shapes: `id` is the transaction_id the line has; `raw` is the line without its newline, cut if `is_cut`;
    `status` and `answer` are the receiver's, None and '' where it was never asked; `event` is '' where none was made.
    """

    id: str
    time: str
    reason: str
    file: LogFile
    position: int
    raw: bytes
    event: str = ""
    status: int | None = None
    answer: str = ""
    is_cut: bool = False


class DeadLetters:
    """The store: NDJSON under the state directory, shared by the daemon and the command line."""

    def __init__(self, state_dir: Path, *, counters: Counters, max_bytes: int = MAX_STORE_BYTES) -> None:
        raise NotImplementedError

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Write and fsync; what is over the cap is counted instead.

        Raises: OSError as the system gives it; then nothing of `letters` was written.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[DeadLetter]:
        """Every letter once, oldest first."""
        raise NotImplementedError

    def remove(self, ids: Iterable[str]) -> int:
        """Forget these letters; how many there were."""
        raise NotImplementedError
