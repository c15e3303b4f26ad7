"""The only file that uses PyYAML: parses text into a Document and reports all syntax errors at once.

All scalars stay text: `on`, `no`, `0017` and `+0200` are what the person typed.
"""

from __future__ import annotations

from logship.patterns import lazily_compiled

with lazily_compiled():
    import yaml

from logship.config.document import Document, Entries, Items, Mark, Node, Scalar
from logship.config.syntax import MAX_REPAIRS, SyntaxFault, lookalike_blanks, repair
from logship.errors import Problem

MAX_NODES = 100_000  # a larger config is a mistake, or aliases that multiply
MAX_DEPTH = 64
TYPOGRAPHIC_QUOTES = frozenset("“”„‘’‚«»")  # word processors and blogs replace quotes by these


class _BrokenError(Exception):
    """Mistakes that PyYAML's composer does not report."""

    def __init__(self, fault: SyntaxFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def parse(text: str, path: str) -> Document:
    """The document, with the mistakes of its syntax in `problems`; root is None if it can't be read to the end.

    A mistake with an evident repair (a value that wants quotes) is repaired in memory to find the mistakes behind it.
    """
    problems: list[Problem] = []
    repaired: dict[int, str] = {}
    original = text.removeprefix("\ufeff").splitlines()
    lines = list(original)
    for fault in lookalike_blanks(original):
        problems.append(fault.problem(path, original))
        lines[fault.line - 1] = repaired[fault.line] = fault.repaired or ""
    for _ in range(MAX_REPAIRS):
        reader = _Reader(path, original)
        try:
            root = reader.read("\n".join(lines) + "\n")
        except _BrokenError as exc:
            return Document(path, original, None, (*problems, exc.fault.problem(path, original)), repaired)
        except yaml.YAMLError as exc:
            fault = repair(_fault(exc), lines, _is_readable)
            problems.append(fault.problem(path, original))
            if fault.repaired is None:
                break
            lines[fault.line - 1] = fault.repaired
            repaired[fault.line] = fault.repaired
            continue
        return Document(path, original, root, (*problems, *reader.problems), repaired)
    return Document(path, original, None, tuple(problems), repaired)


def _is_readable(text: str) -> int:
    """0 if the text parses, else the line of its first mistake."""
    try:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as exc:
        return _fault(exc).line
    return 0


def _fault(exc: yaml.YAMLError) -> SyntaxFault:
    if isinstance(exc, yaml.reader.ReaderError):
        return SyntaxFault(0, 1, "", f"character #x{exc.character:02x} is not allowed", offset=exc.position)
    assert isinstance(exc, yaml.MarkedYAMLError)
    mark = exc.problem_mark or exc.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    opened = exc.context_mark.line + 1 if exc.context_mark else line
    return SyntaxFault(line, column, exc.context or "", exc.problem or "", opened=opened)


class _Reader:
    """Makes our nodes of PyYAML's: follows aliases, merges merge keys, reports repeated keys."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path = path
        self.lines = lines
        self.problems: list[Problem] = []
        self._count = 0

    def read(self, text: str) -> Node | None:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        return None if node is None else self._node(node, ())

    def _node(self, node: yaml.Node, above: tuple[int, ...]) -> Node:
        mark = _mark(node)
        self._count += 1
        if id(node) in above or len(above) > MAX_DEPTH:
            message = "an anchor that contains itself, or nesting too deep"
            raise _BrokenError(SyntaxFault(mark.line, mark.column, "", message))
        if self._count > MAX_NODES:
            raise _BrokenError(SyntaxFault(mark.line, mark.column, "", f"more than {MAX_NODES:,} values"))
        self._refuse_tag(node, mark)
        inner = (*above, id(node))
        if isinstance(node, yaml.ScalarNode):
            if not node.style and node.value[:1] in TYPOGRAPHIC_QUOTES:
                self._tell(mark, f"{node.value[0]} is not a YAML quote but part of the text", "write ' or \"")
            return Scalar(mark, node.value, node.style or "")
        if isinstance(node, yaml.SequenceNode):
            return Items(mark, tuple(self._node(child, inner) for child in node.value))
        assert isinstance(node, yaml.MappingNode)
        return self._entries(node, mark, inner)

    def _entries(self, node: yaml.MappingNode, mark: Mark, above: tuple[int, ...]) -> Entries:
        nodes: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            key_mark = _mark(key_node)
            value = self._node(value_node, above)
            if not isinstance(key_node, yaml.ScalarNode):
                self._tell(key_mark, "a key must be text", "quote it if it begins with [ or {")
            elif key_node.value == "<<" and not key_node.style:
                merged.extend(value.nodes if isinstance(value, Items) else [value])
            elif key_node.value in nodes:
                first = keys[key_node.value].line
                self._tell(key_mark, f"'{key_node.value}' appears twice, first in line {first}", "keep one of them")
            else:
                nodes[key_node.value] = value
                keys[key_node.value] = key_mark
        for other in merged:
            self._merge(other, mark, nodes, keys)
        return Entries(mark, nodes, keys)

    def _merge(self, other: Node, mark: Mark, nodes: dict[str, Node], keys: dict[str, Mark]) -> None:
        if not isinstance(other, Entries):
            self._tell(mark, "<< merges maps only", "use the anchor of a map")
            return
        for key, value in other.nodes.items():
            if key not in nodes:
                nodes[key] = value
                keys[key] = other.keys[key]

    def _refuse_tag(self, node: yaml.Node, mark: Mark) -> None:
        if not str(node.tag).startswith("tag:yaml.org,2002:") or "python" in str(node.tag):
            self._tell(mark, f"unknown tag '{node.tag}'", "quote the text if the ! belongs to it")

    def _tell(self, mark: Mark, message: str, hint: str) -> None:
        width = mark.end_column - mark.column if mark.end_line == mark.line else 1
        self.problems.append(
            SyntaxFault(mark.line, mark.column, "", message, hint=hint, width=max(1, width)).problem(
                self.path, self.lines
            )
        )


def _mark(node: yaml.Node) -> Mark:
    start, end = node.start_mark, node.end_mark
    return Mark(start.line + 1, start.column + 1, end.line + 1, end.column + 1)
