"""What in an event looks like a secret or personal data, where it stands, and the YAML that redacts it.

Found are values with a form of their own (tokens, keys, numbers with a check sum, addresses) anywhere, and values under
names that are given to secrets in queries, forms and JSON bodies. Values are never shown whole.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

MAX_TEXT = 65_536  # characters looked at in one value
MAX_LEAVES = 2_000  # values looked at in one event
MAX_DEPTH = 32
MAX_NAME = 64  # characters of a parameter's name

REDACTED = "[redacted]"
_NAMES = re.compile(
    r"(?:.*[_.\-\[])?(?:pass|password|passwd|passphrase|pwd|secret|client_?secret|token|access_?token|refresh_?token|"
    r"id_?token|auth_?token|authtoken|csrf_?token|authorization|api_?key|x_api_key|access_?key|private_?key|"
    r"session_?id|sessionid|jsessionid|phpsessid|otp|cvv|cvc|credentials?|signature|sig|jwt|saml_?response|ssn)\]?\Z"
)
_NO_SECRETS = frozenset(
    {"", "-", "0", "1", "true", "false", "null", "none", "undefined", "yes", "no", "on", "off", REDACTED}
)
_FILES = frozenset(
    {
        "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "css", "js", "mjs", "map", "json", "xml",
        "html", "htm", "php", "asp", "aspx", "jsp", "txt", "pdf", "zip", "gz", "tgz", "woff", "ttf", "eot", "mp4",
        "webm", "mp3", "vue", "ts",
    }
)  # fmt: skip


class Disclosure(NamedTuple):
    """Shapes: `kind` a name in KINDS; `place` dotted keys of the event, with ` ?name` for a parameter of a query and
    ` path` for a URI's path; `shown` is masked; `remedy` is YAML below `redact:`, "" where only leaving it out helps.
    """

    kind: str
    place: str
    shown: str
    remedy: str


class _Form(NamedTuple):
    kind: str
    hint: str  # what a text must hold, in lower case, before the pattern is tried
    pattern: re.Pattern[str]
    is_it: Callable[[str], bool] = lambda text: True


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if len(set(digits)) < 3:
        return False
    doubled = [
        digit if at % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit)
        for at, digit in enumerate(reversed(digits))
    ]
    return sum(doubled) % 10 == 0


_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PT": 25, "QA": 29, "RO": 24,
    "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "XK": 20,
}  # fmt: skip


def _iban(text: str) -> bool:
    """Source: ISO 13616, check digits by ISO 7064 mod 97."""
    plain = text.replace(" ", "").upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _mail(text: str) -> bool:
    return text.lower().rpartition(".")[2] not in _FILES


def _basic(text: str) -> bool:
    try:
        return b":" in b64decode(text.split()[-1] + "==")
    except (Base64Error, ValueError):
        return False


def _mixed(text: str) -> bool:
    """Letters and digits: a word of a sentence is no token."""
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


_CARD = re.compile(  # 16 digits of the large issuers, 15 of American Express, 14 of Diners
    r"(?<![\w.+-])(?:"
    r"(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2}|35\d{2})([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d{2}([ -]?)\d{6}\2\d{5}|3(?:0[0-5]|[68]\d)\d([ -]?)\d{6}\3\d{4}"
    r")(?![\w.-])"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])"
)
_MAIL = re.compile(r"(?<![\w.+%-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])")
_FORMS = (
    _Form("private key", "private key", re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")),
    _Form("token (JWT)", "eyj", re.compile(r"(?<![\w-])eyJ[\w-]{8,}={0,2}\.eyJ[\w-]{8,}={0,2}\.[\w-]*")),
    _Form("bearer token", "bearer", re.compile(r"(?i:\bbearer[ :=]+)([A-Za-z0-9._~+/-]{12,}=*)"), _mixed),
    _Form("user and password", "basic", re.compile(r"(?i:\bbasic )[A-Za-z0-9+/]{6,}={0,2}"), _basic),
    _Form("user and password", "://", re.compile(r"(?<=://)[^/\s:@?#]{1,64}:[^/\s@?#]{1,128}(?=@[\w.-])")),
    _Form("cloud key (AWS)", "", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    _Form("cloud key (Google)", "aiza", re.compile(r"(?<![\w-])AIza[\w-]{35}(?![\w-])")),
    _Form("cloud key (Google)", "ya29.", re.compile(r"(?<![\w-])ya29\.[\w-]{20,}")),
    _Form("cloud key (Azure)", "accountkey=", re.compile(r"AccountKey=[A-Za-z0-9+/]{40,}={0,2}")),
    _Form("access token (GitHub)", "gh", re.compile(r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})")),
    _Form("access token (GitLab)", "glpat-", re.compile(r"(?<![\w-])glpat-[\w-]{18,}")),
    _Form("access token (Slack)", "xox", re.compile(r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    _Form("access token (Slack)", "hooks.slack", re.compile(r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}")),
    _Form("secret key (Stripe)", "_live_", re.compile(r"(?<![\w-])(?:sk|rk|whsec)_live_[A-Za-z0-9]{10,}")),
    _Form("secret key (Stripe)", "_test_", re.compile(r"(?<![\w-])(?:sk|rk)_test_[A-Za-z0-9]{10,}")),
    _Form("access token", "sk-", re.compile(r"(?<![\w-])sk-[A-Za-z0-9_-]{24,}"), _mixed),
    _Form("access token", "sg.", re.compile(r"(?<![\w-])SG\.[\w-]{16,}\.[\w-]{16,}")),
    _Form("access token", "npm_", re.compile(r"(?<![\w-])npm_[A-Za-z0-9]{36}")),
    _Form("access token", "hf_", re.compile(r"(?<![\w-])hf_[A-Za-z0-9]{30,}")),
    _Form("access token", "do", re.compile(r"(?<![\w-])do[opr]_v1_[0-9a-f]{40,}")),
    _Form("access token", "shp", re.compile(r"(?<![\w-])shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}")),
    _Form("access token", "pypi-", re.compile(r"(?<![\w-])pypi-[\w-]{50,}")),
    _Form("card number", "", _CARD, _luhn),
    _Form("bank account (IBAN)", "", _IBAN, _iban),
    _Form("e-mail address", "@", _MAIL, _mail),
)  # fmt: skip
KINDS = tuple(dict.fromkeys(["value under a secret's name", *(form.kind for form in _FORMS)]))
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
        elif "body" in path[1:2]:
            yield from _below_body(place, path, text)
        else:
            for kind, shown in _forms(text, is_agent=path[-1].lower() == "user-agent"):
                yield Disclosure(kind, place, shown, _remedy_of_place(path))


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
    query, _, fragment = query.partition("#")
    yield from _in_pairs(f"{place} ?", re.split("[&;?]", query), "query")
    for kind, shown in _forms(unquote(fragment)):
        yield Disclosure(kind, f"{place} #", shown, "")


_PATHS = {
    "e-mail address": "([^/]+(?:@|%40)[^/]+)",
    "card number": r"([0-9][0-9 -]{11,}[0-9])",
    "token (JWT)": r"(eyJ[^/]+)",
}


def _in_pairs(place: str, pairs: Iterable[str], key: str) -> Iterator[Disclosure]:
    for pair in pairs:
        name, _, value = pair.partition("=")
        name, value = _printable(unquote_plus(name)), unquote_plus(value)
        remedy = f"{key}: [{_yaml(name)}]"
        if _is_secret_name(name) and value.lower() not in _NO_SECRETS:
            yield Disclosure(_NAMED, f"{place}{name}", _masked(value), remedy)
        for kind, shown in _forms(unquote(value)):
            yield Disclosure(kind, f"{place}{name}", shown, remedy)
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
    if _is_secret_name(path[-1]) and text.lower() not in _NO_SECRETS:
        yield Disclosure(_NAMED, place, _masked(text), remedy)
    for kind, shown in _forms(text):
        yield Disclosure(kind, place, shown, remedy)


def _is_secret_name(name: str) -> bool:
    return len(name) <= MAX_NAME and _NAMES.match(name.lower().replace("-", "_")) is not None


def _forms(text: str, *, is_agent: bool = False) -> Iterator[tuple[str, str]]:
    """The kinds found in a text, with what is shown of the first of each; agents name their makers' addresses."""
    lowered = text.lower()
    for form in _FORMS:
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
