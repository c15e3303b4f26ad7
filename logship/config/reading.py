"""Files of a configuration: read, parsed, included, with their references filled in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from glob import glob
from pathlib import Path
from typing import Any

from logship.config.document import Document, Tree
from logship.config.models import IncludedModel
from logship.config.secret import Cloak
from logship.config.validation import validate
from logship.config.yaml_door import parse
from logship.errors import Location, Problem
from logship.patterns import deferred
from logship.records import record

REFERENCE = deferred(r"(?<!\$)((?:\$\$)*)\$\{(env|file):([^}]*)\}")
NAME = deferred(r"[A-Za-z_][A-Za-z0-9_]*\Z")
MAX_FILE_BYTES = 65_536  # a secret or a name, never a log
MAX_CONFIG_BYTES = 10_000_000  # a larger file is no config, but perhaps a log


class _UnresolvedError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@record(frozen=False)
class Expander:
    """Fills references in; every value that comes from outside is cloaked.

    Shapes: `directory` is where relative file names begin; `is_optional(location)` says where an unset reference is no
    mistake (then it becomes null); `is_template(location)` where a `$` that comes from outside is doubled to stay text;
    `is_verbatim(location)` where nothing is a reference.
    """

    environ: Mapping[str, str]
    directory: Path
    cloak: Cloak
    is_optional: Callable[[Location], bool] = lambda location: False
    is_template: Callable[[Location], bool] = lambda location: False
    is_verbatim: Callable[[Location], bool] = lambda location: False
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)  # that ${file:PATH} named and that were read

    def expand(self, document: Document) -> Tree:
        """The document's tree with its references filled in; what can't be filled in is in `problems`."""
        return self._tree(document.tree(), (), document)

    def _tree(self, tree: Tree, at: Location, document: Document) -> Tree:
        if isinstance(tree, dict):
            return {key: self._tree(value, (*at, key), document) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self._tree(value, (*at, index), document) for index, value in enumerate(tree)]
        if isinstance(tree, str) and ("${env:" in tree or "${file:" in tree) and not self.is_verbatim(at):
            return self._text(tree, at, document)
        return tree

    def _text(self, text: str, at: Location, document: Document) -> str | None:
        parts: list[str] = []
        end = 0
        is_left_out = False
        for match in REFERENCE.finditer(text):
            try:
                value = self._value(match[2], match[3])
            except _UnresolvedError as exc:
                is_left_out = self.is_optional(at)
                if not is_left_out:
                    column = match.start() + len(match[1])
                    width = match.end() - column
                    self.problems.append(document.problem(at, exc.message, hint=exc.hint, column=column, width=width))
                continue
            self.cloak.hide(value, match.group()[len(match[1]) :])
            parts += [text[end : match.start()], match[1], value.replace("$", "$$") if self.is_template(at) else value]
            end = match.end()
        return None if is_left_out else "".join([*parts, text[end:]])

    def _value(self, kind: str, name: str) -> str:
        return self._variable(name) if kind == "env" else self._file(name)

    def _variable(self, name: str) -> str:
        name, has_default, default = name.partition(":-")
        if not NAME.match(name):
            raise _UnresolvedError(f"'{name}' is no name of an environment variable", "write ${env:NAME}")
        value = self.environ.get(name, "")
        if value:
            return value
        if has_default:
            return default
        state = "empty" if name in self.environ else "not set"
        raise _UnresolvedError(
            f"the environment variable {name} is {state}", f"set it, or give a default: ${{env:{name}:-default}}"
        )

    def _file(self, name: str) -> str:
        path = self.directory / name
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise _UnresolvedError(f"{path}: {reason}", "name a file that logship may read") from exc
        if len(content) > MAX_FILE_BYTES:
            message = f"{path} holds more than {MAX_FILE_BYTES:,} bytes"
            raise _UnresolvedError(message, "name a file that holds one value")
        try:
            text = content.decode("utf-8").strip()
        except UnicodeDecodeError as exc:
            raise _UnresolvedError(f"{path} is not UTF-8 text", "name a file that holds one value") from exc
        self.files.append(path)
        return text


@record
class SourceTree:
    """One entry of sources: and its place."""

    document: Document
    location: Location
    tree: dict[str, Any]

    @property
    def directory(self) -> Path:
        return Path(self.document.path).absolute().parent

    def problem(self, key: str, message: str, *, hint: str = "") -> Problem:
        """A mistake at one of the entry's keys."""
        return self.document.problem((*self.location, key), message, hint=hint)


def is_template(location: Location) -> bool:
    """Whether `$field` has a meaning there, so that $ in a value from outside must be escaped."""
    if location[:1] in (("lookups",), ("jwt",)):
        return location[-1] == "from"
    return location[:1] == ("event",) or (location[:1] == ("rules",) and "set" in location[2:3])


def is_verbatim(location: Location) -> bool:
    """Whether it is in a mapping's examples: anybody can put `${file:/etc/passwd}` into a log line."""
    return location[:1] == ("examples",)


