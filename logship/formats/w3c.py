"""W3C's extended log format, of IIS and many others: which column is which stands in the log's own `#Fields:` lines.

Sources: W3C, Extended Log File Format; Microsoft, W3C Logging (http.sys); AWS, CloudFront standard logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote

from logship.errors import FormatError
from logship.fields import FAMILIES
from logship.formats.directives import headed
from logship.formats.format import Assumption, Wanted
from logship.formats.json_format import Document, JsonFormat, keyed_slot
from logship.formats.json_reading import Source
from logship.formats.slot import Misfit
from logship.formats.spec import KeySpec
from logship.formats.text_format import bare_line
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping
from logship.patterns import deferred
from logship.records import record

LAYOUTS_KEPT = 64  # a log changes its fields now and then, not with each line
MAX_FIELDS = 256
NEEDED = "date, time, a request and sc-status"
TIME = "end_time"  # servers write a line when the request is done
_FIELDS = {  # of the vocabulary, by W3C's identifiers; of two for one field the first that a log has counts
    "c-ip": "remote_host",
    "c-port": "remote_port",
    "cs-username": "remote_user",
    "cs-method": "request_method",
    "cs-uri": "request_url",
    "cs-version": "protocol",
    "cs-protocol-version": "protocol",
    "cs-protocol": "scheme",
    "cs-uri-scheme": "scheme",
    "x-host-header": "host",
    "cs-host": "host",
    "cs-uri-host": "host",
    "sc-status": "status",
    "sc-bytes": "bytes_tx",
    "bytes": "bytes_tx",
    "sc-content-len": "response_bytes_clf",
    "cs-bytes": "bytes_rx",
    "s-ip": "local_ip",
    "s-port": "server_port",
    "x-forwarded-for": "request_header_x_forwarded_for",
    "cs(referrer)": "request_header_referer",
    "cs-referer": "request_header_referer",
    "cs-user-agent": "request_header_user_agent",
    "cs-cookie": "request_header_cookie",
    "ssl-protocol": "ssl_protocol",
    "ssl-cipher": "ssl_cipher",
}
NO_METHOD = ("request_method", "null")  # as Tomcat writes what is no request
_AGENT = "request_header_user_agent"
_SPELLED = {
    "time_ms": "time-taken", "time_s": "time-taken", _AGENT: "cs(User-Agent)", TIME: "date time", "host": "cs-host",
    "request_header_host": "cs(Host)", "request_header_cookie": "cs(Cookie)", "request_header_referer": "cs(Referer)",
}  # fmt: skip
_OF_IIS = frozenset({"sc-win32-status", "sc-substatus", "s-sitename"})
_STEMS = ("cs-uri-stem", "cs-uri-path")
_QUERY = "cs-uri-query"
_REQUESTS = frozenset({"cs-method", "cs-uri", "cs-uri-stem", "cs-uri-path"})
_OTHERS = ("ftp", "smtp", "nntp")  # of whose servers there are W3C logs, too
_HOSTS = frozenset({"host", "request_header_host"})
_HEADER = deferred(r"(cs|sc|c|s)\(([^()]+)\)")
_COLUMN = deferred(r'"((?:[^"]|"")*)"(?= |$)|([^" ][^ ]*)')
_NUMBER = deferred(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_CLOUDFRONT = "x-edge-location"
_SHORTEST_CLOUDFRONT = 22  # columns: later ones came in later years
_RESULT = deferred("[A-Z][A-Za-z]+")
_SHAPES = {  # of values that are not absent; a status of 0 says that the client was gone
    "status": re.compile("[1-9][0-9]{2}|0{1,3}"), "time_ms": _NUMBER, "time_s": _NUMBER,
    "scheme": re.compile("(?:https?|wss?)(?:/[0-9.]+)?", re.IGNORECASE), "protocol": re.compile("[A-Z]+/[0-9.]+"),
    "ssl_protocol": re.compile(r"(?:TLS|SSL)v?[0-9.]+"), "ssl_cipher": re.compile("[A-Z0-9]+(?:[_-][A-Z0-9]+)+"),
    "x-edge-result-type": _RESULT, "x-edge-response-result-type": _RESULT, "x-edge-detailed-result-type": _RESULT,
    "time-to-first-byte": _NUMBER, "fle-status": re.compile("[A-Za-z]+"),
}  # fmt: skip
_PLUS = deferred(r"(?<![(])\+")


@record
class Layout:
    """What the directives above a line say of its columns.

    Shapes: `names` are the columns' fields, '' for one that repeats another; `date` and `time` are their columns.
    `is_iis`: blanks are written as +, time-taken counts ms. `shortest`: of a line with tabs, that may end before later
    columns.
    """

    names: tuple[str, ...]
    date: int
    time: int
    is_local: bool
    is_iis: bool
    is_cloudfront: bool
    shortest: int

    def document(self, line: str) -> Document | None:
        """The values of a line by their fields; None where it has another number of columns."""
        columns = self._columns(line)
        if columns is None:
            return None
        zone = "" if self.is_local else "Z"
        found: Document = {TIME: f"{columns[self.date]}T{columns[self.time]}{zone}"}
        for name, value in zip(self.names, columns, strict=False):
            if name and value not in {"", "-"} and (name, value) != NO_METHOD:
                found[name] = value
        if not found.keys() & {"request_method", "status"}:  # http.sys tells of connections without a request
            return None
        if any(name in found and pattern.fullmatch(str(found[name])) is None for name, pattern in _SHAPES.items()):
            return None
        agent = found.get(_AGENT)
        if isinstance(agent, str):
            found[_AGENT] = self._agent(agent, is_quoted='"' in line)
        if "request_url" not in found and (target := self._target(found)):
            found["request_url"] = target
        return found

    @staticmethod
    def _target(found: Document) -> str:
        """What was asked for, of its two columns; in a path that the server has decoded a ? is none of a query."""
        stem = next((str(value) for name in _STEMS if (value := found.pop(name, "-")) != "-"), "")
        query = str(found.pop(_QUERY, "-"))
        stem = stem.replace("?", "%3F").replace("#", "%23")
        return f"{stem or '/'}?{query.removeprefix('?')}" if query != "-" else stem

    def has_columns(self, line: str) -> bool:
        """Whether a line has as many columns as there are fields."""
        return self._columns(line) is not None

    def _columns(self, line: str) -> list[str] | None:
        wanted = len(self.names)
        if "\t" in line:
            columns = line.split("\t")
            return list(map(_unquoted, columns)) if self.shortest <= len(columns) <= wanted else None
        plain = [column for column in line.split(" ") if column]
        if self.is_iis and len(plain) == wanted:  # it writes no quotes of its own: one is the client's
            return plain
        columns = plain if '"' not in line else _quoted_columns(line)
        return columns if len(columns) == wanted else None

    def _agent(self, text: str, *, is_quoted: bool) -> str:
        """IIS writes a blank as +, and a + as itself: `;++http://…` was `; +http://…`. CloudFront writes %20."""
        if self.is_cloudfront:
            return unquote(unquote(text) if "%25" in text else text)
        if " " not in text and (self.is_iis or not is_quoted):
            return _PLUS.sub(" ", text.replace("++", "+\0")).replace("\0", "+")
        return text


def _quoted_columns(line: str) -> list[str]:
    """Columns with blanks between, some of them in quotes; [] where a quote is not closed."""
    columns: list[str] = []
    at = 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        match = _COLUMN.match(line, at)
        if match is None:
            return []
        columns.append(match[1].replace('""', '"') if match[2] is None else match[2])
        at = match.end()
    return columns


def _unquoted(column: str) -> str:
    is_quoted = len(column) > 1 and column[0] == column[-1] == '"'
    return column[1:-1].replace('""', '"') if is_quoted else column


@lru_cache(LAYOUTS_KEPT)
def layout_of(heading: bytes, *, may_end_early: bool = False) -> Layout | None:
    """What a heading says; None where lines can't be read by it: too many fields, or none for what is NEEDED."""
    directives = dict(line.partition(":")[::2] for line in heading.decode("utf-8", "replace").splitlines())
    identifiers = [identifier.lower() for identifier in directives.get("#Fields", "").split()]
    local = "date" not in identifiers and "date-local" in identifiers
    date, time = ("date-local", "time-local") if local else ("date", "time")
    if not 0 < len(identifiers) <= MAX_FIELDS or not {date, time, "sc-status"}.issubset(identifiers):
        return None
    is_cloudfront = _CLOUDFRONT in identifiers
    shortest = _SHORTEST_CLOUDFRONT if is_cloudfront and may_end_early else len(identifiers)
    software = directives.get("#Software", "").lower()
    if _REQUESTS.isdisjoint(identifiers) or any(other in software for other in _OTHERS):
        return None
    is_iis = "microsoft" in software or not _OF_IIS.isdisjoint(identifiers)
    is_ms = is_iis or "sgos" in software
    return Layout(
        tuple(_names(identifiers, "time_ms" if is_ms else "time_s")), identifiers.index(date), identifiers.index(time),
        local, is_iis, is_cloudfront, shortest,
    )  # fmt: skip


