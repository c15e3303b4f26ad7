"""The cloak that keeps secrets out of everything printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from logship.endpoint import HIDDEN
from logship.errors import Problem
from logship.patterns import deferred

SECRET_KEY = deferred(
    r"""(?ix) (?: (?<![\w.-]) (?: a\w{2,11}n_?id | (?:app|api|auth|access|secret)[\w-]*[_-]?(?:id|key|token)
                  | [\w.-]*(?:secret|passw|token|credential)[\w.-]* )
              | (?: ^\s* | \bredact:\s*\{.* ) \bkey )
        ["']? \s*[:=]\s* (?P<value> [^\s,}#][^,}#]*)"""
)
PASSWORD_IN_URL = deferred(r"(?<=://)(?P<value>[^/\s@'\"]+)(?=@)")
MAX_LINES = 100  # of a secret in several lines: a PEM, not a log
SHORTEST = 4  # shorter values would hide half of every message


class Cloak:
    """Every secret found while loading, and what to print instead."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def hide(self, value: str, shown: str = HIDDEN) -> None:
        """From now on `value`, and each line of it, is printed as `shown`."""
        for line in value.splitlines()[:MAX_LINES] if "\n" in value else ():
            self.hide(line.strip(), shown)
        if len(value) >= SHORTEST and not value.startswith("${"):  # a reference shows nothing
            self._shown.setdefault(value, shown)

    def over(self, text: str) -> str:
        """The text without any secret."""
        for value in sorted(self._shown, key=len, reverse=True):
            if value in text:
                text = text.replace(value, self._shown[value])
        return text

    def over_excerpt(self, line: str) -> str:
        """A source line with stars in place of secrets, at the same width, so that underlines stay in place."""
        for value in sorted(self._shown, key=len, reverse=True):
            line = line.replace(value, "*" * len(value))
        return _star(PASSWORD_IN_URL, _star(SECRET_KEY, line))

    def over_problems(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        return tuple(
            replace(
                problem,
                message=_hide_pairs(self.over(problem.message)),
                hint=self._over_hint(problem.hint),
                excerpt=self.over_excerpt(problem.excerpt),
            )
            for problem in problems
        )

    def _over_hint(self, hint: str) -> str:
        hidden = _hide_pairs(self.over(hint))
        return _star(SECRET_KEY, hidden) if hidden.startswith("quote it:") else hidden


def _star(pattern: re.Pattern[str], text: str) -> str:
    def stars(match: re.Match[str]) -> str:
        value = match["value"].rstrip()
        if value.strip("'\"").startswith("$"):  # ${env:…} and $field are names, not secrets
            return match.group()
        start = match.start("value") - match.start()
        return match.group()[:start] + "*" * len(value) + match.group()[start + len(value) :]

    return pattern.sub(stars, text)


def _hide_pairs(text: str) -> str:
    return PASSWORD_IN_URL.sub(HIDDEN, text)
