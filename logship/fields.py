"""The vocabulary: every field by one name, with its Apache and nginx spellings, type, unit and meaning.

Names are those of apache-log-parser where it has one; nginx variables are aliases. `logship fields` prints this table.
Sources: httpd 2.4 mod_log_config, mod_logio, mod_ssl; nginx "Alphabetical index of variables".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from logship.records import record


class Kind(StrEnum):
    """What a field's value is; the text of every kind may also be '-' or '' for absent."""

    TEXT = "text"
    TOKEN = "token"  # noqa: S105 (text without spaces, no secret)
    INTEGER = "integer"
    NUMBER = "number"
    STATUS = "status"  # an integer of three digits
    ADDRESS = "address"  # IPv4, IPv6, a host name, `unix:`, with or without a port
    LIST = "list"  # `a, b : c`, as nginx writes upstreams and proxies write X-Forwarded-For
    REQUEST_LINE = "request line"
    DURATION_S = "seconds"
    DURATION_MS = "milliseconds"
    DURATION_US = "microseconds"
    DURATION_NS = "nanoseconds"
    TIME = "time"  # as its slot's TimeFormat says
    TIME_CLF = "CLF time"  # 10/Oct/2000:13:55:36 -0700
    TIME_ISO = "ISO 8601 time"
    EPOCH_S = "epoch seconds"
    EPOCH_MS = "epoch milliseconds"
    EPOCH_US = "epoch microseconds"

    @property
    def is_time(self) -> bool:
        return self in _TIMES

    @property
    def is_duration(self) -> bool:
        return self in _DURATIONS


_TIMES = frozenset({Kind.TIME, Kind.TIME_CLF, Kind.TIME_ISO, Kind.EPOCH_S, Kind.EPOCH_MS, Kind.EPOCH_US})
_DURATIONS = frozenset({Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})


@record
class Field:
    """A named value of a line.

    Shapes: `apache` and `nginx` are spellings in a LogFormat and a log_format ('%>s', '$status'); `derived` fields are
    made for every format from what it logs, and taken as logged where a format logs them itself.
    """

    name: str
    kind: Kind
    meaning: str
    apache: tuple[str, ...] = ()
    nginx: tuple[str, ...] = ()
    unit: str = ""
    derived: bool = False


@record
class Family:
    """Fields that share a prefix; the rest of the name is a header, cookie or variable, lower case with '_'."""

    prefix: str
    meaning: str
    apache: str = ""  # spelled with NAME
    nginx: str = ""
    aliases: tuple[str, ...] = ()  # prefixes of other spellings: http_ for request_header_


