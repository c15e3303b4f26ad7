"""A format string cut into literals and fields: what the Apache and nginx tokenizers give to the line pattern."""

from __future__ import annotations

from logship.formats.slot import Slot
from logship.kernel.program import Escaping
from logship.records import record


@record
class Literal:
    """Text that stands in every line; `column` is where it starts in the format string."""

    text: str
    column: int

    @property
    def latin(self) -> str:
        """Its UTF-8, a character a byte, as lines are looked at."""
        return self.text.encode("utf-8", "surrogateescape").decode("latin-1")


@record
class Variable:
    """A field; `slot` is None for what is read over (a repeat of a field that counted already)."""

    slot: Slot
    column: int
    repeated: bool = False


Piece = Literal | Variable


@record
class LineShape:
    """A whole format string: literals and variables alternate as they were written."""

    text: str
    pieces: tuple[Piece, ...]
    escaping: Escaping


def join_literals(pieces: list[Piece]) -> tuple[Piece, ...]:
    """The pieces with neighbouring literals made one and empty ones left out."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, Literal):
            if not piece.text:
                continue
            if isinstance(last, Literal):
                joined[-1] = Literal(last.text + piece.text, last.column)
                continue
        joined.append(piece)
    return tuple(joined)
