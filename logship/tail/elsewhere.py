"""What is confirmed of a log though this daemon never read it: a backfill's ranges, for the same receiver."""

from __future__ import annotations

from collections.abc import Iterable

from logship.checkpoint import Anchor, Range
from logship.tail.content import Content, has_anchor


class Elsewhere:
    """The confirmed ranges of one generation's file key.

    Several generations may share a key (their first lines are alike), so a range counts only where this content has
    the range's anchor; one without an anchor, or with half a line at its end, is sent again, under the same ids.
    """

    __slots__ = ("_is_next_trusted", "_ranges")

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges = [one for one in ranges if one.anchor][::-1]  # the last ones first, without overlaps
        self._is_next_trusted = False

    def next_at(self, position: int, content: Content) -> Range | None:
        """The confirmed range that `position` lies in, or else the next one after it. Raises: OSError."""
        while self._ranges:
            one = self._ranges[-1]
            if position < one.end and (self._is_next_trusted or self._is_of(content, one)):
                self._is_next_trusted = True
                return one
            self._ranges.pop()
            self._is_next_trusted = False
        return None

    def with_next(self, one: Range) -> Elsewhere:
        """These and a range that is known to be this content's, and comes before all others."""
        more = Elsewhere([one, *reversed(self._ranges)])
        more._is_next_trusted = True
        return more

    @staticmethod
    def _is_of(content: Content, one: Range) -> bool:
        """Asked once for each range: of an archive it costs a second pass."""
        return has_anchor(content, Anchor(one.end, one.anchor)) and content.read_at(one.end - 1, 1) in (b"\n", b"\0")


_NONE = Elsewhere(())  # one for all logs: hardly any was sent from elsewhere, and there may be 50,000


def elsewhere_of(ranges: Iterable[Range]) -> Elsewhere:
    """What is confirmed of a log by these ranges."""
    found = list(ranges)
    return Elsewhere(found) if found else _NONE
