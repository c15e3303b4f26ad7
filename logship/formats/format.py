"""The contract of every format: what a compiled format can do with a line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from logship.formats.slot import Misfit, Slot, Values
from logship.formats.times import ClfTime, EpochTime
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping
from logship.records import record

Read = Callable[[bytes], Values | None]


@record
class Wanted:
    """What a mapping wants of a format's lines, for the kernel.

    Shapes: `registers` of the needed fields by their names; `moments` are the time fields whose number the event is
    made with; `time_function` is the number of a slot's function from text to epoch milliseconds.
    """

    registers: Mapping[str, int]
    moments: Mapping[str, int]
    time_function: Callable[[Slot], int]


@record
class Assumption:
    """Something that a log leaves open.

    Shapes: nothing has to be said of it where somebody gives `field`; `hint` is what to do where it is wrong.
    `is_of_value`: it is of a value of this line, not of what the log lacks as a whole.
    """

    field: str
    said: str
    hint: str
    is_of_value: bool = False


class Format(ABC):
    """A compiled format.

    Shapes: `slots` in the order of `parse`'s values; each field occurs once. `members` are the formats of a list, each
    line taking the first that fits; (self,) for any other: whoever compiles against slots compiles once for each member
    and asks `choose` which member a line belongs to. `is_open`: further names than the slots' may be asked for
    (JSON: any key, dotted for nested ones); `slot` and `reader` then accept them, and values may be Bare.
    `is_headed`: its lines are headed lines (directives.py).
    """

    name: str
    slots: tuple[Slot, ...]
    is_open: bool = False
    is_headed: bool = False
    time_hint: str = "log $time_iso8601 or $msec (nginx), %t (Apache)"  # for whoever finds no time in it

    @property
    def members(self) -> tuple[Format, ...]:
        return (self,)

    @property
    def shape(self) -> tuple[object, ...]:
        """What makes two formats read the same from the same lines: equal shapes do."""
        return self.slots

    def slot(self, field: str) -> Slot | None:
        """The slot of a canonical field name; None where this format can't have it."""
        return next((slot for slot in self.slots if slot.field == field), None)

    def choose(self, line: bytes) -> int | None:
        """Index of the first member that fits the line; None if none does."""
        return 0 if self.parse(line) is not None else None

    @abstractmethod
    def parse(self, line: bytes) -> Values | None:
        """Every slot's value, decoded: escapes undone, bytes that are not UTF-8 as U+FFFD, '' = absent.

        None: the line does not fit the format (an impossible time does not fit either).
        """

    def reader(self, needed: Sequence[str]) -> Read:
        """A function like `parse` that gives the values of these canonical field names, each of which has a slot here.

        Raises: KeyError for a name without a slot.
        """
        names = [slot.field for slot in self.slots]
        for field in needed:
            if field not in names:
                raise KeyError(field)
        places = [names.index(field) for field in needed]

        def read(line: bytes) -> Values | None:
            values = self.parse(line)
            return None if values is None else tuple([values[place] for place in places])

        return read

    def emit_reading(self, assembler: Assembler, wanted: Wanted) -> Escaping | None:
        """The instructions by which the kernel reads such lines; None: it can't, `reader` does it.

        They fill the registers with what `reader` gives, or hand the line back; so they do where `parse` gives None.
        """
        return None

    def others(self, line: bytes) -> dict[str, str]:
        """What a line that fits holds beside the slots, by names that may be asked for; for people, as explain()."""
        return {}

    def lacks_zone(self, line: bytes) -> bool:
        """Whether a line holds a time that needs a zone; False for one that does not fit."""
        if not any(_may_lack_zone(slot) for member in self.members for slot in member.slots):
            return False
        index = self.choose(line)
        member = self.members[index] if index is not None else self
        values = member.parse(line) or ()
        pairs = zip(member.slots, values, strict=False)
        return any(slot.time is not None and slot.time.lacks_zone(value) for slot, value in pairs)

    def assumes(self, line: bytes) -> tuple[Assumption, ...]:
        """What is taken for granted of a line that the format's slots don't tell."""
        return ()

    def is_exact(self, line: bytes) -> bool:
        """Whether a line that fits does so to the letter, without tolerance for what other servers write."""
        return True

    def forget(self) -> None:  # noqa: B027 -- most formats learn nothing
        """Frees what was learnt from lines, for a format that waits for its next use."""

    @abstractmethod
    def explain(self, line: bytes) -> Misfit | None:
        """Where the line stops fitting; None: it fits. For people: slower than parse, still in linear time."""


def _may_lack_zone(slot: Slot) -> bool:
    return slot.time is not None and not isinstance(slot.time, ClfTime | EpochTime)
