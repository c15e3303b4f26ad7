"""Templates: the text of a mapping in which `$name` stands for a field."""

from __future__ import annotations

import re
from dataclasses import dataclass

from logship.errors import Location, MappingError

_DOLLAR = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[^{}:]*)(?::-(?P<default>[^{}]*))?\}|(?P<wrong>))"
)
_NAME = re.compile(r"[A-Za-z_@][A-Za-z0-9_.@-]*\Z")


@dataclass(frozen=True, slots=True)
class Reference:
    """A field named in a template.

    Shapes: `column` counts characters from 0, of the `$`; `default` is the text after `:-`, None when there is none.
    """

    name: str
    default: str | None
    column: int
    width: int


@dataclass(frozen=True, slots=True)
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
        """The reference of a template that is nothing else, which keeps the type of its field; else None."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return first if isinstance(first, Reference) else None


def parse_template(text: str, location: Location) -> Template:
    """The template that `text` writes: `$name`, `${name}`, `${name:-default}` and `$$` for a dollar.

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
    name = match["bare"] or match["name"]
    if match["wrong"] is not None or not name or not _NAME.match(name):
        raise _misuse(text, column, match["name"], location)
    return Reference(name, match["default"], column, match.end() - column)


def _misuse(text: str, column: int, name: str | None, location: Location) -> MappingError:
    rest = text[column : column + 20]
    if name is not None:
        return MappingError(
            f"'{{{name}}}' is no field name",
            location=location,
            column=column,
            width=len(name) + 3,
            hint="write ${name} or ${name:-default}",
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
