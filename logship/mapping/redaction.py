"""Redaction: what must not leave this machine, wherever a template writes it; done after all rules."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from urllib.parse import quote, unquote, unquote_plus

from logship.errors import FormatError
from logship.formats.re2_door import Pattern, compile_pattern
from logship.mapping import values
from logship.mapping.masked_names import MaskedNames
from logship.mapping.masked_texts import MAX_NESTED, NESTED, REDACTED, MaskedTexts
from logship.mapping.spec import KeepQuery, RedactSpec
from logship.patterns import deferred

MAX_PARTS = 128  # found in one text; no honest URL or list of proxies has more: what follows is redacted as a whole
MAX_PATH = 32_768  # characters before the query; servers take request lines of 8 kB
MAX_PAIRS = 1_024  # of a query, where each has to be looked at
LONG = 4_096  # characters of a text that is redacted once, in how many places of the event it may stand
# Names may hold a '?': a run of them without '=' is taken whole, or each would be looked through up to the run's end.
_PAIR = deferred(r"([?&;#])([^=&;#]*+)(?:=([^&;#]*+))?")
_HIDDEN_PAIR = deferred(r"[?&;#][^=]*=")
_MATRIX = deferred(r"[;&]([^=;&]*+)=")  # a parameter in a path: `/a;jsessionid=x`
_UNUSUAL = r"%+.\[\]*\x00-\x20\x7f-\U0010ffff"  # in a name: what it says is not what is written
_PLAIN_NAME = deferred(rf"[^=&;#?{_UNUSUAL}]{{1,64}}")  # the native kernel takes longer ones to Python
_UNUSUAL_NAME = rf"[^=&;#?{_UNUSUAL}]*+[{_UNUSUAL}]"
_BOUND = deferred(r"(?<![\[\\])[\^$]|\\[Az]")  # in a pattern
_AROUND_PATH = deferred(r"((?:[A-Z]+ )?(?:[A-Za-z][A-Za-z0-9+.-]*://[^/#]*)?)(.*?)((?: HTTP/[0-9.]+|#.*)?)", re.DOTALL)
_BEFORE_PATH = deferred(r"(?:[A-Z]+ )?(?:[A-Za-z][A-Za-z0-9+.-]*://[^/#]*)?")
_SAFE = "/:@!$&'()*+,;=[] "  # in a decoded path that is written again
_LISTED_ADDRESS = deferred(r"[0-9A-Fa-f:.]{3,45}")


def query_redactor(query: Sequence[str] | KeepQuery) -> Callable[[str], str]:
    """A function from a URL (or a bare query) to the same one with values of named parameters replaced.

    Names compare decoded and in any case. A listed name is one at any depth: `token` is `token[]`, `user[token]`
    and `user.token`, too. It is also found in a fragment, and in a URL, a form or JSON that is the value of another
    parameter, encoded or not. A name to keep is the whole name.
    """
    if isinstance(query, KeepQuery):
        return _in_parts(_all_but(query.keep), _path_without(_is_not_kept(query.keep)))
    masks = MaskedTexts(query)
    in_path = _path_without(masks.hide_parameter)

    def path(head: str) -> str:
        return in_path("/".join(masks.encoded(part) for part in head.split("/")) if NESTED.search(head) else head)

    return _in_parts(_listed(query, masks), path)


def _in_parts(covered: Callable[[str], str], path: Callable[[str], str]) -> Callable[[str], str]:
    """The same for a URL: `path` up to its first `?` or `#`, `covered` from there on."""

    def redact(url: str) -> str:
        head, query = _cut(url)
        if "=" in head or "%" in head:
            head = path(head) if len(head) < LONG else redacted_once(path, head)
        if "=" in query or "%" in query:
            query = covered(query) if len(query) < LONG else redacted_once(covered_long, query)
        return head + query

    def covered_long(query: str) -> str:
        """Each `?` may begin a pair: sixty thousand of them would take 8 ms."""
        texts = query.split("?", MAX_PARTS)
        if len(texts) > MAX_PARTS and "?" in texts[-1]:
            texts[-1] = REDACTED
        return covered("?".join(texts))

    return redact


def _path_without(hides: Callable[[str], bool]) -> Callable[[str], str]:
    """A path up to the value of the first parameter in it that is hidden; where that ends only the server knows."""

    def path(head: str) -> str:
        for match in _MATRIX.finditer(head):
            if hides(match[1]):
                return head[: match.end()] + REDACTED if match.end() < len(head) else head
        return head

    return path


def _cut(url: str) -> tuple[str, str]:
    """A URL in two, before its first `?` or `#`."""
    head = url.partition("?")[0].partition("#")[0]
    return head, url[len(head) :]


def _is_not_kept(keep: Sequence[str]) -> Callable[[str], bool]:
    names = frozenset(name.lower() for name in keep)
    return lambda name: unquote_plus(name).lower() not in names


def _all_but(keep: Sequence[str]) -> Callable[[str], str]:
    is_hidden = _is_not_kept(keep)

    def covered(query: str) -> str:
        pieces: list[str] = []
        done = 0
        for count, match in enumerate(_PAIR.finditer(query), 1):
            start = match.end(1) if match[3] is None else match.start(3)
            named = match[2] if match[3] is None else match[3]
            if start >= done and named and (_hides_pair(named) or (match[3] and is_hidden(match[2]))):
                end = query.find("&", start) % (len(query) + 1)
                pieces += [query[done:start], REDACTED]
                done = end
            if count == MAX_PAIRS:
                rest = max(done, match.end())
                return "".join([*pieces, query[done:rest], REDACTED if rest < len(query) else ""])
        return "".join([*pieces, query[done:]])

    return covered


def _hides_pair(value: str) -> bool:
    """Whether a value that is kept holds another parameter, encoded."""
    for _ in range(MAX_NESTED):
        if "%" not in value:
            return False
        value = unquote_plus(value)
        if _HIDDEN_PAIR.search(value):
            return True
    return True


def _listed(names: Sequence[str], masks: MaskedTexts) -> Callable[[str], str]:
    plainly = _plain_pairs(names) if plain_names(names) else None

    def covered(query: str) -> str:
        if "=" not in query and not NESTED.search(query):
            return query
        done = None if plainly is None or NESTED.search(query) else _replaced_pairs(plainly, query)
        return masks.pairs(query, MAX_PAIRS) if done is None else done

    return covered


def plain_names(query: Sequence[str] | KeepQuery) -> tuple[str, ...]:
    """The names in lower case, if a pair of each is found by its spelling alone; () where one is not, and of `keep`."""
    if isinstance(query, KeepQuery) or not all(_PLAIN_NAME.fullmatch(name) for name in query):
        return ()
    return tuple(name.lower() for name in query)


def is_hidden_parameter(query: Sequence[str] | KeepQuery) -> Callable[[str], bool]:
    """Whether the value of a parameter is replaced; names as in fields, where `_` stands for `-`, too."""
    if isinstance(query, KeepQuery):
        kept = frozenset(name.lower().replace("-", "_") for name in query.keep)
        return lambda name: name not in kept
    masked = MaskedNames([name.replace("-", "_") for name in query])
    return lambda name: masked.hide_name(name.replace("-", "_"))


@lru_cache(4)
def redacted_once(redact: Callable[[str], str], text: str) -> str:
    """What `redact` gives, remembered for the few texts that came last."""
    return redact(text)


def _plain_pairs(names: Sequence[str]) -> re.Pattern[str]:
    """A pattern of pairs whose names are some of these as they are written, or else of an unusual name.

    Shapes: its groups are what is before a name, the name with its '=', and the begin of an unusual name.
    """
    choices = "|".join(map(_in_any_case, names))
    return re.compile(rf"([?&;#])(?:((?:{choices})=)[^&]+|({_UNUSUAL_NAME}))")


def _replaced_pairs(pairs: re.Pattern[str], query: str) -> str | None:
    """What _replaced gives, by splitting: replacing calls Python for each match (a tenth of a mapping that redacts).

    None where an unusual name was found.
    """
    texts = pairs.split(query, MAX_PARTS)
    if len(texts) == 1:
        return query
    if len(texts) == 5 and not texts[3]:  # one pair, the usual case
        return f"{texts[0]}{texts[1]}{texts[2]}{REDACTED}{texts[4]}"
    if any(texts[3::4]):
        return None
    if len(texts) > 4 * MAX_PARTS and texts[-1]:
        texts[-1] = REDACTED
    texts[3::4] = [REDACTED] * (len(texts) // 4)
    return "".join(texts)


def _replaced(pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], text: str, most: int) -> str:
    """The text with the first `most` matches replaced; if there are so many, nothing of what follows is left."""
    replaced, count = pattern.subn(replacement, text, most)
    if count < most:
        return replaced
    last = next(islice(pattern.finditer(text), most - 1, None))
    rest = REDACTED if last.end() < len(text) else ""
    return pattern.sub(replacement, text[: last.end()]) + rest


def _in_any_case(name: str) -> str:
    """A pattern for an ASCII name; classes of two are faster than IGNORECASE."""
    return "".join(f"[{char.lower()}{char.upper()}]" if char.isalpha() else re.escape(char) for char in name)


def bare_query_redactor(redact: Callable[[str], str]) -> Callable[[str], str]:
    """The same for a query without its '?'."""

    def redact_bare(query: str) -> str:
        return redact(query) if query.startswith("?") else redact(f"?{query}")[1:]

    return redact_bare


def path_redactor(patterns: Sequence[str]) -> Callable[[str], str]:
    """A function from a URL or a request line to the same one with the patterns' groups in its path replaced.

    A pattern that begins with `^` or ends with `$` means the path's begin and end. Scheme and host are no part of it,
    but for a pattern that names a scheme. What matches a path only when it is decoded is replaced in the decoded path.
    Raises: FormatError with RE2's reason.
    """
    compiled = [
        (_redacting_pattern(pattern), _BOUND.search(pattern) is not None, "://" in pattern) for pattern in patterns
    ]

    def redact(url: str) -> str:
        return covered(url) if len(url) < LONG else redacted_once(covered, url)

    def covered(url: str) -> str:
        head, mark, query = url.partition("?")
        if len(head) > MAX_PATH:
            head = head[:MAX_PATH] + REDACTED
        for pattern, is_bound, is_whole in compiled:
            if is_whole:
                head = _without_matches(pattern, head)
                continue
            around = _AROUND_PATH.fullmatch(head) if is_bound else None
            before, path, behind = around.groups() if around else ("", head, "")
            if not around and not head.startswith("/"):
                before = _BEFORE_PATH.match(head)[0]  # type: ignore[index]  # it matches nothing, too
                path = head[len(before) :]
            head = before + _path_without_matches(pattern, path) + behind
        return head + mark + query

    return redact


def _path_without_matches(pattern: Pattern, path: str) -> str:
    """The same for a path, however often it is encoded."""
    shown = _without_matches(pattern, path)
    if "%" not in path:
        return shown
    seen = shown
    for _ in range(MAX_NESTED):
        before, path, seen = path, unquote(path), unquote(seen)
        if path == before:
            return shown
        masked = _without_matches(pattern, path)
        if masked != seen:
            shown, seen = quote(masked, safe=_SAFE), masked
    return shown if unquote(path) == path else f"/{REDACTED}"


def _without_matches(pattern: Pattern, text: str) -> str:
    raw = text.encode("utf-8", "replace")
    spans = pattern.spans(raw, MAX_PARTS)
    if not spans:
        return text
    if len(spans) == MAX_PARTS:
        raw, end = raw[: spans[-1][0][1]], len(raw)
        raw += REDACTED.encode() if len(raw) < end else b""
    return _without_groups(raw, spans).decode("utf-8", "replace")


def _redacting_pattern(text: str) -> Pattern:
    """The pattern; without its group where that is all of it, as RE2 finds whole matches 50 times as fast.

    Raises: FormatError with RE2's reason.
    """
    pattern = compile_pattern(text)
    if pattern.count != 1 or not (text.startswith("(") and text.endswith(")")):
        return pattern
    try:
        compile_pattern(text[1:-1])  # no pattern if its first parenthesis is closed before the end
    except FormatError:
        return pattern
    return compile_pattern(text, captures=False)


def _without_groups(raw: bytes, spans: Sequence[Sequence[tuple[int, int]]]) -> bytes:
    """The text with the groups of each match replaced, or the whole match of a pattern without groups."""
    pieces, done = [], 0
    for whole, *groups in spans:
        for start, end in sorted(groups or [whole], key=lambda span: (span[0], -span[1])):  # the outer of two first
            if start >= done and end > start:
                pieces += [raw[done:start], REDACTED.encode()]
                done = end
    return b"".join([*pieces, raw[done:]])


def truncated(text: str) -> str:
    """The address's network: /24 of IPv4, /48 of IPv6."""
    address = values.unmapped(values.address(text))
    if ":" not in address:
        return address.rpartition(".")[0] + ".0"
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, address)[:6] + bytes(10))


