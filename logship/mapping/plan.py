"""A mapping with its templates read: the tree of the event and the rules with their shares, in the file's order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from fractions import Fraction

from logship.errors import Location, MappingError
from logship.fields import Kind, canonical, lookup
from logship.mapping.event_keys import REQUIRED_KEYS, Path
from logship.mapping.literals import list_constant
from logship.mapping.made_fields import MadeField, made_fields
from logship.mapping.matchers import Matcher, parse_matcher
from logship.mapping.never import never
from logship.mapping.spec import MappingSpec, RuleSpec
from logship.mapping.template import Template, parse_template
from logship.patterns import deferred
from logship.records import record

_PERCENT = deferred(r"([0-9]+(?:\.[0-9]+)?)\s*%\Z")
_FRACTION = deferred(r"1\s*/\s*([1-9][0-9]{0,8})\Z")
_WORDS = {  # of the conditions of other tools, in the place of a field
    "not": "write it around the matcher: {path: {not: /x}}",
    "or": "write {path: [/x, /y]}, or a rule for each",
    "any": "write {path: [/x, /y]}, or a rule for each",
    "and": "write the fields side by side: all of them must hold",
    "all": "write the fields side by side: all of them must hold",
}

# Fibonacci hashing: CRC and position are mixed by 2^64 / golden ratio, the upper 32 bits decide.


@record
class Share:
    """One event of `weight` is kept and stands for all of them; `threshold` is that share of 2^64."""

    weight: int

    @property
    def threshold(self) -> int:
        return (1 << 64) // self.weight


def parse_share(text: str, location: Location, errors: list[MappingError]) -> Share | None:
    """`10%` or `1/20`; only shares whose weight is whole."""
    percent, fraction = _PERCENT.match(text.strip()), _FRACTION.match(text.strip())
    if fraction:
        return Share(int(fraction[1]))
    if not percent:
        errors.append(MappingError(f"'{text}' is no share", location=location, hint=f"write {_meant(text.strip())}"))
        return None
    share = Fraction(percent[1]) / 100
    if not 0 < share <= 1:
        hint = "use drop: true to keep none" if share == 0 else "write 10% or 1/20"
        errors.append(MappingError(f"'{text}' is no share between 0% and 100%", location=location, hint=hint))
        return None
    weight = 1 / share
    if weight.denominator != 1:
        said = f"'{text}' gives events no whole weight ({float(weight):.4g})"
        errors.append(MappingError(said, location=location, hint=f"write 1/{round(float(weight))}"))
        return None
    return Share(int(weight))


def _meant(text: str) -> str:
    """A bare number as a share of 1, or as a percentage."""
    if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]+)?|\.[0-9]+", text) or not 0 < float(text) <= 100:
        return "10% or 1/20"
    number = float(text)
    return f"{number * 100:g}%" if number < 1 else f"{number:g}%"


@record
class Leaf:
    """A value of the event as the mapping writes it; None: left out."""

    value: Template | str | bool | int | float | list[object] | None
    location: Location


Branch = dict[str, "Leaf | Branch"]


@record
class Condition:
    field: str
    matcher: Matcher
    tree: object  # as written
    location: Location


@record
class Rule:
    """One rule; `name` is that of status and metrics, `share` is set for samples."""

    name: str
    index: int
    conditions: tuple[Condition, ...]
    drops: bool
    keeps: bool
    share: Share | None
    sets: tuple[tuple[Path, Leaf], ...]

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(name for condition in self.conditions for name in condition.matcher.groups)


@record(frozen=False)
class Plan:
    """A mapping, read; `errors` are the mistakes on the way."""

    event: Branch
    rules: tuple[Rule, ...]
    made: tuple[MadeField, ...] = ()
    max_body_bytes: int | None = None
    errors: list[MappingError] = field(default_factory=list)

    @property
    def set_paths(self) -> list[Path]:
        """Every place of the event that a rule may set, each once, in the order of the rules."""
        return list(dict.fromkeys(path for rule in self.rules for path, _ in rule.sets))


def read_plan(spec: MappingSpec) -> Plan:
    """The plan of a mapping, with every mistake that shows without a format."""
    errors: list[MappingError] = []
    event = _branch(spec.event, ("event",), errors)
    headers = {_caseless(path): path for path, _ in leaves(event) if path[1:2] == ("headers",)}
    rules = tuple(_rule(rule, index, headers, errors) for index, rule in enumerate(spec.rules))
    plan = Plan(event, rules, made_fields(spec, errors), spec.max_body_bytes, errors)
    for rule in rules:
        _plant(event, rule, errors)
    return plan


def leaves(branch: Mapping[str, Leaf | Branch], path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Every leaf below, with its path."""
    for key, node in branch.items():
        if isinstance(node, Leaf):
            yield (*path, key), node
        else:
            yield from leaves(node, (*path, key))


