"""What executing a program over the lines of a chunk gives."""

from __future__ import annotations

from array import array

from logship.records import record


@record(frozen=False)
class Encoded:
    """Events of a chunk.

    Shapes: `text` is ASCII, one comma between events: event i is text[ends[i - 1] + 1 : ends[i]], the first begins at
    0; it comes from line lines[i]. Line j spans [starts[j], starts[j + 1]). `left` are the lines that were handed back,
    in order. counts[c] is what counter c of the program counted.
    """

    text: bytes | bytearray
    ends: array[int]
    lines: array[int]
    starts: array[int]
    left: array[int]
    counts: array[int]


def nothing_done(data: bytes, start: int, starts: array[int] | None, counters: int) -> Encoded:
    """All lines are left."""
    if starts is None:
        starts = array("Q", [start])
        at = data.find(b"\n") + 1
        while at:  # splitlines() would also split at \r
            starts.append(start + at)
            at = data.find(b"\n", at) + 1
    left = array("I", range(len(starts) - 1))
    return Encoded(b"", array("I"), array("I"), starts, left, array("Q", bytes(8 * counters)))
