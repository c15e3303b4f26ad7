"""What single values of an event become: targets, hosts, addresses, numbers, bodies, ids.

Every function takes decoded texts and gives a text. They are pure: what they give is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from urllib.parse import quote, unquote_plus

from logship import digits
from logship.kernel.values import SECRET_HEADERS, text_of
from logship.patterns import deferred

NO_ADDRESS = "0.0.0.0"  # noqa: S104 -- stands for "no usable address", nothing listens on it
UNKNOWN_METHOD = "UNKNOWN"
QUERY_SIGNS = "=&;%+?/:@!$'()*,~"  # that stay in the query of a target that is no path

_ABSOLUTE = deferred(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_NO_HOST = deferred(r"[\s*^$+?(){}|\\]")  # blanks and patterns
_IN_PATH = "/:@!$&'()*+,;="  # beside letters, digits and -._~; RFC 3986, 3.3
_UUID_HEX = deferred(r"[0-9a-fA-F]{32}\Z")
_UUID = deferred(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_INTEGER = deferred(r"-?[0-9]{1,300}\Z")
_NUMBER = deferred(r"-?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?\Z")
_PERCENT_ENCODED = [quote(bytes([code]), safe="/").rjust(3, "\0").encode() for code in range(0x100)]  # `%XX`, `\0\0x`
_PERCENT, _HIGH, _LOW = map(bytes, zip(*_PERCENT_ENCODED, strict=True))  # tables of a byte's three places
MAPPED = "::ffff:"  # a server that listens on IPv6 logs IPv4 so, and says so
_DURATION = deferred(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|ms|s|m|h|d)\Z")
_SIZE = deferred(r"(?i)([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb|kib|mib|gib)\Z")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def target(text: str) -> str:
    """What follows the authority, always with a leading '/'.

    Source: RFC 9112, 3.2: origin-form, absolute-form, authority-form, asterisk-form.
    """
    if text.startswith("/"):
        return text
    absolute = _ABSOLUTE.match(text)
    if absolute:
        rest = text[absolute.end() :]
        return rest if rest.startswith("/") else f"/{rest}"
    if text == "*":
        return "/*"
    path, mark, query = text.partition("?")  # what is redacted of a query must be found in it
    return "/" + percent_encoded(path) + mark + quote(query, safe=QUERY_SIGNS) if text and text != "-" else "/"


def percent_encoded(text: str) -> str:
    """The UTF-8 of the text with everything percent-encoded but the slash and what RFC 3986 calls unreserved.

    Each byte gets three places, filled by one table each; what an unreserved byte leaves unused is taken out again.
    urllib's quote() takes five to fifteen times as long, a table of one text a byte three times: 2.5 ms for 64 KiB.
    """
    raw = text.encode("utf-8", "replace")
    places = bytearray(3 * len(raw))
    places[::3] = raw.translate(_PERCENT)
    places[1::3] = raw.translate(_HIGH)
    places[2::3] = raw.translate(_LOW)
    return places.translate(None, b"\0").decode("ascii")


def encoded_path(text: str) -> str:
    """The target that a decoded path was: what a URI can't hold as it is, percent-encoded again."""
    return quote(text, safe=_IN_PATH, errors="replace") if text.startswith("/") else target(text)


def host_of_url(url: str) -> str:
    """The host of an absolute URI, '' for all others; user information and a default port are left out."""
    absolute = _ABSOLUTE.match(url)
    return host_name(absolute[1].rpartition("@")[2]) if absolute else ""


def scheme_of_url(url: str) -> str:
    """The scheme of an absolute URI, '' for all others and for schemes that are not HTTP's."""
    absolute = _ABSOLUTE.match(url)
    return scheme_word(url.partition(":")[0]) if absolute else ""


def joined_target(path: str, query: str) -> str:
    """A target and the query that was logged apart from it; Apache writes it with its '?'."""
    if query in ("", "-", "?"):
        return target(path)
    return target(path) + (query if query.startswith("?") else f"?{query}")


def joined_path(path: str, query: str) -> str:
    """The same with a decoded path."""
    return joined_target(encoded_path(path), query)


def without_default_port(host: str) -> str:
    """The host without :80 and :443."""
    return host.removesuffix(":443").removesuffix(":80") if host.endswith((":443", ":80")) else host


def host_name(text: str) -> str:
    """The host that a log names, in lower case; '' where it names none, or nginx's patterns: `~^www`, `*.x`, `.x`."""
    host = without_default_port(text.lower())
    return "" if host in ("", "-", "_") or host[0] in "~." or _NO_HOST.search(host) else host


def host_with_port(text: str, port: str) -> str:
    """The same with its port where that is neither 80 nor 443 nor already there."""
    host = host_name(text)
    if not host or port in ("80", "443", "-", "", "0") or ":" in host.rpartition("]")[2] or not port.isdigit():
        return host
    return f"{host}:{port}"


