"""Mistakes that only a mapping as a whole shows, and warnings about what is allowed but surely not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from logship.errors import Location, MappingError
from logship.fields import FIELDS, canonical, closest
from logship.fields import lookup as field_of
from logship.mapping import proxies, redact_review, rule_review
from logship.mapping.event_keys import EVENT_KEYS, REQUIRED_KEYS, Path, Shape, shape_of
from logship.mapping.literals import is_no_uri, misfits, shown
from logship.mapping.plan import Branch, Leaf, Plan, leaves, read_plan
from logship.mapping.spec import MappingErrors, MappingSpec, as_error
from logship.mapping.template import Template
from logship.mapping.values import transaction_id
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
_MEANT = {  # what other APIs call them
    "method": "verb", "url": "uri", "path": "uri", "status_code": "status", "code": "status", "timestamp": "time",
    "ip": "ip_address", "client_ip": "ip_address", "user": "user_id", "userid": "user_id", "company": "company_id",
    "companyid": "company_id", "session": "session_token", "sessiontoken": "session_token", "header": "headers",
    "id": "transaction_id", "request_id": "transaction_id", "version": "api_version",
}  # fmt: skip


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
        elif shape_of(path) is Shape.URI and isinstance(leaf.value, Template) and is_no_uri(leaf.value):
            said = f"'{shown(leaf.value)}' is no URL: it begins without http:// or https://"
            yield _warning(said, leaf.location, "write ${scheme}://${host}${target}")
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


def parse_mapping(tree: Mapping[str, object]) -> MappingSpec:
    """The mapping that a YAML tree says.

    Raises: MappingErrors with every mistake that shows without a format.
    """
    spec, mistakes = MappingSpec.parse(tree)
    if spec is None:
        raise MappingErrors(map(as_error, mistakes))
    errors, spec.warnings = review(spec)
    if errors:
        raise MappingErrors(errors)
    return spec


def review(spec: MappingSpec) -> tuple[list[MappingError], tuple[MappingError, ...]]:
    """Errors and warnings of a mapping alone, without a format."""
    plan = read_plan(spec)
    errors = [
        *plan.errors, *_required(plan), *_misfits(plan), *_proxies(spec), *redact_review.refused(spec, plan),
        *_same_ids(plan), *refused(spec), *rule_review.refused(plan),
    ]  # fmt: skip
    warnings = (
        *_unknown_keys(plan), *redact_review.vain(spec, plan), *rule_review.doubts(spec, plan), *_client_ids(plan),
        *doubts(spec, plan),
    )  # fmt: skip
    return errors, warnings


def _find(event: Branch, path: Path) -> Leaf | Branch | None:
    node: Leaf | Branch | None = event
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _required(plan: Plan) -> Iterator[MappingError]:
    if not plan.event:
        hint = "begin with `extends: default`, or write one"
        yield MappingError("the mapping has no event", location=("event",), hint=hint)
        return
    for path in REQUIRED_KEYS:
        node = _find(plan.event, path)
        if node is None or (isinstance(node, Leaf) and node.value is None and _is_written(plan, path)):
            location = ("event", *(path[:1] if path[0] in plan.event else ()))
            said = f"{'.'.join(path)} is missing: the receiver refuses events without it"
            yield MappingError(said, location=location, hint="`extends: default` has it")
        elif isinstance(node, Leaf) and path[1] == "time":
            yield from _time(node, path)
    for side in ("request", "response"):
        headers = _find(plan.event, (side, "headers"))
        if isinstance(headers, Leaf) and headers.value is not None:
            template = headers.value
            if not (isinstance(template, Template) and template.only):
                yield MappingError("headers is a map of names", location=headers.location)


def _is_written(plan: Plan, path: Path) -> bool:
    """False for a place that only a rule's `set` made, or whose template was refused already."""
    return not any(error.location[1:] == path for error in plan.errors)


def _time(leaf: Leaf, path: Path) -> Iterator[MappingError]:
    template = leaf.value
    if template is not None and not (isinstance(template, Template) and template.only):
        said = f"{'.'.join(path)} is one field with a time"
        yield MappingError(said, location=leaf.location, hint="write $start_time or $end_time")


