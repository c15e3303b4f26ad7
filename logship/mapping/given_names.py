"""Whether a text that is neither JSON nor a form gives a value to a masked name: `password: x`, `("password", "x")`."""

from __future__ import annotations

import re
from html import unescape
from unicodedata import normalize
from urllib.parse import unquote

from logship.mapping.masked_names import Way
from logship.patterns import deferred

MAX_ROUNDS = 6  # of decoding; what is encoded more often is taken for a text that gives one
_QUOTES = "\"'`"
_ESCAPED = deferred(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[bfnrt])")  # from the begin of a run: linear
_MAY_BE_ESCAPED = deferred(r"[%\\&]")
# What leads inside (`[0]`, `.old`), then what may stand around a name, then what gives a value.
_GIVEN_BEHIND = deferred(rf"(?:\[[^\[\]\s]{{0,64}}\]|\.[\w-]{{1,64}})*+[{_QUOTES}\s\[\])\\*+-]*+[=:>]")
_QUOTE_BEHIND = deferred(rf"\\*+[{_QUOTES}]")
_GIVEN_BEFORE = deferred(r"(?:<|<[\w.-]{1,48}:|\bname\\*\s{0,8}[=:]\s{0,8})\Z")  # `<password a="">x`, `name=password`
_BEFORE = 72  # characters that are looked at before a name


class GivenNames:
    """The names of some masks, each as its steps; a mask without a name of its own stands for all names."""

    def __init__(self, masks: list[Way]) -> None:
        self._steps: dict[str, list[frozenset[str]]] = {}  # the last name of masks: the others before it
        for mask in masks:
            *others, last = [step for step in mask if step != "*"] or [""]
            self._steps.setdefault(last, []).append(frozenset(others))
        names = sorted(self._steps, key=len, reverse=True)
        choices = "|".join(re.escape(name) or r"\w++" for name in names)
        self._words = re.compile(rf"(?<!\w)(?:{choices})(?!\w)")

    def give(self, text: str, way: Way) -> bool:
        """Whether the text, to which `way` leads, may hold a masked value, in whatever it is encoded or escaped."""
        for _ in range(MAX_ROUNDS):
            if self._are_given(_plain(text), way):
                return True
            if not _MAY_BE_ESCAPED.search(text):
                return False
            before, text = text, decoded(text)
            if text == before:
                return False
        return True

    def _are_given(self, text: str, way: Way) -> bool:
        if not any(name in text for name in self._steps):
            return False
        known: dict[str, bool] = {}
        for match in self._words.finditer(text):
            name = match[0] if match[0] in self._steps else ""
            if name not in known:
                ways = self._steps[name]
                known[name] = any(all(step in way or step in text for step in others) for others in ways)
            if known[name] and _is_given(text, match.start(), match.end()):
                return True
        return False


def _is_given(text: str, start: int, end: int) -> bool:
    """Whether what stands around a name gives it a value, or quotes it."""
    if _GIVEN_BEHIND.match(text, end) or _GIVEN_BEFORE.search(text[max(0, start - _BEFORE) : start]):
        return True
    return text[start - 1 : start] in _QUOTES and start > 0 and _QUOTE_BEHIND.match(text, end) is not None


def _plain(text: str) -> str:
    return text.lower() if text.isascii() else normalize("NFKC", text).casefold()


def decoded(text: str) -> str:
    """Without one layer of percent encoding, of entities and of escapes."""
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2] or "20", 16)), unescape(unquote(text)))
