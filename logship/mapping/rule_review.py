"""Rules that are allowed but surely not meant: those that can never act, and those that share a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from logship.errors import MappingError
from logship.fields import canonical, closest
from logship.fields import lookup as field_of
from logship.mapping.never import bare_limits, never_text
from logship.mapping.plan import Condition, Plan, Rule
from logship.mapping.spec import MappingSpec
from logship.mapping.template import FILTERS, Reference, Template

MOST_KEYS = 5  # of one table that are reported


def refused(plan: Plan) -> Iterator[MappingError]:
    """Rules that can never hold."""
    for rule in plan.rules:
        yield from _contradictions(rule)


def _vain_tables(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    """Keys that are never looked up, and values that a rule waits for in vain."""
    for rule in plan.rules:
        for condition in rule.conditions:
            lookup, texts = spec.lookups.get(condition.field), condition.matcher.texts
            if lookup is None or not isinstance(lookup.table, dict) or condition.field in rule.groups:
                continue
            given = {*lookup.table.values(), lookup.default}
            if texts and lookup.table and not texts & given:
                said = f"the table of '{condition.field}' never gives '{min(texts)}'"
                hint = _close(min(texts), given)
                yield MappingError(said, location=condition.location, hint=hint, severity="warning")
    sources = {made.label: made.source for made in plan.made}
    for name, lookup in spec.lookups.items():
        source = sources.get(f"lookup {name}")
        if source is not None and isinstance(lookup.table, dict):
            yield from islice(_keys(name, source, lookup.table), MOST_KEYS)


def _contradictions(rule: Rule) -> Iterator[MappingError]:
    """Two names of one field whose texts have nothing in common."""
    for number, condition in enumerate(rule.conditions):
        for earlier in rule.conditions[:number]:
            texts, others = condition.matcher.texts, earlier.matcher.texts
            if _name(condition.field) == _name(earlier.field) and texts and others and not texts & others:
                said = f"{earlier.field} and {condition.field} are one field: both can't hold"
                yield MappingError(said, location=condition.location, hint="write a list: any of it holds")


def _keys(name: str, source: Template, table: Mapping[str, str]) -> Iterator[MappingError]:
    """Keys of a table that what is looked up never is."""
    only = source.parts[0] if len(source.parts) == 1 else None
    for key in table:
        location = ("lookups", name, "table", key)
        if isinstance(only, Reference):
            said = _of_field(only, key)
        else:
            first, last = source.parts[0], source.parts[-1]
            fits = key.startswith(first if isinstance(first, str) else "")
            fits = fits and key.endswith(last if isinstance(last, str) else "")
            said = None if fits else (f"no text looked up is '{key}'", "write what stands around the field, too")
        if said is not None:
            yield MappingError(said[0], location=location, hint=said[1], severity="warning")


def _of_field(reference: Reference, key: str) -> tuple[str, str] | None:
    if reference.default == key:
        return None
    changed = key
    for filter_name in reference.filters:
        changed = FILTERS[filter_name](changed) if filter_name != "urldecode" else changed
    if changed != key:
        return f"${{{reference.name}|{'|'.join(reference.filters)}}} is never '{key}'", f"write {changed}"
    if reference.filters:
        return None
    known = canonical(reference.name) or reference.name
    field = field_of(known)
    return never_text(known, field.kind, key) if field is not None else None


def _close(text: str, given: set[str]) -> str:
    near = closest(text, given)
    return f"did you mean '{near}'?" if near else ""


def doubts(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    """Warnings about the rules of a mapping."""
    yield from _vain_rules(plan)
    yield from _same_names(plan)
    yield from _bare_limits(plan)
    yield from _vain_tables(spec, plan)


def _same_names(plan: Plan) -> Iterator[MappingError]:
    """Of rules that count lines: each name is one row of `status` and one label of a metric."""
    first: dict[str, int] = {}
    for rule in plan.rules:
        if (rule.drops or rule.share) and first.setdefault(rule.name, rule.index) != rule.index:
            said = f"two rules are named '{rule.name}': their lines are counted as one"
            location = ("rules", rule.index, "name")
            yield MappingError(said, location=location, hint="give each its own name", severity="warning")


def _bare_limits(plan: Plan) -> Iterator[MappingError]:
    for rule in plan.rules:
        for condition in rule.conditions:
            yield from bare_limits(condition.field, condition.tree, condition.location)


def _vain_rules(plan: Plan) -> Iterator[MappingError]:
    for number, rule in enumerate(plan.rules):
        for earlier in plan.rules[:number]:
            reason = _overruled(earlier, rule)
            if reason:
                said = f"rule '{rule.name}' {reason} '{earlier.name}'"
                location = ("rules", rule.index)
                yield MappingError(said, location=location, hint="swap or remove one", severity="warning")
                break


def _overruled(earlier: Rule, rule: Rule) -> str:
    if not _covers(earlier, rule):
        return ""
    if earlier.drops:
        return "can never match: its lines are dropped by"
    if earlier.keeps and (rule.drops or rule.share) and not rule.sets:
        return "never acts: its lines are kept by"
    if earlier.share and rule.keeps and not rule.sets:
        return "keeps too late: its lines are sampled by"
    if earlier.share and rule.share and not rule.sets:
        return "never decides: its lines are sampled by"
    return ""


def _covers(earlier: Rule, rule: Rule) -> bool:
    """Whether every line that matches `rule` surely matches `earlier`."""
    for condition in earlier.conditions:
        same = [other for other in rule.conditions if _name(other.field) == _name(condition.field)]
        if not any(_implies(other, condition) for other in same):
            return False
    return True


def _implies(narrow: Condition, wide: Condition) -> bool:
    texts = narrow.matcher.texts
    return narrow.tree == wide.tree or bool(texts and all(wide.matcher.test(text) is not None for text in texts))


def _name(field: str) -> str:
    return canonical(field) or field
