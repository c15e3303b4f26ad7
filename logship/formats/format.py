"""The contract of every format: what a compiled format can do with a line and with a chunk of lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from logship.formats.slot import Fields, Misfit, Row, Slot, Value


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a chunk, one for each line.

    Shapes: rows[i] holds the needed fields of line i as raw text known to need neither unescaping nor JSON escaping
    (fields that are only written: or the text inside JSON quotes that it becomes); '-' is absent, '' stands in no row.
    `dirty` are the indexes, ascending, of lines whose row must not be used: they go through Scanner.parse.
    `fields` says which of the needed fields rows hold, where all these lines lack the same ones or have them in another
    order: then '' is absent too; None: all of them in order.
    """

    rows: list[Row]
    dirty: Sequence[int]
    fields: Fields | None = None


class Scanner(ABC):
    """Reads the needed fields of lines, for the hot path; made by Format.scanner.

    Shapes: `slots` are the slots of the needed fields, in the order they were asked for (asking in the order of the
    format's slots saves a pass).
    """

    slots: tuple[Slot, ...]

    @abstractmethod
    def scan(self, data: bytes, lines: Sequence[bytes]) -> Scan | None:
        """The chunk at once, for lines that are clean; None: this chunk is better done line by line with `parse`.

        `data` is whole lines, each with its newline; `lines` are the same lines without it (a '\\r' is left on in both
        or in neither). Times are not checked here: where the slot's decoder gives None for a row's time, hand that line
        to `parse`. A STATUS value is three digits, the first not 0; other numbers may have leading zeros.
        """

    def clean_rows(self, data: bytes, lines: Sequence[bytes]) -> list[Row | None] | None:
        """`scan` with None in the place of every dirty row."""
        found = self.scan(data, lines)
        if found is None:
            return None
        rows: list[Row | None] = list(found.rows)
        for index in found.dirty:
            rows[index] = None
        return rows

    def parse_row(self, row: Row, line: bytes) -> tuple[Value, ...] | None:
        """The same as `parse`, for a dirty line whose row is at hand and may save the work."""
        return self.parse(line)

    @abstractmethod
    def parse(self, line: bytes) -> tuple[Value, ...] | None:
        """The needed fields of one line, decoded: escapes undone, bytes that are not UTF-8 as U+FFFD, '' = absent.

        None: the line does not fit the format (an impossible time does not fit either).
        """


class Format(ABC):
    """A compiled format.

    Shapes: `slots` in the order of `parse`'s values; each field occurs once. `members` are the formats of a list, each
    line taking the first that fits; (self,) for any other: whoever compiles against slots compiles once for each member
    and asks `choose` which member a line belongs to. `is_open`: further names than the slots' may be asked for
    (JSON: any key, dotted for nested ones); `slot` and `scanner` then accept them.
    """

    name: str
    slots: tuple[Slot, ...]
    is_open: bool = False
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
    def scanner(self, needed: Sequence[str], written: Collection[str] = ()) -> Scanner:
        """A scanner for these canonical field names, each of which has a slot here.

        `written` are those whose value nobody looks at: in rows of `scan` it may stand as it does inside JSON quotes.
        Raises: KeyError for a name without a slot.
        """

    @abstractmethod
    def parse(self, line: bytes) -> tuple[Value, ...] | None:
        """Every slot's value, decoded as Scanner.parse says; None: the line does not fit."""

    def others(self, line: bytes) -> dict[str, Value]:
        """What a line that fits holds beside the slots, by names that may be asked for; for people, as explain()."""
        return {}

    def is_exact(self, line: bytes) -> bool:
        """Whether a line that fits does so to the letter, without tolerance for what other servers write."""
        return True

    def forget(self) -> None:  # noqa: B027 -- most formats learn nothing
        """Frees what was learnt from lines, for a format that waits for its next use."""

    @abstractmethod
    def explain(self, line: bytes) -> Misfit | None:
        """Where the line stops fitting; None: it fits. For people: slower than parse, still in linear time."""
