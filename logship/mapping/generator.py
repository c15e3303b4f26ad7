"""Generates the function that makes events of rows: one expression for all, statements only where rules need them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logship.fields import Kind
from logship.mapping import values
from logship.mapping.access import Access, Reader, Setting
from logship.mapping.code import Part, choice, constant, every, expression, function, joined, local, statements, store
from logship.mapping.derived import odd_request, odd_target
from logship.mapping.matchers import scale_of
from logship.mapping.plan import Branch, Condition, Leaf, Path, Plan, Rule, leaves
from logship.mapping.render import REQUIRED, Covers, Piece, own_id, render_leaf, render_object, shape_of
from logship.mapping.sampling import MASK, MIXER
from logship.mapping.written import looked_at

# rows, CRC digits, position digits, CRCs and positions as numbers, the LogFile, middle of its ids, window bounds
PARAMETERS = ("rows", "crcs", "places", "marks", "starts", "file", "middle", "oldest", "since", "until")
KEEPS_EMPTY = (("request", "headers"), ("response", "headers"), ("request",), ("response",), ())


@dataclass(slots=True)
class Made:
    """What a generated function gives back for some rows.

    Shapes: `kept` are the indexes of the rows that became events, None: all; `counts` line up with Generated.counters.
    """

    events: list[str]
    kept: list[int] | None
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """What one number of Made.counts counts: a dropping or sampling rule, or a window ('too old', 'out of range')."""

    what: str
    rule: str = ""


class Generated:
    """One function with what must be known to call it."""

    def __init__(
        self, call: Callable[..., object], counters: tuple[Counter, ...], sieve: Callable[..., object]
    ) -> None:
        self._call = call
        self.counters = counters
        self._sieve = sieve

    def __call__(self, *arguments: object) -> Made:
        result = self._call(*arguments)
        if isinstance(result, tuple):
            events, kept, *counts = result
            return Made(events, kept, tuple(counts))
        assert isinstance(result, list)
        return Made(result, None, ())

    def odd(self, rows: Sequence[object]) -> list[int]:
        """Indexes of clean rows that only the exact way can do."""
        found = self._sieve(rows)
        assert isinstance(found, list)
        return found


class Generator:
    """Writes one function: for clean or exact rows, with or without a window, for all needed fields or some of them."""

    def __init__(
        self,
        setting: Setting,
        plan: Plan,
        covers: Covers,
        *,
        is_exact: bool,
        has_window: bool,
        fields: Sequence[str] | None = None,
        visit: Callable[[int], None] | None = None,
    ) -> None:
        lacking = None if fields is None else frozenset(setting.needed).difference(fields)
        self._reader = Reader(setting, is_exact=is_exact, lacking=lacking)
        self._fields = fields  # of a row, '' for what is none; None: all that are needed
        self._setting = setting
        self._plan = plan
        self._covers = covers
        self._has_window = has_window
        self._visit = visit  # told the index of each rule that matches
        self._variables = {path: f"set_{index}" for index, path in enumerate(self._leaf_paths())}
        self._counters: list[Counter] = []
        self._samples = any(rule.share for rule in plan.rules)
        self._keeps = any(rule.keeps for rule in plan.rules)

    def generate(self) -> Callable[[], Generated]:
        """Everything but the compilation, which has to wait until every way told which fields it needs."""
        reader = self._reader
        if self._has_window:
            self._window()
        for path, variable in self._variables.items():
            reader.body.append(store(variable, self._initial(path)))
        for flag in self._flags():
            reader.body.append(store(flag, constant(False)))
        if self._samples:
            reader.body.append(store("weight", constant("")))
        for rule in self._plan.rules:
            self._rule(rule)
        event = joined(self._event())
        if not reader.is_exact and self._fields is None:
            self._setting.look(looked_at(reader.body, event, self._setting.bindings.named(odd_target, odd_request)))
        return lambda: self._compile(event)

    def _compile(self, event: ast.expr) -> Generated:
        needed = self._setting.needed
        fields = self._setting.row or [""] if self._fields is None else self._fields
        names = [f"v{needed.index(field)}" if field else f"unused_{index}" for index, field in enumerate(fields)]
        row = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        assigns = all(isinstance(statement, ast.Assign) for statement in self._reader.body)
        plain = assigns and not self._counters and not self._has_window
        body = [*self._reader.prelude, *(self._comprehension(row, event) if plain else self._loop(row, event))]
        call = function("events", PARAMETERS, body, self._setting.bindings)
        return Generated(call, tuple(self._counters), self._sieve(row))

    def _comprehension(self, row: ast.expr, event: ast.expr) -> list[ast.stmt]:
        """All events by one expression; a variable is a loop over one value, which costs no more than a store."""
        target = ast.Tuple([row, ast.Name("crc", ast.Store()), ast.Name("place", ast.Store())], ast.Store())
        loops = [ast.comprehension(target, expression("zip(rows, crcs, places)"), [], 0)]
        for statement in self._reader.body:
            assert isinstance(statement, ast.Assign)
            loops.append(ast.comprehension(statement.targets[0], ast.List([statement.value], ast.Load()), [], 0))
        return [ast.Return(ast.ListComp(event, loops))]

    def _loop(self, row: ast.expr, event: ast.expr) -> list[ast.stmt]:
        counts = [f"count_{index}" for index in range(len(self._counters))]
        body: list[ast.stmt] = [store(name, constant(0)) for name in counts]
        body += statements("made = []; kept = []; add = made.append; keep_index = kept.append")
        number = "i, " if self._counters else ""
        numbers = "range(len(rows)), " if self._counters else ""
        marks, marked = (", mark, start", ", marks, starts") if self._samples else ("", "")
        loop = statements(
            f"for {number}row, crc, place{marks} in zip({numbers}rows, crcs, places{marked}): pass"
        )[0]
        assert isinstance(loop, ast.For)
        assert isinstance(loop.target, ast.Tuple)
        loop.target.elts = [row if isinstance(e, ast.Name) and e.id == "row" else e for e in loop.target.elts]
        loop.body = [*self._reader.body, *statements("add(event)", event=event)]
        if self._counters:
            loop.body += statements("keep_index(i)")
        results = ", ".join(["made", "kept" if self._counters else "None", *counts])
        return [*body, loop, *statements(f"return ({results})")]

    def _sieve(self, row: ast.expr) -> Callable[..., object]:
        if not self._reader.odd:
            return lambda rows: []
        test = self._reader.odd[0] if len(self._reader.odd) == 1 else ast.BoolOp(ast.Or(), self._reader.odd)
        target = ast.Tuple([ast.Name("i", ast.Store()), row], ast.Store())
        found = ast.ListComp(local("i"), [ast.comprehension(target, expression("enumerate(rows)"), [test], 0)])
        return function("odd", ("rows",), [ast.Return(found)], self._setting.bindings)

    # -- windows

    def _window(self) -> None:
        leaf = self._leaf(("request", "time"))
        if leaf is None:
            return
        piece = render_leaf(self._reader, leaf.value, ("request", "time"), leaf.location, self._covers)
        moment = self._reader.keep("moment", joined(piece.parts[1:-1]))  # without its quotes
        outside = self._count(Counter("out of range"))
        old = self._count(Counter("too old"))
        self._reader.body += statements(
            f"if moment < since or (until and moment >= until):\n    {outside} += 1\n    continue\n"
            f"if moment < oldest:\n    {old} += 1\n    continue",
            moment=moment,
        )

    def _count(self, counter: Counter) -> str:
        self._counters.append(counter)
        return f"count_{len(self._counters) - 1}"

    # -- rules

    def _flags(self) -> list[str]:
        return [*(["is_kept"] if self._keeps else []), *(["is_sampled"] if self._samples else [])]

    def _rule(self, rule: Rule) -> None:
        tests = [self._condition(rule, number, condition) for number, condition in enumerate(rule.conditions)]
        kept = expression("not is_kept") if self._keeps and (rule.drops or rule.share) else None
        sampled = expression("not is_sampled") if rule.share else None
        body = self._actions(rule)
        test = every([kept, sampled, *tests])
        self._reader.body += [ast.If(test, body, [])] if test is not None else body
        self._reader.groups = {}

    def _actions(self, rule: Rule) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        if self._visit is not None:
            body += statements(f"visit({rule.index})", visit=self._reader.bind(self._visit, "visit"))
        for path, leaf in rule.sets:
            body += self._set(path, leaf)
        if rule.keeps:
            body.append(store("is_kept", constant(True)))
        if rule.drops:
            body += statements(f"{self._count(Counter('dropped', rule.name))} += 1\ncontinue")
        if rule.share is not None and rule.share.weight > 1:
            body.append(store("is_sampled", constant(True)))
            body += statements(
                f"if (mark << 32 ^ start) * {MIXER} & {MASK} >= {rule.share.threshold}:\n"
                f"    {self._count(Counter('sampled out', rule.name))} += 1\n    continue"
            )
            body.append(store("weight", constant(f',"weight":{rule.share.weight}')))
        elif rule.share is not None:
            body.append(store("is_sampled", constant(True)))
        return body

    def _condition(self, rule: Rule, number: int, condition: Condition) -> ast.expr | None:
        reader, matcher = self._reader, condition.matcher
        access = reader.field(condition.field)
        assert access is not None
        if matcher.absence is not None:
            present = access.present or constant(True)
            return ast.UnaryOp(ast.Not(), present) if matcher.absence else present
        text = choice(access.present, reader.shown(access), constant(""))
        if matcher.texts is not None and not matcher.texts & {"", "-"}:
            found = reader.shown(access) if not reader.is_exact or access.present is None else text
            if len(matcher.texts) == 1:
                return expression("x == k", x=found, k=constant(next(iter(matcher.texts))))
            return expression("x in s", x=found, s=reader.bind(matcher.texts, "texts"))
        if matcher.is_prefix:
            return expression("x.startswith(p)", x=text, p=constant(matcher.prefix))
        scale = scale_of(access.kind)

        def test(value: object) -> object:
            value_text = str(value)
            if scale != 1.0:
                seconds = values.number(value_text)
                value_text = "" if seconds is None else repr(seconds / scale)
            return matcher.test(value_text) if matcher.groups else matcher.test(value_text) is not None

        memo = self._setting.memo(f"rule_{rule.index}_{number}", test)
        begins = expression("x.startswith(p)", x=text, p=constant(matcher.prefix)) if matcher.prefix else None
        if not matcher.groups:
            return every([begins, expression("m[x]", m=memo, x=text)])
        variable = f"groups_{rule.index}_{number}"
        for index, name in enumerate(matcher.groups):
            group = ast.Subscript(local(variable), constant(index), ast.Load())
            body: Part = group if access.body is access.text else reader.call(values.body, group)
            reader.groups[name] = Access(Kind.TEXT, group, body, group)
        filled = ast.NamedExpr(ast.Name(variable, ast.Store()), expression("m[x]", m=memo, x=text))
        return every([begins, expression("x is not None", x=filled)])

    def _set(self, path: Path, leaf: Leaf) -> list[ast.stmt]:
        if leaf.value is None:
            below = [known for known in self._variables if known[: len(path)] == path]
            return [store(self._variables[known], constant("")) for known in below]
        return [store(self._variables[path], self._json(path, leaf))]

    def _json(self, path: Path, leaf: Leaf) -> ast.expr:
        """The leaf as JSON text, '' where the line lacks it."""
        piece = render_leaf(self._reader, leaf.value, path, leaf.location, self._covers)
        return choice(piece.present, joined(piece.parts), constant(""))

    # -- the event

    def _leaf_paths(self) -> list[Path]:
        """Leaves that a rule may change: themselves or something above them is set."""
        known = [path for path, _ in leaves(self._plan.event)]
        return [path for path in known if any(path[: len(s)] == s for s in self._plan.set_paths)]

    def _leaf(self, path: Path) -> Leaf | None:
        node: Leaf | Branch | None = self._plan.event
        for step in path:
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, Leaf) else None

    def _initial(self, path: Path) -> ast.expr:
        leaf = self._leaf(path)
        assert leaf is not None
        return self._json(path, leaf) if leaf.value is not None else constant("")

    def _event(self) -> list[Part]:
        members = self._members(self._plan.event, ())
        if not any(key == "transaction_id" for key, _ in members):
            members.append(("transaction_id", Piece(('"', *own_id(), '"'))))
        if self._samples:  # the sample says what an event stands for
            members = [(key, piece) for key, piece in members if key != "weight"]
        parts = list(render_object(members, keeps_empty=True).parts)
        if self._samples:
            parts = [*parts[:-1], *_without_brace(parts[-1]), local("weight"), "}"]
        return parts

    def _members(self, branch: Branch, path: Path) -> list[tuple[str, Piece]]:
        members: list[tuple[str, Piece]] = []
        for key, node in branch.items():
            here = (*path, key)
            if isinstance(node, Leaf):
                members.append((key, self._value(here, node)))
            else:
                below = self._members(node, here)
                members.append((key, render_object(below, keeps_empty=here in KEEPS_EMPTY)))
        return members

    def _value(self, path: Path, leaf: Leaf) -> Piece:
        variable = self._variables.get(path)
        own = Piece(('"', *own_id(), '"'))
        if path == ("transaction_id",) and variable is not None:
            return Piece((ast.BoolOp(ast.Or(), [local(variable), joined(own.parts)]),))
        if path == ("transaction_id",) and leaf.value is None:
            return own
        if variable is None:
            return render_leaf(self._reader, leaf.value, path, leaf.location, self._covers)
        shape = shape_of(path)
        if shape in REQUIRED:
            return Piece((ast.BoolOp(ast.Or(), [local(variable), constant(_FALLBACKS[shape.value])]),))
        is_members = shape.value == "body"
        return Piece((local(variable),), local(variable), is_members)


_FALLBACKS = {
    "verb": '"UNKNOWN"',
    "uri": '"/"',
    "client address": '"0.0.0.0"',
    "status": "0",
    "time": '"1970-01-01T00:00:00.000Z"',
}


def _without_brace(part: Part) -> list[Part]:
    assert isinstance(part, str)
    assert part.endswith("}")
    return [part[:-1]] if part[:-1] else []


