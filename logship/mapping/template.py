"""Templates: the text of a mapping in which `$name` stands for a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import unquote_plus

from logship.errors import Location, MappingError
from logship.fields import closest
from logship.patterns import deferred
from logship.records import record

_DOLLAR = deferred(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[^{}:]*)(?::-(?P<default>[^{}]*))?\}|(?P<wrong>))"
)
_ALONE = deferred(r"(?<!\$)(?:\$\$)*\$(?!\$)")
NAME = deferred(r"[A-Za-z_@][A-Za-z0-9_.@-]*\Z")
FILTERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"lower": str.lower, "upper": str.upper, "urldecode": unquote_plus}
)


@record
class Reference:
    """A field named in a template.

    Shapes: `column` counts characters from 0, of the `$`; `default` is the text after `:-`, None when there is none;
    `filters` are names in FILTERS, applied from left to right.
    """

    name: str
    default: str | None
    column: int
    width: int
    filters: tuple[str, ...] = ()


@record
class Template:
    """Texts and references in the order they are written; no two texts stand side by side."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(part for part in self.parts if isinstance(part, Reference))

    @property
    def constant(self) -> str | None:
        """The whole text of a template without references, else None."""
        if not self.parts:
            return ""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, str) else None

    @property
    def only(self) -> Reference | None:
        """The unfiltered reference of a template that is nothing else: it keeps the type of its field; else None."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return first if isinstance(first, Reference) and not first.filters else None


def parse_template(text: str, location: Location) -> Template:
    """The template that `text` writes: `$name`, `${name}`, `${name:-default}`, `${name|lower}` and `$$` for a dollar.

    Raises: MappingError with the column of the first `$` that starts none of these.
    """
    parts: list[str | Reference] = []
    literal = ""
    end = 0
    for match in _DOLLAR.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match["dollar"]:
            literal += "$"
            continue
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(_reference(text, match, location))
    literal += text[end:]
    if literal:
        parts.append(literal)
    return Template(tuple(parts))


def _reference(text: str, match: re.Match[str], location: Location) -> Reference:
    column = match.start()
    inner = match["bare"] or match["name"]
    if match["wrong"] is not None or inner is None:
        raise _misuse(text, column, None, location)
    name, *filters = inner.split("|")
    if not NAME.match(name):
        raise _misuse(text, column, inner, location)
    for index, wanted in enumerate(filters):
        if wanted not in FILTERS:
            before = 2 + sum(len(part) + 1 for part in (name, *filters[:index]))
            close = closest(wanted, FILTERS)
            raise MappingError(
                f"unknown filter '{wanted}'",
                location=location,
                column=column + before,
                width=max(1, len(wanted)),
                hint=f"did you mean '{close}'?" if close else f"known are {', '.join(FILTERS)}",
            )
    default = match["default"]
    if default is not None and "$" in default:
        default = _default(default, name, match.start("default"), location)
    return Reference(name, default, column, match.end() - column, tuple(filters))


def _default(text: str, name: str, column: int, location: Location) -> str:
    """A default with `$$` as a dollar; fields have no place in it."""
    alone = _ALONE.search(text)
    if alone is None:
        return text.replace("$$", "$")
    raise MappingError(
        f"a default is a text: '{text}' is sent as it is",
        location=location,
        column=column + alone.end() - 1,
        hint=f"set it in a rule with if: {{{name}: {{absent: true}}}}; a dollar is $$",
    )


def _misuse(text: str, column: int, name: str | None, location: Location) -> MappingError:
    rest = text[column : column + 20]
    if name is not None:
        return MappingError(
            f"'{{{name}}}' is no field name",
            location=location,
            column=column,
            width=len(name) + 3,
            hint=_meant(name),
        )
    if rest.startswith("${"):
        return MappingError(
            f"'{rest}' has no closing brace",
            location=location,
            column=column,
            width=len(rest),
            hint="write ${name} or ${name:-default}; a default holds no braces",
        )
    return MappingError(
        "a '$' that starts no field", location=location, column=column, hint="write $$ for a dollar sign"
    )


def _meant(inner: str) -> str:
    """What to write for what stands between the braces: other tools call functions there, or count."""
    call = re.fullmatch(r"\s*([A-Za-z_]+)\(\s*\$?([A-Za-z_@][A-Za-z0-9_.@-]*)\s*\)\s*", inner)
    if call:
        function = {"downcase": "lower", "upcase": "upper", "decode_percent": "urldecode"}.get(call[1], call[1])
        if function in FILTERS:
            return f"write ${{{call[2]}|{function}}}"
        return f"there are no functions; the filters are {', '.join(FILTERS)}: ${{{call[2]}|lower}}"
    spaced = inner.replace(" ", "")
    if spaced != inner and all(part.isidentifier() for part in spaced.split("|")):
        return f"write ${{{spaced}}}, without spaces"
    if re.search(r"[-+*/]", inner):
        return "a mapping does not count; write ${name} or ${name:-default}"
    return "write ${name}, ${name|lower} or ${name:-default}"
