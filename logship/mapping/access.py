"""How generated code gets at a field's value: from the row, from constants, or derived from other fields."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from logship.fields import FIELDS, Kind, canonical, lookup
from logship.formats import Format, Slot
from logship.mapping import values
from logship.mapping.code import Bindings, Part, choice, constant, either, expression, local, statements, store
from logship.mapping.memo import MEMO_ENTRIES, Bounds, Memo, shared


@dataclass(frozen=True, slots=True)
class Constants:
    """What is known of a source's lines beside their text."""

    origin: str
    source: str
    fields: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Access:
    """A field's value in generated code.

    Shapes: `text` is the decoded value (of open formats any JSON value where `is_typed`); `body` is the same inside
    JSON quotes, which in clean code is the text itself; `present` tells whether the line has it, None: it always has.
    """

    kind: Kind
    text: ast.expr
    body: Part
    present: ast.expr | None = None
    is_typed: bool = False
    origin: str = ""  # where the value comes from, for people


@dataclass(slots=True)
class Setting:
    """What both ways of one converter share."""

    format: Format
    constants: Constants
    defaults: Mapping[str, str]
    proxies: Callable[[str], bool] | None = None  # tells of an address whether it is a trusted proxy
    proxy_header: str = ""  # canonical field that trusted proxies write
    bindings: Bindings = field(default_factory=Bindings)
    bounds: Bounds = field(default_factory=Bounds)
    needed: list[str] = field(default_factory=list)
    memos: dict[str, ast.expr] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)  # fields that clean code does more with than write

    def look(self, variables: Collection[str]) -> None:
        """Clean code looks at these variables, some of which are fields'."""
        self.looked_at.update(name for number, name in enumerate(self.needed) if f"v{number}" in variables)

    def slot(self, name: str) -> Slot | None:
        return next((slot for slot in self.format.slots if slot.field == name), None)

    @property
    def row(self) -> list[str]:
        """The needed fields as a row holds them: in the order of the format's slots, which saves the scanner a pass."""
        order = {slot.field: index for index, slot in enumerate(self.format.slots)}
        return sorted(self.needed, key=lambda field: order.get(field, len(order)))

    def memo(self, name: str, make: Callable[[object], object], entries: int = MEMO_ENTRIES) -> ast.expr:
        """The memory called `name`, made once."""
        if name not in self.memos:
            self.memos[name] = self.bindings.bind(Memo(make, entries), name)
        return self.memos[name]

    def shared_memo(self, make: Callable[[object], object]) -> ast.expr:
        """The memory of a function that depends on nothing but its argument."""
        return self.bindings.bind(shared(make), make.__name__.strip("_"))


NOTHING = Access(Kind.TEXT, constant(""), "", constant(False))


