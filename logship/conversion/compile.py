"""Compiles a checked mapping for a format, and says which fields the format lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from logship.conversion.converter import Converter, Member
from logship.conversion.trace import Tracer
from logship.errors import Location, MappingError
from logship.fields import canonical, lookup, suggestion
from logship.formats.format import Format
from logship.mapping.event_keys import Path, Shape, shape_of
from logship.mapping.lowering import lower
from logship.mapping.plan import Plan, leaves, read_plan
from logship.mapping.redaction_places import FORWARDED, Covers
from logship.mapping.remote_rules import RemoteRules
from logship.mapping.setting import DEFAULT_PROXY_HEADER, HOSTS, PEERS, Constants, Setting
from logship.mapping.spec import MappingErrors, MappingSpec
from logship.mapping.template import Reference, Template
from logship.mapping.values import NO_ADDRESS

Use = tuple[Location, Reference | None, str]  # where, the reference of a template, the field
HOST_FIELDS = frozenset(HOSTS)
REQUESTS = ("request_url", "target", "path", "url_path", "request_method", "method")
CLIENT_IP: Path = ("request", "ip_address")


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


def compile_mapping(
    spec: MappingSpec, fmt: Format, constants: Constants, rules: RemoteRules | None = None
) -> Converter:
    """The converter of a mapping for lines of a format; `rules` are the receiver's.

    Raises: MappingErrors with every field that neither the vocabulary nor the format knows, and what a format lacks
    without which there is no event.
    """
    plan = read_plan(spec)
    covers = Covers(spec)
    errors = list(plan.errors)
    settings = [Setting.of(spec, member, constants, plan.made) for member in fmt.members]
    warnings: list[MappingError] = []
    for setting in settings:
        for error in _mistakes(plan, setting):
            others = errors if error.severity == "error" else warnings
            if not _is_known(error, others):
                others.append(error)
    if errors:
        raise MappingErrors(errors)
    members = [Member(setting.format, lower(setting, plan, covers, rules)) for setting in settings]
    return Converter(
        members,
        warnings,
        tuple(absent(plan, settings)),
        lambda: [Tracer(setting, plan, covers, rules) for setting in settings],
    )


def _is_known(error: MappingError, others: list[MappingError]) -> bool:
    return any(str(error) == str(other) and error.location == other.location for other in others)


def _mistakes(plan: Plan, setting: Setting) -> Iterator[MappingError]:
    for made in plan.made:
        yield from _unknown(setting, made.source, made.location, frozenset())
    for _, leaf in leaves(plan.event):
        yield from _unknown(setting, leaf.value, leaf.location, frozenset())
    for rule in plan.rules:
        for condition in rule.conditions:
            if condition.field not in rule.groups and setting.kind(condition.field) is None:
                yield _no_field(condition.field, condition.location, None, 1)
        for _, leaf in rule.sets:
            yield from _unknown(setting, leaf.value, leaf.location, rule.groups)
    yield from _times(plan, setting)
    if not setting.has_time:
        said = f"{setting.format.name} logs no time"
        yield MappingError(said, location=("event", "request", "time"), hint=setting.format.time_hint)
    yield from _lacks(setting)
    yield from _lacks_address(setting, plan)


def _times(plan: Plan, setting: Setting) -> Iterator[MappingError]:
    for path, leaf in leaves(plan.event):
        if shape_of(path) is Shape.TIME and isinstance(leaf.value, Template) and leaf.value.only:
            name = leaf.value.only.name
            kind = setting.kind(name)
            if kind is not None and not kind.is_time:
                hint = "write $start_time or $end_time"
                yield MappingError(f"'{name}' is no time", location=leaf.location, hint=hint)


def _lacks(setting: Setting) -> Iterator[MappingError]:
    """What events of this format will lack, and what to log or to write so that they have it."""
    name = setting.format.name
    constants = setting.constants
    if not HOST_FIELDS & {slot.field for slot in setting.format.slots} and not setting.known("host"):
        said = f"{name} logs no host: URIs begin https://{constants.origin}/"
        yield MappingError(said, hint="add: fields: {host: …}", severity="warning")
    if setting.has_time and not setting.has_duration and not setting.has_both_ends:
        hint = "log $request_time (nginx) or %D (Apache)"
        yield MappingError(f"{name} logs no duration: both times are equal", hint=hint, severity="warning")
    if not constants.timezone and any(
        slot.time and slot.time.lacks_zone(slot.time.example) for slot in setting.format.slots
    ):
        yield no_zone(name)
    if setting.first(REQUESTS) is None:
        said = f"{name} logs no request: every verb is UNKNOWN, every path /"
        yield MappingError(said, hint="log $request (nginx) or %r (Apache)", severity="warning")
    if setting.slot("status") is None:
        said = f"{name} logs no status: events say 0"
        yield MappingError(said, hint="log $status (nginx) or %>s (Apache)", severity="warning")


def no_zone(name: str) -> MappingError:
    """What is said of local times that nothing gives a zone."""
    hint = "write timezone: local, or the server's own: timezone: Europe/Berlin"
    return MappingError(f"{name} logs times without a zone: they are read as UTC", hint=hint, severity="warning")


def _lacks_address(setting: Setting, plan: Plan) -> Iterator[MappingError]:
    """The same of the client's address."""
    name = setting.format.name
    slots = {slot.field for slot in setting.format.slots}
    has_header = setting.proxies is not None and setting.proxy_header in slots
    if not slots.intersection(PEERS) and not setting.known("client_ip") and not has_header:
        if not any(path == CLIENT_IP and _names(leaf.value, "client_ip") for path, leaf in leaves(plan.event)):
            return
        said = f"{name} logs no address of the client: ip_address is {NO_ADDRESS}"
        hint = "log $remote_addr (nginx) or %a (Apache)"
        headers = [header for header in sorted(FORWARDED) if f"request_header_{header.replace('-', '_')}" in slots]
        if headers:
            which = "" if DEFAULT_PROXY_HEADER.lower() in headers else f", client_ip_header: {headers[0].title()}"
            hint = f"write mapping: {{extends: default, trusted_proxies: [private]{which}}}"
        yield MappingError(said, hint=hint, severity="warning")
    elif setting.proxies is not None and setting.slot(setting.proxy_header) is None:
        header = setting.proxy_header.removeprefix("request_header_")
        said = f"{name} does not log {header.replace('_', '-')}: client_ip is the proxy's address"
        hint = f"log $http_{header} (nginx) or %{{{header.replace('_', '-')}}}i (Apache)"
        yield MappingError(said, location=("trusted_proxies",), hint=hint, severity="warning")


def _names(value: object, name: str) -> bool:
    return isinstance(value, Template) and any(canonical(one.name) == name for one in value.references)


def _unknown(
    setting: Setting, value: object, location: tuple[str | int, ...], groups: frozenset[str]
) -> Iterator[MappingError]:
    if not isinstance(value, Template):
        return
    for reference in value.references:
        if reference.name not in groups and setting.kind(reference.name) is None:
            yield _no_field(reference.name, location, reference.column, reference.width)


def _no_field(name: str, location: tuple[str | int, ...], column: int | None, width: int) -> MappingError:
    near = suggestion(name)
    hint = f"did you mean '{near}'?" if near else "`logship fields` lists all"
    message = f"no field '{name}': neither the vocabulary nor the format has it"
    return MappingError(message, location=location, column=column, width=width, hint=hint)
