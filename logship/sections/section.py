"""A map whose keys are declared in a class: read with every mistake at once, described as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

from logship.errors import Location
from logship.sections.kinds import Mistake, Mistakes, Schema, ValueKind

REQUIRED: Any = object()  # the default of a key that has none


class Inner(ValueKind):
    """A map of declared keys."""

    def __init__(self, section: type[Section]) -> None:
        self.section: type[Section] = section

    def read(self, value: object, at: Location, mistakes: Mistakes) -> Any:
        return self.section.read(value, at, mistakes)

    def schema(self, definitions: Schema) -> Schema:
        name = self.section.__name__
        if name not in definitions:
            definitions[name] = {}  # against circles
            definitions[name] = self.section.schema(definitions)
        return {"$ref": f"#/$defs/{name}"}

    def below(self, step: str | int) -> ValueKind | None:
        known = self.section.keys.get(str(step))
        return known.kind if known else None


class Key(NamedTuple):
    """A declared key; `shown` is its default as people write it, if that differs."""

    kind: ValueKind
    default: Any
    description: str
    written: str  # in files; "" as the attribute is called
    shown: str

    def fresh(self) -> Any:
        """The default; a copy of a list or map."""
        return self.default.copy() if isinstance(self.default, dict | list) else self.default

    def schema(self, definitions: Schema) -> Schema:
        about = self.kind.schema(definitions)
        if self.shown:
            about["default"] = self.shown
        elif self.default is not REQUIRED and isinstance(self.default, str | int | float | list):
            about["default"] = self.default
        return about | {"description": self.description}


def declare(kind: ValueKind, default: Any, description: str, *, written: str = "", shown: str = "") -> Any:
    """A key of a Section; its default REQUIRED says that there is none."""
    return Key(kind, default, description, written, shown)


class Section:
    """A map whose keys are declared in the body of its class: `name: type = declare(kind, default, description)`.

    Shapes: `keys` are by the names in files; `given` are the attributes that the file has itself.
    """

    keys: ClassVar[Mapping[str, Key]] = {}
    _attributes: ClassVar[Mapping[str, Key]] = {}
    given: frozenset[str]

    def __init_subclass__(cls) -> None:
        cls._attributes = {name: one for name, one in vars(cls).items() if isinstance(one, Key)}
        cls.keys = {one.written or name: one for name, one in cls._attributes.items()}

    def __init__(self, **values: Any) -> None:
        """A section of correct values, by attribute; missing ones have their defaults."""
        made = {name: values[name] if name in values else one.fresh() for name, one in self._attributes.items()}
        wrong = values.keys() - made.keys() | {name for name, value in made.items() if value is REQUIRED}
        if wrong:
            raise TypeError(f"{type(self).__name__}: {', '.join(sorted(wrong))}")
        self.__dict__.update(made, given=frozenset(values))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def parse(cls, tree: object) -> tuple[Self | None, Mistakes]:
        """The section of a tree, None if there are mistakes; and all mistakes."""
        mistakes: Mistakes = []
        section = cls.read(tree, (), mistakes)
        return (None if mistakes else section), mistakes

    @classmethod
    def read(cls, tree: object, at: Location, mistakes: Mistakes) -> Self | None:
        """Like `parse`, inside of a larger tree."""
        if not isinstance(tree, dict):
            mistakes.append(Mistake(at, "map", tree))
            return None
        tree = cls.without_left_out(tree)
        values, before = {}, len(mistakes)
        for name, one in cls._attributes.items():
            written = one.written or name
            if written in tree:
                values[name] = one.kind.read(tree[written], (*at, written), mistakes)
            elif one.default is REQUIRED:
                mistakes.append(Mistake((*at, written), "missing"))
        mistakes += [Mistake((*at, name), "unknown", tree[name]) for name in tree if name not in cls.keys]
        return cls(**values) if len(mistakes) == before else None

    @classmethod
    def without_left_out(cls, tree: dict[str, Any]) -> dict[str, Any]:
        """The tree without keys that mean the same as leaving them out."""
        return tree

    @classmethod
    def keys_at(cls, location: Location) -> tuple[str, ...]:
        """The keys that a map at `location` below this one may have; none where no section is."""
        kind: ValueKind | None = Inner(cls)
        for step in location:
            kind = kind.below(step) if kind else None
        return tuple(kind.section.keys) if kind and kind.section else ()

    @classmethod
    def schema(cls, definitions: Schema) -> Schema:
        """The JSON Schema of the map; sections that it refers to are added to `definitions`."""
        properties = {name: one.schema(definitions) for name, one in cls.keys.items()}
        required = [name for name, one in cls.keys.items() if one.default is REQUIRED]
        about = {"additionalProperties": False, "description": cls.__doc__, "properties": properties}
        return about | ({"required": required} if required else {}) | {"type": "object"}
