"""What a field's text can be: a line whose values are none of it does not fit, as its columns are others."""

from __future__ import annotations

import re
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_pton

from logship.fields import Kind
from logship.formats.request_line import is_method
from logship.formats.slot import Slot
from logship.kernel.assembler import Assembler
from logship.kernel.program import Function, Known, Op
from logship.patterns import deferred
from logship.records import record

_ADDRESS = deferred(r"(?:\[(?P<inside>[0-9A-Fa-f:.]+)(?:%[\w.-]+)?\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
_BARE_SIX = deferred(r"(?P<six>[0-9A-Fa-f:.]+)(?:%[\w.-]+)?", re.ASCII)
_NAME = deferred(r"""(?=.*[^\W\d_]|[0-9]+(?:\.[0-9]+){3}\Z)[^\s"':/,;=\[\](){}<>|\\]+""")
_WHOLE = deferred(r"[0-9]{1,19}(?:\.0*)?")
_FRACTION = deferred(r"[0-9]{1,10}\.[0-9]{1,10}(?:[eE]-?[0-9]{1,2})?")
_WITH_UNIT = deferred(r"(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m(?!s))?[0-9]{1,19}(?:\.[0-9]{1,9})?(?:s|ms|us|µs|μs|ns)")
_RATIO = deferred(r"[0-9]{1,9}\.[0-9]{1,2}")  # nginx writes two digits; a time taken has three
_STATUS = deferred(r"000|[1-9][0-9]{2}|0")
_UPSTREAM = (
    r"""unix:[^ ]*|[^ ,/\[\]"]*[^\W\d_][^ ,/\[\]"]*|\[[0-9A-Fa-f:.]+\]:[0-9]+|[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?"""
)
_SPACELESS = frozenset({"request_url", "query_string"})
_PORT = deferred(r"^[0-9.]+:|\]:")
_HOST_NAME = deferred(r"""(?=.*[^\W\d_])[^\s"'/,;=\[\](){}<>|\\]{1,255}""")
_FORWARDED = deferred(r"(?=.*[^\W\d]|\Z)[^\s:/,\[\]]*")
_CLOCK = deferred(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")
_FULL_NAME = deferred(r"[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}(?::[0-9]+)?")
_FIGURE = deferred(r"[0-9]+(?:\.[0-9]+)?")
LONGEST = 255  # of an address or a name; a longer one is none


@record
class Meaning:
    """Shapes: `holds` tells of a decoded text that is not empty whether it can be a field's value."""

    words: str  # for messages: what it is
    holds: Callable[[str], bool]
    known: Known = Known.NOTHING

    def emit(self, assembler: Assembler, register: int) -> None:
        """Hands a line back whose text in the register is none of this."""

        def kept(text: str) -> str | None:
            return text if self.holds(text) else None

        function = assembler.function(self.words, lambda: Function(self.words, kept, self.known))
        assembler.emit(Op.CHECK, function, register)


def meaning_of(slot: Slot, *, is_free: bool = False, is_enclosed: bool = False) -> Meaning | None:
    """What the field can be, where the text of its kind could be more; None: any text.

    `is_free`: no line pattern has looked at the text, so that even a number may be anything. `is_enclosed`: quotes or
    JSON say where the text begins and ends, so that it holds no other column.
    """
    own = None if is_enclosed and slot.field in _ONLY_OPEN else _BY_FIELD.get(slot.field)
    own = own or _BY_KIND.get(slot.kind)
    return own or (_BY_FREE_KIND.get(slot.kind) if is_free else None)


def is_address(text: str) -> bool:
    """Whether it is an IP address; a zone, brackets and a port may be there."""
    if len(text) > LONGEST:
        return False
    bare = _BARE_SIX.fullmatch(text)
    if bare is not None and _is_ip(bare["six"]):
        return True
    found = _ADDRESS.fullmatch(text)
    return found is not None and _is_ip(found["inside"] or found["four"])


def _is_ip(text: str) -> bool:
    try:
        inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except OSError:
        return False
    return True


def _is_peer(text: str) -> bool:
    """An address or a name, as servers write their peers: `unix:` with or without a path, no number, no time."""
    if len(text) > LONGEST:
        return text.startswith("unix:")
    return _NAME.fullmatch(text) is not None or is_address(text) or text.startswith("unix:")


def _is_user(text: str) -> bool:
    """A name may hold blanks; an address, a time, and among others a host or a lone `-`, are another column's."""
    words = text.split(" ")
    if any(is_address(word) or _CLOCK.search(word) for word in words):
        return False
    return len(words) == 1 or not any(word == "-" or _is_full_name(word) for word in words)


def _is_full_name(text: str) -> bool:
    """Whether it is a host's name with its domain."""
    return _FULL_NAME.fullmatch(text) is not None


def may_hold_blanks(field: str, text: str) -> bool:
    """Whether the text, between two blanks, is one value with blanks in it rather than several columns.

    A URI has none. Headers may; of other values nobody knows, so that nothing stands there which columns hold.
    """
    words = text.split(" ")
    if is_prose(field):
        return "-" not in words
    return field not in _SPACELESS and not any(
        word == "-" or _FIGURE.fullmatch(word) or is_address(word) for word in words
    )


def is_prose(field: str) -> bool:
    """Whether people or programs write it with blanks."""
    return field == "remote_user" or field.startswith(("request_header_", "response_header_"))


def _items(item: str, words: str, known: Known = Known.NOTHING) -> Meaning:
    """What nginx lists of each upstream: `a, b : c`, each of them `-` where there is none."""
    pattern = re.compile(rf"(?:{item}|-|)(?:(?:,| :) (?:{item}|-|))*", re.ASCII)
    return Meaning(words, lambda text: pattern.fullmatch(text) is not None, known)


def _is_no_address(text: str) -> bool:
    return not is_address(text)


def are_forwarded(text: str) -> bool:
    """Addresses, or words by which proxies and clients hide them."""
    return all(_FORWARDED.fullmatch(item) or is_address(item) for item in text.split(", ", 100))


def _is_bare_address(text: str) -> bool:
    """Not an address with a port; what is none at all is refused elsewhere."""
    return not is_address(text) or _PORT.search(text) is None


def _is_host_name(text: str) -> bool:
    """A name with or without a port; no address, which a `host` may be of the client, and no JSON word."""
    return text not in {"true", "false"} and _HOST_NAME.fullmatch(text) is not None and not is_address(text)


def _is_server(text: str) -> bool:
    """A name or address, `_`, or nginx's pattern; no time, number, path or list item, which others write there."""
    return text in {"_", "*"} or text.startswith("~") or (not text.startswith("unix:") and _is_peer(text))


def _is_method(text: str) -> bool:
    """Alone in its column it has no dot: that is a host, of a line with one column more or less."""
    return "." not in text and is_method(text)


def _is_with_unit(text: str) -> bool:
    """Seconds with a fraction, or a duration that names its unit."""
    return len(text) <= 64 and (_FRACTION.fullmatch(text) or _WITH_UNIT.fullmatch(text)) is not None


def _in(pattern: re.Pattern[str], longest: int = 64) -> Callable[[str], bool]:
    return lambda text: len(text) <= longest and pattern.fullmatch(text) is not None


_PEER = Meaning("an address or a host name", _is_peer, Known.PEER)
_METHOD = Meaning("a method", _is_method)
_BY_FIELD = {
    "remote_user": Meaning("a user", _is_user, Known.USER),
    "remote_logname": Meaning("the name from identd", _is_no_address),
    "server_name": Meaning("a server's name", _is_server),
    "server_name2": Meaning("a server's name", _is_server),
    "scheme": Meaning("http or https", {"http", "https", "HTTP", "HTTPS"}.__contains__),
    "request_method": _METHOD,
    "method": _METHOD,
    "gzip_ratio": Meaning("a ratio such as 2.75", _in(_RATIO)),
    "request_header_x_forwarded_for": Meaning("addresses", are_forwarded, Known.PEER),
    "upstream_addr": _items(_UPSTREAM, "addresses of upstreams"),
    "upstream_status": _items("[1-9][0-9]{2}|000", "statuses of upstreams", Known.STATUS),
    "upstream_response_length": _items("[0-9]+", "numbers of bytes", Known.NUMBER),
    "upstream_bytes_received": _items("[0-9]+", "numbers of bytes", Known.NUMBER),
    "upstream_bytes_sent": _items("[0-9]+", "numbers of bytes", Known.NUMBER),
    "upstream_response_time": _items(r"[0-9]+\.[0-9]+", "times of upstreams", Known.FRACTION),
    "upstream_connect_time": _items(r"[0-9]+\.[0-9]+", "times of upstreams", Known.FRACTION),
    "upstream_header_time": _items(r"[0-9]+\.[0-9]+", "times of upstreams", Known.FRACTION),
}
ONLY_IF = {
    "address": Meaning("an address", is_address, Known.ADDRESS),
    "name": Meaning("a host name", _is_host_name),
    "no flag": Meaning("a name", lambda text: text not in {"true", "false"}),
    "host": Meaning("a host", lambda text: is_address(text) or _is_host_name(text)),
    "bare address": Meaning("an address without a port", _is_bare_address, Known.ADDRESS),
    "fraction": Meaning("seconds with a fraction, or a unit", _is_with_unit, Known.FRACTION),
}
_ENCLOSED = frozenset({"server_name", "server_name2", "scheme", "request_method", "method", "gzip_ratio"})
_ONLY_OPEN = _BY_FIELD.keys() - _ENCLOSED
_BY_KIND = {Kind.ADDRESS: _PEER}
_BY_FREE_KIND = {
    Kind.STATUS: Meaning("a status", _in(_STATUS), Known.STATUS),
    Kind.INTEGER: Meaning("a whole number", _in(_WHOLE), Known.NUMBER),
}
