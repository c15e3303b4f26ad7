"""`${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` in any string of a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from logship.config.document import Document, Tree
from logship.config.secret import Cloak
from logship.errors import Location, Problem
from logship.records import record

REFERENCE = re.compile(r"(?<!\$)((?:\$\$)*)\$\{(env|file):([^}]*)\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
MAX_FILE_BYTES = 65_536  # a secret or a name, never a log


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
