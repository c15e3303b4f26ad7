"""Is it only a copy? Of a log that is still written, beside it, under a name that was made of the log's by hand."""

from __future__ import annotations

from enum import Enum

from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import Content, Facts, PlainContent, open_content
from logship.tail.generation import Generation
from logship.tail.identity import FIRST_LINE_BYTES

WAIT_S = 60.0  # a copy has grown enough by then
REST_S = 30.0  # what changed since then is still written
CHANGES_MAX = 3  # a copy may be made again; what grows more often is written by a server


class Likeness(Enum):
    """What to do with a file that has nothing but the beginning of a log that is still written."""

    WAITS = "waits"
    COPY = "copy"  # another name of the log's content
    OWN = "own"  # a log that is written like the other, for now


@record(frozen=False)
class _Seen:
    since_s: float
    changed_s: float
    facts: Facts
    changes: int = 0
    is_copy: bool = False


class Copies:
    """Files that have the same lines as a log. Two logs may begin alike: only one that rests is a copy."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def forget(self, path: str) -> None:
        """No such file any more."""
        self._seen.pop(path, None)

    def likeness(self, path: str, content: Content, facts: Facts, now_s: float) -> Likeness:
        """What becomes of a file that is_beginning_of() a log; `now_s` is monotonic."""
        seen = self._seen.setdefault(path, _Seen(now_s, now_s, facts))
        if facts != seen.facts:
            seen.facts, seen.changed_s = facts, now_s
            if seen.is_copy:
                seen.since_s, seen.changes, seen.is_copy = now_s, seen.changes + 1, False
        is_written = isinstance(content, PlainContent) and content.has_writer()
        if now_s - seen.since_s < WAIT_S:
            return Likeness.WAITS
        if now_s - seen.changed_s < REST_S or seen.changes >= CHANGES_MAX or is_written:
            return Likeness.OWN
        seen.is_copy = True
        return Likeness.COPY


def is_beginning_of(content: Content, facts: Facts, log: Generation) -> bool:
    """Whether a content has the first lines of a log, two at least, up to its own end; their first lines agree.

    Raises: OSError.
    """
    if content.is_archive or not log.names:
        return False
    head = content.read_at(0, FIRST_LINE_BYTES)
    if head.find(b"\n") + 1 >= facts.size_bytes:
        return False
    whole = log.content or open_content(log.names[0])
    try:
        at = max(0, facts.size_bytes - ANCHOR_BYTES)
        end = content.read_at(at, ANCHOR_BYTES)
        return whole.read_at(0, len(head)) == head and whole.read_at(at, len(end)) == end
    finally:
        if log.content is None:
            whole.close()
