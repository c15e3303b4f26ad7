"""Which redaction goes where: by place in the event, and by field wherever a template writes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring_ascii as quoted

from logship.errors import MappingError
from logship.fields import Kind, canonical, lookup
from logship.kernel.program import Known
from logship.kernel.values import ascii_json
from logship.mapping import redaction, values
from logship.mapping.event_keys import Path
from logship.mapping.masked_names import MaskedNames, Way, steps_of
from logship.mapping.masked_texts import LOOKS_LIKE_JSON, REDACTED, MaskedTexts, tree_of
from logship.mapping.plan import steps
from logship.mapping.spec import KeepQuery, MappingSpec
from logship.mapping.template import parse_template
from logship.patterns import deferred
from logship.records import record

FORWARDED = frozenset(
    {"x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
     "cf-connecting-ip", "fastly-client-ip", "x-original-forwarded-for"}
)  # fmt: skip
_URL_FIELDS = frozenset({"target", "path", "url_path", "request_url", "request_first_line", "request_header_referer"})
_URL_HEADERS = frozenset({"referer", "referrer", "location"})
_QUERY_FIELDS = frozenset({"query", "query_string"})
_BODIES = (("request", "body"), ("response", "body"))
_BODY_FIELDS = frozenset({"request_body", "response_body"})
_SERVER_ADDRESSES = frozenset({"local_ip", "upstream_addr"})  # not those of clients


_LOOKS_LIKE_URL = deferred(r"(?:[A-Z]+ )?(?:[/?#]|[A-Za-z][A-Za-z0-9+.-]*://)")
_LOOKS_LIKE_ADDRESS = deferred(r"[0-9A-Fa-f:.\[\]]{3,60}")
_LEAST_TOKEN = 16  # characters of a token that is looked for in other texts


@record
class MemberMask:
    """What is masked in a text below `way`, and the tokens that are looked for in it."""

    texts: MaskedTexts | None
    way: Way

    def text(self, text: str, tokens: str = "") -> str:
        """The masked text; '' where nothing in it is masked."""
        masked = text if self.texts is None else self.texts.text(text, self.way)
        for token in tokens.split():
            if len(token) >= _LEAST_TOKEN:
                masked = masked.replace(token, REDACTED)
        return "" if masked == text else masked

    def json(self, text: str, tokens: str = "") -> str:
        """The same as JSON."""
        masked = self.text(text, tokens)
        return (
            ascii_json(masked)
            if masked[:1] in LOOKS_LIKE_JSON and tree_of(masked) is not None
            else quoted(masked)
            if masked
            else ""
        )


@record
class Cover:
    """What replaces a text: a function with its name, or (`call` None) always the same text."""

    name: str
    call: Callable[[str], str] | None = None
    known: Known = Known.NOTHING
    names: tuple[str, ...] = ()  # for Known.PAIRS


HIDDEN = Cover(REDACTED)
HIDDEN_FIELD = Cover("hidden", lambda text: REDACTED if text else "")


class Covers:
    """The redactions of one mapping; `hidden` are headers, in lower case; `hashed` are places of the event."""

    def __init__(self, spec: MappingSpec) -> None:
        """Raises: FormatError with RE2's reason for a pattern of `redact.path`."""
        redact = spec.redact
        self.tokens = tuple(dict.fromkeys(_names(spec.jwt.source))) if spec.jwt else ()
        names = _with_tokens(redact.query, self.tokens)
        query = redaction.query_redactor(names) if names else None
        path = redaction.path_redactor(redact.path) if redact.path else None
        address = redaction.address_cover(redact)
        self.hidden = frozenset(name.lower() for name in redact.headers) | _headers(self.tokens)
        self._is_hidden_parameter = redaction.is_hidden_parameter(names)
        keys = [*redact.body, *(name for name in self.tokens if lookup(name) is None)]
        self._body = Cover("body mask", MaskedTexts(keys).body) if redact.body else None
        self._masked_names = MaskedNames(keys)
        self._own = frozenset({*spec.lookups, *(spec.jwt.claims if spec.jwt else ())})
        self.hashed = frozenset(steps(name) for name in redact.hash)
        self._digest = Cover("digest", redaction.hashed_text(redact.key.encode())) if self.hashed else None
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
        headers = [spelled for name in sorted(self.hidden) for spelled in (name, name.replace("-", "_"))]
        self._members = MaskedTexts([*keys, *headers], self._leaf) if keys or headers or self._url or address else None

    def _leaf(self, text: str) -> str:
        """A text in a member of a JSON log: a URL or an address may be one."""
        if self._url is not None and self._url.call is not None and _LOOKS_LIKE_URL.match(text):
            return self._url.call(text)
        if self._address is not None and self._address.call is not None and _LOOKS_LIKE_ADDRESS.fullmatch(text):
            return text if values.address(text) == values.NO_ADDRESS else self._address.call(text)
        return text

    def member_mask(self, name: str, path: Path) -> MemberMask | None:
        """What masks a field that may hold an object, a body or a URL; None where nothing has to be looked for."""
        if path in self.hashed or (self._members is None and not self.tokens):
            return None
        known = canonical(name) or name
        return MemberMask(self._members, steps_of(name) if lookup(known) is None else ())

    def header_text(self, name: str, text: str) -> str:
        """A header of a logged object, covered as one that a mapping writes by name."""
        cover = self.of_place(("request", "headers", name.replace("_", "-")))
        return text if cover is None else cover.call(text) if cover.call is not None else cover.name

    def of_place(self, path: Path) -> Cover | None:
        """What covers all that a mapping writes at this place of the event."""
        is_header = len(path) == 3 and path[1] == "headers"
        header = path[-1].lower()
        if is_header and header in self.hidden:
            return HIDDEN
        if is_header and self._listed is not None and header in FORWARDED:
            return self._listed
        if path in self.hashed:
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
        if path in self.hashed:
            return None
        known = canonical(name) or name
        if known in self.tokens or self._header_of(known) in self.hidden:
            return HIDDEN_FIELD
        if self.of_place(path) is not None and not is_client:
            return None
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
        if is_client or known in _SERVER_ADDRESSES:
            return None
        header = known.removeprefix("request_header_").replace("_", "-")
        field = lookup(known)
        lists = header in FORWARDED or known == "proxy_add_x_forwarded_for"
        return self._listed if field is not None and (field.kind is Kind.ADDRESS or lists) else None

    @staticmethod
    def _header_of(known: str) -> str:
        """The header that a field is, or is cut from; '' for all others."""
        if known.startswith("cookie_"):
            return "cookie"
        for prefix in ("request_header_", "response_header_", "upstream_http_"):
            if known.startswith(prefix):
                return known.removeprefix(prefix).replace("_", "-")
        return ""


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
    cookies = {"cookie", "set-cookie"} if any(name.startswith("cookie_") for name in tokens) else set()
    return frozenset(headers | cookies | ({"set-cookie"} if "cookie" in headers else set()))


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
        self.hashed = frozenset()
        self.tokens = ()

    def member_mask(self, name: str, path: Path) -> MemberMask | None:
        return None

    def of_place(self, path: Path) -> Cover | None:
        return None

    def of_field(self, name: str, path: Path) -> Cover | None:
        return None
