"""Which values generated code only writes into events: in rows they may stand as they do inside JSON quotes.

Whether a text is there, is empty or begins with a slash is the same for both, so such tests are no looks at the value.
Whatever is not known to be harmless counts as a look.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence


def looked_at(body: Sequence[ast.stmt], event: ast.expr, refusing: Collection[str]) -> set[str]:
    """The variables whose values matter to these statements beyond being written into `event`.

    `refusing` are names of functions that take no escaped value: its line goes the exact way.
    """
    found: set[str] = set()
    while True:
        uses = _Uses(found, refusing)
        for statement in body:
            uses.statement(statement)
        uses.written(event)
        if uses.looked_at == found:
            return found
        found = uses.looked_at


class _Uses:
    """One look over the code; what is assigned to a variable is looked at if the variable was found to be."""

    def __init__(self, known: set[str], refusing: Collection[str]) -> None:
        self.looked_at = set(known)
        self._refusing = refusing

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            self._assigned(node.targets[0].id, node.value)
        elif isinstance(node, ast.If):
            self._tested(node.test)
            for statement in (*node.body, *node.orelse):
                self.statement(statement)
        else:
            self._looked(node)

    def written(self, node: ast.expr) -> None:
        """A text that goes into the event."""
        if isinstance(node, ast.JoinedStr):
            for value in node.values:
                self.written(value)
        elif isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
            self.written(node.value)
        elif isinstance(node, ast.IfExp):
            self._tested(node.test)
            self.written(node.body)
            self.written(node.orelse)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                self.written(value)
        elif isinstance(node, ast.NamedExpr):
            self._assigned(node.target.id, node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._refusing:
            pass
        elif not isinstance(node, ast.Name | ast.Constant):
            self._looked(node)

    def _assigned(self, name: str, value: ast.expr) -> None:
        if name in self.looked_at:
            self._looked(value)
        else:
            self.written(value)

    def _tested(self, node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                self._tested(value)
        elif isinstance(node, ast.UnaryOp):
            self._tested(node.operand)
        elif not isinstance(node, ast.Name) and not _is_harmless(node):
            self._looked(node)

    def _looked(self, node: ast.AST) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                self.looked_at.add(inner.id)


def _is_harmless(node: ast.expr) -> bool:
    """`x != '-'`, `x != ''` and `x[0] == '/'`."""
    if not isinstance(node, ast.Compare) or not isinstance(node.comparators[0], ast.Constant):
        return False
    if isinstance(node.left, ast.Name):
        return node.comparators[0].value in ("-", "")
    is_first = isinstance(node.left, ast.Subscript) and ast.unparse(node.left.slice) == "0"
    return is_first and node.comparators[0].value == "/"
