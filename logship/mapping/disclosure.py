"""What in an event looks like a secret or personal data, where it stands, and the YAML that redacts it.

Found are values with a form of their own (tokens, keys, numbers with a check sum, addresses) anywhere, and values under
names that are given to secrets in queries, forms and JSON bodies. Values are never shown whole.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

import orjson

from logship.mapping.secret_forms import FORMS
from logship.patterns import deferred

MAX_TEXT = 65_536  # characters looked at in one value
MAX_LEAVES = 2_000  # values looked at in one event
MAX_DEPTH = 32
MAX_NESTED = 4  # values in values
MAX_NAME = 64  # characters of a parameter's name

REDACTED = "[redacted]"
_NAMES = deferred(  # of one step of a name, in lower case and with `_` between its words
    r"(?:.*_)?(?:new|old|current|confirm|user|my|login|db)?"
    r"(?:pass|password|passwd|passphrase|pwd|secret|client_?secret|token|access_?token|refresh_?token|"
    r"id_?token|auth_?token|csrf_?token|authorization|api_?key|access_?key|private_?key|"
    r"session_?id|jsessionid|phpsessid|otp|cvv|cvc|credentials?|signature|sig|jwt|saml_?response|ssn)"
    r"(?:_?(?:confirm(?:ation)?|repeat|again|new|old|hash|[0-9]{1,2}))?\Z"
)
_STEP = deferred(r"[^.\[\]]+")
_BETWEEN_WORDS = deferred(r"(?<=[a-z0-9])(?=[A-Z])|-")
_PATH_PARAMETER = deferred(r";([^;/=]{1,64})=([^;/]+)")  # RFC 3986, 3.3
_NO_SECRETS = frozenset(
    {"", "-", "0", "1", "true", "false", "null", "none", "undefined", "yes", "no", "on", "off", REDACTED}
)


class Disclosure(NamedTuple):
    """Shapes: `kind` a name in KINDS; `place` dotted keys of the event, with ` ?name` for a parameter of a query and
    ` path` for a URI's path; `shown` is masked; `remedy` is YAML below `redact:`, "" where only leaving it out helps.
    """

    kind: str
    place: str
    shown: str
    remedy: str


KINDS = tuple(dict.fromkeys(["value under a secret's name", *(form.kind for form in FORMS)]))
_NAMED = KINDS[0]


def disclosures(event: Mapping[str, object]) -> list[Disclosure]:
    """What was found in an event, each kind once a place."""
    found: dict[tuple[str, str], Disclosure] = {}
    for one in _in_event(event):
        found.setdefault((one.kind, one.place), one)
    return list(found.values())


def _in_event(event: Mapping[str, object]) -> Iterator[Disclosure]:
    for place, path, text in _leaves(event):
        if place == "transaction_id":
            continue
        if place == "request.uri" or path[-1].lower() in ("referer", "referrer", "location"):
            yield from _in_url(place, text)
        elif place in ("request.body", "response.body"):
            yield from _in_body_text(place, text)
        elif "body" in path[1:2] or (path[0] == "metadata" and len(path) > 2):
            yield from _below_body(place, path, text)
        else:
            if path[1:2] == ("headers",) and _secret(path[-1]) and text.lower() not in _NO_SECRETS:
                yield Disclosure(_NAMED, place, _masked(text), _remedy_of_place(path))
            for kind, shown in _forms(_decoded_percent(text), is_agent=path[-1].lower() == "user-agent"):
                yield Disclosure(kind, place, shown, _remedy_of_place(path))
            if path[0] == "metadata":
                yield from _inside(f"{place} ", text, "body", MAX_NESTED)


def _leaves(event: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Every text with its dotted place and its path; lists are no step of it."""
    todo: list[tuple[tuple[str, ...], object]] = [((), event)]
    left = MAX_LEAVES
    while todo and left:
        path, node = todo.pop()
        if isinstance(node, Mapping) and len(path) < MAX_DEPTH:
            todo += [((*path, str(key)), below) for key, below in node.items()]
        elif isinstance(node, list) and len(path) < MAX_DEPTH:
            todo += [(path, below) for below in node[:left]]
        elif isinstance(node, str | int) and not isinstance(node, bool) and path:
            left -= 1
            yield ".".join(path), path, str(node)[:MAX_TEXT]


def _remedy_of_place(path: tuple[str, ...]) -> str:
    if len(path) == 3 and path[1] == "headers":
        return f"headers: [{path[2]}]"
    return f"hash: [{path[0]}]" if path[0] in ("user_id", "company_id", "session_token") else ""


def _in_url(place: str, url: str) -> Iterator[Disclosure]:
    head, _, query = url.partition("?")
    for kind, shown in _forms(unquote(head)):
        yield Disclosure(kind, f"{place} path", shown, f"path: ['{_PATHS.get(kind, '([^/]{16,})')}']")
    for match in _PATH_PARAMETER.finditer(unquote(head)):
        if _secret(match[1]) and match[2].lower() not in _NO_SECRETS:
            name = _printable(match[1])
            pattern = re.escape(name).replace("'", "''")
            yield Disclosure(_NAMED, f"{place} ;{name}", _masked(match[2]), f"path: ['(?i);{pattern}=([^;/]+)']")
    query, _, fragment = query.partition("#")
    yield from _in_pairs(f"{place} ?", re.split("[&;?]", query), "query")
    for kind, shown in _forms(unquote(fragment)):
        yield Disclosure(kind, f"{place} #", shown, "")


_PATHS = {
    "e-mail address": "([^/]+(?:@|%40)[^/]+)",
    "card number": r"([0-9][0-9 -]{11,}[0-9])",
    "token (JWT)": r"(eyJ[^/]+)",
}