def scheme_of_port(port: str) -> str:
    return {"443": "https", "80": "http"}.get(port, "")


def scheme_of_https(text: str) -> str:
    """Of nginx's $https, which is `on` or empty."""
    return "https" if text == "on" else "http"


def scheme_word(text: str) -> str:
    """The scheme that X-Forwarded-Proto names, '' for any other word."""
    word = text.split(",")[0].strip().lower()
    return word if word in ("http", "https") else ""


def address(text: str) -> str:
    """The IP address of a value that may have a port, brackets or a zone; NO_ADDRESS for names and `unix:`."""
    text = text.strip()
    found = _address(text)
    if found is None and text.startswith("["):
        found = _address(text[1:].partition("]")[0])
    if found is None and text.count(":") == 1:
        found = _address(text.partition(":")[0])
    if found is None and "%" in text:
        found = _address(text.partition("%")[0])
    return NO_ADDRESS if found is None else found


def _address(text: str) -> str | None:
    if "\0" in text or len(text) > 45:
        return None
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, text)) if "." in text and ":" not in text else _address6(text)
    except (OSError, ValueError):
        return None


def _address6(text: str) -> str:
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, text))


def unmapped(found: str) -> str:
    """The IPv4 address that address() gave as `::ffff:192.0.2.1`, for what asks where it lies; any other as it is."""
    return found.removeprefix(MAPPED) if "." in found else found


def number_json(text: str) -> str:
    """A JSON number, or a JSON string where the text is none."""
    if _INTEGER.match(text):
        return str(int(text))
    if _NUMBER.match(text):
        number = float(text)
        if number - number == 0:  # neither infinite nor NaN
            return repr(number)
    return quoted(text)


def status_json(text: str) -> str:
    """A status as an integer; 0 where the log knows none."""
    return str(int(text)) if len(text) <= 6 and text.isascii() and text.isdigit() else "0"


def number(text: str) -> float | None:
    """The text as a number, None where it is none."""
    return float(text) if _NUMBER.match(text) else None


def transaction_id(text: str) -> str:
    """The UUID that a logged id is, `` where it is none."""
    if _UUID.match(text):
        return text.lower()
    if _UUID_HEX.match(text):
        text = text.lower()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return ""


def parameter(name: str) -> Callable[[str], str]:
    """A function from a query (with or without its '?') to the first value of a parameter, decoded; '' for none.

    Names compare decoded, in any case, and `-` like `_`: a field's name has no others.
    """
    wanted = name.lower().replace("-", "_")

    def read(query: str) -> str:
        for pair in query.removeprefix("?").split("&"):
            key, _, value = pair.partition("=")
            if unquote_plus(key).lower().replace("-", "_") == wanted:
                return unquote_plus(value)
        return ""

    return read


def cookie(name: str) -> Callable[[str], str]:
    """A function from a Cookie header to the first cookie of a name; '' for none. Source: RFC 6265, 4.2."""
    wanted = name.lower().replace("-", "_")

    def read(header: str) -> str:
        for pair in header.split(";"):
            key, _, value = pair.strip().partition("=")
            if key.lower().replace("-", "_") == wanted:
                return value.strip('"')
        return ""

    return read


def headers_object(cover: Callable[[str, str], str]) -> Callable[[str], str]:
    """A function from a logged object of headers to one of texts, without credentials.

    Shapes: `cover` gives what is sent of a header's name and text.
    """

    def written(text: str) -> str:
        try:
            value = digits.loads(text)
        except ValueError:
            return "{}"
        members = []
        for name, content in value.items() if isinstance(value, dict) else ():
            plain = name.lower().replace("_", "-")
            if plain in SECRET_HEADERS or content is None:
                continue
            shown = ", ".join(map(text_of, content)) if isinstance(content, list) else text_of(content)
            members.append(f"{quoted(name)}:{quoted(cover(name, shown))}")
        return f"{{{','.join(members)}}}"

    return written


def seen_part(part: str, whole: str) -> str:
    """A part of a text, redacted where the text does not show it."""
    return part if part in whole else "[redacted]"


def no_object(text: str) -> str:
    """The text; '' for a JSON object or array, which is nobody's id."""
    if text[:1] not in ("{", "["):
        return text
    try:
        digits.loads(text)
    except ValueError:
        return text
    return ""


def quantity(text: str) -> float | None:
    """A number with an optional unit of time (in seconds) or size (in bytes); None: it is none."""
    match = _DURATION.match(text)
    return float(match[1]) * _SECONDS[match[2]] if match else size(text)


def size(text: str) -> float | None:
    """Bytes; None: it is no size."""
    match = _SIZE.match(text)
    return float(match[1]) * _BYTES[match[2].lower()] if match else number(text)
