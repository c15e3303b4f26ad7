"""Building Python functions from syntax trees: texts of a mapping enter as constants, never as source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import cast

Part = str | ast.expr  # a piece of a joined text: a constant, or an expression that gives text


class Bindings:
    """The names a generated function may use, each bound to one object."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {}
        self._known: dict[int, str] = {}

    def bind(self, value: object, hint: str) -> ast.expr:
        """An expression for `value`; the same object gets the same name."""
        name = self._known.get(id(value))
        if name is None:
            name = f"{hint}_{len(self.names)}"
            self.names[name] = value
            self._known[id(value)] = name
        return local(name)

    def named(self, *values: object) -> set[str]:
        """The names that some of `values` have here."""
        return {self._known[id(value)] for value in values if id(value) in self._known}


class _Fill(ast.NodeTransformer):
    def __init__(self, holes: dict[str, ast.expr]) -> None:
        self._holes = holes

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._holes.get(node.id, node)


def expression(source: str, **holes: ast.expr) -> ast.expr:
    """The expression that `source` writes, the names of `holes` replaced by expressions."""
    tree = ast.parse(source, mode="eval").body
    return cast(ast.expr, _Fill(holes).visit(tree))


def local(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def constant(value: str | int | float | bool | None) -> ast.expr:
    """A constant; texts of a YAML tree, which have types of their own, become plain ones."""
    return ast.Constant(str(value) if isinstance(value, str) else value)


def joined(parts: Iterable[Part]) -> ast.expr:
    """One text of all parts, neighbouring constants melted: what an f-string compiles to (BUILD_STRING)."""
    melted = melt(parts)
    if not melted:
        return constant("")
    if len(melted) == 1:
        return constant(melted[0]) if isinstance(melted[0], str) else melted[0]
    values: list[ast.expr] = []
    for part in melted:
        if isinstance(part, str):
            values.append(constant(part))
        elif isinstance(part, ast.JoinedStr):
            values.extend(part.values)
        else:
            values.append(ast.FormattedValue(part, -1, None))
    return ast.JoinedStr(_melt_constants(values))


def melt(parts: Iterable[Part]) -> list[Part]:
    """The same parts with neighbouring constants as one, empty ones left out."""
    result: list[Part] = []
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            part = part.value
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part != "":
            result.append(part)
    return result


def _melt_constants(values: list[ast.expr]) -> list[ast.expr]:
    result: list[ast.expr] = []
    for value in values:
        last = result[-1] if result else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            result[-1] = ast.Constant(str(last.value) + str(value.value))
        else:
            result.append(value)
    return result


def choice(test: ast.expr | None, yes: ast.expr, no: ast.expr) -> ast.expr:
    """`yes if test else no`; no test: yes."""
    if isinstance(test, ast.Constant):
        return yes if test.value else no
    return yes if test is None else ast.IfExp(test, yes, no)


def either(tests: Sequence[ast.expr | None]) -> ast.expr | None:
    """True if any test is; a test None is always true."""
    if not tests or any(test is None for test in tests):
        return None
    known = [test for test in tests if test is not None and not is_false(test)]
    if len(known) < 2:
        return known[0] if known else constant(False)
    return ast.BoolOp(ast.Or(), known)


def is_false(test: ast.expr | None) -> bool:
    """Whether it is known beforehand to be false."""
    return isinstance(test, ast.Constant) and not test.value


def every(tests: Sequence[ast.expr | None]) -> ast.expr | None:
    """True if all tests are."""
    known = [test for test in tests if test is not None]
    if len(known) < 2:
        return known[0] if known else None
    return ast.BoolOp(ast.And(), known)


def store(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def statements(source: str, **holes: ast.expr) -> list[ast.stmt]:
    """The statements that `source` writes, the names of `holes` replaced by expressions."""
    tree = ast.parse(source)
    return cast(ast.Module, _Fill(holes).visit(tree)).body


def function(name: str, parameters: Sequence[str], body: list[ast.stmt], bindings: Bindings) -> Callable[..., object]:
    """The function of these statements, its free names those of `bindings`."""
    named = [ast.arg(parameter) for parameter in parameters]
    arguments = ast.arguments(posonlyargs=[], args=named, kwonlyargs=[], kw_defaults=[], defaults=[])
    definition = ast.FunctionDef(name, arguments, body, [], None)
    module = ast.fix_missing_locations(ast.Module([definition], []))
    names = dict(bindings.names)
    exec(compile(module, f"<mapping:{name}>", "exec"), names)  # noqa: S102 -- the tree is built here, texts are constants
    return cast(Callable[..., object], names[name])
