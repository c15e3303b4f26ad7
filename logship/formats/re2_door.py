"""The only door to google-re2: regular expressions that people write, linear in time whatever the text.

Patterns and texts are bytes, read as LATIN1, so that any byte of a log line can be matched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from logship.errors import FormatError
from logship.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

SETS_KEPT = 64  # sets of patterns; a thousand converters share one
MAX_MEMORY_BYTES = 64 << 20  # RE2's own default is 8 MiB; a line pattern with many fields needs more


@record
class Pattern:
    """A compiled RE2 pattern.

    Shapes: `groups` are the names of the named groups, with their numbers, `count` is that of all groups; offsets and
    texts are bytes.
    """

    text: str
    groups: Mapping[str, int]
    count: int
    _search: Callable[[bytes], Any]
    _fullmatch: Callable[[bytes], Any]
    _finditer: Callable[[bytes], Any]

    def is_found(self, text: bytes) -> bool:
        return self._search(text) is not None

    def search(self, text: bytes) -> tuple[bytes | None, ...] | None:
        """The groups of the first match (None for one that took no part), or None."""
        match = self._search(text)
        return None if match is None else tuple(match.groups())

    def fullmatch(self, text: bytes) -> tuple[bytes | None, ...] | None:
        """The groups if the whole text matches, or None."""
        match = self._fullmatch(text)
        return None if match is None else tuple(match.groups())

    def spans(self, text: bytes, most: int) -> list[list[tuple[int, int]]]:
        """For each of the first `most` matches: the (start, end) of it and of each group; (-1, -1) took no part.

        Each match is a search of its own, which may look at all the rest of the text.
        """
        found = islice(self._finditer(text), most)
        return [[match.span(number) for number in range(match.re.groups + 1)] for match in found]

    def named(self, text: bytes) -> dict[str, bytes] | None:
        """The named groups of the first match that took part in it, or None without a match."""
        match = self._search(text)
        if match is None:
            return None
        found = {name: match.group(number) for name, number in self.groups.items()}
        return {name: value for name, value in found.items() if value is not None}


def compile_pattern(text: str, *, captures: bool = True) -> Pattern:
    """The RE2 pattern of `text` (its UTF-8 bytes).

    Without `captures` it has no groups but named ones: RE2 finds a match at 2 ns a byte, but groups in a long one at up
    to 100 ns.
    Raises: FormatError with RE2's reason and, where RE2 names the offending piece, its column.
    """
    import re2

    try:
        compiled = re2.compile(text.encode("utf-8", "surrogateescape"), _options(captures=captures))
    except re2.error as exc:
        raise _refusal(text, exc) from exc
    groups = {_text(name): number for name, number in sorted(compiled.groupindex.items(), key=lambda item: item[1])}
    return Pattern(text, groups, compiled.groups, compiled.search, compiled.fullmatch, compiled.finditer)


@lru_cache(SETS_KEPT)
def compile_set(texts: tuple[str, ...]) -> Callable[[bytes], Sequence[int]]:
    """A function from a text to the numbers of the patterns that are found in it, in one pass whatever their number.

    Where RE2 has no memory for so many at once they are tried one by one.
    Raises: FormatError as compile_pattern().
    """
    import re2

    alone: list[Pattern] = []

    def each(text: bytes) -> list[int]:
        if not alone:
            alone.extend(compile_pattern(text, captures=False) for text in texts)
        return [number for number, pattern in enumerate(alone) if pattern.is_found(text)]

    together = re2.Set.SearchSet(_options(captures=False))
    try:
        for text in texts:
            together.Add(text.encode("utf-8", "surrogateescape"))
        always = together.Add(b"")  # found in any text: an answer without it is none
        together.Compile()
    except re2.error:
        each(b"")
        return each

    def found(text: bytes) -> Sequence[int]:
        numbers = together.Match(text) or ()
        return [number for number in numbers if number != always] if always in numbers else each(text)

    return found


def _options(*, captures: bool) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = MAX_MEMORY_BYTES
    options.never_capture = not captures
    return options


def _refusal(text: str, exc: Exception) -> FormatError:
    reason = _text(exc.args[0]) if exc.args else "not a regular expression"
    _, _, piece = reason.partition(": ")
    column = text.find(piece) if piece else -1
    hints = {
        "invalid perl operator": "RE2 has no lookahead, lookbehind or atomic groups",
        "invalid escape sequence": "RE2 has no backreferences; write \\\\ for a backslash",
        "missing )": "close the group with )",
        "missing ]": "close the class with ]",
    }
    hint = next((text for start, text in hints.items() if reason.startswith(start)), "")
    return FormatError(
        f"regular expression: {reason}",
        text=text,
        column=column if column >= 0 else None,
        width=max(1, len(piece)) if column >= 0 else 1,
        hint=hint,
    )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
