"""From the pieces of a text format to patterns: how far each value reaches, and the regexes that follow from it.

Two patterns of a line, the second a superset of the first, agreeing on what they share:
strict    values end at the first character of the literal that follows, escapes are passed over; so does the kernel
tolerant  by RE2; unquoted text may hold spaces, `-` may stand for a quoted value, spaces may be doubled
None of them can backtrack more than linearly: the first is possessive, the second is RE2.
"""

from __future__ import annotations

import re

from logship.errors import FormatError
from logship.fields import Kind
from logship.formats.meaning import is_prose
from logship.formats.pieces import LineShape, Literal, Variable
from logship.kernel.program import Escaping
from logship.records import record

INTEGERS = frozenset({Kind.INTEGER, Kind.DURATION_US, Kind.DURATION_NS})
NUMBERS = frozenset({Kind.NUMBER, Kind.DURATION_S, Kind.DURATION_MS})
SIGNED = frozenset({Kind.DURATION_US, Kind.DURATION_NS, Kind.DURATION_S, Kind.DURATION_MS})  # a clock may be set back
_PATHS = frozenset({"request_url", "target", "url_path", "path"})  # begin with '/'
# Unquoted words, none of them a lone `-`, which is another column's.
_WORD = r'(?:(?:[^ "\\-]|\\.|\\)(?:[^ "\\]|\\.|\\)*?|-(?:[^ "\\]|\\.|\\)+?)'
_WORDS = f"{_WORD}(?: +{_WORD})*?"
_REQUEST = r'-|[A-Za-z][^ "/]* (?:[/*]|[A-Za-z][A-Za-z0-9+.-]*:)(?:[^"\\]|\\.|\\)*?(?: HTTP/[0-9.]+)?'
_QUERIES = frozenset({"query_string", "query", "is_args"})  # begin with '?' or are empty
FREE = frozenset({Kind.TEXT, Kind.LIST, Kind.REQUEST_LINE})  # may hold spaces


@record
class Reach:
    """A variable and how far its value reaches.

    Shapes: `stop` holds the characters before which the value ends, '' at the end of the line. `lead` is what the
    value begins with where that is what parts it from its neighbour: '/' or '?'. `quoted`: '"' stands on both sides.
    """

    variable: Variable
    stop: str
    lead: str = ""
    quoted: bool = False

    @property
    def neighbour(self) -> str:
        """What the value that follows directly begins with; '' for a literal, or the line's end."""
        return self.stop[0] if len(self.stop) > 1 else ""

    @property
    def kind(self) -> Kind:
        return self.variable.slot.kind


Part = Literal | Reach


def measure(shape: LineShape) -> tuple[Part, ...]:
    """The pieces with the reach of each variable.

    Raises: FormatError for neighbours that nothing parts.
    """
    pieces = shape.pieces
    parts: list[Part] = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, Literal):
            parts.append(piece)
            continue
        before = pieces[index - 1] if index else None
        stop = _stop(shape, index)
        quoted = isinstance(before, Literal) and before.text[-1] == '"' and stop == '"'
        parts.append(Reach(piece, stop, _lead(before, piece), quoted))
    return tuple(parts)


def _stop(shape: LineShape, index: int) -> str:
    """The characters before any of which the variable at `index` ends; '' at the end of the line."""
    left = shape.pieces[index]
    after = shape.pieces[index + 1] if index + 1 < len(shape.pieces) else None
    assert isinstance(left, Variable)
    if after is None:
        return ""
    if isinstance(after, Literal):
        return after.latin[0]
    return _part_neighbours(left, after, shape.text) + (_stop(shape, index + 1) or "\n")


def _lead(before: object, piece: Variable) -> str:
    if not isinstance(before, Variable) or before.slot.field == "is_args":
        return ""
    field = piece.slot.field
    return "/" if field in _PATHS else "?" if field in _QUERIES else ""


def _part_neighbours(left: Variable, right: Variable, text: str) -> str:
    """The character that ends `left` where `right` follows it directly."""
    lead = _lead(left, right)
    kind = left.slot.kind
    if lead == "/" and kind in {Kind.TOKEN, Kind.ADDRESS, Kind.INTEGER, Kind.STATUS}:
        return "/"
    if lead == "?" and left.slot.field in _PATHS:
        return "?"
    if kind is Kind.STATUS or left.slot.field == "is_args":
        return ""
    raise FormatError(
        f"{left.slot.spelled} and {right.slot.spelled} are side by side, and nothing marks where one ends",
        text=text,
        column=left.column,
        width=len(left.slot.spelled) + len(right.slot.spelled),
        hint=f"log a separator: '{left.slot.spelled} {right.slot.spelled}'",
    )


# ---- strict


def strict_value(reach: Reach, escaping: Escaping, *, has_quotes: bool = True) -> str:
    """The possessive pattern of one value; without `has_quotes` for lines in which no quote is escaped."""
    kind, stop = reach.kind, reach.stop
    if reach.variable.slot.field == "is_args":
        return r"\??+"
    if kind is Kind.STATUS or kind in INTEGERS or kind in NUMBERS:
        return f"(?>{_number(kind, may_be_empty=reach.quoted or escaping is not Escaping.BACKSLASH)})"
    if kind.is_time:
        return _time(reach)
    if kind is Kind.LIST and stop in {" ", ""}:
        return r'[^ ,"]*+(?:(?:,| :) [^ ,"]*+)*+'
    lead = re.escape(reach.lead)
    value = _escaped_text(
        stop if may_hold_spaces(reach) or " " in stop else f"{stop} ", escaping, has_quotes=has_quotes
    )
    return f"(?:{lead}{value})?+" if reach.lead == "?" else lead + value


