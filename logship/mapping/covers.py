"""Which redaction goes where: by place in the event, and by field wherever a template writes one."""

from __future__ import annotations

import ast
from collections.abc import Callable

from logship.fields import Kind, canonical, lookup
from logship.mapping import redaction
from logship.mapping.access import Reader
from logship.mapping.code import constant, expression, local
from logship.mapping.memo import SHARED_ENTRIES
from logship.mapping.plan import steps
from logship.mapping.render import Cover, Covers
from logship.mapping.spec import MappingSpec

FORWARDED = frozenset(
    {"x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
     "cf-connecting-ip", "fastly-client-ip", "x-original-forwarded-for"}
)  # fmt: skip
_URL_FIELDS = frozenset({"target", "request_url", "request_first_line", "request_header_referer"})
_URL_HEADERS = frozenset({"referer", "referrer", "location"})
_QUERY_FIELDS = frozenset({"query", "query_string"})
_PATH_FIELDS = frozenset({"path", "url_path"})
_SERVER_ADDRESSES = frozenset({"local_ip", "upstream_addr"})  # not those of clients


def make_covers(spec: MappingSpec) -> Covers:
    """The redactions of a mapping.

    Raises: FormatError with RE2's reason for a pattern of `redact.path`.
    """
    redact = spec.redact
    url = _url_redactor(spec)
    query = redaction.bare_query_redactor(redaction.query_redactor(redact.query)) if redact.query else None
    path_only = redaction.path_redactor(redact.path) if redact.path else None
    address = redaction.address_cover(redact)
    hidden = frozenset(name.lower() for name in redact.headers)
    hashed = frozenset(steps(name) for name in redact.hash)
    digest = redaction.hashed_text(redact.key.encode()) if hashed else None

    def place(reader: Reader, path: tuple[str, ...]) -> Cover | None:
        if len(path) == 3 and path[1] == "headers":
            if path[2].lower() in hidden:
                return lambda text: constant(redaction.REDACTED)
            if address is not None and path[2].lower() in FORWARDED:
                return _memoised(reader, "forwarded_cover", redaction.listed_addresses(address))
        if digest is not None and path in hashed:
            return _memoised(reader, "digest", digest)
        if path == ("request", "ip_address") and address is not None:
            return _memoised(reader, "address_cover", address)
        is_url = path == ("request", "uri") or (len(path) == 3 and path[2].lower() in _URL_HEADERS)
        return _called(reader, url, has_paths=bool(redact.path)) if is_url and url is not None else None

    def field(reader: Reader, name: str, path: tuple[str, ...]) -> Cover | None:
        if place(reader, path) is not None and path != ("request", "ip_address"):
            return None  # covered as a whole
        known = canonical(name) or name
        if known in _URL_FIELDS and url is not None:
            return _called(reader, url, has_paths=bool(redact.path))
        if known in _QUERY_FIELDS and query is not None:
            return _called(reader, query, has_paths=False)
        if known in _PATH_FIELDS and path_only is not None:
            return _called(reader, path_only, has_paths=True)
        if address is None or path == ("request", "ip_address") or known in _SERVER_ADDRESSES:
            return None
        header = known.removeprefix("request_header_").replace("_", "-")
        found = lookup(known)
        lists = header in FORWARDED or known == "proxy_add_x_forwarded_for"
        if found is None or not (found.kind is Kind.ADDRESS or lists):
            return None
        return _memoised(reader, "forwarded_cover", redaction.listed_addresses(address))

    return Covers(place, field, hidden)


def _url_redactor(spec: MappingSpec) -> Callable[[str], str] | None:
    redact = spec.redact
    if not redact.query and not redact.path:
        return None
    steps: list[Callable[[str], str]] = []
    if redact.path:
        steps.append(redaction.path_redactor(redact.path))
    if redact.query:
        steps.append(redaction.query_redactor(redact.query))
    if len(steps) == 1:
        return steps[0]
    first, second = steps
    return lambda url: second(first(url))


def _memoised(reader: Reader, name: str, cover: Callable[[object], str]) -> Cover:
    memo = reader.setting.memo(name, cover, SHARED_ENTRIES)  # as many as there are addresses
    return lambda text: expression("m[x]", m=memo, x=text)


def _called(reader: Reader, redact: Callable[[str], str], *, has_paths: bool) -> Cover:
    """A text that holds no '=' has no query to redact, which saves most calls."""
    bound = reader.bind(redact, "redact")
    if has_paths:
        return lambda text: ast.Call(bound, [text], [])

    def cover(text: ast.expr) -> ast.expr:
        if isinstance(text, ast.Name):
            return expression("r(x) if '=' in x else x", r=bound, x=text)
        held = reader.scratch()
        whole = ast.NamedExpr(ast.Name(held, ast.Store()), text)
        return expression("r(held) if '=' in whole else held", r=bound, whole=whole, held=local(held))

    return cover
