"""Texts in which the values under masked names are replaced: JSON, forms and queries, each of them inside any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from unicodedata import normalize
from urllib.parse import quote_plus, unquote_plus

from logship import digits
from logship.mapping.masked_names import MaskedNames, Way
from logship.patterns import deferred

REDACTED = "[redacted]"
MAX_NESTED = 6  # texts inside of texts; what is encoded more often is redacted as a whole
_NAME = deferred(r"[?&;#]([^=&;#?]*+)=")
_FORM = deferred(r"[^\x00-\x20\x7f\"<>{}]*=[^\x00-\x20\x7f\"<>{}]*\Z")
_ENCODED = deferred(r"(?i)%(?:3d|25|7b|5b|22)")  # in a value: it may hold pairs or JSON
LOOKS_LIKE_JSON = frozenset("{[")
_VALUE_END = deferred(r"[&;#?]|\Z")
_LOOKS_LIKE_BODY = deferred(r"\s*(?:[{\[<]|--)")


class MaskedTexts:
    """What is looked through for some names, see MaskedNames; `leaf` covers a text that is none of the three."""

    def __init__(self, keys: Sequence[str], leaf: Callable[[str], str] = str) -> None:
        self.names = MaskedNames(keys)
        self._cover_leaf = leaf
        self._is_named = re.compile("|".join([r"\\u|&#", *map(re.escape, sorted(self.names.needed))]))

    def pairs(self, query: str, most: int | None = None, way: Way = (), depth: int = 0) -> str:
        """A query with its `?`: names begin behind each `?`, `&`, `;` and `#`, masked values end before the next `&`.

        So nothing of them is left, whatever a server takes for their end. With `most`, what follows so many pairs
        is redacted as a whole. Source: WHATWG URL, application/x-www-form-urlencoded.
        """
        pieces: list[str] = []
        done = 0
        for count, match in enumerate(_NAME.finditer(query), 1):
            if match.start() < done:
                continue  # in a value that is replaced already
            if most is not None and count > most:
                return "".join([*pieces, query[done : match.start()], REDACTED])
            start = match.end()
            below = self.names.way_below(way, unquote_plus(match[1]))
            if below is None:
                end = query.find("&", start) % (len(query) + 1)
                shown = REDACTED if end > start else ""
            else:
                end = _VALUE_END.search(query, start).start()  # type: ignore[union-attr]  # \Z is always found
                shown = self.encoded(query[start:end], below, depth)
            if shown != query[start:end]:
                pieces += [query[done:start], shown]
                done = end
        return "".join([*pieces, query[done:]])

    def encoded(self, value: str, way: Way = (), depth: int = 0) -> str:
        """A value as it is encoded in a query or a path: a URL, a form or JSON in it is looked through, too."""
        if value[:1] not in LOOKS_LIKE_JSON and not _ENCODED.search(value):
            return value
        if depth == MAX_NESTED:
            return REDACTED
        decoded = unquote_plus(value)
        is_encoded_again = "=" not in decoded and decoded[:1] not in LOOKS_LIKE_JSON
        shown = (self.encoded if is_encoded_again else self.text)(decoded, way, depth + 1)
        return value if shown == decoded else quote_plus(shown)

    def form(self, text: str, way: Way = (), depth: int = 0) -> str:
        return self.pairs(f"?{text}", None, way, depth)[1:]

    def body(self, text: str) -> str:
        """A body; '' for one that can't be looked through: XML, multipart, a cut one, or one nested too deep."""
        if not text:
            return text
        try:
            tree = digits.loads(text)
        except ValueError:
            return self.form(text) if _FORM.match(text) else ""
        try:
            return digits.dumps(self._masked(tree, (), 0)).decode()
        except (TypeError, ValueError):
            return ""

    def text(self, text: str, way: Way = (), depth: int = 0) -> str:
        """A text that may hold a body, as a member of JSON does; `way` leads to it.

        What looks like a body but can't be looked through is redacted as a whole where it names what is masked.
        """
        if text.lstrip()[:1] in LOOKS_LIKE_JSON and (tree := tree_of(text)) is not None:
            return self._json(text, tree, way, depth) if depth <= MAX_NESTED else REDACTED
        if self.names and _LOOKS_LIKE_BODY.match(text) and self._is_named.search(normalize("NFKC", text).casefold()):
            return REDACTED
        return self._cover_leaf(self.form(text, way, depth) if "=" in text else text)

    def _json(self, text: str, tree: object, way: Way, depth: int) -> str:
        """The text itself where nothing in it is masked."""
        try:
            before = digits.dumps(tree)
            after = digits.dumps(self._masked(tree, way, depth))
        except (TypeError, ValueError):
            return REDACTED
        return text if after == before else after.decode()

    def _masked(self, tree: object, way: Way, depth: int) -> object:
        """The tree with values replaced in place; without recursion, as the nesting is whoever sent the request's."""
        root: list[object] = [tree]
        todo: list[tuple[dict[str, object] | list[object], Way]] = [(root, way)]
        while todo:
            node, here = todo.pop()
            if isinstance(node, dict):
                for key, below in node.items():
                    inside = self.names.way_below(here, key)
                    node[key] = REDACTED if inside is None else self._leaf(below, inside, depth, todo)
            else:
                for index, below in enumerate(node):
                    node[index] = self._leaf(below, here, depth, todo)
        return root[0]

    def _leaf(
        self, value: object, way: Way, depth: int, todo: list[tuple[dict[str, object] | list[object], Way]]
    ) -> object:  # fmt: skip
        """The value itself; what is below it is still to do, but for what a text holds."""
        if isinstance(value, dict | list):
            todo.append((value, way))
        return self.text(value, way, depth + 1) if isinstance(value, str) else value


def tree_of(text: str) -> object:
    """What a JSON text says; None for no JSON."""
    try:
        return digits.loads(text)
    except ValueError:
        return None
