"""Mistakes of a mapping that need a look at the whole of it, and what is allowed but surely not meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from logship.errors import FormatError, MappingError
from logship.fields import canonical, closest
from logship.formats.re2_door import compile_pattern
from logship.mapping import proxies
from logship.mapping.masked_names import steps_of
from logship.mapping.never import bare_limits
from logship.mapping.plan import Branch, Condition, Leaf, Path, Plan, Rule, leaves, read_plan, steps
from logship.mapping.spec import MappingErrors, MappingSpec, translated
from logship.mapping.template import Template

REQUIRED_KEYS: tuple[Path, ...] = (
    ("request", "time"), ("request", "verb"), ("request", "uri"), ("response", "time"), ("response", "status"),
)  # fmt: skip
EVENT_KEYS: Mapping[Path, tuple[str, ...]] = {  # all that the API knows, by where it stands
    (): (
        "request", "response", "user_id", "company_id", "session_token", "subscription_id", "transaction_id",
        "metadata", "direction", "weight", "tags", "blocked_by", "action_name", "trace_id", "span",
    ),
    ("request",): ("time", "verb", "uri", "ip_address", "headers", "body", "transfer_encoding", "api_version"),
    ("response",): ("time", "status", "ip_address", "headers", "body", "transfer_encoding", "verb"),
}  # fmt: skip
_MEANT = {  # what other APIs call them
    "method": "verb", "url": "uri", "path": "uri", "status_code": "status", "code": "status", "timestamp": "time",
    "ip": "ip_address", "client_ip": "ip_address", "user": "user_id", "userid": "user_id", "company": "company_id",
    "companyid": "company_id", "session": "session_token", "sessiontoken": "session_token", "header": "headers",
    "id": "transaction_id", "request_id": "transaction_id", "version": "api_version",
}  # fmt: skip


def parse_mapping(tree: Mapping[str, object]) -> MappingSpec:
    """The mapping that a YAML tree says.

    Raises: MappingErrors with every mistake that shows without a format.
    """
    try:
        spec = MappingSpec.model_validate(tree)
    except ValidationError as exc:
        raise MappingErrors(translated(detail, tree) for detail in exc.errors()) from None
    errors, spec._warnings = review(spec)
    if errors:
        raise MappingErrors(errors)
    return spec


def review(spec: MappingSpec) -> tuple[list[MappingError], tuple[MappingError, ...]]:
    """Errors and warnings of a mapping alone, without a format."""
    plan = read_plan(spec)
    errors = [*plan.errors, *_required(plan), *_proxies(spec), *_redactions(spec), *_same_ids(plan)]
    warnings = (
        *_unknown_keys(plan), *_vain_redactions(spec, plan), *_vain_rules(plan), *_client_ids(plan), *_bare_limits(plan)
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


def _proxies(spec: MappingSpec) -> Iterator[MappingError]:
    for index, text in enumerate(spec.trusted_proxies):
        try:
            proxies.networks([text])
        except ValueError:
            hint = "write `private` or a network such as 192.0.2.0/24"
            yield MappingError(f"'{text}' is no network", location=("trusted_proxies", index), hint=hint)
    if spec.client_ip_header and not spec.trusted_proxies:
        hint = "add trusted_proxies: [private]; without it anybody could write the header"
        yield MappingError("client_ip_header needs trusted_proxies", location=("client_ip_header",), hint=hint)


def _redactions(spec: MappingSpec) -> Iterator[MappingError]:
    redact = spec.redact
    for index, text in enumerate(redact.path):
        try:
            compile_pattern(text)
        except FormatError as exc:
            location = ("redact", "path", index)
            yield MappingError(exc.message, location=location, column=exc.column, width=exc.width, hint=exc.hint)
    for index, key in enumerate(redact.body):
        if not steps_of(key):
            hint = "write password, card.number or '**.token'"
            yield MappingError(f"'{key}' names no key", location=("redact", "body", index), hint=hint)
    if (redact.hash or redact.ip == "hash") and not redact.key:
        key = "hash" if redact.hash else "ip"
        hint = 'add key: "${env:LOGSHIP_HASH_KEY}"'
        yield MappingError("a hash without a key can be guessed back", location=("redact", key), hint=hint)
    for index, name in enumerate(redact.hash):
        if steps(name) in REQUIRED_KEYS or steps(name)[0] not in EVENT_KEYS[()]:
            yield MappingError(f"'{name}' can't be hashed", location=("redact", "hash", index), hint="such as user_id")


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
            location = ("event", *path, key)
            yield MappingError(f"the API knows no '{key}'", location=location, hint=hint, severity="warning")


def _bare_limits(plan: Plan) -> Iterator[MappingError]:
    for rule in plan.rules:
        for condition in rule.conditions:
            yield from bare_limits(condition.field, condition.tree, condition.location)


def _vain_redactions(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    written = [path for path, _ in leaves(plan.event)]
    headers = {path[2].lower() for path in written if len(path) == 3 and path[1] == "headers"}
    if any(path[1:] == ("headers",) for path in written):  # a logged object of headers, its names unknown
        return
    for index, name in enumerate(spec.redact.headers):
        if name.lower() not in headers:
            said = f"no event has a header '{name}': nothing to redact"
            yield MappingError(said, location=("redact", "headers", index), severity="warning")
    for index, name in enumerate(spec.redact.hash):
        if steps(name) not in written:
            said = f"no event has '{name}': nothing to hash"
            yield MappingError(said, location=("redact", "hash", index), severity="warning")


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


def _same_ids(plan: Plan) -> Iterator[MappingError]:
    for path, leaf in leaves(plan.event):
        if path == ("transaction_id",) and isinstance(leaf.value, str):
            said = "every event would have the same id: the receiver keeps one of them"
            yield MappingError(said, location=leaf.location, hint="use $request_id, or leave transaction_id out")


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