def _names(identifiers: Sequence[str], time_taken: str) -> Iterator[str]:
    """The field of each column; '' for a date, a time, and what an earlier or a better column holds."""
    best = {field: identifier for identifier, field in reversed(_FIELDS.items()) if identifier in identifiers}
    seen: set[str] = {"date", "time", "date-local", "time-local"}
    for identifier in identifiers:
        name = _FIELDS.get(identifier) or _header(identifier) or identifier
        if identifier == "time-taken":
            name = time_taken
        if name in seen or best.get(name, identifier) != identifier:
            yield ""
            continue
        seen.add(name)
        yield name


def _header(identifier: str) -> str:
    """The field of a header: cs(User-Agent) is the client's, sc(…) the server's."""
    match = _HEADER.fullmatch(identifier)
    if match is None:
        return ""
    prefix = "request_header_" if match[1] in {"cs", "c"} else "response_header_"
    assert any(family.prefix == prefix for family in FAMILIES), "the vocabulary has both"
    return prefix + match[2].replace("-", "_")


class W3cFormat(JsonFormat):
    """A compiled W3C format; its lines are headed lines.

    A line that stands alone is read by `fields`, the names that the format itself gives; without them it does not fit.
    """

    time_hint = "write the log's own fields: {w3c: 'date time c-ip cs-method cs-uri-stem sc-status …'}"
    is_headed = True

    def __init__(self, name: str, fields: str = "") -> None:
        """Raises: FormatError for fields without date and time."""
        super().__init__(name, None, tuple(_sources()))
        self._own = f"#Fields: {fields}\n".encode() if fields else b""
        if fields and layout_of(self._own) is None:
            raise FormatError(
                f"w3c: the fields must hold {NEEDED}", text=fields, column=0, width=len(fields), hint=self.time_hint
            )  # fmt: skip

    @property
    def shape(self) -> tuple[object, ...]:
        return (*self.slots, self._own)

    def emit_reading(self, assembler: Assembler, wanted: Wanted) -> Escaping | None:
        return None

    def _layout(self, heading: bytes) -> Layout | None:
        return layout_of(heading) if b"#Fields:" in heading else layout_of(heading + self._own, may_end_early=True)

    def _members(self, bare: bytes) -> Document | None:
        heading, line = headed(bare)
        layout = self._layout(heading)
        return None if layout is None else layout.document(line.decode("utf-8", "replace"))

    def explain(self, line: bytes) -> Misfit | None:
        if self.parse(line) is not None:
            return None
        heading, own = headed(bare_line(line))
        layout = self._layout(heading)
        of = len(layout.names) if layout else len(self.slots)
        if layout is None:
            lacks = f"{NEEDED} among the #Fields above it" if heading else "a line with #Fields above it"
            return Misfit(0, lacks, 0, of)
        document = layout.document(own.decode("utf-8", "replace"))
        if document is None and layout.has_columns(own.decode("utf-8", "replace")):
            return Misfit(0, "a method or a status, and numbers where the #Fields have them", 0, of)
        if document is None:
            return Misfit(len(own), f"{of} columns, as the #Fields above it say", min(len(own.split()), of - 1), of)
        return self._explain_object(document, own, of)

    def assumes(self, line: bytes) -> tuple[Assumption, ...]:
        layout = self._layout(headed(line)[0])
        return () if layout is None else tuple(_assumed(self.name, layout))


def _assumed(name: str, layout: Layout) -> Iterator[Assumption]:
    if not _HOSTS.intersection(layout.names):
        yield Assumption("host", f"{name}: the log's #Fields hold no host", "log cs-host, or add: fields: {host: …}")
    if "time_s" in layout.names and not layout.is_cloudfront:
        said = f"{name}: time-taken is read as seconds: W3C says so, and nothing in the log says that it is IIS's"
        yield Assumption("time_s", said, "if the server writes milliseconds, leave time-taken out of its log")
    elif "time_ms" not in layout.names and "time_s" not in layout.names:
        said = f"{name}: the log's #Fields hold no duration: both times are equal"
        yield Assumption("duration", said, "log time-taken")


def _sources() -> Iterator[Source]:
    """Where each field that has a meaning here is found: under its own name, for a layout has named the columns."""
    spelled = {field: identifier for identifier, field in reversed(_FIELDS.items())} | _SPELLED
    for field, identifier in spelled.items():
        yield Source(keyed_slot(field, KeySpec(identifier)), ((field,),))
