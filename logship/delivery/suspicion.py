"""Are these events bad, or is the whole mapping? Events refused alone are suspects until something tells them apart.

An event that the receiver refuses alone is a suspect. As soon as an event of the same source is accepted that was sent
after the refusal, the mapping is known to work and the suspects are dead letters. Where SUSPECT_RUN of them stand in a
row, the source is on trial: one event that lies behind them is sent. Accepted: the suspects are dead letters. Refused:
the mapping is wrong; nothing becomes a dead letter, sending holds, and each further try sends the first suspect again
and an event from behind. Suspects with no event behind them are dead letters after LONELY_S: nobody can tell more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from logship.delivery.pace import Attempt
from logship.delivery.parcel import Parcel
from logship.event import RefusedEvent
from logship.records import record

SUSPECT_RUN = 20  # so many refused in a row put the mapping in doubt
LONELY_S = 10.0  # how long a few refused events wait for the next ones of their source


@record
class Suspect:
    """One event refused alone."""

    parcel: Parcel
    refusal: RefusedEvent
    attempt: Attempt

    def bury(self) -> None:
        self.parcel.bury(self.refusal)


@record(frozen=False)
class Suspicion:
    """What is held against the mapping of one source."""

    source: str
    suspects: list[Suspect] = field(default_factory=list)
    newest_s: float = 0.0

    @property
    def is_grave(self) -> bool:
        """Whether the mapping as a whole is in doubt."""
        return len(self.suspects) >= SUSPECT_RUN

    def add(self, suspect: Suspect, now_s: float) -> None:
        suspect.parcel.suspect()
        self.suspects.append(suspect)
        self.newest_s = now_s

    def acquit_mapping(self, accepted: Attempt) -> list[Parcel]:
        """An event was accepted: what was refused before it was sent is dead letters; the parcels they are of."""
        buried = [suspect for suspect in self.suspects if suspect.attempt.number < accepted.number]
        self.suspects = [suspect for suspect in self.suspects if suspect.attempt.number >= accepted.number]
        for suspect in buried:
            suspect.bury()
        return [suspect.parcel for suspect in buried]

    def bury_all(self) -> list[Parcel]:
        """Nobody can tell more: dead letters; the parcels they are of."""
        buried, self.suspects = self.suspects, []
        for suspect in buried:
            suspect.bury()
        return [suspect.parcel for suspect in buried]

    def clear_all(self) -> list[Parcel]:
        """The first suspect was accepted now: the others are sent again; the parcels they are of."""
        cleared, self.suspects = self.suspects, []
        for place, suspect in reversed(list(enumerate(cleared))):  # so that the earliest comes first again
            suspect.parcel.clear(suspect.refusal.index, is_accepted=place == 0)
        return [suspect.parcel for suspect in cleared]


@record(frozen=False)
class Trial:
    """A source whose mapping is in doubt; once it `is_lost`, each try is a retake and then a probe."""

    suspicion: Suspicion
    is_lost: bool = False  # an event from behind was refused too: the mapping is wrong
    is_retaking: bool = False


class Suspicions:
    """The suspicions of all sources of one receiver; one trial at a time."""

    def __init__(self) -> None:
        self.trial: Trial | None = None
        self._of_source: dict[str, Suspicion] = {}

    @property
    def are_any(self) -> bool:
        return bool(self._of_source)

    def refuse(self, source: str, suspect: Suspect, now_s: float) -> None:
        """An event of `source` was refused alone."""
        self._of_source.setdefault(source, Suspicion(source)).add(suspect, now_s)
        self._try_the_next()

    def accept(self, sources: Iterable[str], attempt: Attempt) -> list[Parcel]:
        """Events of these sources were accepted; the parcels whose suspects are judged by that."""
        touched: list[Parcel] = []
        for source in sources:
            if suspicion := self._of_source.get(source):
                touched += suspicion.acquit_mapping(attempt)
        self._try_the_next()
        return touched

    def retake_accepted(self, trial: Trial) -> list[Parcel]:
        """What was refused is accepted now; the parcels that have something to send again."""
        touched = trial.suspicion.clear_all()
        self._try_the_next()
        return touched

    def bury_lonely(self, now_s: float, parcels: Sequence[Parcel], is_finishing: bool) -> list[Parcel]:
        """Suspects that nothing more can be learned about become dead letters; the parcels they are of."""
        touched: list[Parcel] = []
        for suspicion in list(self._of_source.values()):
            is_due = is_finishing or now_s >= suspicion.newest_s + LONELY_S
            if is_due and not suspicion.is_grave and not _is_behind(suspicion, parcels):
                touched += suspicion.bury_all()
        self._try_the_next()
        return touched

    def next_burial_s(self, parcels: Sequence[Parcel]) -> float | None:
        """When suspects that nothing lies behind will have waited long enough; None without any."""
        lonely = [
            suspicion.newest_s + LONELY_S
            for suspicion in self._of_source.values()
            if not suspicion.is_grave and not _is_behind(suspicion, parcels)
        ]
        return min(lonely, default=None)

    def _try_the_next(self) -> None:
        """Keep what is in doubt, forget the rest."""
        self._of_source = {name: suspicion for name, suspicion in self._of_source.items() if suspicion.suspects}
        if self.trial and not self.trial.suspicion.is_grave:
            self.trial = None
        if self.trial is None:
            grave = next((suspicion for suspicion in self._of_source.values() if suspicion.is_grave), None)
            self.trial = Trial(grave) if grave else None


def _is_behind(suspicion: Suspicion, parcels: Sequence[Parcel]) -> bool:
    """Whether events of the suspicion's source are still to be decided."""
    return any(parcel.is_out or any(parcel.pending_of(suspicion.source)) for parcel in parcels)