def hashed_address(key: bytes) -> Callable[[str], str]:
    """A function from an address to one in fd00::/8 that only the key's holder can find again."""
    import hmac  # here: it loads OpenSSL, which takes 4 ms of every start

    def hashed(text: str) -> str:
        address = values.unmapped(values.address(text))
        if address == values.NO_ADDRESS:
            return address
        packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        return inet_ntop(AF_INET6, b"\xfd" + hmac.digest(key, packed, "sha256")[:15])

    return hashed


def listed_addresses(cover: Callable[[str], str]) -> Callable[[str], str]:
    """The same for every address in a header such as `Forwarded` or `X-Forwarded-For`."""

    def replace(match: re.Match[str]) -> str:
        address = values.address(match[0])
        return match[0] if address == values.NO_ADDRESS else cover(address)

    return lambda text: _replaced(_LISTED_ADDRESS, replace, text, MAX_PARTS)


def hashed_text(key: bytes) -> Callable[[str], str]:
    """A function from a text to its HMAC-SHA-256 as 43 characters; '' stays ''."""
    import hmac  # here: it loads OpenSSL, which takes 4 ms of every start

    def hashed(text: str) -> str:
        if not text:
            return ""
        digest = hmac.digest(key, text.encode("utf-8", "replace"), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    return hashed


def address_cover(spec: RedactSpec) -> Callable[[str], str] | None:
    """What `ip:` does to an address; None: it is kept."""
    if spec.ip == "truncate":
        return truncated
    return hashed_address(spec.key.encode()) if spec.ip == "hash" else None
