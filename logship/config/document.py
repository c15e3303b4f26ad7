"""A YAML file as a tree of text with the place of everything in it.

Shapes: lines and columns count from 1, characters inside a scalar from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from logship.errors import Location, Problem, Severity
from logship.event import Plain
from logship.records import record

Tree = dict[str, "Tree"] | list["Tree"] | str | None
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Mark(NamedTuple):
    """A part of the file; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@record
class Scalar:
    """One value; style is the character YAML wrote it with: '', `'`, `"`, `|` or `>`."""

    mark: Mark
    text: str
    style: str

    def tree(self) -> Tree:
        """None for a plain null, Plain for other unquoted text, str for quoted text."""
        if self.style:
            return self.text
        return None if self.text in NULLS else Plain(self.text)


@record
class Items:
    """A list."""

    mark: Mark
    nodes: tuple[Node, ...]

    def tree(self) -> Tree:
        return [node.tree() for node in self.nodes]


@record
class Entries:
    """A map, with the marks of its keys."""

    mark: Mark
    nodes: Mapping[str, Node]
    keys: Mapping[str, Mark]

    def tree(self) -> Tree:
        return {key: node.tree() for key, node in self.nodes.items()}


Node = Scalar | Items | Entries


@record
class Document:
    """One parsed file.

    Shapes: `problems` are the mistakes of its syntax; `repaired` holds lines, by number, with quotes added so that
    reading could continue: marks are places in these.
    """

    path: str
    lines: Sequence[str]
    root: Node | None
    problems: tuple[Problem, ...] = ()
    repaired: Mapping[int, str] = field(default_factory=dict)

    def tree(self) -> Tree:
        return None if self.root is None else self.root.tree()

    def node(self, location: Location) -> Node | None:
        """The node at `location`, None if there is none."""
        node = self.root
        for step in location:
            if isinstance(node, Entries) and isinstance(step, str):
                node = node.nodes.get(step)
            elif isinstance(node, Items) and isinstance(step, int):
                node = node.nodes[step] if step < len(node.nodes) else None
            else:
                return None
        return node

    def problem(
        self,
        location: Location,
        message: str,
        *,
        hint: str = "",
        at_key: bool = False,
        column: int | None = None,
        width: int = 1,
        severity: Severity = "error",
        source: str = "",
    ) -> Problem:
        """A Problem with its place: the value at `location`, or its key, or for a missing one its nearest parent.

        Shapes: `column` and `width` count characters inside the scalar; None underlines all of it.
        """
        mark = self._inside(location, column, width) if column is not None else None
        mark = mark or self._mark(location, at_key)
        if mark is None:
            return Problem(self.path, None, None, message, hint, severity=severity, location=location, source=source)
        excerpt = self.lines[mark.line - 1] if mark.line <= len(self.lines) else ""
        mark = self._as_written(mark)
        end = mark.end_column if mark.end_line == mark.line else len(excerpt.rstrip()) + 1
        return Problem(
            self.path,
            mark.line,
            mark.column,
            message,
            hint,
            excerpt=excerpt,
            width=max(1, end - mark.column),
            severity=severity,
            location=location,
            source=source,
        )

    def _mark(self, location: Location, at_key: bool) -> Mark | None:
        while True:
            node = self.node(location)
            key = self._key(location)
            if node is not None:
                is_empty = node.mark[:2] == node.mark[2:]
                is_block = not isinstance(node, Scalar) or node.mark.line != node.mark.end_line or is_empty
                if key and (at_key or is_block):
                    return key
                return next(iter(node.keys.values()), node.mark) if isinstance(node, Entries) else node.mark
            if not location:
                return None
            location, at_key = location[:-1], True

    def _as_written(self, mark: Mark) -> Mark:
        """A mark of the repaired line, moved to the original line."""
        if mark.line not in self.repaired:
            return mark
        repaired, original = self.repaired[mark.line], self.lines[mark.line - 1]
        start = _unrepaired(mark.column - 1, repaired, original) + 1
        end = _unrepaired(mark.end_column - 1, repaired, original) + 1
        return Mark(mark.line, start, mark.end_line, end)

    def _key(self, location: Location) -> Mark | None:
        if not location:
            return None
        parent, step = self.node(location[:-1]), location[-1]
        return parent.keys.get(step) if isinstance(parent, Entries) and isinstance(step, str) else None

    def _inside(self, location: Location, column: int, width: int) -> Mark | None:
        """The place of characters [column, column + width) of a scalar; None if the file spells them differently."""
        node = self.node(location)
        if not isinstance(node, Scalar):
            return None
        if node.style in {"|", ">"}:
            return self._inside_block(node, column, width)
        if node.mark.line != node.mark.end_line:
            return None
        line = self.repaired.get(node.mark.line, self.lines[node.mark.line - 1])
        raw = line[node.mark.column - 1 : node.mark.end_column - 1]
        shift = 1 if node.style else 0
        written = raw[shift : len(raw) - shift] if shift else raw
        offsets = _written_offsets(written, node.style)
        if len(offsets) != len(node.text) + 1:
            return None
        start = offsets[min(column, len(node.text))]
        end = offsets[min(column + width, len(node.text))]
        first = node.mark.column + shift + start
        return Mark(node.mark.line, first, node.mark.line, first + max(1, end - start))

    def _inside_block(self, node: Scalar, column: int, width: int) -> Mark | None:
        if node.style == ">":  # folded: line ends became spaces, so offsets can't be distinguished
            return None
        row = node.text[:column].count("\n")
        start = column - (node.text.rfind("\n", 0, column) + 1)
        number = node.mark.line + 1 + row
        if number > len(self.lines):
            return None
        rows = node.text.split("\n")
        indent = self.lines[number - 1].find(rows[row]) if rows[row] else -1
        if indent < 0:
            return None
        first = indent + start + 1
        return Mark(number, first, number, first + max(1, min(width, len(rows[row]) - start)))


def _written_offsets(written: str, style: str) -> list[int]:
    """offsets[i] is where character i of the scalar's text starts between the quotes."""
    offsets, at = [], 0
    while at < len(written):
        offsets.append(at)
        if style == "'" and written.startswith("''", at):
            at += 2
        elif style == '"' and written[at] == "\\":
            at += {"x": 4, "u": 6, "U": 10}.get(written[at + 1 : at + 2], 2)
        else:
            at += 1
    offsets.append(at)
    return offsets


def _unrepaired(offset: int, repaired: str, original: str) -> int:
    """The offset in `original` of the character at `offset` of `repaired`, which only has quotes or blanks added."""
    at = 0
    for char in repaired[:offset]:
        if original[at : at + 1] == char:
            at += 1
        elif char not in "' ":
            at += 1  # a blank in place of a tab
    return at
