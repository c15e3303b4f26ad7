"""Matchers that can never hold, because their field never looks like that; what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from logship.errors import Location, MappingError
from logship.fields import Kind, canonical, lookup
from logship.kernel.values import text_of
from logship.mapping import proxies, values
from logship.mapping.matchers import literal_prefix
from logship.mapping.values import quantity
from logship.patterns import deferred

Said = tuple[str, str]  # what is wrong, what to write

_DURATIONS = frozenset({Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})
_NUMBERS = _DURATIONS | {Kind.INTEGER, Kind.NUMBER, Kind.STATUS}
_METHODS = frozenset({"method", "request_method"})
_PATHS = frozenset({"path", "target"})
_TEXTS = _METHODS | _PATHS | {"query", "scheme", "host", "request_header_user_agent", "request_header_referer"}
_HEADERS = frozenset({"request_header_user_agent", "request_header_referer", "remote_user"})
_SLASHED = deferred(r"/(\^.*|.*\$)/[a-z]*\Z")
_SEVERAL = deferred(r"[^\s,;|]+(?:\s*[,;|]\s*|\s+)(?:[A-Z]{3,}|/|[a-z0-9.-]+\.)")
_COMPARED = deferred(r"\s*(>=?|<=?|=>|=<)\s*(\S+)\s*\Z")
_SPAN = deferred(r"\s*([0-9.]+\s*[A-Za-z]*)\s*(?:-|\.\.\.?)\s*([0-9.]+\s*[A-Za-z]*)\s*\Z")
_STATUS = deferred(r"[1-9](?:[0-9]{2}|xx)\Z")
_STATUS_CLASS = deferred(r"([1-5])(?:[xX*]{1,2}|[0-9][xX*])\Z")
_ALWAYS = frozenset({"target", "path", "scheme", "host", "client_ip", "origin", "source", "file", "start_time"})
_EVERYTHING = frozenset({"", ".*", "^.*$", "^.*", ".*$", "^", "$", "(.*)", "^(.*)$"})
_ONE_CASE = {"host": str.lower, "scheme": str.lower, "method": str.upper, "request_method": str.upper}
_ESCAPED = deferred(r"\\.|\[\^?\]?[^\]]*\]|\(\?[^)]*?[:)>]")  # classes and flags, too: no letters of the text itself
_UNREACHED = deferred(r"[^(|^]\^|\$[^)|$]")  # `a^`, `$a`
_FLAGS = deferred(r"\(\?[a-zA-Z]*[ims]")
FIRST_STATUS, LAST_STATUS = 100, 999
LEAST_S = 100  # a bare limit of a duration from here on is surely meant in milliseconds


def never(name: str, tree: object, location: Location) -> Iterator[MappingError]:
    """What can never hold in the matcher of a field as a person named it, wherever in it."""
    known = canonical(name) or name
    field = lookup(known)
    kind = field.kind if field is not None else Kind.TEXT
    yield from _walk(known, kind, tree, location)


def _walk(name: str, kind: Kind, tree: object, location: Location) -> Iterator[MappingError]:
    if isinstance(tree, list):
        for index, one in enumerate(tree):
            yield from _walk(name, kind, one, (*location, index))
    elif isinstance(tree, dict):
        for key, below in tree.items():
            if key == "not":
                yield from _walk(name, kind, below, (*location, key))
            elif (said := _KEYS.get(str(key), _nothing)(name, kind, below)) is not None:
                yield MappingError(said[0], location=(*location, key), hint=said[1])
        yield from _limits(kind, tree, location)
        said = _together(name, tree)
        if said is not None:
            yield MappingError(said[0], location=location, hint=said[1])
    elif tree is not None:
        said = never_text(name, kind, text_of(tree))
        if said is not None:
            yield MappingError(said[0], location=location, hint=said[1])


def never_text(name: str, kind: Kind, text: str) -> Said | None:
    """Of an exact text."""
    if text == "-":
        return "'-' means an absent field", "write {absent: true}"
    if _SEVERAL.match(text) and (name in _METHODS | _PATHS or name in ("host", "scheme")):
        return f"'{text}' is one text here", f"write [{', '.join(re.split(r'[,;|]? +|[,;|]', text))}]"
    if name in _HEADERS and len(text) > 1 and (text[0] == "*" or text[-1] == "*"):
        pattern = ("" if text[0] == "*" else "^") + re.escape(text.strip("*")) + ("" if text[-1] == "*" else "$")
        return f"'{text}' is no pattern here", f"write {{matches: '{pattern}'}}"
    if kind in _NUMBERS:
        return _number(kind, text)
    if (kind is Kind.ADDRESS and name != "remote_host") or (name == "remote_host" and _is_network(text)):
        return _address(name, text)
    if name in _METHODS and text != text.upper():
        return f"no method is '{text}': methods have capital letters", f"write {text.upper()}"
    if name in _PATHS:
        return _path(name, text)
    if name == "file" and "/" not in text and text not in ("-", "stdin"):
        return f"no file is '{text}': it is a whole path", f"write {{matches: '/{re.escape(text)}$'}}"
    if name == "query" and text.startswith("?"):
        return f"no query begins with '?': '{text}'", f"write {text[1:]}"
    if name == "scheme" and text not in ("http", "https"):
        return f"no scheme is '{text}'", "write http or https"
    if name == "host":
        return _host(text)
    return None


def _number(kind: Kind, text: str) -> Said | None:
    if _STATUS.match(text) if kind is Kind.STATUS else values.number(text) is not None:
        return None
    what = {Kind.STATUS: "status"}.get(kind, "duration" if kind in _DURATIONS else "number")
    compared, span, wide = _COMPARED.match(text), _SPAN.match(text), _STATUS_CLASS.match(text)
    if wide and kind is Kind.STATUS:
        return f"no status is '{text}'", f"write {wide[1]}xx"
    if compared:
        limit = "min" if ">" in compared[1] else "max"
        return f"no {what} is '{text}'", f"write {{{limit}: {compared[2]}}}; the limit belongs to it"
    if span:
        return f"no {what} is '{text}'", f"write {{min: {span[1].strip()}, max: {span[2].strip()}}}"
    if kind is not Kind.STATUS and quantity(text) is not None:
        return f"no {what} is exactly '{text}'", f"write {{min: {text}}} or {{max: {text}}}"
    return f"no {what} is '{text}'", "write 404 or 4xx" if kind is Kind.STATUS else "write {min: 1s} or {max: 10kB}"


def _is_network(text: str) -> bool:
    return "/" in text and proxies.is_network(text)


def _address(name: str, text: str) -> Said | None:
    if values.address(text) == text or (name != "client_ip" and text.startswith("unix:")):
        return None
    if _is_network(text) or text == "private":
        return f"no address is '{text}'", f"write {{in: {text}}}"
    if "*" in text:
        return f"no address is '{text}'", "write a network: {in: 192.0.2.0/24}"
    close = values.address(text)
    return f"no address is '{text}'", f"write {close}" if close != values.NO_ADDRESS else "write 192.0.2.7"


def _path(name: str, text: str) -> Said | None:
    if text == "/*":
        return None  # of `OPTIONS *`
    if text[:1] == "^" or text[-1:] == "$" or ".*" in text:
        pattern = text if text[:1] == "^" else f"^{text}"
        return f"'{text}' is no pattern here", f"write {{matches: '{pattern}'}}"
    if "*" in text:
        begins, *_, ends = (re.escape(part).replace("\\/", "/").replace("\\-", "-") for part in text.split("*"))
        pattern = (f"^{begins}" if begins else "") + (".*" if begins and ends else "") + (f"{ends}$" if ends else "")
        remedy = f"write {{matches: '{pattern}'}}" if pattern else "leave it out: every path fits"
        return f"'{text}' is no pattern: it holds for a path with a star in it", remedy
    if text[:4] == "http":
        return f"no {name} is '{text}': it begins with '/'", f"write {values.target(text)}"
    if not text.startswith("/"):
        return f"no {name} is '{text}': it begins with '/'", f"write /{text}"
    if name == "path" and "?" in text:
        return f"no path is '{text}': the query is not in it", f"match target: {text}"
    return None


def _host(text: str) -> Said | None:
    if "://" in text or "/" in text:
        return f"no host is '{text}'", f"write {values.host_of_url(text).lower() or text.partition('/')[0].lower()}"
    if " " in text or text.endswith("."):
        return f"no host is '{text}'", f"write {text.strip('. ').replace(' ', '')}"
    if text.startswith("*."):
        pattern = re.escape(text[1:]).replace("\\-", "-")
        return f"no host is '{text}'", f"write {{matches: '{pattern}$'}}"
    if text != text.lower():
        return f"no host is '{text}': hosts are in lower case", f"write {text.lower()}"
    if "*" in text:
        pattern = re.escape(text).replace("\\*", ".*").replace("\\-", "-")
        return f"'{text}' is no pattern here", f"write {{matches: '^{pattern}$'}}"
    if text.endswith((":80", ":443")):
        return f"no host is '{text}': these two ports are left out", f"write {text.rpartition(':')[0]}"
    return None


def _nothing(name: str, kind: Kind, tree: object) -> Said | None:
    return None


def _matches(name: str, kind: Kind, tree: object) -> Said | None:
    if isinstance(tree, str) and (slashed := _SLASHED.match(tree)):
        return f"the slashes around '{tree}' are part of it", f"write '{slashed[1]}'"
    if isinstance(tree, str) and (said := _pattern(name, kind, tree)) is not None:
        return said
    prefix, _ = literal_prefix(tree) if isinstance(tree, str) else ("", "")
    if prefix and name in _PATHS and not prefix.startswith("/"):
        return f"no {name} begins with '{prefix}': it begins with '/'", f"write '^/{prefix}…'"
    if prefix and name in _METHODS and prefix != prefix.upper():
        return f"no method begins with '{prefix}'", f"write '^{prefix.upper()}…'"
    return None


def _pattern(name: str, kind: Kind, text: str) -> Said | None:
    """Of a pattern that fits no text of its field."""
    letters = _ESCAPED.sub("", text)
    if not _FLAGS.search(text):
        if _UNREACHED.search(_ESCAPED.sub("x", text)):
            return f"'{text}' fits nothing: ^ is the begin and $ the end", "write \\^ or \\$ for the signs themselves"
        change = _ONE_CASE.get(name)
        if change and letters != change(letters) and "|" not in letters:
            case = "capital" if change is str.upper else "small"
            return f"'{text}' fits no {name}: it has {case} letters only", f"write '{change(text)}'"
    if name == "path" and re.search(r"\\\?|\[\?\]", text):
        return f"'{text}' fits no path: the query is not in it", "match target, or $arg_… for a parameter"
    if name == "query" and re.match(r"\^(?:\\\?|\[\?\])", text):
        return f"no query begins with '?': '{text}'", "leave it out"
    if kind in _NUMBERS and re.fullmatch(r"\^?[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*\$?", text):
        return f"'{text}' fits no number", "write 5xx for 500 to 599" if kind is Kind.STATUS else "write {min: …}"
    return None


def _inside(name: str, kind: Kind, tree: object) -> Said | None:
    if tree == []:
        return "nothing is in an empty list", "list texts or networks"
    texts = [text_of(one) for one in (tree if isinstance(tree, list) else [tree])]
    networks = [text for text in texts if proxies.is_network(text)]
    if kind is Kind.ADDRESS:
        others = [text for text in texts if text not in networks]
        return (f"'{others[0]}' is no network", "write 192.0.2.0/24 or private") if others and not networks else None
    if kind not in _NUMBERS and networks and name in _TEXTS - {"host"}:
        return f"{name} is no address: '{networks[0]}' holds for none", "match client_ip"
    for text in texts:
        if (said := never_text(name, kind, text)) is not None:
            return said
    return None


def _limit(name: str, kind: Kind, tree: object) -> Said | None:
    if kind is Kind.ADDRESS or name in _TEXTS:
        return f"{name} is no number", "write {matches: …}, or a list"
    return None


def _limits(kind: Kind, tree: dict[str, object], location: Location) -> Iterator[MappingError]:
    limits = {key: quantity(text_of(tree[key])) for key in ("min", "max") if tree.get(key) is not None}
    least, most = limits.get("min"), limits.get("max")
    if least is not None and most is not None and least > most:
        said = f"nothing is at least {tree['min']} and at most {tree['max']}"
        yield MappingError(said, location=location, hint="swap min and max")
    if kind is Kind.STATUS and least is not None and least > LAST_STATUS:
        said = f"no status is {tree['min']} or more"
        yield MappingError(said, location=(*location, "min"), hint="write {min: 500} or 5xx")
    if most is not None and (most < 0 or (kind is Kind.STATUS and most < FIRST_STATUS)):
        what = "status" if kind is Kind.STATUS else "number here"
        said = f"no {what} is {tree['max']} or less"
        yield MappingError(said, location=(*location, "max"), hint="write {max: 499}" if what == "status" else "")


def _together(name: str, tree: dict[str, object]) -> Said | None:
    """Of tests that can't all hold."""
    absent = text_of(tree.get("absent", ""))
    others = [key for key in tree if key not in ("absent", "not")]
    if absent == "true" and others:
        return f"what is absent has nothing for '{others[0]}' to hold", f"leave out absent, or {others[0]}"
    if absent == "true" and name in _ALWAYS:
        return f"{name} is never absent", "leave it out"
    wanted, unwanted = _exact(tree.get("in")), _exact(tree.get("not"))
    if wanted and wanted <= unwanted:
        return "what must hold is what must not", "leave out one of them"
    refused = tree.get("not")
    if isinstance(refused, dict) and str(refused.get("matches")) in _EVERYTHING:
        return f"'{refused['matches']}' matches every text: not holds for none", "write {absent: true} for no text"
    return None


def _exact(tree: object) -> set[str]:
    """The texts of a scalar or of a list of them."""
    listed = tree if isinstance(tree, list) else [] if tree is None or isinstance(tree, dict) else [tree]
    return set() if any(isinstance(one, dict | list) for one in listed) else {text_of(one) for one in listed}


def bare_limits(name: str, tree: object, location: Location) -> Iterator[MappingError]:
    """Warnings of limits of a duration that have no unit and are surely not meant in seconds."""
    field = lookup(canonical(name) or name)
    if field is None or field.kind not in _DURATIONS or not isinstance(tree, dict):
        return
    for key in ("min", "max"):
        text = text_of(tree.get(key, ""))
        limit = values.number(text)
        if limit is not None and limit >= LEAST_S:
            said, hint = f"{text} is {text} seconds", f"write {text}ms, or {text}s to keep it"
            yield MappingError(said, location=(*location, key), hint=hint, severity="warning")


_KEYS: dict[str, Callable[[str, Kind, object], Said | None]] = {
    "matches": _matches,
    "in": _inside,
    "min": _limit,
    "max": _limit,
}
