"""Lines that fit no format: single ones are dead letters; a hundred in a row mean that the format is wrong.

A run of unmatched lines stays undecided, and the file's position before it, until a later line fits (then they are dead
letters) or it is RUN_LIMIT lines long (then the file is held at the first of them, and only searched for a line that
fits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from logship.delivery.dead_letter import NO_FORMAT, DeadLetter
from logship.event import Chunk, Conversion, EventOrigin, origin_of_line
from logship.records import record

RUN_LIMIT = 100  # lines; a burst of port scans stays below, a changed log_format does not
TOO_LONG = "longer than max_line_bytes"


@record(frozen=False)
class Settled:
    """What a chunk settles in its file.

    Shapes: [start, end) follows the last settled range without a gap; end == start while nothing is decided; `lines`
    are the lines in it, among them `letters`. `rewind_to` is set where a held file continues: read again from there.
    """

    start: int
    end: int
    letters: list[DeadLetter] = field(default_factory=list)
    lines: int = 0
    newly_held: bool = False
    rewind_to: int | None = None


@record(frozen=False)
class UnmatchedRun:
    """The undecided or held run of one file.

    Shapes: `start` is the position up to which everything is decided; `unmatched` counts lines that fit no format in a
    row (over-long lines and NULs are no part of that count).
    """

    start: int
    letters: list[DeadLetter] = field(default_factory=list)
    unmatched: int = 0
    is_held: bool = False
    known_unmatched_until: int = (
        0  # a line behind this position fitted: unmatched ones before it are dead letters at once
    )

    def is_over_at(self, position: int) -> bool:
        """Whether everything up to the position is decided, and nothing is known about the rest."""
        return self.known_unmatched_until <= position == self.start

    def settle(self, chunk: Chunk, conversion: Conversion) -> Settled:
        """What `chunk` decides; its events may be sent only if `end` is after them."""
        if chunk.oversize:
            return self._set_aside(chunk)
        if not chunk.data:
            return self._skip(chunk)
        unmatched = conversion.unmatched
        if not conversion.lines and conversion.line_starts[-1] == chunk.end:  # directives only
            return self._skip(chunk)
        if self.is_held:
            return self._look_ahead(chunk, conversion)
        tail = trailing_run(unmatched, conversion.lines)
        starts = conversion.line_starts
        while tail < len(unmatched) and starts[unmatched[tail]] < self.known_unmatched_until:
            tail += 1
        settled = Settled(self.start, self.start)
        fits_in_between = tail == 0 and conversion.lines == len(unmatched)
        if not fits_in_between:
            settled.letters = [*self.letters, *(line_letter(chunk, conversion, line) for line in unmatched[:tail])]
            settled.lines = len(self.letters) + conversion.lines - (len(unmatched) - tail)
            settled.end = starts[unmatched[tail]] if tail < len(unmatched) else min(chunk.end, starts[-1])
            self.letters, self.unmatched, self.start = [], 0, settled.end
        self._append(settled, chunk, conversion, unmatched[tail:])
        return settled

    def finish(self, end: int) -> Settled:
        """Nothing more will be read: a run below the limit becomes dead letters; a held one stays."""
        if self.is_held or not self.unmatched:
            return Settled(self.start, self.start)
        settled = Settled(self.start, end, self.letters, lines=len(self.letters))
        self.letters, self.unmatched, self.start = [], 0, end
        return settled

    def release(self) -> int:
        """Where to continue reading with a new format."""
        self.is_held, self.unmatched, self.letters = False, 0, []
        return self.start

    def _set_aside(self, chunk: Chunk) -> Settled:
        """An over-long line: a dead letter, after an undecided run together with it."""
        if self.is_held:
            return Settled(self.start, self.start)
        letter = DeadLetter.of(EventOrigin(chunk.file, chunk.start, chunk.data.rstrip(b"\n")), TOO_LONG)
        if self.unmatched:
            self.letters.append(letter)
            return Settled(self.start, self.start)
        settled = Settled(self.start, chunk.end, [letter], lines=1)
        self.start = chunk.end
        return settled

    def _skip(self, chunk: Chunk) -> Settled:
        """A range without lines to settle (NUL bytes, lines that the receiver has)."""
        if self.unmatched or self.is_held:
            return Settled(self.start, self.start)
        settled = Settled(self.start, chunk.end)
        self.start = chunk.end
        return settled

    def _append(self, settled: Settled, chunk: Chunk, conversion: Conversion, lines: Sequence[int]) -> None:
        self.unmatched += len(lines)
        if self.unmatched >= RUN_LIMIT:
            self.is_held, self.letters = True, []
            settled.newly_held = True
        else:
            self.letters += [line_letter(chunk, conversion, line) for line in lines]

    def _look_ahead(self, chunk: Chunk, conversion: Conversion) -> Settled:
        settled = Settled(self.start, self.start)
        if len(conversion.unmatched) < conversion.lines:
            unmatched = set(conversion.unmatched)
            fitting = next(line for line in range(conversion.lines) if line not in unmatched)
            self.known_unmatched_until = conversion.line_starts[fitting]
            settled.rewind_to = self.release()
        return settled


def trailing_run(unmatched: Sequence[int], lines: int) -> int:
    """Index in `unmatched` from which on the lines run without a gap to the last line."""
    first = len(unmatched)
    while first and unmatched[first - 1] == lines - (len(unmatched) - first) - 1:
        first -= 1
    return first


def line_letter(chunk: Chunk, conversion: Conversion, line: int) -> DeadLetter:
    """One line of a chunk that fits no format."""
    return DeadLetter.of(origin_of_line(chunk, conversion, line), NO_FORMAT)
