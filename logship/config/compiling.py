"""Formats and mappings of sources, compiled; every mistake in them becomes a Problem at its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from logship.config.document import Document, Entries, Items, Scalar
from logship.config.mapping_files import Layer, LayeredMapping, MappingFiles
from logship.config.quoting import in_quotes
from logship.config.reading import FileReader
from logship.config.shipped import presets
from logship.config.values import check_timezone
from logship.conversion import PathFields, SourceConverter
from logship.errors import FormatError, Location, MappingError, Problem
from logship.fields import FIELDS, canonical
from logship.formats import Format, FormatSpec, compile_format, read_spec
from logship.mapping import Constants, MappingErrors, MappingSpec, parse_mapping
from logship.records import record
from logship.sections import UnfitError

if TYPE_CHECKING:
    from logship.conversion.examples import ExampleResult

MAX_PRUNINGS = 5  # rounds of removing wrong keys to find further mistakes
HARMLESS: dict[str | int, Any] = {  # replaces an item that can't be read, by the key of the mapping
    "rules": {"if": {"status": "999"}, "keep": "true"},
    "examples": {"line": ""},
    "trusted_proxies": "private",
}
HARMLESS_TEXT = "user_id"
HARMLESS_FIELDS: dict[str | int, tuple[tuple[str, ...], Any]] = {  # kept because templates name them
    "lookups": (("lookups", "NAME"), {"from": "$host", "table": {}}),
    "jwt": (("jwt", "claims", "NAME"), "sub"),
}
HARMLESS_MATCHER = {"absent": "false"}
MAX_SHOWN = 80  # characters of a value in a sentence
NEARLY = 0.75  # of letters in common


@record
class Recipe:
    """How one source's lines become events, as the file has it: raw trees and their places."""

    name: str
    document: Document
    location: Location
    format: object
    mapping: object
    constants: Constants
    path_fields: str | None = None
    envelope: Literal["none", "docker", "cri", "syslog", "auto"] = "none"

    def at(self, key: str) -> Location:
        return (*self.location, key)


