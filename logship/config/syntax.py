"""YAML syntax errors in plain words, and the repaired line if the repair is evident."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from logship.config.quoting import KEY, closed, quoted
from logship.errors import Problem
from logship.patterns import deferred
from logship.records import record

MAX_REPAIRS = 50  # a file with more broken lines than this is no YAML at all


@record
class SyntaxFault:
    """One mistake as the parser reports it: where it noticed it, and inside what.

    Shapes: `offset` counts characters of the text where there is no line; `opened` is the line where the construct
    began; `repaired` is the line written right.
    """

    line: int
    column: int
    context: str
    message: str
    hint: str = ""
    width: int = 1
    opened: int = 0
    offset: int | None = None
    repaired: str | None = None

    def problem(self, path: str, lines: Sequence[str]) -> Problem:
        excerpt = lines[self.line - 1] if 0 < self.line <= len(lines) else ""
        return Problem(path, self.line, self.column, self.message, self.hint, excerpt, self.width)


def repair(fault: SyntaxFault, lines: Sequence[str], first_mistake: Callable[[str], int]) -> SyntaxFault:
    """The fault in plain words; with the repaired line when quoting makes the parser get past it.

    Shapes: first_mistake(text) is the line of the first mistake, 0 for none.
    """
    if fault.offset is not None:
        return _control_byte(fault, lines)
    tab = _leading_tab(fault, lines, first_mistake)
    if tab:
        return tab
    glued = _glued_key(fault, lines, first_mistake)
    if glued:
        return glued
    for number in dict.fromkeys((fault.line, fault.opened)):
        if not 0 < number <= len(lines):
            continue
        for candidate, closes in closed(lines[number - 1]):
            stop = first_mistake("\n".join([*lines[: number - 1], candidate, *lines[number:]]) + "\n")
            if stop == 0 or stop > max(number, min(fault.line, len(lines))):
                return _close_it(fault, lines[number - 1], number, candidate, closes)
        for candidate in quoted(lines[number - 1]):
            stop = first_mistake("\n".join([*lines[: number - 1], candidate, *lines[number:]]) + "\n")
            if stop == 0 or stop > max(number, fault.line):
                return _quote_it(fault, lines[number - 1], number, candidate)
    return _in_words(fault, lines)


def _quote_it(fault: SyntaxFault, line: str, number: int, candidate: str) -> SyntaxFault:
    start = next((at for at, (old, new) in enumerate(zip(line, candidate, strict=False)) if old != new), 0)
    same_end = 0
    while same_end < len(line) - start and line[-1 - same_end] == candidate[-1 - same_end]:
        same_end += 1
    value = line[start : len(line) - same_end]
    return replace(
        fault,
        line=number,
        column=start + 1,
        width=max(1, len(value)),
        message=f"YAML reads {_culprit(value)} as its own sign",
        hint=f"quote it:  {candidate.strip()}",
        repaired=candidate,
    )


def _close_it(fault: SyntaxFault, line: str, number: int, candidate: str, sign: str) -> SyntaxFault:
    opened = {"]": "[", "}": "{"}.get(sign, sign)
    match = KEY.match(line)
    column = match.start("value") + 1 if match else 1
    return replace(
        fault,
        line=number,
        column=column,
        width=max(1, len(line.rstrip()) - column + 1),
        message=f"the {opened} opened here is never closed",
        hint=f"close it:  {candidate.strip()}",
        repaired=candidate,
    )


def _culprit(value: str) -> str:
    if value[:1] in "%*@`&!|>":
        return f"the '{value[0]}' at the start of a value"
    for sign in ("{", "[", "}", "]", ": ", '"', "'"):
        if sign in value:
            return f"the '{sign.strip()}' in this value"
    return f"'{value}'"


def _control_byte(fault: SyntaxFault, lines: Sequence[str]) -> SyntaxFault:
    assert fault.offset is not None
    rest = fault.offset
    for number, line in enumerate(lines, 1):
        if rest <= len(line):
            return replace(fault, line=number, column=rest + 1, hint="remove it, or write it as an escape in quotes")
        rest -= len(line) + 1
    return replace(fault, line=1, column=1)


def _leading_tab(fault: SyntaxFault, lines: Sequence[str], first_mistake: Callable[[str], int]) -> SyntaxFault | None:
    """Tabs in the indentation: YAML refuses them, editors hide them."""
    if not 0 < fault.line <= len(lines):
        return None
    number, line = fault.line, lines[fault.line - 1]
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    if "\t" not in indent:
        return None
    above = next((other for other in reversed(lines[: number - 1]) if other.strip()), "")
    level = len(above) - len(above.lstrip(" -"))
    repaired = None
    for width in dict.fromkeys((level, level + 2, level + 4, *range(2, 17, 2))):
        candidate = " " * width + text
        stop = first_mistake("\n".join([*lines[: number - 1], candidate, *lines[number:]]) + "\n")
        if stop == 0 or stop > number:
            repaired = candidate
            break
    return replace(
        fault,
        column=indent.index("\t") + 1,
        width=indent.count("\t"),
        message="a tab in the indentation",
        hint="indent with spaces",
        repaired=repaired,
    )


GLUED = deferred(r"(\s*(?:- +)*[A-Za-z_]\w*):(?=[^\s:])")


def _glued_key(fault: SyntaxFault, lines: Sequence[str], first_mistake: Callable[[str], int]) -> SyntaxFault | None:
    """`key:value` without the blank is one text to YAML, and the parser complains about the line below it."""
    for number in (fault.line, fault.line - 1, fault.opened):
        match = GLUED.match(lines[number - 1]) if 0 < number <= len(lines) else None
        if match is None:
            continue
        candidate = f"{match[1]}: {lines[number - 1][match.end() :]}"
        stop = first_mistake("\n".join([*lines[: number - 1], candidate, *lines[number:]]) + "\n")
        if stop == 0 or stop > max(number, fault.line):
            column = match.end()
            return replace(
                fault,
                line=number,
                column=column,
                message="no blank after this ':'",
                hint=f"write:  {candidate.strip()}",
                repaired=candidate,
            )
    return None


def lookalike_blanks(lines: Sequence[str]) -> list[SyntaxFault]:
    """Lines indented with characters that only look like blanks, as copied from web pages."""
    faults = []
    for number, line in enumerate(lines, 1):
        indent = re.match(r"[\s\u200b\ufeff]*", line)
        assert indent is not None
        wrong = next((at for at, char in enumerate(indent.group()) if char not in " \t"), None)
        if wrong is None:
            continue
        repaired = re.sub(r"[^\t]", " ", indent.group()).replace("\u200b", "") + line[indent.end() :]
        message = f"the indentation holds U+{ord(line[wrong]):04X}, which looks like a blank but is none"
        faults.append(
            SyntaxFault(number, wrong + 1, "", message, hint="type the blanks again", width=1, repaired=repaired)
        )
    return faults


WORDS = (
    ("found undefined alias", "no anchor of this name", "quote the value if the * belongs to it"),
    ("found unexpected end of stream", "a quote is opened here and never closed", "close it, or double it inside '…'"),
    ("unknown escape character", 'this \\ escape doesn\'t exist inside "…"', "use '…', there a \\ is just a \\"),
    (
        "mapping values are not allowed",
        "a 'key: value' can't begin here",
        "line it up with the key above, or quote the value if the ':' belongs to it",
    ),
    ("did not find expected '-' indicator", "this line ends the list above it", "indent it, or begin it with '- '"),
    ("block sequence entries are not allowed", "a list item can't begin here", "put '- …' on a line of its own"),
    ("could not find expected ':'", "no ':' after this key", "write 'key: value'"),
    (
        "did not find expected key",
        "this line doesn't belong to the map above it",
        "line it up with the keys above; text after a closing quote must be inside the quotes",
    ),
    ("but found another document", "a second document begins here", "one file holds one document: remove the ---"),
    ("did not find expected ',' or", "the { or [ before this isn't closed", "close it, or separate with a comma"),
    ("did not find expected node content", "a value is missing here", "write one, or remove the comma"),
    ("found character that cannot start any token", "YAML gives this sign a meaning of its own", "quote the value"),
)


def _in_words(fault: SyntaxFault, lines: Sequence[str]) -> SyntaxFault:
    if 1 < fault.line <= len(lines) and _are_pieces(lines[fault.line - 2], lines[fault.line - 1]):
        hint = "write them as one text, or below  nginx: |  as they are in nginx.conf"
        return replace(fault, message="a second quoted text follows the first", hint=hint)
    for parser_says, message, hint in WORDS:
        if parser_says in fault.message:
            is_unclosed = "end of stream" in parser_says or fault.line > len(lines)
            line = fault.opened if is_unclosed and fault.opened else min(fault.line, max(1, len(lines)))
            column = fault.column if line == fault.line else _first_column(lines, line)
            return replace(fault, line=line, column=column, message=message, hint=hint)
    context = f" {fault.context}" if fault.context else ""
    return replace(fault, line=min(fault.line, max(1, len(lines))), message=f"{fault.message}{context}")


def _are_pieces(above: str, line: str) -> bool:
    """Whether two lines are parts of one text, as in nginx.conf."""
    return line.lstrip()[:1] in {"'", '"'} and above.rstrip()[-1:] in {"'", '"'}


def _first_column(lines: Sequence[str], line: int) -> int:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    quote = re.search(r"""["'\[{]""", text)
    return quote.start() + 1 if quote else 1
