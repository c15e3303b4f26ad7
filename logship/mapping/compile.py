"""compile_mapping: from a checked mapping and a format to the converter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from logship.errors import MappingError
from logship.fields import canonical, suggestion
from logship.formats import Fields, Format
from logship.mapping import clock, proxies
from logship.mapping.access import Constants, Reader, Setting
from logship.mapping.converter import Converter, Member, Ways
from logship.mapping.covers import FORWARDED, make_covers
from logship.mapping.derived import HOSTS, PEERS
from logship.mapping.generator import Generated, Generator
from logship.mapping.plan import Path, Plan, leaves, read_plan
from logship.mapping.render import Covers, Shape, shape_of
from logship.mapping.spec import MappingErrors, MappingSpec
from logship.mapping.template import Template
from logship.mapping.trace import Tracer
from logship.mapping.values import NO_ADDRESS

DEFAULT_PROXY_HEADER = "X-Forwarded-For"
HOST_FIELDS = frozenset(HOSTS)
CLIENT_IP: Path = ("request", "ip_address")


def compile_mapping(spec: MappingSpec, fmt: Format, constants: Constants) -> Converter:
    """The converter of a mapping for lines of a format.

    Raises: MappingErrors with every field that neither the vocabulary nor the format knows, and what a format lacks
    without which there is no event.
    """
    plan = read_plan(spec)
    covers = make_covers(spec)
    errors = list(plan.errors)
    members: list[Member] = []
    settings: list[Setting] = []
    warnings: list[MappingError] = []
    for member in fmt.members:
        setting = _setting(spec, member, constants)
        found = list(_mistakes(plan, setting))
        errors += [error for error in found if error.severity == "error" and not _is_known(error, errors)]
        warnings += [error for error in found if error.severity == "warning" and not _is_known(error, warnings)]
        if not errors:
            members.append(_member(setting, plan, covers))
            settings.append(setting)
    if errors:
        raise MappingErrors(errors)
    return Converter(members, warnings, lambda: [Tracer(setting, plan, covers) for setting in settings])


def _is_known(error: MappingError, others: list[MappingError]) -> bool:
    return any(str(error) == str(other) and error.location == other.location for other in others)


def _setting(spec: MappingSpec, fmt: Format, constants: Constants) -> Setting:
    trusted = proxies.networks(spec.trusted_proxies) if spec.trusted_proxies else None
    header = f"request_header_{(spec.client_ip_header or DEFAULT_PROXY_HEADER).lower().replace('-', '_')}"
    return Setting(fmt, constants, spec.defaults, trusted, canonical(header) or header)


def _member(setting: Setting, plan: Plan, covers: Covers) -> Member:
    """Both ways are generated before either is compiled: together they tell which fields the scanner must read."""
    pending = {
        (is_exact, has_window): Generator(setting, plan, covers, is_exact=is_exact, has_window=has_window).generate()
        for is_exact in (False, True)
        for has_window in (False, True)
    }
    row = setting.row

    @cache
    def exact(has_window: bool) -> Generated:
        return pending[True, has_window]()

    @cache
    def clean(has_window: bool, fields: Fields | None) -> Generated:
        if fields is None:
            return pending[False, has_window]()
        names = ["" if index < 0 else row[index] for index in fields]
        return Generator(setting, plan, covers, is_exact=False, has_window=has_window, fields=names).generate()()

    scanner = setting.format.scanner(row, set(row) - setting.looked_at)
    return Member(setting.format, scanner, Ways(clean, exact), setting.bounds)


def _mistakes(plan: Plan, setting: Setting) -> Iterator[MappingError]:
    reader = Reader(setting, is_exact=True)
    for _, leaf in leaves(plan.event):
        yield from _unknown(reader, leaf.value, leaf.location, frozenset())
    for rule in plan.rules:
        for condition in rule.conditions:
            if condition.field not in rule.groups and reader.field(condition.field) is None:
                yield _no_field(condition.field, condition.location, None, 1)
        for _, leaf in rule.sets:
            yield from _unknown(reader, leaf.value, leaf.location, rule.groups)
    yield from _times(plan, reader)
    if not clock.has_time(reader):
        said = f"{setting.format.name} logs no time"
        yield MappingError(said, location=("event", "request", "time"), hint=setting.format.time_hint)
    setting.needed.clear()
    yield from _lacks(setting, reader)
    yield from _lacks_address(setting, reader, plan)


def _times(plan: Plan, reader: Reader) -> Iterator[MappingError]:
    for path, leaf in leaves(plan.event):
        if shape_of(path) is Shape.TIME and isinstance(leaf.value, Template) and leaf.value.only:
            name = leaf.value.only.name
            access = reader.field(name)
            if access is not None and not access.kind.is_time:
                hint = "write $start_time or $end_time"
                yield MappingError(f"'{name}' is no time", location=leaf.location, hint=hint)


def _lacks(setting: Setting, reader: Reader) -> Iterator[MappingError]:
    """What events of this format will lack, and what to log or to write so that they have it."""
    name = setting.format.name
    constants = setting.constants
    if not HOST_FIELDS & {slot.field for slot in setting.format.slots} and reader.known("host") is None:
        said = f"{name} logs no host: URIs begin https://{constants.origin}/"
        yield MappingError(said, hint="add: fields: {host: …}", severity="warning")
    if clock.has_time(reader) and clock.duration_slot(reader) is None and not clock.has_both_ends(reader):
        hint = "log $request_time (nginx) or %D (Apache)"
        yield MappingError(f"{name} logs no duration: both times are equal", hint=hint, severity="warning")
    if setting.slot("status") is None:
        said = f"{name} logs no status: events say 0"
        yield MappingError(said, hint="log $status (nginx) or %>s (Apache)", severity="warning")

def _lacks_address(setting: Setting, reader: Reader, plan: Plan) -> Iterator[MappingError]:
    """The same of the client's address."""
    name = setting.format.name
    slots = {slot.field for slot in setting.format.slots}
    has_header = setting.proxies is not None and setting.proxy_header in slots
    if not slots.intersection(PEERS) and reader.known("client_ip") is None and not has_header:
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
    reader: Reader, value: object, location: tuple[str | int, ...], groups: frozenset[str]
) -> Iterator[MappingError]:
    if not isinstance(value, Template):
        return
    for reference in value.references:
        if reference.name not in groups and reader.field(reference.name) is None:
            yield _no_field(reference.name, location, reference.column, reference.width)


def _no_field(name: str, location: tuple[str | int, ...], column: int | None, width: int) -> MappingError:
    near = suggestion(name)
    hint = f"did you mean '{near}'?" if near else "`logship fields` lists all"
    message = f"no field '{name}': neither the vocabulary nor the format has it"
    return MappingError(message, location=location, column=column, width=width, hint=hint)
