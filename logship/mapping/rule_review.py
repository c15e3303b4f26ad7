"""Rules that are allowed but surely not meant: those that can never act, and those that share a name."""

from __future__ import annotations

from collections.abc import Iterator

from logship.errors import MappingError
from logship.fields import canonical
from logship.mapping.never import bare_limits
from logship.mapping.plan import Condition, Plan, Rule


def doubts(plan: Plan) -> Iterator[MappingError]:
    """Warnings about the rules of a mapping."""
    yield from _vain_rules(plan)
    yield from _same_names(plan)
    yield from _bare_limits(plan)


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
