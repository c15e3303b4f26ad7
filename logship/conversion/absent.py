"""Fields that a mapping names and no format of its source holds: what is written of them is absent from every event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from logship.errors import Location, MappingError
from logship.fields import canonical, lookup
from logship.mapping.plan import Plan, leaves
from logship.mapping.setting import Setting
from logship.mapping.template import Reference, Template

Use = tuple[Location, Reference | None, str]  # where, the reference of a template, the field


def absent(plan: Plan, settings: Sequence[Setting]) -> Iterator[MappingError]:
    """A warning of each place; what has a default, or is matched for absence, is meant to be absent."""
    names = " and ".join(dict.fromkeys(setting.format.name for setting in settings))
    verb = "log" if len(settings) > 1 else "logs"
    for location, reference, name in _uses(plan):
        if any(setting.can_hold(name) for setting in settings):
            continue
        known = canonical(name) or name
        yield MappingError(
            f"{names} {verb} no {known}: it is absent from every event",
            location=location,
            column=None if reference is None else reference.column,
            width=1 if reference is None else reference.width,
            hint=_longer(plan, location, reference, settings) or _how_to_log(known),
            severity="warning",
        )


def _uses(plan: Plan) -> Iterator[Use]:
    for made in plan.made:
        yield from _references(made.source, made.location, frozenset())
    for _, leaf in leaves(plan.event):
        yield from _references(leaf.value, leaf.location, frozenset())
    for rule in plan.rules:
        for condition in rule.conditions:
            if condition.field not in rule.groups and condition.matcher.test("") is None:
                yield condition.location, None, condition.field
        for _, leaf in rule.sets:
            yield from _references(leaf.value, leaf.location, rule.groups)


def _references(value: object, location: Location, groups: frozenset[str]) -> Iterator[Use]:
    for reference in value.references if isinstance(value, Template) else ():
        if reference.default is None and reference.name not in groups:
            yield location, reference, reference.name


def _longer(plan: Plan, location: Location, reference: Reference | None, settings: Sequence[Setting]) -> str:
    """`$http_User-Agent` ends at its dash: what to write instead."""
    for _, leaf in leaves(plan.event):
        if leaf.location != location or not isinstance(leaf.value, Template) or reference is None:
            continue
        parts = leaf.value.parts
        following = parts[parts.index(reference) + 1 :][:1]
        rest = following[0] if following and isinstance(following[0], str) else ""
        name = reference.name + rest.split(" ")[0].split("/")[0]
        if rest.startswith("-") and any(setting.can_hold(name) for setting in settings):
            return f"write ${{{name}}}"
    return ""


def _how_to_log(name: str) -> str:
    if name.startswith("arg_"):
        return "log $request (nginx) or %r (Apache)"
    field = lookup(name)
    nginx, apache = (field.nginx, field.apache) if field is not None else ((), ())
    spelled = [f"{texts[0]} ({server})" for texts, server in ((nginx, "nginx"), (apache, "Apache")) if texts]
    return f"log {' or '.join(spelled)}" if spelled else ""
