"""Which redaction goes where: by place in the event, and by field wherever a template writes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from logship.errors import MappingError
from logship.fields import Kind, canonical, lookup
from logship.kernel.program import Known
from logship.mapping import bodies, redaction
from logship.mapping.event_keys import Path
from logship.mapping.masked_names import MaskedNames
from logship.mapping.plan import steps
from logship.mapping.spec import KeepQuery, MappingSpec
from logship.mapping.template import parse_template
from logship.records import record

FORWARDED = frozenset(
    {"x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
     "cf-connecting-ip", "fastly-client-ip", "x-original-forwarded-for"}
)  # fmt: skip
_URL_FIELDS = frozenset({"target", "request_url", "request_first_line", "request_header_referer"})
_URL_HEADERS = frozenset({"referer", "referrer", "location"})
_QUERY_FIELDS = frozenset({"query", "query_string"})
_PATH_FIELDS = frozenset({"path", "url_path"})
_BODIES = (("request", "body"), ("response", "body"))
_BODY_FIELDS = frozenset({"request_body", "response_body"})
_SERVER_ADDRESSES = frozenset({"local_ip", "upstream_addr"})  # not those of clients


@record
class Cover:
    """What replaces a text: a function with its name, or (`call` None) always the same text."""

    name: str
    call: Callable[[str], str] | None = None
    known: Known = Known.NOTHING
    names: tuple[str, ...] = ()  # for Known.PAIRS


HIDDEN = Cover(redaction.REDACTED)
HIDDEN_FIELD = Cover("hidden", lambda text: redaction.REDACTED if text else "")


class Covers:
    """The redactions of one mapping; `hidden` are headers, in lower case."""

    def __init__(self, spec: MappingSpec) -> None:
        """Raises: FormatError with RE2's reason for a pattern of `redact.path`."""
        redact = spec.redact
        self._tokens = frozenset(_names(spec.jwt.source)) if spec.jwt else frozenset[str]()
        names = _with_tokens(redact.query, self._tokens)
        query = redaction.query_redactor(names) if names else None
        path = redaction.path_redactor(redact.path) if redact.path else None
        address = redaction.address_cover(redact)
        self.hidden = frozenset(name.lower() for name in redact.headers) | _headers(self._tokens)
        self._is_hidden_parameter = redaction.is_hidden_parameter(names)
        self._body = Cover("body mask", bodies.body_mask(redact.body)) if redact.body else None
        self.member_mask = bodies.member_mask(redact.body) if redact.body else None
        self._masked_names = MaskedNames(redact.body)
        self._own = frozenset({*spec.lookups, *(spec.jwt.claims if spec.jwt else ())})
        self._hashed = frozenset(steps(name) for name in redact.hash)
        self._digest = Cover("digest", redaction.hashed_text(redact.key.encode())) if self._hashed else None
        self._address = Cover("address cover", address) if address else None
        self._listed = Cover("forwarded cover", redaction.listed_addresses(address)) if address else None
        self._path = Cover("path cover", path) if path else None
        self._query = Cover("query cover", redaction.bare_query_redactor(query), Known.NO_EQUALS) if query else None
        self._url = self._path
        if query and path:
            self._url = Cover("url cover", lambda url: query(path(url)))
        elif query:
            plain = redaction.plain_names(names)
            self._url = Cover("url cover", query, Known.PAIRS if plain else Known.NO_EQUALS, plain)

    def of_place(self, path: Path) -> Cover | None:
        """What covers all that a mapping writes at this place of the event."""
        is_header = len(path) == 3 and path[1] == "headers"
        header = path[-1].lower()
        if is_header and header in self.hidden:
            return HIDDEN
        if is_header and self._listed is not None and header in FORWARDED:
            return self._listed
        if path in self._hashed:
            return self._digest
        if path in _BODIES:
            return self._body
        if path == ("request", "ip_address") and self._address is not None:
            return self._address
        is_url = path == ("request", "uri") or (len(path) == 3 and header in _URL_HEADERS)
        return self._url if is_url else None

    def of_field(self, name: str, path: Path) -> Cover | None:
        """What covers a field that a template writes at a place that is not covered as a whole."""
        is_client = path == ("request", "ip_address")
        if self.of_place(path) is not None and not is_client:
            return None
        known = canonical(name) or name
        if known in self._tokens or (known.startswith("cookie_") and "cookie" in self.hidden):
            return HIDDEN_FIELD
        if known.startswith("arg_"):
            return HIDDEN_FIELD if self._is_hidden_parameter(known.removeprefix("arg_")) else None
        if known in _BODY_FIELDS:
            return self._body
        if lookup(known) is None and known not in self._own and self._masked_names.hide_name(known):
            return HIDDEN_FIELD
        if known in _URL_FIELDS:
            return self._url
        if known in _QUERY_FIELDS:
            return self._query
        if known in _PATH_FIELDS:
            return self._path
        if is_client or known in _SERVER_ADDRESSES:
            return None
        header = known.removeprefix("request_header_").replace("_", "-")
        field = lookup(known)
        lists = header in FORWARDED or known == "proxy_add_x_forwarded_for"
        return self._listed if field is not None and (field.kind is Kind.ADDRESS or lists) else None


def _names(source: str) -> Iterator[str]:
    """The fields that a template names; nothing of a wrong one, which the plan tells."""
    try:
        references = parse_template(source, ()).references
    except MappingError:
        return
    for reference in references:
        yield canonical(reference.name) or reference.name


def _headers(tokens: Iterable[str]) -> frozenset[str]:
    """The headers that hold a token, in lower case."""
    headers = {name.removeprefix("request_header_").replace("_", "-") for name in tokens if "_header_" in name}
    return frozenset(headers | {"cookie" for name in tokens if name.startswith("cookie_")})


def _with_tokens(query: list[str] | KeepQuery, tokens: Iterable[str]) -> list[str] | KeepQuery:
    """What is redacted of a query, with the parameters that hold a token."""
    names = [name.removeprefix("arg_") for name in tokens if name.startswith("arg_")]
    if isinstance(query, KeepQuery):
        return KeepQuery(keep=[name for name in query.keep if name.lower() not in names])
    return [*query, *names]


class NoCovers(Covers):
    """Nothing is redacted: what a line holds, for the person who may see it."""

    def __init__(self) -> None:
        self.hidden = frozenset()
        self.member_mask = None

    def of_place(self, path: Path) -> Cover | None:
        return None

    def of_field(self, name: str, path: Path) -> Cover | None:
        return None