_TABLE = (
    # what the request was
    Field("request_first_line", Kind.REQUEST_LINE, "the request line as the client sent it", ("%r",), ("$request",)),
    Field("request_method", Kind.TOKEN, "method of the request line", (), ("$request_method",)),
    Field("request_url", Kind.TEXT, "path and query of the request line, undecoded", (), ("$request_uri",)),
    Field("request_http_ver", Kind.TOKEN, "version of the request line: 1.1, 2.0"),
    Field("url_path", Kind.TEXT, "path, percent-decoded", ("%U",), ("$uri", "$document_uri")),
    Field("query_string", Kind.TEXT, "query; Apache writes it with its '?'", ("%q",), ("$args", "$query_string")),
    Field("protocol", Kind.TOKEN, "HTTP/1.1, HTTP/2.0", ("%H",), ("$server_protocol",)),
    Field("request_body", Kind.TEXT, "body of the request", (), ("$request_body",)),
    Field("request_id", Kind.TOKEN, "32 random hex digits of nginx", (), ("$request_id",)),
    Field("req_id", Kind.TOKEN, "ingress-nginx's id of the request", (), ("$req_id",)),
    Field("bytes_rx", Kind.INTEGER, "bytes received with headers", ("%I",), ("$request_length",), "bytes"),
    # who asked
    Field("remote_host", Kind.ADDRESS, "the peer: address, or name with HostnameLookups", ("%h",),
          ("$remote_addr", "$the_real_ip")),
    Field("remote_ip", Kind.ADDRESS, "the client's address, as mod_remoteip sees it", ("%a",)),
    Field("peer_ip", Kind.ADDRESS, "address of the connection's peer", ("%{c}a", "%{c}h"), ("$realip_remote_addr",)),
    Field("remote_port", Kind.INTEGER, "port of the peer", ("%{remote}p",), ("$remote_port",)),
    Field("remote_logname", Kind.TOKEN, "name from identd, nearly always absent", ("%l",)),
    Field("remote_user", Kind.TEXT, "authenticated user", ("%u",), ("$remote_user",)),
    Field("proxy_add_x_forwarded_for", Kind.LIST, "X-Forwarded-For and the peer", (), ("$proxy_add_x_forwarded_for",)),
    Field("proxy_protocol_addr", Kind.ADDRESS, "client address from the PROXY protocol", (), ("$proxy_protocol_addr",)),
    # what was answered
    Field("status", Kind.STATUS, "final status; an event has 0 where no answer was sent", ("%>s", "%s"), ("$status",)),
    Field("status_original", Kind.STATUS, "status before an internal redirect, where both are logged", ("%s", "%<s")),
    Field("response_bytes_clf", Kind.INTEGER, "body bytes sent; '-' for none", ("%b",), ("$body_bytes_sent",), "bytes"),
    Field("response_bytes", Kind.INTEGER, "body bytes sent; 0 for none", ("%B",), (), "bytes"),
    Field("bytes_tx", Kind.INTEGER, "bytes sent with headers", ("%O",), ("$bytes_sent",), "bytes"),
    Field("bytes_total", Kind.INTEGER, "bytes received and sent with headers", ("%S",), (), "bytes"),
    Field("gzip_ratio", Kind.NUMBER, "achieved compression ratio", (), ("$gzip_ratio",)),
    Field("handler", Kind.TOKEN, "handler that made the response", ("%R",)),
    Field("filename", Kind.TEXT, "file that was served", ("%f",), ("$request_filename",)),
    Field("conn_status", Kind.TOKEN, "X aborted, + kept alive, - closed", ("%X",)),
    Field("request_completion", Kind.TOKEN, "OK if the request completed", (), ("$request_completion",)),
    # when, and how long
    Field("time_received", Kind.TIME_CLF, "Apache: start of the request; nginx: its end", ("%t",), ("$time_local",)),
    Field("time_iso8601", Kind.TIME_ISO, "end of the request", (), ("$time_iso8601",)),
    Field("msec", Kind.EPOCH_S, "end of the request, with milliseconds", (), ("$msec",), "s"),
    Field("time_sec", Kind.EPOCH_S, "start of the request", ("%{sec}t",), (), "s"),
    Field("time_msec", Kind.EPOCH_MS, "start of the request", ("%{msec}t",), (), "ms"),
    Field("time_usec", Kind.EPOCH_US, "start of the request", ("%{usec}t",), (), "us"),
    Field("time_end_received", Kind.TIME, "end of the request", ("%{end:…}t",)),
    Field("time_s", Kind.DURATION_S, "time taken", ("%T", "%{s}T"), ("$request_time",), "s"),
    Field("time_ms", Kind.DURATION_MS, "time taken", ("%{ms}T",), (), "ms"),
    Field("time_us", Kind.DURATION_US, "time taken", ("%D", "%{us}T"), (), "us"),
    Field("first_byte_us", Kind.DURATION_US, "time to the first byte (LogIOTrackTTFB)", ("%^FB",), (), "us"),
    # who answered
    Field("server_name", Kind.TOKEN, "canonical name of the virtual host", ("%v",), ("$server_name",)),
    Field("server_name2", Kind.TOKEN, "name by UseCanonicalName", ("%V",)),
    Field("server_port", Kind.INTEGER, "port of the server", ("%p", "%{canonical}p"), ("$server_port",)),
    Field("server_port_local", Kind.INTEGER, "the connection's own port", ("%{local}p",)),
    Field("local_ip", Kind.ADDRESS, "address that accepted the request", ("%A",), ("$server_addr",)),
    Field("hostname", Kind.TOKEN, "name of the machine", (), ("$hostname",)),
    Field("https", Kind.TOKEN, "'on' over TLS, else empty", (), ("$https",)),
    Field("pid", Kind.INTEGER, "process", ("%P", "%{pid}P"), ("$pid",)),
    Field("pid_tid", Kind.INTEGER, "thread", ("%{tid}P",)),
    Field("pid_hextid", Kind.TOKEN, "thread, in hex", ("%{hextid}P",)),
    Field("num_keepalives", Kind.INTEGER, "requests before this one on the connection", ("%k",)),
    Field("connection", Kind.INTEGER, "number of the connection", (), ("$connection",)),
    Field("connection_requests", Kind.INTEGER, "requests so far on the connection", (), ("$connection_requests",)),
    Field("connection_time", Kind.DURATION_S, "age of the connection", (), ("$connection_time",), "s"),
    Field("pipe", Kind.TOKEN, "p if pipelined", (), ("$pipe",)),
    Field("log_id", Kind.TOKEN, "id that the error log shares", ("%L",)),
    # behind the proxy
    Field("upstream_addr", Kind.LIST, "each upstream tried", (), ("$upstream_addr",)),
    Field("upstream_status", Kind.LIST, "status of each upstream", (), ("$upstream_status",)),
    Field("upstream_response_time", Kind.LIST, "time of each upstream", (), ("$upstream_response_time",), "s"),
    Field("upstream_connect_time", Kind.LIST, "connect time of each upstream", (), ("$upstream_connect_time",), "s"),
    Field("upstream_header_time", Kind.LIST, "time to headers of each upstream", (), ("$upstream_header_time",), "s"),
    Field("upstream_response_length", Kind.LIST, "bytes of each body", (), ("$upstream_response_length",), "bytes"),
    Field("upstream_bytes_received", Kind.LIST, "bytes from each upstream", (), ("$upstream_bytes_received",), "bytes"),
    Field("upstream_bytes_sent", Kind.LIST, "bytes to each upstream", (), ("$upstream_bytes_sent",), "bytes"),
    Field("upstream_cache_status", Kind.TOKEN, "HIT, MISS, …", (), ("$upstream_cache_status",)),
    Field("proxy_upstream_name", Kind.TOKEN, "upstream of ingress-nginx", (), ("$proxy_upstream_name",)),
    Field("proxy_alternative_upstream_name", Kind.TOKEN, "canary upstream", (), ("$proxy_alternative_upstream_name",)),
    Field("upstream_duration_ms", Kind.DURATION_MS, "time of the upstream", (), (), "ms"),
    Field("upstream_duration_ns", Kind.DURATION_NS, "time of the upstream", (), (), "ns"),
    Field("duration_ns", Kind.DURATION_NS, "time taken", (), (), "ns"),
    # TLS
    Field("ssl_protocol", Kind.TOKEN, "TLSv1.3", (), ("$ssl_protocol",)),
    Field("ssl_cipher", Kind.TOKEN, "cipher", (), ("$ssl_cipher",)),
    Field("ssl_server_name", Kind.TOKEN, "name asked for by SNI", (), ("$ssl_server_name",)),
    # made for every format
    Field("start_time", Kind.TIME, "start of the request: logged, or end less duration", derived=True),
    Field("end_time", Kind.TIME, "end of the request: logged, or start plus duration", derived=True),
    Field("method", Kind.TOKEN, "method of the request", ("%m",), derived=True),
    Field("target", Kind.TEXT, "path and query as logged, starts with '/'", derived=True),
    Field("path", Kind.TEXT, "target up to its '?'", derived=True),
    Field("query", Kind.TEXT, "target after its '?'", derived=True),
    Field("scheme", Kind.TOKEN, "http or https", (), ("$scheme",), derived=True),
    Field("host", Kind.TOKEN, "host of the request", (), ("$host",), derived=True),
    Field("client_ip", Kind.ADDRESS, "the peer, or the rightmost untrusted address of client_ip_header", derived=True),
    Field("duration", Kind.DURATION_S, "time taken", (), (), "s", derived=True),
    Field("origin", Kind.TEXT, "label of the host that wrote the log", derived=True),
    Field("source", Kind.TEXT, "name of the source", derived=True),
    Field("file", Kind.TEXT, "path of the log file", derived=True),
)  # fmt: skip

