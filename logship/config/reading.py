"""Files of a configuration: read, parsed, included, with their references filled in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from glob import glob
from pathlib import Path
from typing import Any

from logship.config.document import Document, Tree
from logship.config.expansion import Expander
from logship.config.models import IncludedModel
from logship.config.secret import Cloak
from logship.config.validation import validate
from logship.config.yaml_door import parse
from logship.errors import Location, Problem
from logship.records import record

MAX_CONFIG_BYTES = 10_000_000  # no one writes so much YAML by hand; somebody named a log


@record
class SourceTree:
    """One entry of sources: and where it stands."""

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
    """Whether a mapping takes `$field` there: in a value that comes from outside, $ must stay a dollar."""
    if location[:1] in (("lookups",), ("jwt",)):
        return location[-1] == "from"
    return location[:1] == ("event",) or (location[:1] == ("rules",) and "set" in location[2:3])


def is_verbatim(location: Location) -> bool:
    """Whether it is in a mapping's examples: lines of logs, in which anybody may write `${file:/etc/passwd}`."""
    return location[:1] == ("examples",)


def _of_source(location: Location) -> Location:
    """The same place counted from the mapping that a source has in the configuration; () where it is in none."""
    return location[3:] if "mapping" in location[2:3] else ()


@record(frozen=False)
class FileReader:
    """Reads YAML files; every mistake goes to `problems`, every secret under the cloak.

    Shapes: `unresolved` are the places of references that couldn't be filled in; what else is wrong there is an echo.
    `unsaved` are texts that count in the place of what is on disk.
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
        return path in self.unsaved or os.path.isfile(path)  # of pathlib's own, a name too long to be one raises

    def in_order(self) -> tuple[Problem, ...]:
        """Every mistake once, secrets hidden, by file as first met, then line and column."""
        files = {problem.path: index for index, problem in reversed(list(enumerate(self.problems)))}
        places = {(problem.path, problem.location) for problem in self.unresolved}
        told = [
            problem
            for problem in dict.fromkeys(self.problems)
            if problem in self.unresolved or (problem.path, problem.location) not in places
        ]
        told.sort(key=lambda problem: (files[problem.path], problem.line or 0, problem.column or 0))
        return self.cloak.over_problems(told)

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
        """The document's tree with its references filled in; a mapping's, or a configuration's with those inside."""
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
        """The entries of sources: that are maps at all."""
        entries = tree.get("sources")
        if not isinstance(entries, list):
            return []
        return [
            SourceTree(document, ("sources", index), entry)
            for index, entry in enumerate(entries)
            if isinstance(entry, dict)
        ]