class Reader:
    """Gives expressions for fields, for clean rows (raw text, '-' is absent) or exact ones (decoded, '' is absent)."""

    def __init__(self, setting: Setting, *, is_exact: bool, lacking: Collection[str] | None = None) -> None:
        self.setting = setting
        self.is_exact = is_exact
        self._lacking = lacking or ()  # fields that none of the rows has
        self.may_be_empty = lacking is not None  # clean rows hold '' beside '-'
        self.body: list[ast.stmt] = []
        self.prelude: list[ast.stmt] = []
        self.odd: list[ast.expr] = []  # tests that pick clean rows out which only the exact way can do
        self.groups: dict[str, Access] = {}  # named groups of the rule at hand
        self._made: dict[str, Access] = {}
        self._names: set[str] = set()

    # -- what all accesses are made of

    def bind(self, value: object, hint: str) -> ast.expr:
        return self.setting.bindings.bind(value, hint)

    def call(self, function: Callable[..., object], *arguments: ast.expr) -> ast.expr:
        return ast.Call(self.bind(function, function.__name__), list(arguments), [])

    def keep(self, name: str, value: ast.expr) -> ast.expr:
        """A local variable of the line, computed once; a constant needs none."""
        if isinstance(value, ast.Constant):
            return value
        if name not in self._names:
            self._names.add(name)
            self.body.append(store(name, value))
        return local(name)

    def scratch(self) -> str:
        """A name for a value that is used twice within one expression."""
        self._names.add(name := f"held_{len(self._names)}")
        return name

    def at_call(self, name: str, source: str, **holes: ast.expr) -> ast.expr:
        """A local variable of the chunk, computed before its lines."""
        if name not in self._names:
            self._names.add(name)
            self.prelude.extend(statements(f"{name} = {source}", **holes))
        return local(name)

    def constant(self, text: str, kind: Kind = Kind.TEXT, origin: str = "") -> Access:
        return Access(kind, constant(text), values.body(text), origin=origin)

    def raw(self, slot: Slot) -> ast.expr:
        """The row's variable for a slot; '-' where no row has it."""
        if self.lacks(slot):
            return constant("-")
        if slot.field not in self.setting.needed:
            self.setting.needed.append(slot.field)
        return local(f"v{self.setting.needed.index(slot.field)}")

    def lacks(self, slot: Slot) -> bool:
        """Whether no row has it."""
        return slot.field in self._lacking

    def has(self, variable: ast.expr) -> ast.expr:
        if isinstance(variable, ast.Constant):
            return constant(False)
        if self.is_exact:
            return expression("x != ''", x=variable)
        return expression("x and x != '-'" if self.may_be_empty else "x != '-'", x=variable)

    @property
    def often_lacks(self) -> bool:
        """Whether asking first is worth it: clean rows of open formats have '-' for most of what may be logged."""
        return not self.is_exact and self.setting.format.is_open

    def plain(self, slot: Slot) -> ast.expr:
        """The row's value as text."""
        variable = self.raw(slot)
        if self.is_exact and self.setting.format.is_open:
            return self.call(values.text_of, variable)
        return variable

    def logged(self, slot: Slot) -> Access:
        variable = self.raw(slot)
        return Access(
            slot.kind,
            variable,
            variable,
            self.has(variable),
            self.is_exact and self.setting.format.is_open,
            slot.spelled,
        )

    # -- fields by name

    def field(self, name: str) -> Access | None:
        """The access of a name as a person wrote it; None: neither the vocabulary nor the format knows it."""
        if name in self.groups:
            return self.groups[name]
        known = canonical(name) or name
        if known not in self._made:
            access = self._find(known)
            if access is None:
                return None
            self._made[known] = access
        return self._made[known]

    def _find(self, name: str) -> Access | None:
        derive = _DERIVED.get(name)
        if derive is not None:
            return derive(self)
        slot = self.setting.format.slot(name) if self.setting.format.is_open else self.setting.slot(name)
        rest = self.known(name)
        if slot is not None:
            return self.chain([self.logged(slot), *([rest] if rest else [])])
        is_known = lookup(name) is not None or name in self.setting.constants.fields  # an empty one: not of this path
        return rest or (NOTHING if is_known else None)

    def known(self, name: str) -> Access | None:
        """A field that the source or the mapping gives a constant."""
        for origin, texts in (("fields", self.setting.constants.fields), ("defaults", self.setting.defaults)):
            for key, text in texts.items():
                if (canonical(key) or key) == name and text:
                    return self.constant(text, origin=origin)
        return None

    def chain(self, accesses: Sequence[Access]) -> Access:
        """The first that is present."""
        first, *rest = accesses
        if first.present is None or not rest:
            return first
        other = self.chain(rest)
        present = either([first.present, other.present])
        text = choice(first.present, self.shown(first), self.shown(other))
        body: Part = text if self.is_exact else choice(first.present, _expr(first.body), _expr(other.body))
        return Access(first.kind, text, body, present, False, first.origin)

    def shown(self, access: Access) -> ast.expr:
        """The value as text, whatever its type."""
        return self.call(values.text_of, access.text) if access.is_typed else access.text


def _expr(part: Part) -> ast.expr:
    return constant(part) if isinstance(part, str) else part


_DERIVED: dict[str, Callable[[Reader], Access]] = {}


def register(name: str, derive: Callable[[Reader], Access]) -> None:
    """Adds a derived field that lives in a file of its own."""
    assert FIELDS[name].derived
    _DERIVED[name] = derive
