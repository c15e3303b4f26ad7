"""Texts of a mapping that are sent as they are, though something else was meant; and what it makes for nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from logship.errors import Location, MappingError
from logship.fields import FIELDS, canonical, closest
from logship.fields import lookup as field_of
from logship.mapping.event_keys import Path, Shape, shape_of
from logship.mapping.plan import Plan, leaves
from logship.mapping.spec import MappingSpec
from logship.mapping.template import Template
from logship.patterns import deferred

OTHER_TOOLS = (  # what stands for a field elsewhere, its name in the group
    re.compile(r"\{\{\s*\.?([A-Za-z_]\w*)\s*\}\}\Z"),
    re.compile(r"%\{(?:[A-Z0-9]+:)?\[?([A-Za-z_][\w-]*)\]?\}[a-z]?\Z"),
    re.compile(r"\.([A-Za-z_]\w*)\Z"),
    re.compile(r"@\{?([A-Za-z_]\w*)\}?\Z"),
)
_REFERENCE = deferred(r"\$(?:[A-Za-z_]\w*|\{[^{}]*\})\Z")
_GROUP = deferred(r"\\\\?([0-9])\Z")
_DIRECTIVES = {spelling: field.name for field in FIELDS.values() for spelling in field.apache}


def refused(spec: MappingSpec) -> Iterator[MappingError]:
    """Templates where only texts and names are taken."""
    for name, text in spec.defaults.items():
        if "$" in text:
            hint = "write a text, or a template under event"
            yield MappingError(f"a default is a text: '{text}'", location=("defaults", name), hint=hint)
    for name, lookup in spec.lookups.items():
        if "$" in lookup.default:
            hint = "write a text; a rule with if: {…: {absent: true}} can set a field"
            said = f"a default is a text: '{lookup.default}'"
            yield MappingError(said, location=("lookups", name, "default"), hint=hint)
        for key, text in lookup.table.items() if isinstance(lookup.table, dict) else ():
            for one, what in ((key, "key"), (text, "value")):
                if _REFERENCE.match(one):
                    said = f"a table holds texts: the {what} '{one}' is no field"
                    yield MappingError(said, location=("lookups", name, "table", key), hint="write a text")
    for name, claim in (spec.jwt.claims if spec.jwt else {}).items():
        if claim.startswith("$"):
            hint = f"write {claim.strip('${}')}"
            yield MappingError(f"'{claim}' names no claim", location=("jwt", "claims", name), hint=hint)
    header = spec.client_ip_header
    if re.search(r"[^!#%&'*+.^_`|~0-9A-Za-z-]", header) or canonical(header):
        known = (canonical(header.strip("${}")) or "").removeprefix("request_header_").replace("_", "-").title()
        hint = f"write {known or 'X-Forwarded-For'}"
        yield MappingError(f"'{header}' is no header", location=("client_ip_header",), hint=hint)


def doubts(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    """Warnings about texts."""
    for path, leaf in (*leaves(plan.event), *(each for rule in plan.rules for each in rule.sets)):
        if isinstance(leaf.value, str):
            yield from _as_it_is(path, str(leaf.value), leaf.location)
    used = _used(plan)
    made: dict[str, Location] = {name: ("lookups", name) for name in spec.lookups}
    made |= {name: ("jwt", "claims", name) for name in (spec.jwt.claims if spec.jwt else ())}
    for name, location in made.items():
        if name not in used:
            yield _warning(f"nothing uses ${name}", location, f"write ${name} under event, or match it in a rule")
    for name, text in spec.defaults.items():
        yield from _as_it_is((), text, ("defaults", name))
    for name in spec.defaults:
        if canonical(name) is None and name not in used:
            near = closest(name, FIELDS)
            hint = f"did you mean '{near}'?" if near else f"write ${name} under event"
            yield _warning(f"nothing uses the default of '{name}'", ("defaults", name), hint)


def _warning(said: str, location: Location, hint: str) -> MappingError:
    return MappingError(said, location=location, hint=hint, severity="warning")


def _as_it_is(path: Path, text: str, location: Location) -> Iterator[MappingError]:
    """A constant that reads like a field."""
    said = f"'{text}' is sent as this text"
    found = next((match for form in OTHER_TOOLS if (match := form.match(text))), None)
    name = found[1] if found else _DIRECTIVES.get(text, "")
    if _GROUP.match(text):
        yield _warning(said, location, "name the group, (?P<tenant>…), and write $tenant")
    elif name:
        yield _warning(said, location, f"a field is written ${canonical(name) or name}")
    elif (shape_of(path) is Shape.ID or "_" in text) and field_of(canonical(text) or text) is not None:
        yield _warning(said, location, f"write ${text} for the field")


def _used(plan: Plan) -> set[str]:
    """Every name that a template, a rule or another made field asks for."""
    values = [leaf.value for _, leaf in leaves(plan.event)]
    values += [leaf.value for rule in plan.rules for _, leaf in rule.sets]
    templates = [value for value in values if isinstance(value, Template)] + [made.source for made in plan.made]
    fields = {condition.field for rule in plan.rules for condition in rule.conditions}
    return fields | {reference.name for template in templates for reference in template.references}