@record(frozen=False)
class Compiler:
    """Compiles recipes; `named` are the presets and the config's own formats; `is_proving` runs mappings' examples."""

    reader: FileReader
    is_proving: bool = False
    mappings: MappingFiles = field(init=False)
    named: dict[str, FormatSpec] = field(init=False)
    _own: dict[str, tuple[Document, Location]] = field(default_factory=dict)
    _broken: set[str] = field(default_factory=set)
    _proved: list[Layer] = field(default_factory=list)

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
        """The converter of a source; None after reporting every mistake."""
        spec = self._format_spec(recipe)
        fmt = self._format(spec, recipe) if spec else None
        layered = self._mapping(recipe)
        mapping, is_right = self._mapping_spec(layered, recipe) if layered else (None, False)
        path_fields = self._path_fields(recipe)
        if spec is None or layered is None or mapping is None:
            return None
        if spec.kind != "auto" and fmt is None:
            return None
        constants = recipe.constants
        fields = path_fields or PathFields()
        converter = SourceConverter(recipe.name, fmt, mapping, constants, fields, self.named, recipe.envelope)
        is_right &= self._is_timezone(recipe) and path_fields is not None and self._is_unwrapped(fmt, recipe)
        self._doubt_names(recipe)
        if not self._fits(converter, layered, recipe, is_right=is_right):
            return None
        self._prove(mapping, layered, recipe)
        return converter

    def _prove(self, mapping: MappingSpec, layered: LayeredMapping, recipe: Recipe) -> None:
        """Runs the mapping's examples, once for all sources that use it; one that fails is a mistake.

        Those of shipped mappings are not run: a test runs them before a release.
        """
        top = layered.layers[-1]
        if not self.is_proving or not mapping.examples or top.is_shipped or any(top is one for one in self._proved):
            return
        self._proved.append(top)
        from logship.conversion.examples import run_examples  # only loaded for proving

        for result in run_examples(mapping, lambda tree: compile_format(read_spec(tree), self.named)):
            if not result.holds:
                message = f"{result.name} fails: {_why(result)}"
                error = MappingError(message, location=("examples", result.index), hint="see: logship test")
                self._report_all(layered, (error,), recipe)

    def _is_timezone(self, recipe: Recipe) -> bool:
        try:
            check_timezone(recipe.constants.timezone)
        except UnfitError as exc:
            message = f"timezone: {exc.message}"
            self._report(recipe.document.problem(recipe.at("timezone"), message, hint=exc.hint, source=recipe.name))
            return False
        return True

    def _is_unwrapped(self, fmt: Format | None, recipe: Recipe) -> bool:
        """A format with directives can't be read inside a container's envelope."""
        if fmt is None or not fmt.is_headed or recipe.envelope == "none":
            return True
        message = f"envelope: {fmt.name} reads lines below their #Fields in the log itself"
        problem = recipe.document.problem(recipe.at("envelope"), message, hint="leave it out", source=recipe.name)
        self._report(problem)
        return False

    def _doubt_names(self, recipe: Recipe) -> None:
        """Constants may have any name; warns of one that is nearly a field's."""
        unknown = [name for name in recipe.constants.fields if canonical(name) is None]
        if not unknown:
            return
        from difflib import get_close_matches

        for name in unknown:
            near = get_close_matches(name, FIELDS, 1, NEARLY)
            if near:
                message = f"fields: '{name}' is no field of the vocabulary"
                problem = recipe.document.problem(
                    (*recipe.at("fields"), name),
                    message,
                    hint=f"did you mean '{near[0]}'?",
                    at_key=True,
                    severity="warning",
                    source=recipe.name,
                )
                self._report(problem)

    def _format_spec(self, recipe: Recipe) -> FormatSpec | None:
        try:
            return read_spec(recipe.format)
        except FormatError as exc:
            self._report(format_problem(exc, recipe.document, recipe.at("format"), recipe.name))
            return None

    def _format(self, spec: FormatSpec, recipe: Recipe) -> Format | None:
        if spec.kind == "auto" or self._uses_broken(spec):
            return None
        wrong = [error for member in spec.members if (error := self._format_error(member)) is not None]
        if not wrong:
            try:
                return compile_format(spec, self.named)
            except FormatError as exc:
                wrong.append(exc)
        for error in wrong:
            self._report(format_problem(error, recipe.document, recipe.at("format"), recipe.name))
        return None

    def _format_error(self, spec: FormatSpec) -> FormatError | None:
        """What is wrong with one format of a list, so that all mistakes are reported."""
        try:
            compile_format(spec, self.named)
        except FormatError as exc:
            return exc
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
        self._report(recipe.document.problem(at, "mapping: this is no mapping", hint=hint, source=recipe.name))
        return None

    def _mapping_spec(self, layered: LayeredMapping, recipe: Recipe) -> tuple[MappingSpec | None, bool]:
        """The mapping, and whether it is right; wrong keys are removed to find all other mistakes."""
        tree, is_right = layered.tree, True
        wrong: set[Location] = set()
        for _ in range(MAX_PRUNINGS):
            try:
                spec = parse_mapping(tree)
            except MappingErrors as exc:
                is_right = False
                fresh = tuple(error for error in exc.errors if not _is_echo(error.location, wrong))
                self._report_all(layered, fresh, recipe)
                wrong |= {error.location for error in fresh}
                pruned = tree
                for error in exc.errors:
                    pruned = without(pruned, _present(tree, error.location))
                if pruned == tree:
                    break
                tree = pruned
            else:
                if is_right:  # after a removal other keys would look unused
                    self._report_all(layered, spec.warnings, recipe)
                return spec, is_right
        return None, False

    def _fits(self, converter: SourceConverter, layered: LayeredMapping, recipe: Recipe, *, is_right: bool) -> bool:
        """Whether the mapping suits the format; with `format: auto` only the lines can tell."""
        if converter.format is None:
            return is_right
        try:
            compiled = converter.reviewed()
        except MappingErrors as exc:
            self._report_all(layered, exc.errors, recipe)
            return False
        except FormatError as exc:
            self._report(format_problem(exc, recipe.document, recipe.at("format"), recipe.name))
            return False
        if is_right:
            own = [error for error in compiled.absent if not layered.is_shipped(error.location)]
            self._report_all(
                layered, (*compiled.warnings, *own), recipe
            )  # shipped mappings name fields that some logs lack
        return is_right

    def _path_fields(self, recipe: Recipe) -> PathFields | None:
        if recipe.path_fields is None:
            return PathFields()
        try:
            return PathFields.of(recipe.path_fields)
        except FormatError as exc:
            at = recipe.at("path_fields")
            message = f"path_fields: {exc.message}"
            self._report(
                recipe.document.problem(
                    at, message, hint=exc.hint, column=exc.column, width=exc.width, source=recipe.name
                )
            )
            return None

    def _report_all(self, layered: LayeredMapping, errors: tuple[MappingError, ...], recipe: Recipe) -> None:
        place = recipe.document.problem(recipe.at("format"), "", source=recipe.name)
        for error in errors:
            self._report(layered.problem(error, recipe.name, place))

    def _report(self, problem: Problem) -> None:
        self.reader.problems.append(problem)