def may_hold_spaces(reach: Reach) -> bool:
    """Whether the strict value may; at the line's end only what is known to: the rest may be a column too many."""
    is_last = reach.stop == "" and reach.kind is Kind.TEXT
    return reach.kind in FREE and (not is_last or is_prose(reach.variable.slot.field))


def _number(kind: Kind, *, may_be_empty: bool) -> str:
    """A number, or `-`: in the open a server writes nothing but where it escapes as JSON, or not at all."""
    digits = "(?:000|[1-9][0-9]{2})" if kind is Kind.STATUS else r"[0-9]+\.?[0-9]*" if kind in NUMBERS else "[0-9]+"
    sign = "-?" if kind in SIGNED else ""
    return f"(?:{sign}{digits}|-{'|' if may_be_empty else ''})"


def _escaped_text(stops: str, escaping: Escaping, *, has_quotes: bool) -> str:
    inside = _class("".join(dict.fromkeys(stops)))
    if escaping is Escaping.NONE:
        return f"[^{inside}]*+" if inside else ".*+"
    if '"' not in stops:
        inside += '"'
    if not has_quotes and "\\" not in stops:
        return f"[^{inside}]*+"
    return rf'[^{inside}\\]*+(?:\\["\\]?+[^{inside}\\]*+)*+'


def is_bounded(reach: Reach) -> bool:
    """Whether what follows a time ends it, as its text can't hold that."""
    time = reach.variable.slot.time
    assert time is not None, "time kinds have a time format"
    return bool(reach.stop) and not any(char in time.example or char in " -+:.," for char in reach.stop)


def _time(reach: Reach) -> str:
    """A time up to its stop; by its own pattern where nothing else bounds it."""
    time = reach.variable.slot.time
    assert time is not None, "time kinds have a time format"
    return f'[^{_class(reach.stop)}"]*+' if is_bounded(reach) else f"(?>{time.pattern})"


def strict_pattern(parts: tuple[Part, ...], escaping: Escaping, *, has_quotes: bool) -> str:
    """The pattern of a whole line; its groups are the variables that are not repeats, in order.

    Escapes matter for where a value ends only where a quote follows a backslash: for a line without, has_quotes=False
    gives a pattern that takes the same in a tenth of the time, if backslashes abound.
    """
    out: list[str] = []
    for part in parts:
        if isinstance(part, Literal):
            out.append(re.escape(part.latin))
        else:
            value = strict_value(part, escaping, has_quotes=has_quotes)
            out.append(value if part.variable.repeated else f"({value})")
    return "".join(out)


# ---- tolerant


def tolerant_pattern(
    parts: tuple[Part, ...], escaping: Escaping, *, any_spaces: bool, is_greedy: bool = False
) -> str:  # fmt: skip
    """An RE2 pattern of a whole line with the same groups as the strict one.

    `any_spaces`: a run of spaces may stand for any other, as some servers write two where others write one.
    `is_greedy`: of two unquoted values that may hold spaces the first takes all it can, else the last does; where these
    two give different values, the line can be read in several ways.
    """
    out: list[str] = []
    for index, part in enumerate(parts):
        if isinstance(part, Literal):
            text = part.latin
            follows = parts[index + 1] if index + 1 < len(parts) else None
            if isinstance(follows, Reach) and follows.quoted:
                text = text[:-1]
            before = parts[index - 1] if index else None
            if isinstance(before, Reach) and before.quoted:
                text = text[1:]
            out.append(_spaced(text) if any_spaces else "".join(map(_re2_escape, text)))
            continue
        value = _tolerant_value(part, escaping)
        if is_greedy and part.kind in FREE and not part.quoted:
            value = value.replace("*?", "*").replace("+?", "+")
        value = f"(?:{value})" if part.variable.repeated else f"({value})"
        out.append(f'(?:"{value}"|-)' if part.quoted else value)
    return "".join(out) + (" *" if any_spaces else "")


def _tolerant_value(reach: Reach, escaping: Escaping) -> str:
    kind = reach.kind
    slot = reach.variable.slot
    if slot.field == "is_args":
        return r"\??"
    if kind is Kind.STATUS or kind in INTEGERS or kind in NUMBERS:
        return _number(kind, may_be_empty=reach.quoted or escaping is not Escaping.BACKSLASH)
    if kind.is_time:
        assert slot.time is not None, "time kinds have a time format"
        return slot.time.pattern
    lead = re.escape(reach.lead)
    if kind is Kind.LIST and not reach.quoted:
        return r'[^ ,"]*(?:(?:,| :) [^ ,"]*)*'
    if escaping is Escaping.NONE:
        value = ".*?" if kind in FREE else "[^ ]*?"
    elif kind in FREE:
        value = rf'(?:[^"\\{re.escape(reach.neighbour)}]|\\.|\\)*?'
        if not (reach.quoted or lead or reach.neighbour):
            value = _REQUEST if kind is Kind.REQUEST_LINE else f'""|-|{_WORDS}'
    else:
        value = r'(?:[^ "\\]|\\.|\\)*?'
    return f"(?:{lead}{value})?" if reach.lead == "?" else lead + value


def _spaced(text: str) -> str:
    """A literal in which any run of spaces stands for any other."""
    return " +".join("".join(map(_re2_escape, word)) for word in re.sub(" +", " ", text).split(" "))


def _re2_escape(char: str) -> str:
    return char if char.isalnum() else f"\\x{{{ord(char):x}}}"


def _class(chars: str) -> str:
    """Characters as the inside of a class."""
    return "".join(f"\\{char}" if char in r"\]^-[" else "\\n" if char == "\n" else char for char in chars)
