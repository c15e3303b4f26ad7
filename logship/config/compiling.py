"""Formats and mappings of sources, compiled; every mistake in them becomes a Problem at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from logship.config.converting import PathFields, SourceConverter
from logship.config.document import Document, Entries, Items, Scalar
from logship.config.mapping_files import LayeredMapping, MappingFiles
from logship.config.reading import FileReader
from logship.config.shipped import presets
from logship.errors import FormatError, Location, MappingError, Problem
from logship.formats import Format, FormatSpec, compile_format, read_spec
from logship.mapping import Constants, MappingErrors, MappingSpec, parse_mapping


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one source says of how its lines become events: raw trees, and where they stand."""

    name: str
    document: Document
    location: Location
    format: object
    mapping: object
    constants: Constants
    path_fields: str | None = None

    def at(self, key: str) -> Location:
        return (*self.location, key)


@dataclass(slots=True)
class Compiler:
    """Compiles recipes; `named` are the presets and the config's own formats."""

    reader: FileReader
    mappings: MappingFiles = field(init=False)
    named: dict[str, FormatSpec] = field(init=False)
    _own: dict[str, tuple[Document, Location]] = field(default_factory=dict)
    _broken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.mappings = MappingFiles(self.reader)
        self.named = dict(presets())

    def add_formats(self, document: Document, trees: Mapping[str, Any]) -> None:
        """The named formats under formats:, each checked."""
        for name, tree in trees.items():
            location: Location = ("formats", name)
            self._own[name] = (document, location)
            try:
                self.named[name] = read_spec(tree)
            except FormatError as exc:
                self._broken.add(name)
                self.reader.problems.append(format_problem(exc, document, location, ""))
        for name in trees.keys() - self._broken:
            try:
                compile_format(self.named[name], self.named)
            except FormatError as exc:
                self._broken.add(name)
                self.reader.problems.append(format_problem(exc, document, ("formats", name), ""))

    def compile(self, recipe: Recipe) -> SourceConverter | None:
        """The converter of a source; None with every mistake told."""
        spec = self._format_spec(recipe)
        fmt = self._format(spec, recipe) if spec else None
        layered = self._mapping(recipe)
        mapping = self._mapping_spec(layered, recipe) if layered else None
        path_fields = self._path_fields(recipe)
        if spec is None or layered is None or mapping is None or path_fields is None:
            return None
        if spec.kind != "auto" and fmt is None:
            return None
        converter = SourceConverter(recipe.name, fmt, mapping, recipe.constants, path_fields, self.named)
        return converter if self._fits(converter, fmt, layered, recipe) else None

    def _format_spec(self, recipe: Recipe) -> FormatSpec | None:
        try:
            return read_spec(recipe.format)
        except FormatError as exc:
            self._tell(format_problem(exc, recipe.document, recipe.at("format"), recipe.name))
            return None

    def _format(self, spec: FormatSpec, recipe: Recipe) -> Format | None:
        if spec.kind == "auto" or self._uses_broken(spec):
            return None
        try:
            return compile_format(spec, self.named)
        except FormatError as exc:
            self._tell(format_problem(exc, recipe.document, recipe.at("format"), recipe.name))
            return None

    def _uses_broken(self, spec: FormatSpec) -> bool:
        return spec.text in self._broken or any(self._uses_broken(member) for member in spec.members)

    def _mapping(self, recipe: Recipe) -> LayeredMapping | None:
        at = recipe.at("mapping")
        if isinstance(recipe.mapping, str):
            return self.mappings.named(recipe.mapping, recipe.document, at, recipe.name)
        if isinstance(recipe.mapping, dict):
            self.mappings.hide_key(recipe.mapping)
            return self.mappings.inline(recipe.document, at, recipe.mapping)
        hint = "name a shipped mapping, give a path, or write one inline"
        self._tell(recipe.document.problem(at, "mapping: this is no mapping", hint=hint, source=recipe.name))
        return None

    def _mapping_spec(self, layered: LayeredMapping, recipe: Recipe) -> MappingSpec | None:
        try:
            spec = parse_mapping(layered.tree)
        except MappingErrors as exc:
            self._tell_all(layered, exc.errors, recipe)
            return None
        self._tell_all(layered, spec.warnings, recipe)
        return spec

    def _fits(self, converter: SourceConverter, fmt: Format | None, layered: LayeredMapping, recipe: Recipe) -> bool:
        """Whether mapping and format go together; with `format: auto` the lines will show."""
        if fmt is None:
            return True
        try:
            compiled = converter.compiled_for("")
        except MappingErrors as exc:
            self._tell_all(layered, exc.errors, recipe)
            return False
        self._tell_all(layered, compiled.warnings, recipe)
        return True

    def _path_fields(self, recipe: Recipe) -> PathFields | None:
        if recipe.path_fields is None:
            return PathFields()
        try:
            return PathFields.of(recipe.path_fields)
        except FormatError as exc:
            at = recipe.at("path_fields")
            message = f"path_fields: {exc.message}"
            self._tell(
                recipe.document.problem(
                    at, message, hint=exc.hint, column=exc.column, width=exc.width, source=recipe.name
                )
            )
            return None

    def _tell_all(self, layered: LayeredMapping, errors: tuple[MappingError, ...], recipe: Recipe) -> None:
        place = recipe.document.problem(recipe.at("format"), "", source=recipe.name)
        for error in errors:
            self._tell(layered.problem(error, recipe.name, place))

    def _tell(self, problem: Problem) -> None:
        self.reader.problems.append(problem)


def format_problem(error: FormatError, document: Document, location: Location, source: str) -> Problem:
    """The mistake under the text it is in: a format may be a name, a list, or text below its kind."""
    found = _scalar_with(error.text, document, location) if error.text else None
    return document.problem(
        found or location,
        error.message,
        hint=error.hint,
        column=error.column if found else None,
        width=error.width,
        source=source,
    )


def _scalar_with(text: str, document: Document, location: Location) -> Location | None:
    node = document.node(location)
    if isinstance(node, Scalar):
        return location if text in {node.text, node.text.strip()} else None
    if isinstance(node, Items):
        steps: list[str | int] = list(range(len(node.nodes)))
    elif isinstance(node, Entries):
        steps = list(node.nodes)
    else:
        return None
    return next((found for step in steps if (found := _scalar_with(text, document, (*location, step)))), None)
