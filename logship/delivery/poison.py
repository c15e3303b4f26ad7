"""Are single events bad, or is the whole mapping? An event refused alone is a suspect until a later event decides.

An event that the receiver refuses alone is a suspect. As soon as an event of the same source is accepted that was sent
after the refusal, the mapping is known to work and the suspects are rejected: they become dead letters. After
SUSPECT_RUN suspects in a row the mapping itself is tested: one event that lies behind them is sent. Accepted: the
suspects are rejected. Refused: the mapping is wrong; nothing is rejected, sending is on hold, and each further try
sends the first suspect again and an event from behind. Suspects without an event behind them are rejected after
ALONE_S, since nothing more can be learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from logship.delivery.batch_progress import BatchProgress
from logship.delivery.pace import Attempt
from logship.event import RefusedEvent
from logship.records import record

SUSPECT_RUN = 20  # this many refused in a row make the mapping suspect
ALONE_S = 10.0  # how long a few refused events wait for later ones of their source


@record
class Suspect:
    """One event refused alone."""

    progress: BatchProgress
    refusal: RefusedEvent
    attempt: Attempt

    def reject(self) -> None:
        self.progress.reject(self.refusal)


@record(frozen=False)
class SourceSuspects:
    """The suspects of one source."""

    source: str
    suspects: list[Suspect] = field(default_factory=list)
    newest_s: float = 0.0

    @property
    def is_grave(self) -> bool:
        """Whether the mapping as a whole is in doubt."""
        return len(self.suspects) >= SUSPECT_RUN

    def add(self, suspect: Suspect, now_s: float) -> None:
        suspect.progress.suspect()
        self.suspects.append(suspect)
        self.newest_s = now_s

    def mapping_works(self, accepted: Attempt) -> list[BatchProgress]:
        """An event was accepted: what was refused before it was sent is rejected; gives the batches concerned."""
        rejected = [suspect for suspect in self.suspects if suspect.attempt.number < accepted.number]
        self.suspects = [suspect for suspect in self.suspects if suspect.attempt.number >= accepted.number]
        for suspect in rejected:
            suspect.reject()
        return [suspect.progress for suspect in rejected]

    def reject_all(self) -> list[BatchProgress]:
        """Nothing more can be learned: all are rejected; gives the batches concerned."""
        rejected, self.suspects = self.suspects, []
        for suspect in rejected:
            suspect.reject()
        return [suspect.progress for suspect in rejected]

    def clear_all(self) -> list[BatchProgress]:
        """The first suspect was accepted now: the others are sent again; gives the batches concerned."""
        cleared, self.suspects = self.suspects, []
        for place, suspect in reversed(list(enumerate(cleared))):  # so that the earliest comes first again
            suspect.progress.clear(suspect.refusal.index, is_accepted=place == 0)
        return [suspect.progress for suspect in cleared]


@record(frozen=False)
class Trial:
    """The test of a mapping; once it `is_lost`, the first suspect and an event from behind are sent in turn."""

    of_source: SourceSuspects
    is_lost: bool = False  # an event from behind was refused too: the mapping is wrong
    is_retrying: bool = False


class PoisonWatch:
    """The suspects of all sources of one receiver; one mapping is tested at a time."""

    def __init__(self) -> None:
        self.trial: Trial | None = None
        self._of_source: dict[str, SourceSuspects] = {}

    @property
    def are_any(self) -> bool:
        return bool(self._of_source)

    def refuse(self, source: str, suspect: Suspect, now_s: float) -> None:
        """An event of `source` was refused alone."""
        self._of_source.setdefault(source, SourceSuspects(source)).add(suspect, now_s)
        self._try_the_next()

    def accept(self, sources: Iterable[str], attempt: Attempt) -> list[BatchProgress]:
        """Events of these sources were accepted; gives the batches whose suspects are decided by that."""
        touched: list[BatchProgress] = []
        for source in sources:
            if of_source := self._of_source.get(source):
                touched += of_source.mapping_works(attempt)
        self._try_the_next()
        return touched

    def suspect_accepted(self, trial: Trial) -> list[BatchProgress]:
        """A suspect is accepted now; gives the batches that have events to send again."""
        touched = trial.of_source.clear_all()
        self._try_the_next()
        return touched

    def reject_alone(self, now_s: float, batches: Sequence[BatchProgress], is_finishing: bool) -> list[BatchProgress]:
        """Rejects suspects about which nothing more can be learned; gives the batches concerned."""
        touched: list[BatchProgress] = []
        for of_source in list(self._of_source.values()):
            is_due = is_finishing or now_s >= of_source.newest_s + ALONE_S
            if is_due and not of_source.is_grave and not _is_behind(of_source, batches):
                touched += of_source.reject_all()
        self._try_the_next()
        return touched

    def next_rejection_s(self, batches: Sequence[BatchProgress]) -> float | None:
        """When suspects that nothing lies behind will have waited long enough; None without any."""
        alone = [
            of_source.newest_s + ALONE_S
            for of_source in self._of_source.values()
            if not of_source.is_grave and not _is_behind(of_source, batches)
        ]
        return min(alone, default=None)

    def _try_the_next(self) -> None:
        """Forget sources without suspects, and begin the next trial."""
        self._of_source = {name: of_source for name, of_source in self._of_source.items() if of_source.suspects}
        if self.trial and not self.trial.of_source.is_grave:
            self.trial = None
        if self.trial is None:
            grave = next((of_source for of_source in self._of_source.values() if of_source.is_grave), None)
            self.trial = Trial(grave) if grave else None


def _is_behind(of_source: SourceSuspects, batches: Sequence[BatchProgress]) -> bool:
    """Whether events of the same source are still to be decided."""
    return any(progress.is_out or any(progress.pending_of(of_source.source)) for progress in batches)