def _collect(errors: list[MappingError], make: Callable[[], Template]) -> Template | None:
    try:
        return make()
    except MappingError as exc:
        errors.append(exc)
        return None


def _branch(tree: Mapping[str, object], location: Location, errors: list[MappingError]) -> Branch:
    branch: Branch = {}
    for key, value in tree.items():
        here = (*location, key)
        if isinstance(value, dict) and value:
            branch[str(key)] = _branch(value, here, errors)
        else:
            branch[str(key)] = _leaf(value, here, errors)
    return branch


def _leaf(value: object, location: Location, errors: list[MappingError]) -> Leaf:
    if isinstance(value, str) and "$" in value:
        text = value
        return Leaf(_collect(errors, lambda: parse_template(text, location)), location)
    if isinstance(value, list):
        return Leaf(list_constant(value, location, errors), location)
    if isinstance(value, str | bool | int | float) or value is None:
        return Leaf(value, location)
    if value == {}:
        return Leaf(None, location)
    errors.append(MappingError("is no text, map, list or constant", location=location))
    return Leaf(None, location)


def _caseless(path: Path) -> Path:
    return tuple(map(str.lower, path))


def _rule(spec: RuleSpec, index: int, headers: dict[Path, Path], errors: list[MappingError]) -> Rule:
    """`headers` are those of the event and of the rules before, by their names in lower case."""
    here: Location = ("rules", index)
    conditions = []
    for name, tree in spec.condition.items():
        location = (*here, "if", name)
        if name in _WORDS:
            errors.append(MappingError(f"'{name}' is no field", location=location, hint=_WORDS[name]))
            continue
        known = lookup(canonical(name) or name)
        is_list = known is not None and known.kind is Kind.LIST
        matcher = parse_matcher(tree, location, errors, is_list=is_list)
        if matcher is not None:
            conditions.append(Condition(name, matcher, tree, location))
    groups = {name for condition in conditions for name in condition.matcher.groups}
    for condition in conditions:
        if condition.field not in groups:
            errors += never(condition.field, condition.tree, condition.location)
    share = parse_share(spec.sample, (*here, "sample"), errors) if spec.sample else None
    sets = tuple(
        (headers.setdefault(_caseless(path), path) if path[1:2] == ("headers",) else path, leaf)
        for path, leaf in _sets(spec.set, (*here, "set"), (), errors)
    )
    if not (spec.drop or spec.keep or share or sets or spec.sample):
        errors.append(MappingError("a rule that does nothing", location=here, hint="give drop, keep, sample or set"))
    if spec.drop and (spec.keep or spec.sample or spec.set):
        errors.append(MappingError("a rule that drops can do nothing else", location=(*here, "drop")))
    if spec.keep and spec.sample:
        errors.append(MappingError("keep and sample exclude each other", location=(*here, "sample")))
    name = spec.name or f"rule {index + 1}"
    return Rule(name, index, tuple(conditions), spec.drop, spec.keep, share, sets)


def _sets(
    tree: Mapping[str, object], location: Location, prefix: Path, errors: list[MappingError]
) -> Iterator[tuple[Path, Leaf]]:
    for key, value in tree.items():
        here = (*location, key)
        path = (*prefix, *steps(str(key)))
        if isinstance(value, dict) and value:
            yield from _sets(value, here, path, errors)
        else:
            yield path, _leaf(value, here, errors)


def steps(key: str) -> Path:
    """`request.headers.X.Y`: header names may hold dots, so what follows `headers.` is one step."""
    head, separator, name = key.partition(".headers.")
    return (*head.split("."), "headers", name) if separator else tuple(key.split("."))


def _plant(event: Branch, rule: Rule, errors: list[MappingError]) -> None:
    """Room in the event for what a rule sets; a null for a map becomes nulls for all below."""
    for path, leaf in rule.sets:
        node: Branch = event
        for depth, step in enumerate(path[:-1]):
            below = node.setdefault(step, {})
            if isinstance(below, Leaf):
                where = ".".join(path[: depth + 1])
                errors.append(MappingError(f"'{where}' is a value, not a map", location=leaf.location))
                return
            node = below
        below = node.setdefault(path[-1], Leaf(None, leaf.location))
        if not isinstance(below, Leaf) and leaf.value is not None:
            errors.append(MappingError(f"'{'.'.join(path)}' is a map", location=leaf.location, hint="set its keys"))
        if path in (("request", "time"), ("response", "time")):
            errors.append(MappingError("times come from the log", location=leaf.location, hint="set metadata instead"))
        elif leaf.value is None and (lost := [key for key in REQUIRED_KEYS if key[: len(path)] == path]):
            said = f"{'.'.join(lost[0])} can't be removed: the receiver refuses events without it"
            errors.append(MappingError(said, location=leaf.location, hint="drop: true leaves the event out"))