FIELDS: Mapping[str, Field] = MappingProxyType({field.name: field for field in _TABLE})

FAMILIES = (
    Family("request_header_", "a header of the request", "%{NAME}i", "$http_NAME", ("http_",)),
    Family("response_header_", "a header of the response", "%{NAME}o", "$sent_http_NAME", ("sent_http_",)),
    Family("request_trailer_", "a trailer of the request", "%{NAME}^ti"),
    Family("response_trailer_", "a trailer of the response", "%{NAME}^to", "$sent_trailer_NAME", ("sent_trailer_",)),
    Family("cookie_", "a cookie of the request", "%{NAME}C", "$cookie_NAME"),
    Family("arg_", "a parameter of the query", "", "$arg_NAME"),
    Family("env_", "an environment variable", "%{NAME}e"),
    Family("note_", "a note of an Apache module", "%{NAME}n"),
    Family("extension_", "a value of an Apache module, such as mod_ssl", "%{NAME}x"),
    Family("upstream_http_", "a header of the upstream's response", "", "$upstream_http_NAME"),
    Family("upstream_cookie_", "a cookie set by the upstream", "", "$upstream_cookie_NAME"),
)

_LISTS = frozenset({"request_header_x_forwarded_for", "request_header_forwarded"})  # a proxy appends `, address`
_ALIASES = MappingProxyType(
    {spelling[1:]: field.name for field in FIELDS.values() for spelling in field.nginx}
    | {"content_type": "request_header_content_type", "content_length": "request_header_content_length"}
)


