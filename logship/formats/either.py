"""A log of several formats: each line by the first that fits."""

from __future__ import annotations

from collections.abc import Sequence

from logship.errors import FormatError
from logship.formats.format import Format, Read
from logship.formats.slot import Misfit, Slot, Values


class EitherFormat(Format):
    """Several formats, tried in order.

    Shapes: slots are those of all members, the first member's where several have a field. As members may write a field
    in different ways, compile against each of `members` and `choose` by line; parse here gives each member's own text.
    """

    def __init__(self, name: str, members: Sequence[Format]) -> None:
        if not members:
            raise FormatError("a list of formats needs at least one")
        headed = next((member.name for member in members if member.is_headed and len(members) > 1), "")
        if headed:
            raise FormatError(
                f"{headed} can not be one of several: its lines say what they are only below their #Fields"
            )
        self.name = name
        self._members = tuple(members)
        slots: dict[str, Slot] = {}
        for member in members:
            for slot in member.slots:
                slots.setdefault(slot.field, slot)
        self.slots = tuple(slots.values())
        self.is_open = any(member.is_open for member in members)

    @property
    def members(self) -> tuple[Format, ...]:
        return self._members

    def slot(self, field: str) -> Slot | None:
        return next((slot for member in self._members if (slot := member.slot(field))), None)

    def choose(self, line: bytes) -> int | None:
        return next((index for index, member in enumerate(self._members) if member.parse(line) is not None), None)

    def reader(self, needed: Sequence[str]) -> Read:
        """By the first member that fits; a field that the member lacks is ''."""
        for field in needed:
            if self.slot(field) is None:
                raise KeyError(field)
        readers: list[tuple[Read, tuple[int, ...]]] = []
        for member in self._members:
            there = [field for field in needed if member.slot(field) is not None]
            places = tuple(there.index(field) if field in there else -1 for field in needed)
            readers.append((member.reader(there), places))

        def read(line: bytes) -> Values | None:
            for read_member, places in readers:
                values = read_member(line)
                if values is not None:
                    return tuple([values[place] if place >= 0 else "" for place in places])
            return None

        return read

    def parse(self, line: bytes) -> Values | None:
        for member in self._members:
            values = member.parse(line)
            if values is not None:
                found = {slot.field: value for slot, value in zip(member.slots, values, strict=True)}
                return tuple([found.get(slot.field, "") for slot in self.slots])
        return None

    def explain(self, line: bytes) -> Misfit | None:
        """The misfit of the member that got furthest."""
        misfits: list[Misfit] = []
        for member in self._members:
            misfit = member.explain(line)
            if misfit is None:
                return None
            misfits.append(misfit)
        return max(misfits, key=lambda misfit: (misfit.fits / misfit.of, misfit.at))
