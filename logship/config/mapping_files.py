"""Mapping files: found by name or path and merged with what they extend; each value's file and place stay known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from logship.config.document import Document
from logship.config.reading import FileReader
from logship.config.shipped import SHIPPED, mapping_names, mapping_path
from logship.config.tables import with_tables
from logship.errors import Location, MappingError, Problem
from logship.fields import closest
from logship.mapping import merge
from logship.mapping.stricter import weaker
from logship.records import record

MAX_EXTENDS = 16  # a longer chain is treated as a circle


@record
class Layer:
    """One mapping as one file has it; `prefix` is its place in the file, () for a mapping file."""

    document: Document
    prefix: Location
    tree: Mapping[str, Any]

    @property
    def is_shipped(self) -> bool:
        return Path(self.document.path).is_relative_to(SHIPPED)

    @property
    def rules(self) -> int:
        rules = self.tree.get("rules")
        return len(rules) if isinstance(rules, list) else 0


@record
class LayeredMapping:
    """A mapping merged from its layers, the base first."""

    layers: tuple[Layer, ...]
    tree: dict[str, Any]

    def problem(self, error: MappingError, source: str, fallback: Problem | None = None) -> Problem:
        """The mistake at its place in its file; at `fallback`'s place if it is in a shipped file."""
        layer, location = self._home(error.location)
        if fallback is not None and (layer.is_shipped or not error.location):
            return _moved(fallback, error, source)
        return layer.document.problem(
            (*layer.prefix, *location),
            error.message,
            hint=error.hint,
            column=error.column,
            width=error.width,
            severity=error.severity,
            source=source,
            at_key=error.message.startswith("unknown key"),
        )

    def is_shipped(self, location: Location) -> bool:
        """Whether the value comes from a shipped mapping."""
        return bool(location) and self._home(location)[0].is_shipped

    def _home(self, location: Location) -> tuple[Layer, Location]:
        """The layer that the value at `location` comes from, and its place there."""
        if len(location) > 1 and location[0] == "rules" and isinstance(location[1], int):
            return self._rule_home(location[1], location)
        if location[:1] == ("examples",):  # the base's are not inherited
            return self.layers[-1], location
        wanted = _at(self.tree, location)
        for layer in reversed(self.layers):
            if layer.document.node((*layer.prefix, *location)) is not None and _at(layer.tree, location) == wanted:
                return layer, location
        return self._deepest(location)

    def _deepest(self, location: Location) -> tuple[Layer, Location]:
        """The layer that has most of the location: for missing keys and merged lists."""

        def known(layer: Layer) -> int:
            there = [n for n in range(len(location) + 1) if layer.document.node((*layer.prefix, *location[:n]))]
            return max(there, default=-1)  # an empty file has nothing

        return max(reversed(self.layers), key=known), location

    def _rule_home(self, index: int, location: Location) -> tuple[Layer, Location]:
        for layer in self.layers:
            if index < layer.rules:
                return layer, ("rules", index, *location[2:])
            index -= layer.rules
        return self.layers[-1], location


def _moved(place: Problem, error: MappingError, source: str) -> Problem:
    return Problem(
        place.path,
        place.line,
        place.column,
        error.message,
        error.hint,
        place.excerpt,
        place.width,
        error.severity,
        place.location,
        source,
    )


def _at(tree: object, location: Location) -> object:
    for step in location:
        if isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


@record(frozen=False)
class MappingFiles:
    """Finds mappings by their names in a config; each file is read once."""

    reader: FileReader
    _files: dict[Path, Layer | None] = field(default_factory=dict)

    def named(self, name: str, document: Document, location: Location, source: str) -> LayeredMapping | None:
        """The mapping that the text at `location` names; None after reporting the mistake."""
        layer = self._find(name, document, location, source)
        return self._with_bases(layer) if layer else None

    def file(self, path: Path) -> LayeredMapping | None:
        """The mapping in the file at `path`."""
        layer = self._read(path)
        return self._with_bases(layer) if layer else None

    def inline(self, document: Document, location: Location, tree: Mapping[str, Any]) -> LayeredMapping | None:
        """A mapping written in the config itself."""
        return self._with_bases(Layer(document, location, with_tables(tree, document, location, self.reader)))

    def _with_bases(self, layer: Layer) -> LayeredMapping | None:
        layers = [layer]
        while "extends" in layers[-1].tree:
            top = layers[-1]
            base = top.tree["extends"]
            at = (*top.prefix, "extends")
            if not isinstance(base, str) or not base:
                self._report(top.document, at, "extends: name a mapping", "a shipped name or a path", "")
                return None
            found = self._find(base, top.document, at, "") or self._near(base)
            if found is None:
                return None
            if len(layers) == MAX_EXTENDS or any(found is known for known in layers):
                self._report(top.document, at, f"extends: '{base}' leads back to this mapping", "break the circle", "")
                return None
            layers.append(found)
        layers.reverse()
        tree: dict[str, Any] = dict(layers[0].tree)
        for upper in layers[1:]:
            if "redact" in upper.tree:
                for place, said, hint in weaker(tree.get("redact"), upper.tree["redact"]):
                    self._report(upper.document, (*upper.prefix, *place), said, hint, "")
            tree = merge(tree, upper.tree)
        tree.pop("extends", None)
        return LayeredMapping(tuple(layers), tree)

    def _find(self, name: str, document: Document, location: Location, source: str) -> Layer | None:
        if name in mapping_names():
            return self._read(mapping_path(name))
        path = Path(document.path).parent / name
        is_file = self.reader.is_file(path)
        if is_file or "/" in name or name.endswith((".yml", ".yaml")):
            if not is_file:
                self._report(document, location, f"no mapping file {path}", known_mappings(name), source)
                return None
            return self._read(path)
        self._report(document, location, f"no mapping '{name}'", known_mappings(name), source)
        return None

    def _near(self, name: str) -> Layer | None:
        """The shipped mapping that a misspelt name means, so that the other mistakes are found, too."""
        near = closest(name, list(mapping_names()))
        return self._read(mapping_path(near)) if near else None

    def _read(self, path: Path) -> Layer | None:
        key = path.resolve()
        if key not in self._files:
            self._files[key] = self._fresh(path)
        return self._files[key]

    def _fresh(self, path: Path) -> Layer | None:
        document = self.reader.read(path)
        if document is None or (document.problems and document.root is None):
            return None
        tree = self.reader.expand(document, is_mapping=True) if document.root else {}
        if not isinstance(tree, dict):
            self._report(document, (), "a mapping is a map of keys", "begin with  extends: default", "")
            return None
        self.hide_key(tree)
        return Layer(document, (), with_tables(tree, document, (), self.reader))

    def hide_key(self, tree: Mapping[str, Any]) -> None:
        """Puts the key of `redact` under the cloak."""
        redact = tree.get("redact")
        if isinstance(redact, dict) and isinstance(redact.get("key"), str):
            self.reader.cloak.hide(redact["key"])

    def _report(self, document: Document, location: Location, message: str, hint: str, source: str) -> None:
        self.reader.problems.append(document.problem(location, message, hint=hint, source=source))


def known_mappings(name: str, relative_to: str = "this file") -> str:
    """A hint for a name that no mapping has."""
    names = list(mapping_names())
    close = closest(name, names)
    shipped = ", ".join(names)
    return f"did you mean '{close}'?" if close else f"shipped are {shipped}; or give a path relative to {relative_to}"