def canonical(name: str) -> str | None:
    """The vocabulary's name for `name` (itself, an nginx variable without '$', a member of a family); None: unknown."""
    if name in FIELDS:
        return name
    lowered = name.lower().replace("-", "_")
    if lowered in FIELDS:
        return lowered
    if lowered in _ALIASES:
        return _ALIASES[lowered]
    for family in FAMILIES:
        for prefix in (family.prefix, *family.aliases):
            if lowered.startswith(prefix) and len(lowered) > len(prefix):
                return family.prefix + lowered[len(prefix) :]
    return None


def lookup(name: str) -> Field | None:
    """The field of a canonical name, also of a member of a family; None: there is no such name."""
    if name in FIELDS:
        return FIELDS[name]
    for family in FAMILIES:
        if name.startswith(family.prefix) and len(name) > len(family.prefix):
            rest = name[len(family.prefix) :]
            kind = Kind.LIST if name in _LISTS else Kind.TEXT
            return Field(name, kind, family.meaning, _spell(family.apache, rest), _spell(family.nginx, rest))
    return None


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, for 'did you mean'; None if none is near."""
    from difflib import get_close_matches  # loaded only for mistakes

    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(candidate.lower().replace("-", "_"), candidate)
    wanted = name.lower().replace("-", "_")
    close = [wanted] if wanted in folded else get_close_matches(wanted, folded, 1, 0.6)
    return folded[close[0]] if close else None


def suggestion(name: str) -> str | None:
    """The known spelling (a vocabulary name or an nginx variable) most like an unknown field name."""
    return closest(name, [*FIELDS, *_ALIASES, "request_header_user_agent", "request_header_referer", "http_user_agent"])


def _spell(pattern: str, rest: str) -> tuple[str, ...]:
    if not pattern:
        return ()
    shown = rest if pattern.startswith("$") else "-".join(part.capitalize() for part in rest.split("_"))
    return (pattern.replace("NAME", shown),)
