"""Logs that say by directives what their lines hold: each line comes with those that are in force for it."""

from __future__ import annotations

from collections.abc import Sequence

from logship.conversion.envelope import Opened
from logship.formats.directives import Heading, heading_after, is_directive
from logship.records import record


@record(frozen=False)
class HeadedLines:
    """Opens the stretches of one log, in order.

    Shapes: `known` is what is in force where the last stretch ended.
    """

    known: Heading = Heading()

    def unknown_since(self, start: int) -> Heading | None:
        """The last heading known above a position that no stretch ended at; None where none has to be looked for."""
        if start in (0, self.known.position):
            return None
        return self.known if self.known.position < start else Heading()

    def text_at(self, start: int) -> bytes:
        """What is in force at a position, as far as it is known."""
        return self.known.text if self.known.position == start > 0 else b""

    def pass_over(self, data: bytes, start: int, end: int) -> None:
        """A stretch without lines to read; `data` are its first bytes."""
        if start == self.known.position:
            self.known = Heading(end, heading_after(self.known.text, data))

    def open(self, data: bytes, start: int, heading: bytes = b"") -> Opened:
        """The headed lines of whole lines, the first at position `start`; directives and blank lines are none.

        Shapes: `heading` is in force at `start`, where the last stretch did not end there.
        """
        text = self.text_at(start) or heading
        opened, at = Opened(), start
        for raw in data.split(b"\n")[:-1]:
            line = raw.removesuffix(b"\r")
            if is_directive(line):
                text = heading_after(text, line + b"\n")
            elif line.strip():
                opened.lines.append(text + line)
                opened.outer.append(line)
                opened.starts.append(at)
            at += len(raw) + 1
        opened.starts.append(at)
        self.known = Heading(at, text)
        return opened


def headed_lines(samples: Sequence[bytes]) -> list[bytes]:
    """The headed lines of a log's lines, none of which has its line end."""
    return HeadedLines().open(b"".join(line + b"\n" for line in samples), 0).lines
