"""Kinds of values: text, numbers, choices, lists and maps of them, or the result of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from logship.errors import Location
from logship.patterns import deferred

if TYPE_CHECKING:
    from logship.sections.section import Section

Schema = dict[str, Any]
Wrong = Literal["unknown", "missing", "unfit", "choice", "number", "bound", "switch", "text", "empty", "list", "map"]
WHOLE = deferred(r"([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?")
MAX_DIGITS = 4_000  # Python refuses to read more than 4,300


class UnfitError(ValueError):
    """A value that its key can't have; `hint` says what to write."""

    def __init__(self, message: str, hint: str = "", *, column: int | None = None, width: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.column = column
        self.width = width


class Mistake(NamedTuple):
    """What is wrong at one place of a tree.

    Shapes: `unfit` says why for that kind; `choices` are those of a choice; `bound` is such as `at least 1,000`.
    """

    location: Location
    wrong: Wrong
    value: object = None
    unfit: UnfitError | None = None
    choices: tuple[str, ...] = ()
    bound: str = ""


Mistakes = list[Mistake]


class ValueKind:
    """A kind of value.

    Shapes: `section` is the map in it: the value itself, one of its items or of its values.
    """

    section: type[Section] | None = None
    is_list = False

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        """The value as the program has it; meaningless if `mistakes` grew."""
        raise NotImplementedError

    def schema(self, definitions: Schema) -> Schema:
        """The kind as JSON Schema; sections that it refers to are added to `definitions`."""
        raise NotImplementedError

    def below(self, step: str | int) -> ValueKind | None:
        """The kind one step below, None if it is unknown."""
        return None


class AnyTree(ValueKind):
    """Anything; checked elsewhere."""

    def __init__(self, schema: Schema | None = None) -> None:
        self._schema = schema or {}

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        return value

    def schema(self, definitions: Schema) -> Schema:
        return dict(self._schema)


class Text(ValueKind):
    """Text; numbers and booleans become text (of callers that read no YAML)."""

    def __init__(self, *, is_filled: bool = False) -> None:
        self.is_filled = is_filled

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            mistakes.append(Mistake(at, "text", value))
        elif self.is_filled and not value:
            mistakes.append(Mistake(at, "empty", value))
        return str(value)

    def schema(self, definitions: Schema) -> Schema:
        return {"minLength": 1, "type": "string"} if self.is_filled else {"type": "string"}


class Choice(ValueKind):
    """One of a few words."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if isinstance(value, str) and value in self.choices:
            return str(value)
        mistakes.append(Mistake(at, "choice", value, choices=self.choices))
        return None

    def schema(self, definitions: Schema) -> Schema:
        return {"enum": list(self.choices), "type": "string"}


class Switch(ValueKind):
    """`true` and `false` as YAML 1.2 writes them; yes and on are mistakes."""

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if not isinstance(value, bool) and value not in ("true", "false"):
            mistakes.append(Mistake(at, "switch", value))
        return value is True or value == "true"

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "boolean"}


class NumberBounds(NamedTuple):
    """The limits of a number; None is none."""

    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None

    def check(self, number: float, at: Location, mistakes: Mistakes) -> None:
        """Adds the first limit that the number breaks."""
        if self.at_least is not None and number < self.at_least:
            bound = f"at least {self.at_least:,}"
        elif self.more_than is not None and not number > self.more_than:
            bound = f"more than {self.more_than:,}"
        elif self.at_most is not None and number > self.at_most:
            bound = f"at most {self.at_most:,}"
        else:
            return
        mistakes.append(Mistake(at, "bound", number, bound=bound))


class Whole(ValueKind):
    """A whole number."""

    def __init__(self, at_least: int, at_most: int | None = None) -> None:
        self.bounds = NumberBounds(at_least=at_least, at_most=at_most)

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if isinstance(value, str) and (match := WHOLE.fullmatch(value.strip())) and len(match[1]) <= MAX_DIGITS:
            value = int(match[1])
        if isinstance(value, int) and not isinstance(value, bool):
            self.bounds.check(value, at, mistakes)
        else:
            mistakes.append(Mistake(at, "number", value))
        return value

    def schema(self, definitions: Schema) -> Schema:
        least = {"minimum": self.bounds.at_least, "type": "integer"}
        return least if self.bounds.at_most is None else least | {"maximum": self.bounds.at_most}


class Converted(ValueKind):
    """The result of `convert`, which may raise UnfitError."""

    def __init__(self, convert: Callable[[object], Any], schema: Schema, bounds: NumberBounds | None = None) -> None:
        self.convert = convert
        self.bounds = bounds
        self._schema = schema

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        try:
            made = self.convert(value)
        except UnfitError as exc:
            mistakes.append(Mistake(at, "unfit", value, unfit=exc))
            return None
        if self.bounds is not None:
            self.bounds.check(made, at, mistakes)
        return made

    def schema(self, definitions: Schema) -> Schema:
        return dict(self._schema)


class OrNull(ValueKind):
    """Another kind, or null."""

    def __init__(self, kind: ValueKind) -> None:
        self.kind = kind
        self.section = kind.section

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        return None if value is None else self.kind.read(value, at, mistakes)

    def schema(self, definitions: Schema) -> Schema:
        return {"anyOf": [self.kind.schema(definitions), {"type": "null"}]}

    def below(self, step: str | int) -> ValueKind | None:
        return self.kind.below(step)


class ListOf(ValueKind):
    """A list; where its items are text, one text is a list of one."""

    is_list = True

    def __init__(self, kind: ValueKind, *, is_filled: bool = False, schema: Schema | None = None) -> None:
        self.kind = kind
        self.section = kind.section
        self.is_filled = is_filled
        self._schema = schema

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if isinstance(value, str) and isinstance(self.kind, Text):
            value = [value]
        if not isinstance(value, list | tuple):
            mistakes.append(Mistake(at, "list", value))
            return []
        if self.is_filled and not value:
            mistakes.append(Mistake(at, "empty", value))
        return [self.kind.read(item, (*at, index), mistakes) for index, item in enumerate(value)]

    def schema(self, definitions: Schema) -> Schema:
        items = {"items": self.kind.schema(definitions)}
        return items | {"type": "array"} if self._schema is None else items | self._schema

    def below(self, step: str | int) -> ValueKind | None:
        return self.kind


class MapOf(ValueKind):
    """A map of any names."""

    def __init__(self, kind: ValueKind) -> None:
        self.kind = kind
        self.section = kind.section

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        if not isinstance(value, dict):
            mistakes.append(Mistake(at, "map", value))
            return {}
        return {name: self.kind.read(item, (*at, name), mistakes) for name, item in value.items()}

    def schema(self, definitions: Schema) -> Schema:
        return {"additionalProperties": self.kind.schema(definitions) or True, "type": "object"}

    def below(self, step: str | int) -> ValueKind | None:
        return self.kind


class MapOr(ValueKind):
    """A map or another kind."""

    def __init__(self, of_maps: ValueKind, otherwise: ValueKind) -> None:
        self.of_maps, self.otherwise = of_maps, otherwise
        self.section = of_maps.section

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        kind = self.of_maps if isinstance(value, dict) else self.otherwise
        return kind.read(value, at, mistakes)

    def schema(self, definitions: Schema) -> Schema:
        return {"anyOf": [self.otherwise.schema(definitions), self.of_maps.schema(definitions)]}

    def below(self, step: str | int) -> ValueKind | None:
        return self.of_maps.below(step)
