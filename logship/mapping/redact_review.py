"""Mistakes under `redact`: what is refused, and entries that can never find anything to redact."""

from __future__ import annotations

import re
from collections.abc import Iterator

from logship.errors import FormatError, Location, MappingError
from logship.fields import canonical, lookup
from logship.formats.re2_door import compile_pattern
from logship.mapping.event_keys import EVENT_KEYS, REQUIRED_KEYS, Path
from logship.mapping.masked_names import steps_of
from logship.mapping.plan import Plan, leaves, steps
from logship.mapping.spec import KeepQuery, MappingSpec
from logship.mapping.template import Template
from logship.patterns import deferred

LIST_LIKE = deferred(r"[^,;|\s]+(?:\s*[,;|]\s*|\s+)\S")  # `token, password` in one text
INDEX_LIKE = deferred(r"[^.\[\]].*?(?:\[[0-9*]+\]|\.[0-9]+(?=[.\[]|$))")  # `card[0].number`, `items[*].token`
MIDDLE_STARS = deferred(r"[^.*\[\]].*\*\*.*[^.*\[\]]")  # `a.**.b`
PLACEHOLDER = deferred(r"/(?::[A-Za-z_]\w*|\{[A-Za-z_]\w*\}|<[A-Za-z_]\w*>|\*{1,2}(?=/|$))")  # `/:id`, `/{id}`, `/*`
ONLY_BEFORE = deferred(r"\^?/[\w/.-]*/$")  # `/reset/`, which leaves what follows
_BETWEEN = deferred(r"[,;|\s]+")
FIELD_LIKE = deferred(
    r"(?i)\$?\{?(?:arg|http|sent_http|request_header|response_header|upstream_http|cookie)_(.+?)\}?\Z"
)
EVENT_LIKE = deferred(r"(?:event\.)?(?:(?:request|response)\.)?(?:body|headers|query|uri)\.(.+)")
_HEADER = deferred(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, 5.1
QUERY_LIKE = deferred(r"\\\?|\[(?!\^)[^\]]*[?&][^\]]*\]|(?<!;)\b\w+=")  # `;name=` may be in a path
_BODY_FIELDS = frozenset({"request_body", "response_body"})


def refused(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    """What is wrong whatever the event holds."""
    redact = spec.redact
    for index, text in enumerate(redact.path):
        try:
            compile_pattern(text)
        except FormatError as exc:
            at: Location = ("redact", "path", index)
            yield MappingError(exc.message, location=at, column=exc.column, width=exc.width, hint=exc.hint)
            continue
        yield from _no_path(text, ("redact", "path", index))
    for name, location in _query(spec):
        yield from _no_name(name, location, "parameter", "token, card.number or user[token]")
    for index, name in enumerate(redact.body):
        yield from _no_name(name, ("redact", "body", index), "key", "password, card.number or '**.token'")
    for index, name in enumerate(redact.headers):
        yield from _no_header(name, ("redact", "headers", index))
    if (redact.hash or redact.ip == "hash") and not redact.key:
        key = "hash" if redact.hash else "ip"
        hint = 'add key: "${env:LOGSHIP_HASH_KEY}"'
        yield MappingError("a hash without a key can be guessed back", location=("redact", key), hint=hint)
    for index, name in enumerate(redact.hash):
        if steps(name) in REQUIRED_KEYS or steps(name)[0] not in EVENT_KEYS[()]:
            hint = "name a key of the event, such as user_id"
            yield MappingError(f"'{name}' can't be hashed", location=("redact", "hash", index), hint=hint)
        elif below := [path for path, _ in leaves(plan.event) if path[: len(steps(name))] == steps(name) != path]:
            hint = f"write [{', '.join('.'.join(path) for path in below)}]"
            said = f"'{name}' is a map, which has no hash: its values would be sent"
            yield MappingError(said, location=("redact", "hash", index), hint=hint)


def vain(spec: MappingSpec, plan: Plan) -> Iterator[MappingError]:
    """Warnings of what can find nothing in the events of this mapping."""
    written = [path for path, _ in leaves(plan.event)]
    for index, pattern in enumerate(spec.redact.path):
        if QUERY_LIKE.search(pattern):
            said = f"'{pattern}' is searched for in the path, which ends before the '?'"
            yield _warning(said, ("redact", "path", index), "name the parameter under query:")
    for name, location in _query(spec):
        yield from _of_field_or_event(name, location)
    for index, name in enumerate(spec.redact.body):
        yield from _of_field_or_event(name, ("redact", "body", index))
    if spec.redact.body and not _sends_body(plan):
        yield _warning("no event has a body: nothing to mask", ("redact", "body"), "send one: $request_body")
    yield from _headers(spec, written)
    for index, name in enumerate(spec.redact.hash):
        if steps(name) not in written and not any(path[: len(steps(name))] == steps(name) for path in written):
            yield _warning(f"no event has '{name}': nothing to hash", ("redact", "hash", index), "")
    if spec.redact.key and not spec.redact.hash and spec.redact.ip != "hash":
        yield _warning("the key hashes nothing", ("redact", "key"), "add hash: [user_id], or ip: hash")


def _warning(said: str, location: Location, hint: str) -> MappingError:
    return MappingError(said, location=location, hint=hint, severity="warning")


def _query(spec: MappingSpec) -> Iterator[tuple[str, Location]]:
    query = spec.redact.query
    is_keep = isinstance(query, KeepQuery)
    before: Location = ("redact", "query", "keep") if is_keep else ("redact", "query")
    for index, name in enumerate(query.keep if isinstance(query, KeepQuery) else query):
        yield name, (*before, index)


def _no_name(name: str, location: Location, what: str, such: str) -> Iterator[MappingError]:
    """A text that no parameter or key has as its name."""
    said, hint = f"'{name}' names no {what}", f"write {such}"
    if not steps_of(name):
        pass
    elif LIST_LIKE.match(name):
        hint = f"write {_as_list(name)}"
    elif name.startswith(("$.", "$[", "${")):
        hint = f"write {'.'.join(steps_of(name.lstrip('$').strip('{}'))) or such}"
    elif what == "parameter" and re.search(r"[=&#]", name):
        hint = f"write {re.split('[=&#]', name.lstrip('?&'))[0] or such}"
    elif any("*" in step.strip("*") or ("*" in step and step.strip("*")) for step in steps_of(name)):
        said, hint = f"'{name}': a star is a whole name, not a part of one", "list the names"
    elif INDEX_LIKE.search(name):
        said, hint = f"'{name}' finds nothing: the elements of a list are no step of a name", f"write {_plain(name)}"
    elif MIDDLE_STARS.search(name):
        said, hint = f"'{name}': ** may only be at the beginning", f"write {name.rpartition('**')[2].strip('.[]')}"
    elif name[:1] == "^" or name[-1:] == "$" or "\\" in name:
        said, hint = f"'{name}' is no name, and names are no patterns", "list the names"
    else:
        return
    yield MappingError(said, location=location, hint=hint)


def _plain(name: str) -> str:
    """A name without the indexes of lists."""
    return re.sub(r"\[[0-9*]*\]|\.[0-9]+(?=[.\[]|$)", lambda match: "." if match[0] == "[]" else "", name).strip(".")


def _no_path(text: str, location: Location) -> Iterator[MappingError]:
    """A pattern that finds no value: of another language, or all but the value."""
    if PLACEHOLDER.search(text):
        pattern = PLACEHOLDER.sub("/([^/]+)", text)
        yield MappingError(f"'{text}' is no pattern of RE2", location=location, hint=f"write '{pattern}'")
    elif ONLY_BEFORE.match(text):
        said = f"'{text}' is replaced itself, and what follows it stays"
        yield MappingError(said, location=location, hint=f"write '{text}([^/]+)'")


def _as_list(text: str) -> str:
    return f"[{', '.join(_BETWEEN.split(text.strip(' ,;|')))}]"


def _no_header(name: str, location: Location) -> Iterator[MappingError]:
    plain = name.strip().rstrip(":")
    if LIST_LIKE.match(name):
        hint = f"write {_as_list(name)}"
        yield MappingError(f"'{name}' is no header", location=location, hint=hint)
    elif not _HEADER.match(name) or "*" in name:
        hint = f"write {plain}" if _HEADER.match(plain) and "*" not in plain else "list the headers, such as X-Api-Key"
        yield MappingError(f"'{name}' is no header", location=location, hint=hint)


def _of_field_or_event(name: str, location: Location) -> Iterator[MappingError]:
    """A name as fields or the event have it: the body's and the query's own have no such beginning."""
    found = FIELD_LIKE.match(name) or EVENT_LIKE.match(name)
    if found:
        yield _warning(f"'{name}' is looked for in queries and bodies as it is", location, f"did you mean {found[1]}?")
    elif name.startswith("/"):
        yield _warning(f"no name begins with '/': '{name}'", location, f"write {name.strip('/').replace('/', '.')}")


def _sends_body(plan: Plan) -> bool:
    """Whether a body is written anywhere, or a field of one."""
    for path, leaf in leaves(plan.event):
        if leaf.value is not None and path[1:2] == ("body",):
            return True
    values = [leaf.value for _, leaf in leaves(plan.event)] + [
        leaf.value for rule in plan.rules for _, leaf in rule.sets
    ]
    sources = [value for value in values if isinstance(value, Template)] + [made.source for made in plan.made]
    names = (reference.name for source in sources for reference in source.references)
    known = [canonical(name) or name for name in names]
    return any(name in _BODY_FIELDS or lookup(name) is None for name in known)


def _headers(spec: MappingSpec, written: list[Path]) -> Iterator[MappingError]:
    headers = {path[2].lower(): path[2] for path in written if len(path) == 3 and path[1] == "headers"}
    if any(path[1:] == ("headers",) for path in written):  # a logged object of headers, its names unknown
        return
    for index, name in enumerate(spec.redact.headers):
        if name.lower() in headers:
            continue
        found = FIELD_LIKE.match(name) or EVENT_LIKE.match(name)
        meant = headers.get((found[1] if found else name).replace("_", "-").lower())
        said = f"no event has a header '{name}': nothing to redact"
        yield _warning(said, ("redact", "headers", index), f"did you mean {meant}?" if meant else "")
