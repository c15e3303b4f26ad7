"""Texts in which the values under masked names are replaced: JSON, forms and queries, each of them inside any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from unicodedata import normalize
from urllib.parse import quote_plus, unquote_plus

from logship import digits
from logship.mapping.given_names import GivenNames
from logship.mapping.masked_names import MaskedNames, Way
from logship.patterns import deferred

REDACTED = "[redacted]"
MAX_NESTED = 6  # texts inside of texts; what is encoded more often is redacted as a whole
_NAME = deferred(r"[?&;#](?:([^=&;#?]*+)=|([^=&;#?]++))")  # with its value behind it, or without one
NESTED = deferred(r"(?i)%(?:3d|25|7b|5b|22|26|3f|3b|23)|=[{\[]")  # a value may be a URL, a form or JSON itself
_USUAL_NAME = deferred(r"\w[\w.\[\]-]*\Z")
_SIGNS = deferred(r"[?&;#]")
_FORM = deferred(r"[^\x00-\x20\x7f\"<>{}]*=[^\x00-\x20\x7f\"<>{}]*\Z")
_FORM_OR_URL = deferred(r"(?:[A-Z]{1,16} )?[^\x00-\x20\x7f\"<>{}]*=[^\x00-\x20\x7f\"<>{}]*(?: HTTP/[0-9.]{1,4})?\Z")
LOOKS_LIKE_JSON = frozenset("{[")
_PLACES = tuple((key, place) for key in ("name", "Name", "key", "Key") for place in ("value", "Value", "values"))
_NAMED = frozenset(key for key, _ in _PLACES)
_VALUE_END = deferred(r"[&;#?]|\Z")
_LOOKS_LIKE_BODY = deferred(r"\s*(?:[{\[<]|--)")


class MaskedTexts:
    """What is looked through for some names, see MaskedNames; `leaf` covers a text that is none of the three."""

    def __init__(self, keys: Sequence[str], leaf: Callable[[str], str] = str) -> None:
        self.names = MaskedNames(keys)
        self._cover_leaf = leaf
        self._given = GivenNames(self.names.masks)
        self._is_named = re.compile("|".join([r"\\u|&#", *map(re.escape, sorted(self.names.needed))]))

    def pairs(self, query: str, most: int | None = None, way: Way = (), depth: int = 0) -> str:
        """A query with its `?`: names begin behind each `?`, `&`, `;` and `#`, masked values end before the next `&`.

        So nothing of them is left, whatever a server takes for their end. With `most`, what follows so many pairs
        is redacted as a whole. Source: WHATWG URL, application/x-www-form-urlencoded.
        """
        pieces: list[str] = []
        done = count = 0
        for match in _NAME.finditer(query):
            if match.start() < done:
                continue  # in a value that is replaced already
            start, end, below = match.start(2), match.end(2), way
            if match[2] is None:
                count += 1
                if most is not None and count > most:
                    return "".join([*pieces, query[done : match.start()], REDACTED])
                start, end = match.end(), _VALUE_END.search(query, match.end()).start()  # type: ignore[union-attr]  # \Z is always found
                inside = self._way_below(way, match[1], is_text=most is None)
                if inside is None:
                    end = query.find("&", start) % (len(query) + 1)
                    pieces += [query[done:start], REDACTED if end > start else ""]
                    done = end
                    continue
                below = inside
            value = query[start:end]
            if most is None or NESTED.search(value) or value[:1] in LOOKS_LIKE_JSON:
                shown = self.encoded(value, below, depth)
                if shown != value:
                    pieces += [query[done:start], shown]
                    done = end
        return "".join([*pieces, query[done:]])

    def _way_below(self, way: Way, name: str, *, is_text: bool) -> Way | None:
        """The way below a name as it is encoded, see MaskedNames; what it hides itself, `a%26token`, is a name, too."""
        if not is_text and "%" not in name:
            return self.names.way_below(way, name)  # which takes '+' for a blank
        for _ in range(MAX_NESTED):
            decoded = unquote_plus(name)
            below = self.names.way_below(way, _SIGNS.split(decoded)[-1])
            if (
                is_text
                and below is not None
                and not _USUAL_NAME.match(decoded)
                and self._given.give(f"{decoded}=", way)
            ):
                return None
            if below is None or decoded == name or "%" not in decoded:
                return below
            name = decoded
        return None

    def hide_parameter(self, name: str) -> bool:
        """Whether the value behind a name is masked, as a query writes it."""
        return self._way_below((), name, is_text=False) is None

    def encoded(self, value: str, way: Way = (), depth: int = 0) -> str:
        """A value as it is encoded in a query or a path: a URL, a form or JSON in it is looked through, too."""
        decoded = unquote_plus(value)
        if decoded == value and value[:1] not in LOOKS_LIKE_JSON:
            return REDACTED if self.names and self._given.give(value, way) else value
        if depth == MAX_NESTED:
            return REDACTED
        is_encoded_again = "%" in decoded and "=" not in decoded and decoded[:1] not in LOOKS_LIKE_JSON
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

        What is neither JSON nor a form nor a URL is redacted as a whole where it gives a value to what is masked,
        and what looks like a body where it names it.
        """
        if text.lstrip()[:1] in LOOKS_LIKE_JSON and (tree := tree_of(text)) is not None:
            return self._json(text, tree, way, depth) if depth <= MAX_NESTED else REDACTED
        if self.names and _LOOKS_LIKE_BODY.match(text) and self._is_named.search(normalize("NFKC", text).casefold()):
            return REDACTED
        if "=" in text and _FORM_OR_URL.match(text):
            return self._cover_leaf(self.form(text, way, depth))
        return REDACTED if self.names and self._given.give(text, way) else self._cover_leaf(text)

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
            self._cover_named(node, here)
            if isinstance(node, dict):
                for key, below in node.items():
                    inside = self._way_below(here, key, is_text=False)
                    node[key] = REDACTED if inside is None else self._leaf(below, inside, depth, todo)
            else:
                for index, below in enumerate(node):
                    node[index] = self._leaf(below, here, depth, todo)
        return root[0]

    def _cover_named(self, node: dict[str, object] | list[object], way: Way) -> None:
        """The value of `{"name": …, "value": …}` and of `[name, value]`, as lists of headers have them."""
        if isinstance(node, list):
            if len(node) == 2 and self._is_masked(node[0], way):
                node[1] = REDACTED
            return
        for key, place in _PLACES if _NAMED.intersection(node) else ():
            if place in node and self._is_masked(node.get(key), way):
                node[place] = REDACTED

    def _is_masked(self, name: object, way: Way) -> bool:
        return isinstance(name, str) and self._way_below(way, name, is_text=False) is None

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