def _why(result: ExampleResult) -> str:
    """Why an example fails, in one sentence."""
    if result.error or not result.differences:
        return result.error
    first, *others = result.differences
    more = f", and {len(others)} more" if others else ""
    return f"{first.path} should be {_shown(first.expected)} and is {_shown(first.found)}{more}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def without(tree: dict[str, Any], location: Location) -> dict[str, Any]:
    """A copy of the tree without the value at `location`; items of lists become harmless, so that indexes stay."""
    copy: dict[str, Any] = deepcopy(tree)
    if not location or _present(copy, location) != location:
        return copy
    node: Any = copy
    for step in location[:-1]:
        node = node[step]
    if location[0] in HARMLESS_FIELDS and len(location) == len(HARMLESS_FIELDS[location[0]][0]):
        node[location[-1]] = HARMLESS_FIELDS[location[0]][1]
    elif isinstance(node, dict):
        del node[location[-1]]
    else:
        node[location[-1]] = HARMLESS_MATCHER if "if" in location else HARMLESS.get(location[0], HARMLESS_TEXT)
    return copy


def _present(tree: object, location: Location) -> Location:
    """The part of a location that the tree has; for a missing key, its parent."""
    for depth, step in enumerate(location):
        is_there = step in tree if isinstance(tree, dict) else isinstance(tree, list) and step in range(len(tree))
        if not is_there:
            return location[:depth]
        tree = tree[step]  # type: ignore[index]
    return location


def _is_echo(location: Location, wrong: set[Location]) -> bool:
    """Whether a mistake at `location` only comes from a wrong key below it that was removed."""
    return any(other[: len(location)] == location for other in wrong)


def format_problem(error: FormatError, document: Document, location: Location, source: str) -> Problem:
    """The mistake at the text that contains it: a format may be a name, a list, or text below its kind."""
    if error.message.startswith("no preset"):
        error = _with_kind(error)
    found = _scalar_with(error.text, document, location) if error.text else None
    return document.problem(
        found or _key_meant(error.message, document, location),
        error.message,
        hint=error.hint,
        column=error.column if found else None,
        width=error.width,
        source=source,
    )


def _key_meant(message: str, document: Document, location: Location) -> Location:
    """The deepest key that a message speaks of in its first words: `json: time_received needs …`."""
    for word in re.findall(r"\w+", message)[:3]:
        node = document.node(location)
        if isinstance(node, Entries) and word in node.nodes:
            location = (*location, word)
    return location


def _with_kind(error: FormatError) -> FormatError:
    """A better message for a format string in the place of a preset's name."""
    kind = "nginx" if re.search(r"\$[a-z]", error.text) else "apache" if re.search(r"%[a-zA-Z>{]", error.text) else ""
    if not kind:
        return error
    wanted = in_quotes(error.text.strip())
    message = "a format string without its kind where a preset's name belongs"
    return FormatError(message, text=error.text, hint=f"write  {{{kind}: {wanted}}}")


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
