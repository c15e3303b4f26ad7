"""nginx's log_format, as it is in nginx.conf: the bare string, quoted pieces, or the whole directive.

Source: ngx_conf_read_token and ngx_http_log_compile_format of nginx.
"""

from __future__ import annotations

from collections.abc import Sequence

from logship.errors import FormatError
from logship.fields import Kind, canonical, lookup
from logship.formats.escapes import ESCAPINGS
from logship.formats.pieces import LineShape, Literal, Piece, Variable, join_literals
from logship.formats.slot import Moment, Slot, TimeFormat
from logship.formats.times import ClfTime, EpochTime, IsoTime
from logship.kernel.program import Escaping
from logship.patterns import deferred

_ACCESS_LOG = deferred(r"\s*(?:#[^\n]*\n\s*)*access_log\s")
_HEAD = deferred(r"\s*(?:#[^\n]*\n\s*)*(?:log_format\s+(?P<name>[^\s'\";]+)\s+)?(?:escape=(?P<escape>[^\s'\";]*)\s+)?")
_NAME = deferred(r"[A-Za-z0-9_]+")
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_TIMES: dict[Kind, TimeFormat] = {
    Kind.TIME_CLF: ClfTime(),
    Kind.TIME_ISO: IsoTime(),
    Kind.EPOCH_S: EpochTime("s"),
    Kind.EPOCH_MS: EpochTime("ms"),
    Kind.EPOCH_US: EpochTime("us"),
}
Char = tuple[str, int]  # a character of the format and its column in the text as written


def read_log_format(text: str) -> LineShape:
    """The literals and variables of an nginx log_format.

    Raises: FormatError for an unknown escape, an unclosed quote or brace, a `$` without a name.
    """
    if _ACCESS_LOG.match(text):
        raise FormatError(
            "an access_log line names its format and does not hold it", text=text, column=0, width=len("access_log"),
            hint="write the log_format line with that name, or format: nginx where there is none",
        )  # fmt: skip
    head = _HEAD.match(text)
    assert head is not None, "every part of the head is optional"
    escaping = _escaping(head["escape"], text, head.start("escape"))
    chars = _characters(text, head.end(), is_directive=bool(head["name"] or head["escape"]))
    return LineShape(text, join_literals(_pieces(chars, text)), escaping)


def _escaping(name: str | None, text: str, column: int) -> Escaping:
    if name is None:
        return Escaping.BACKSLASH
    if name not in ESCAPINGS:
        raise FormatError(
            f"escape={name} is no way to escape", text=text, column=column, width=max(1, len(name)),
            hint="nginx knows escape=default, escape=json and escape=none",
        )  # fmt: skip
    return ESCAPINGS[name]


def _characters(text: str, start: int, *, is_directive: bool) -> list[Char]:
    """The format string's characters with their columns: pieces joined, nginx.conf's escapes undone."""
    if is_directive or _is_quoted(text, start):
        return _quoted_pieces(text, start)
    return _unescape([(text[at], at) for at in range(start, len(text.rstrip("\n")))])


def _is_quoted(text: str, start: int) -> bool:
    """Whether the text is pieces in quotes, rather than a string that happens to begin with one."""
    quote = text[start : start + 1]
    if quote == "'":
        return True
    whole = text[start:].strip()
    return quote == '"' and whole.rstrip(";").endswith('"') and '\\"' in whole


def _quoted_pieces(text: str, start: int) -> list[Char]:
    chars: list[Char] = []
    at = start
    while at < len(text):
        quote = text[at]
        if quote.isspace():
            at += 1
        elif quote == ";":
            break
        elif quote == "#":  # nginx.conf's comments stand between the pieces
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif quote in "'\"":
            end = _closing_quote(text, at)
            chars += _unescape([(text[place], place) for place in range(at + 1, end)])
            at = end + 1
        else:
            end = at
            while end < len(text) and not text[end].isspace() and text[end] != ";":
                end += 1
            chars += _unescape([(text[place], place) for place in range(at, end)])
            at = end
    return chars


def _closing_quote(text: str, at: int) -> int:
    quote, end = text[at], at + 1
    while end < len(text):
        if text[end] == "\\":
            end += 1
        elif text[end] == quote:
            return end
        end += 1
    raise FormatError(f"the quote {quote} is never closed", text=text, column=at, hint=f"close the piece with {quote}")


def _unescape(chars: Sequence[Char]) -> list[Char]:
    plain: list[Char] = []
    index = 0
    while index < len(chars):
        char, column = chars[index]
        following = chars[index + 1][0] if index + 1 < len(chars) else ""
        if char == "\\" and following in _ESCAPES:
            plain.append((_ESCAPES[following], column))
            index += 2
        else:
            plain.append((char, column))
            index += 1
    return plain


def _pieces(chars: list[Char], text: str) -> list[Piece]:
    string = "".join(char for char, _ in chars)
    pieces: list[Piece] = []
    seen: set[str] = set()
    at = 0
    while at < len(string):
        if string[at] != "$":
            end = string.find("$", at)
            end = len(string) if end < 0 else end
            pieces.append(Literal(string[at:end], chars[at][1]))
            at = end
            continue
        name, end = _variable(string, at, text, chars[at][1])
        slot = nginx_slot(name)
        pieces.append(Variable(slot, chars[at][1], repeated=slot.field in seen))
        seen.add(slot.field)
        at = end
    return pieces


def _variable(string: str, at: int, text: str, column: int) -> tuple[str, int]:
    """The name after the `$` at `at`, and where the text continues."""
    braced = string[at + 1 : at + 2] == "{"
    match = _NAME.match(string, at + 1 + braced)
    if match is None:
        raise FormatError("a $ without a variable's name", text=text, column=column, hint="nginx refuses it too")
    end = match.end()
    if braced:
        if string[end : end + 1] != "}":
            raise FormatError("the brace of ${ is never closed", text=text, column=column, width=2)
        end += 1
    return match[0], end


def nginx_slot(name: str) -> Slot:
    """The slot of an nginx variable, named without its `$`; an unknown one keeps its own name."""
    field = canonical(name) or name
    known = lookup(field)
    kind = known.kind if known else Kind.LIST if name.startswith("upstream_") else Kind.TEXT
    if field == "start_time":  # of servers that write nginx's format and mean the start
        return Slot(field, Kind.TIME_CLF, f"${name}", Moment.START, _TIMES[Kind.TIME_CLF])
    moment = Moment.END if kind.is_time else Moment.NONE
    return Slot(field, kind, f"${name}", moment, _TIMES.get(kind))
