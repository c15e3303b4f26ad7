"""Where a line stops fitting a text format, and what was expected there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from logship.fields import Kind
from logship.formats.line_pattern import Part, Reach, strict_value
from logship.formats.meaning import meaning_of
from logship.formats.pieces import Literal
from logship.formats.slot import Misfit
from logship.kernel.program import Escaping

_MEANINGS = {
    Kind.STATUS: "a status of three digits",
    Kind.INTEGER: "a whole number",
    Kind.DURATION_US: "a whole number",
    Kind.NUMBER: "a number",
    Kind.DURATION_S: "a number",
    Kind.DURATION_MS: "a number",
}


def explain(parts: Sequence[Part], escaping: Escaping, text: str, offset: int) -> Misfit:
    """Walks along the line piece by piece, each value as long as the strict pattern takes it.

    Shapes: `text` is latin-1, a character a byte; `offset` is added to the place (a byte order mark was cut off).
    """
    of = sum(isinstance(part, Reach) for part in parts)
    at, fits, start = 0, 0, 0
    for index, part in enumerate(parts):
        if isinstance(part, Reach):
            start, at = at, _end_of_value(part, escaping, text, at)
            if problem := _wrong_value(part, text[start:at]):
                return Misfit(start + offset, problem, fits, of)
            fits += 1
            continue
        common = _common(text, at, part.latin)
        if common < len(part.latin):
            before = parts[index - 1] if index else None
            later = text.find(part.latin, at) if isinstance(before, Reach) and _may_hold_more(before) else -1
            if later < 0:
                if isinstance(before, Reach) and common == 0 and (start == at or _goes_on(before, text, at)):
                    return Misfit(start + offset, describe(parts, index - 1, 0), fits - 1, of)
                return Misfit(at + common + offset, describe(parts, index, common), fits, of)
            assert isinstance(before, Reach)
            if problem := _wrong_value(before, text[start:later].strip(" ")):
                return Misfit(start + offset, problem, fits - 1, of)
            at, common = later, len(part.latin)
        at += common
    return Misfit(at + offset, "the end of the line", fits, of)


def _end_of_value(reach: Reach, escaping: Escaping, text: str, at: int) -> int:
    match = re.compile(strict_value(reach, escaping)).match(text, at)
    return match.end() if match else at


def _wrong_value(reach: Reach, value: str) -> str:
    """What was expected instead of a value that can't be; '' for a fine one."""
    slot = reach.variable.slot
    meaning = meaning_of(slot, is_enclosed=reach.quoted)
    if meaning is not None and value not in {"", "-"} and not meaning.holds(value):
        return f"{meaning.words} ({slot.spelled})"
    if slot.time is None or slot.time.decoder("UTC")(value) is not None:
        return ""
    return f"a time like {slot.time.example} ({slot.spelled})"


def _common(text: str, at: int, literal: str) -> int:
    """How many characters of the literal stand at `at`."""
    pairs = zip(text[at : at + len(literal)], literal, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _may_hold_more(reach: Reach) -> bool:
    """Whether the value may hold the character that ended it: unquoted text with a space."""
    return not reach.quoted and reach.kind in {Kind.TEXT, Kind.REQUEST_LINE}


def _goes_on(reach: Reach, text: str, at: int) -> bool:
    """Whether a number continues with what no number holds: then the value is wrong, not what follows."""
    return reach.kind in _MEANINGS and (text[at : at + 1].isalnum() or text[at : at + 1] in {".", "-", "_"})


def describe(parts: Sequence[Part], index: int, skipped: int) -> str:
    """The format as written from part `index` on, as much as a person needs: one field with what encloses it."""
    part = parts[index]
    if isinstance(part, Reach):
        slot = part.variable.slot
        meaning = _MEANINGS.get(slot.kind)
        return f"{slot.spelled} ({meaning})" if meaning else slot.spelled
    rest = part.text[skipped:]
    follows = parts[index + 1] if index + 1 < len(parts) else None
    if not isinstance(follows, Reach) or not rest:
        return _visible(rest)
    closing = parts[index + 2] if index + 2 < len(parts) else None
    closer = closing.text[0] if isinstance(closing, Literal) and closing.text[0] in "\"'])}|" else ""
    if not rest.strip(" "):
        return f"a space and {follows.variable.slot.spelled}"
    return _visible(rest) + follows.variable.slot.spelled + closer


def _visible(literal: str) -> str:
    return literal.lstrip(" ").replace("\t", "<tab>").replace("\n", "<newline>")