def _misfits(plan: Plan) -> Iterator[MappingError]:
    for path, value, location in _written(plan):
        if isinstance(value, list) and shape_of(path) in (Shape.TIME, Shape.HEADERS):
            continue  # told by _required()
        for said, hint in misfits(path, value):
            yield MappingError(said, location=location, hint=hint)
    for side in ("request", "response"):
        encoding = _find(plan.event, (side, "transfer_encoding"))
        body = _find(plan.event, (side, "body"))
        if isinstance(encoding, Leaf) and isinstance(body, Leaf) and isinstance(body.value, Template):
            said = f"{side}.transfer_encoding is written with the body: the event would have it twice"
            yield MappingError(said, location=encoding.location, hint="leave it out")


def _written(plan: Plan) -> Iterator[tuple[Path, object, Location]]:
    """What the mapping and its rules write, with maps as such."""
    todo: list[tuple[Path, Branch]] = [((), plan.event)]
    while todo:
        path, branch = todo.pop()
        for key, node in branch.items():
            here = (*path, key)
            if isinstance(node, Leaf):
                yield here, node.value, node.location
            else:
                yield here, {}, _place_of(node, ("event", *here))
                todo.append((here, node))
    for rule in plan.rules:
        for path, leaf in rule.sets:
            yield path, leaf.value, leaf.location


def _proxies(spec: MappingSpec) -> Iterator[MappingError]:
    for index, text in enumerate(spec.trusted_proxies):
        try:
            proxies.Networks([text])
        except ValueError:
            hint = "write `private` or a network such as 192.0.2.0/24"
            yield MappingError(f"'{text}' is no network", location=("trusted_proxies", index), hint=hint)
    if spec.client_ip_header and not spec.trusted_proxies:
        hint = "add trusted_proxies: [private]; without it anybody could write the header"
        yield MappingError("client_ip_header needs trusted_proxies", location=("client_ip_header",), hint=hint)


def _unknown_keys(plan: Plan) -> Iterator[MappingError]:
    for path, known in EVENT_KEYS.items():
        branch = _find(plan.event, path) if path else plan.event
        if not isinstance(branch, dict):
            continue
        for key in branch:
            if key in known:
                continue
            near = _MEANT.get(key.lower()) or closest(key, known)
            near = near if near in known or "." in (near or "") else None
            hint = f"did you mean '{near}'?" if near else "what is your own goes below metadata"
            if "." in key and key.partition(".")[0] in known:
                hint = f"write {key.replace('.', ': {')}: …{'}' * key.count('.')}"
            location = _place_of(branch[key], ("event", *path, key))
            yield MappingError(f"the API knows no '{key}'", location=location, hint=hint, severity="warning")


def _place_of(node: Leaf | Branch, otherwise: Location) -> Location:
    """Where a key was written: a rule's, if one made it."""
    first = node if isinstance(node, Leaf) else next((leaf for _, leaf in leaves(node)), None)
    return first.location if first is not None and first.location[:1] == ("rules",) else otherwise


def _same_ids(plan: Plan) -> Iterator[MappingError]:
    hint = "use $request_id, or leave transaction_id out"
    for path, value, location in _written(plan):
        if path != ("transaction_id",) or value is None:
            continue
        defaults = [one.default for one in value.references] if isinstance(value, Template) else [""]
        if not defaults:
            defaults = [""]
        said = "every event would have the same id: the receiver keeps one of them"
        for default in defaults:
            if default is not None and (default == "" or transaction_id(default)):
                if default:
                    said = f"every event without it would have the id {default}: the receiver keeps one of them"
                yield MappingError(said, location=location, hint=hint)


def _client_ids(plan: Plan) -> Iterator[MappingError]:
    for path, leaf in leaves(plan.event):
        if path != ("transaction_id",) or not isinstance(leaf.value, Template):
            continue
        for reference in leaf.value.references:
            known = canonical(reference.name) or ""
            if known.startswith(("request_header_", "cookie_", "arg_")):
                said = f"${{{reference.name}}} is written by clients: they could erase their own traffic"
                hint = "use $request_id, or leave transaction_id out"
                yield MappingError(said, location=leaf.location, column=reference.column, hint=hint, severity="warning")
