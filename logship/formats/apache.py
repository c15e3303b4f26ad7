"""Apache's LogFormat, as it is in httpd.conf. The only door to apache_log_parser: its table of names.

Its parser is not used: it takes unknown directives as text, breaks on repeated ones, and hangs on hostile lines.
Source: mod_log_config of httpd 2.4 (parse_log_item, parse_log_misc_string).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType

from logship.errors import FormatError
from logship.fields import Kind, closest, lookup
from logship.formats.apache_time import join_times, time_slot
from logship.formats.pieces import LineShape, Literal, Piece, Variable, join_literals
from logship.formats.slot import Slot
from logship.kernel.program import Escaping
from logship.patterns import deferred
from logship.records import record

_DIRECTIVE = deferred(
    r"%(?P<before>[!<>0-9,]*)(?:\{(?P<argument>[^}]*)\})?(?P<after>[!<>0-9,]*)(?P<letter>\^[A-Za-z]{2}|[A-Za-z%])?"
)
_HAPROXY = deferred(r"%(?:ci|cp|fi|fp|ft|tr|TR|ST|HM|HU|HV)(?![A-Za-z])|%\[")
_LINE = deferred(
    r"""\s*(?:LogFormat|(?:Custom|Global)Log\s+(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']\S*))\s+""", re.IGNORECASE
)
_CONTINUED = deferred(r"\\\r?\n")  # httpd takes the line that follows as a part of this one
_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_LETTERS = "aAbBCDefhHiIklLmnoOpPqrRsStTuUvVxX"
_WITH_ARGUMENT = frozenset("Ceinox") | {"^ti", "^to"}  # these mean nothing without {…}
_OWN_NAMES = {
    "{c}a": "peer_ip", "{c}h": "peer_ip", "S": "bytes_total", "L": "log_id", "^FB": "first_byte_us",
    "{remote}p": "remote_port", "{local}p": "server_port_local", "{canonical}p": "server_port",
    "{pid}P": "pid", "{tid}P": "pid_tid", "{hextid}P": "pid_hextid",
    "{s}T": "time_s", "{ms}T": "time_ms", "{us}T": "time_us",
}  # fmt: skip
_ARGUMENTS = {"a": ("c",), "h": ("c",), "p": ("canonical", "local", "remote"), "P": ("pid", "tid", "hextid"),
              "T": ("s", "ms", "us")}  # fmt: skip


@record
class ApacheDirective:
    """One %-directive, as written and taken apart."""

    spelled: str
    column: int
    letter: str
    argument: str | None
    modifiers: str


def read_log_format(text: str) -> LineShape:
    """The literals and directives of an Apache LogFormat.

    Raises: FormatError for a directive or argument that httpd does not know, or one whose value can't be read back.
    """
    text = _CONTINUED.sub("", text)
    body, start = _strip_line(text)
    has_final_status = _has_final_status(body)
    pieces: list[Piece] = []
    for part in _parts(body, start, text):
        if isinstance(part, Literal):
            pieces.append(part)
        elif part.letter == "t":
            pieces += time_slot(part.argument, part.spelled, part.column)
        else:
            pieces.append(Variable(_slot(part, text, has_final_status), part.column))
    return LineShape(text, join_literals(_mark_repeats(join_times(pieces, text))), Escaping.BACKSLASH)


def _strip_line(text: str) -> tuple[str, int]:
    """The format string inside a whole `LogFormat "…" name` or `CustomLog FILE "…" env=…` line, or inside quotes.

    With where it starts in `text`.
    """
    line = _LINE.match(text)
    start = line.end() if line else len(text) - len(text.lstrip("\n")) if text.startswith("\n") else 0
    rest = text[start:].rstrip("\n")
    if rest[:1] != '"' or not (line or '\\"' in rest):
        return rest, start
    end = 1
    while end < len(rest) and rest[end] != '"':
        end += 2 if rest[end] == "\\" else 1
    if end >= len(rest):
        raise FormatError('the quote " is never closed', text=text, column=start, hint='close the format with "')
    return rest[1:end], start + 1


def _parts(body: str, start: int, text: str) -> list[Literal | ApacheDirective]:
    parts: list[Literal | ApacheDirective] = []
    at = 0
    while at < len(body):
        if body[at] == "\\" and body[at + 1 : at + 2] in _ESCAPES:
            parts.append(Literal(_ESCAPES[body[at + 1]], start + at))
            at += 2
        elif body[at] != "%":
            parts.append(Literal(body[at], start + at))
            at += 1
        else:
            directive, end = _directive(body, at, start, text)
            parts.append(directive)
            at = end
    return parts


def _directive(body: str, at: int, start: int, text: str) -> tuple[Literal | ApacheDirective, int]:
    match = _DIRECTIVE.match(body, at)
    assert match is not None, "a % always matches"
    spelled, letter = match[0], match["letter"]
    if letter is None:
        if body[match.end() : match.end() + 1] == "{":
            raise FormatError("the brace of %{ is never closed", text=text, column=start + at, width=2)
        raise FormatError(
            f"{spelled} is no directive of httpd", text=text, column=start + at, width=len(spelled),
            hint="write %% for a percent sign",
        )  # fmt: skip
    if letter == "%":
        return Literal("%", start + at), match.end()
    argument = match["argument"]
    directive = ApacheDirective(spelled, start + at, letter, argument, match["before"] + match["after"])
    _check(directive, text)
    return directive, match.end()


def _check(directive: ApacheDirective, text: str) -> None:
    letter, argument = directive.letter, directive.argument
    reason, hint = "", ""
    if letter not in _LETTERS and letter not in {"^FB", "^ti", "^to"}:
        reason = "is no directive of httpd"
        other = letter.swapcase()
        hint = f"did you mean %{other}?" if other in _LETTERS else "see mod_log_config for the list"
        if _HAPROXY.search(text):
            hint = "this looks like HAProxy's log-format; its logs are read by {regex: …}"
    elif letter in _WITH_ARGUMENT and not argument:
        reason, hint = f"needs a name: %{{Name}}{letter}", "name the header, cookie, variable or note"
    elif letter in _ARGUMENTS and argument and argument not in _ARGUMENTS[letter]:
        reason = f"has an argument that httpd does not know: {{{argument}}}"
        near = closest(argument, _ARGUMENTS[letter])
        hint = f"did you mean %{{{near}}}{letter}?" if near else f"it takes {', '.join(_ARGUMENTS[letter])}"
    if reason:
        raise FormatError(
            f"{directive.spelled} {reason}",
            text=text, column=directive.column, width=len(directive.spelled), hint=hint,
        )  # fmt: skip


def _has_final_status(body: str) -> bool:
    """Whether `%>s` is logged: then `%s` is another field, the status before internal redirects."""
    return any(
        match["letter"] == "s" and ">" in match["before"] + match["after"] for match in _DIRECTIVE.finditer(body)
    )


def _slot(directive: ApacheDirective, text: str, has_final_status: bool) -> Slot:
    name = _name(directive)
    if name == "status" and has_final_status and ">" not in directive.modifiers:
        name = "status_original"
    field = lookup(name)
    return Slot(name, field.kind if field else Kind.TEXT, directive.spelled)


def _name(directive: ApacheDirective) -> str:
    """The field of a directive: our own names where the table has none or a worse one, else the table's."""
    letter, argument = directive.letter, directive.argument
    plain = f"{{{argument}}}{letter}" if argument and letter in _ARGUMENTS else letter  # httpd ignores other arguments
    if plain in _OWN_NAMES:
        return _OWN_NAMES[plain]
    if letter in {"^ti", "^to"}:
        assert argument is not None
        prefix = "request_trailer_" if letter == "^ti" else "response_trailer_"
        return prefix + argument.strip().lower().replace("-", "_")
    bare = f"%{{{argument}}}{letter}" if letter in _WITH_ARGUMENT else f"%{letter}"
    for pattern, name_of in _names():
        if pattern.fullmatch(bare):
            return name_of(bare)
    raise KeyError(directive.spelled)  # _check let through a letter that the table lacks


def _mark_repeats(pieces: list[Piece]) -> list[Piece]:
    """The first of exact repeats counts, the others are read over."""
    seen: set[str] = set()
    marked: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Variable):
            piece = Variable(piece.slot, piece.column, repeated=piece.slot.field in seen)
            seen.add(piece.slot.field)
        marked.append(piece)
    return marked


@cache
def _names() -> tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]:
    """apache_log_parser's directive patterns and name makers.

    The import would load a table of user agents for 100 ms that nothing here needs, so a placeholder stands in.
    """
    placeholder = "user_agents" not in sys.modules
    if placeholder:
        sys.modules["user_agents"] = ModuleType("user_agents")
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its regexes hold invalid escapes; nothing to act on
            from apache_log_parser import FORMAT_STRINGS
    finally:
        if placeholder:
            del sys.modules["user_agents"]
    return tuple((re.compile(entry[0]), entry[2]) for entry in FORMAT_STRINGS)
