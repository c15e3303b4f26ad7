"""Apache's %t in all its forms, and times written in pieces: `%{%FT%T}t.%{usec_frac}t%{%z}t` is one time."""

from __future__ import annotations

import re

from logship.errors import FormatError
from logship.fields import Kind
from logship.formats.pieces import Literal, Piece, Variable
from logship.formats.slot import Moment, Slot, TimeFormat
from logship.formats.strftime import compile_strftime, is_complete, is_readable
from logship.formats.times import ClfTime, EpochTime

CLF = "%d/%b/%Y:%H:%M:%S %z"
_EPOCHS = {"sec": "%s", "msec": "%Q", "usec": "%K"}
_FRACTIONS = {"msec_frac": "%L", "usec_frac": "%f"}
_SPELLED = {written: name for name, written in (_EPOCHS | _FRACTIONS).items()}
_FIELDS = {"%s": "time_sec", "%Q": "time_msec", "%K": "time_usec"}
_FORMATS: dict[str, tuple[Kind, TimeFormat]] = {
    CLF: (Kind.TIME_CLF, ClfTime()),
    "%s": (Kind.EPOCH_S, EpochTime("s", 1000.0, "1718000000")),
    "%Q": (Kind.EPOCH_MS, EpochTime("ms", 1.0, "1718000000123")),
    "%K": (Kind.EPOCH_US, EpochTime("us", 0.001, "1718000000123456")),
}


def time_slot(argument: str | None, spelled: str, column: int) -> list[Piece]:
    """The pieces of one %t: without a format httpd writes CLF in brackets.

    The slot is a draft until join_times: its `spelled` is the strftime text, its kind Kind.TIME.
    """
    moment, text = Moment.START, argument or ""
    for prefix, meant in (("begin", Moment.START), ("end", Moment.END)):
        if text == prefix or text.startswith(f"{prefix}:"):
            moment, text = meant, text[len(prefix) + 1 :]
    if not text:
        return [Literal("[", column), Variable(_draft(CLF, moment), column), Literal("]", column)]
    written = _EPOCHS.get(text) or _FRACTIONS.get(text) or text
    return [Variable(_draft(written, moment), column)]


def _draft(text: str, moment: Moment) -> Slot:
    return Slot("", Kind.TIME, text, moment)


def join_times(pieces: list[Piece], whole: str) -> list[Piece]:
    """The pieces with time drafts made slots; neighbours that complete each other become one time.

    httpd takes all pieces of a line from one clock reading, so joining them is exact.
    Raises: FormatError where no piece of the format makes a whole time of what it logs of one.
    """
    joined: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        if isinstance(piece, Literal) or piece.slot.kind is not Kind.TIME or piece.slot.field:
            joined.append(piece)
            index += 1
            continue
        variable, index = _grow(piece, pieces, index + 1)
        joined.append(variable)
    has_whole = any(isinstance(piece, Variable) and is_complete(piece.slot.spelled) for piece in joined)
    return [_finish(piece, whole, has_whole) for piece in joined]


def _grow(first: Variable, pieces: list[Piece], index: int) -> tuple[Variable, int]:
    """`first` joined with as many of the following time pieces as make one time with it."""
    text, end = first.slot.spelled, index
    probe, between = index, ""
    while probe < len(pieces):
        piece = pieces[probe]
        probe += 1
        if isinstance(piece, Literal):
            between += piece.text.replace("%", "%%")
            continue
        slot = piece.slot
        if slot.field or slot.kind is not Kind.TIME or slot.moment is not first.slot.moment:
            break
        candidate = text + between + slot.spelled
        if not is_readable(candidate) or (is_complete(text) and not _adds(slot.spelled, text)):
            break
        text, between, end = candidate, "", probe
    return Variable(_draft(text, first.slot.moment), first.column), end


def _adds(piece: str, text: str) -> bool:
    """Whether a piece says more about a time that is whole already: its fraction, its zone."""
    directives = set(re.findall("%(.)", piece))
    return directives <= {"L", "f", "z", "Z"} and not set(re.findall("%(.)", text)) & {"Q", "K"}


def _finish(piece: Piece, whole: str, has_whole: bool) -> Piece:
    if isinstance(piece, Literal) or piece.slot.field:
        return piece
    text, moment = piece.slot.spelled, piece.slot.moment
    spelled = "%t" if text == CLF else f"%{{{_SPELLED.get(text, text)}}}t"
    if has_whole and not is_complete(text):  # a part of a time beside a whole one: text, by apache-log-parser's name
        return Variable(Slot(f"time_{text}", Kind.TEXT, spelled), piece.column)
    kind, time = _FORMATS.get(text, (Kind.TIME, None))
    if time is None:
        try:
            time = compile_strftime(text)
        except FormatError as exc:
            raise FormatError(
                exc.message, text=whole, column=piece.column, width=len(spelled), hint=exc.hint
            ) from exc  # fmt: skip
    field = "time_end_received" if moment is Moment.END else _FIELDS.get(text, "time_received")
    return Variable(Slot(field, kind, spelled, moment, time), piece.column)