def _decoded_percent(text: str) -> str:
    return unquote(text) if "%" in text else text


def _inside(place: str, text: str, key: str, left: int) -> Iterator[Disclosure]:
    """What is under names in JSON, a form or a URL that is one value; `key` is that of `redact` which masks it."""
    if not left:
        return
    if text.lstrip()[:1] in ("{", "["):
        try:
            tree = orjson.loads(text.encode("utf-8", "replace"))
        except ValueError:
            return
        for _, path, leaf in _leaves({"": tree}):
            name = _printable(path[-1])
            secret = _secret(path[-1])
            if secret and leaf.lower() not in _NO_SECRETS:
                yield Disclosure(_NAMED, f"{place}{name}", _masked(leaf), f"{key}: [{_yaml(secret)}]")
            yield from _inside(f"{place}{name} ", leaf, key, left - 1)
    elif "=" in text and not re.search(r"[\s<>{}]", text):
        yield from _in_pairs(place, re.split("[&;?#]", text), key, left - 1)


def _in_pairs(place: str, pairs: Iterable[str], key: str, left: int = MAX_NESTED) -> Iterator[Disclosure]:
    for pair in pairs:
        name, _, value = pair.partition("=")
        name, value = _printable(unquote_plus(name)), unquote_plus(value)
        secret = _secret(name)
        remedy = f"{key}: [{_yaml(secret or name)}]"
        if secret and value.lower() not in _NO_SECRETS:
            yield Disclosure(_NAMED, f"{place}{name}", _masked(value), remedy)
        for kind, shown in _forms(unquote(value)):
            yield Disclosure(kind, f"{place}{name}", shown, remedy)
        yield from _inside(f"{place}{name} ", value, key, left)
        if not value:
            for kind, shown in _forms(name):
                yield Disclosure(kind, place.rstrip("?"), shown, "")


def _in_body_text(place: str, text: str) -> Iterator[Disclosure]:
    """A body that is one text: base64 of anything, or a JSON text."""
    with_base64 = _decoded(text)
    for shown in dict.fromkeys((text, with_base64)):
        if "=" in shown and not re.search(r"[\s<>{}]", shown):
            yield from _in_pairs(f"{place} ", shown.split("&"), "body")
        for kind, masked in _forms(shown):
            yield Disclosure(kind, place, masked, "")


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode("utf-8", "replace")
    except (Base64Error, ValueError):
        return text


def _below_body(place: str, path: tuple[str, ...], text: str) -> Iterator[Disclosure]:
    place, name = _printable(place), _printable(path[-1])
    remedy = f"body: [{_yaml(name)}]"
    if _secret(path[-1]) and text.lower() not in _NO_SECRETS:
        yield Disclosure(_NAMED, place, _masked(text), remedy)
    for kind, shown in _forms(_decoded_percent(text)):
        yield Disclosure(kind, place, shown, remedy)
    yield from _inside(f"{place} ", text, "body", MAX_NESTED)


def _secret(name: str) -> str:
    """The way to the first step of a name that is given to secrets, as redact.query takes it; '' for none."""
    steps = _STEP.findall(name) if len(name) <= MAX_NAME else []
    for end, step in enumerate(steps, 1):
        if _NAMES.match(_BETWEEN_WORDS.sub("_", step).lower()):
            return ".".join(steps[:end])
    return ""


def _forms(text: str, *, is_agent: bool = False) -> Iterator[tuple[str, str]]:
    """The kinds found in a text, with what is shown of the first of each; agents name their makers' addresses."""
    lowered = text.lower()
    for form in FORMS:
        if form.hint not in lowered or (is_agent and form.kind == "e-mail address"):
            continue
        for match in form.pattern.finditer(text):
            if form.is_it(match[0]):
                yield form.kind, _masked_mail(match[0]) if form.kind == "e-mail address" else _masked(match[0])
                break


def _masked(text: str) -> str:
    """A few characters, enough to find it again: a quarter, at most four."""
    shown = text[: min(4, len(text) // 4)]
    return f"{shown}… ({len(text)} characters)"


def _masked_mail(text: str) -> str:
    return f"{text[0]}…@{text.rpartition('@')[2]}"


def _printable(name: str) -> str:
    """A name that whoever sent the request chose, short and fit for a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name[:MAX_NAME])


def _yaml(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else json.dumps(name)


class Disclosures:
    """Counts of what was found over many events; one example of each kind and place."""

    def __init__(self) -> None:
        self.events = 0
        self.counts: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], Disclosure] = {}

    def look_at(self, event: Mapping[str, object]) -> list[Disclosure]:
        """Counts what is found in an event, and gives it."""
        self.events += 1
        found = disclosures(event)
        for one in found:
            self._count(one, 1)
        return found

    def add(self, other: Disclosures) -> None:
        self.events += other.events
        for key, count in other.counts.items():
            self._count(other._first[key], count)

    def _count(self, one: Disclosure, count: int) -> None:
        key = (one.kind, one.place)
        self.counts[key] = self.counts.get(key, 0) + count
        self._first.setdefault(key, one)

    def sentences(self) -> list[tuple[str, str]]:
        """What to tell, the most frequent first, each with the YAML that helps."""
        told = []
        for key, count in sorted(self.counts.items(), key=lambda item: -item[1]):
            one = self._first[key]
            said = f"{one.place}: {one.kind} in {count:,} of {self.events:,} events, such as {one.shown}"
            told.append((said, f"redact: {{{one.remedy}}}" if one.remedy else "leave it out of the event"))
        return told