def _of_source(location: Location) -> Location:
    """The place inside a source's inline mapping; () where it is in none."""
    return location[3:] if "mapping" in location[2:3] else ()


@record(frozen=False)
class FileReader:
    """Reads YAML files; every mistake goes to `problems`, every secret under the cloak.

    Shapes: `unresolved` are references that couldn't be expanded; other mistakes at their places are consequences.
    `unsaved` are texts that replace files on disk.
    """

    environ: Mapping[str, str]
    is_sending: bool
    cloak: Cloak = field(default_factory=Cloak)
    problems: list[Problem] = field(default_factory=list)
    unresolved: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)  # that were read
    secret_files: list[Path] = field(default_factory=list)  # whose text was filled in
    unsaved: Mapping[Path, str] = field(default_factory=dict)

    def is_file(self, path: Path) -> bool:
        return path in self.unsaved or os.path.isfile(path)  # pathlib's is_file() raises for a name that is too long

    def in_order(self) -> tuple[Problem, ...]:
        """Every mistake once, secrets hidden, by file as first met, then line and column."""
        files = {problem.path: index for index, problem in reversed(list(enumerate(self.problems)))}
        places = {(problem.path, problem.location) for problem in self.unresolved}
        reported = [
            problem
            for problem in dict.fromkeys(self.problems)
            if problem in self.unresolved or (problem.path, problem.location) not in places
        ]
        reported.sort(key=lambda problem: (files[problem.path], problem.line or 0, problem.column or 0))
        return self.cloak.over_problems(reported)

    def read(self, path: Path, *, is_first: bool = False) -> Document | None:
        """The parsed file, None if it can't be read."""
        try:
            content = self._content(path)
        except OSError as exc:
            hint = "name another with -c FILE, or write one with: logship init" if is_first else ""
            self.problems.append(Problem(str(path), None, None, exc.strerror or str(exc), hint))
            return None
        if len(content) > MAX_CONFIG_BYTES:
            self.problems.append(Problem(str(path), None, None, "this is too large for a config", "name a YAML file"))
            return None
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as exc:
            line = content.count(b"\n", 0, exc.start) + 1
            column = exc.start - (content.rfind(b"\n", 0, exc.start) + 1) + 1
            hint = "save the file as UTF-8"
            self.problems.append(Problem(str(path), line, column, "a byte that is not UTF-8 text", hint))
            return None
        self.files.append(path)
        document = parse(text, str(path))
        self.problems += document.problems
        return document

    def _content(self, path: Path) -> bytes:
        if path in self.unsaved:
            return self.unsaved[path].encode("utf-8", "surrogatepass")
        with path.open("rb") as file:
            return file.read(MAX_CONFIG_BYTES + 1)

    def expand(self, document: Document, *, is_mapping: bool = False) -> Tree:
        """The document's tree with its references expanded; `is_mapping`: it is a mapping file, no configuration."""
        within: Callable[[Location], Location] = (lambda location: location) if is_mapping else _of_source
        expander = Expander(
            self.environ,
            Path(document.path).absolute().parent,
            self.cloak,
            is_optional=lambda location: not self.is_sending and "application_id" in location,
            is_template=lambda location: is_template(within(location)),
            is_verbatim=lambda location: is_verbatim(within(location)),
        )
        tree = expander.expand(document)
        self.problems += expander.problems
        self.unresolved += expander.problems
        self.secret_files += expander.files
        return tree

    def included(self, tree: dict[str, Any], document: Document) -> list[SourceTree]:
        """The sources of every file that include: names."""
        patterns = tree.get("include") or []
        found: list[SourceTree] = []
        directory = Path(document.path).parent
        for index, pattern in enumerate([patterns] if isinstance(patterns, str) else patterns):
            if not isinstance(pattern, str):
                continue
            names = sorted(glob(str(directory / pattern), recursive=True))
            if not names and not any(sign in pattern for sign in "*?["):
                location = ("include", index) if isinstance(patterns, list) else ("include",)
                message = f"include: no file {directory / pattern}"
                self.problems.append(document.problem(location, message, hint="create it, or use a glob"))
            for name in names:
                found += self._included_file(Path(name))
        return found

    def _included_file(self, path: Path) -> list[SourceTree]:
        document = self.read(path)
        if document is None or document.root is None:
            return []
        tree = self.expand(document)
        _, problems = validate(IncludedModel, tree, document)
        self.problems += problems
        return self.source_trees(document, tree) if isinstance(tree, dict) else []

    @staticmethod
    def source_trees(document: Document, tree: dict[str, Any]) -> list[SourceTree]:
        """The entries of sources: that are maps."""
        entries = tree.get("sources")
        if not isinstance(entries, list):
            return []
        return [
            SourceTree(document, ("sources", index), entry)
            for index, entry in enumerate(entries)
            if isinstance(entry, dict)
        ]
