"""What is left of a log that was made shorter at its beginning while nobody looked: `sed -i 1,1000d log`."""

from __future__ import annotations

from logship.checkpoint import Anchor
from logship.event import ANCHOR_BYTES
from logship.tail.content import Content
from logship.tail.generation import Generation
from logship.tail.identity import anchor_of

LINES_MIN = 3  # different ones: a load test writes the same all over
_PROBE_BYTES = 4_096
_BLOCK_BYTES = 1_048_576
_SEARCHED_BYTES = 64 * _BLOCK_BYTES  # at a microsecond a line


def confirmed_part(content: Content, missing: Generation) -> int:
    """How many bytes at a file's beginning are the end of what is confirmed of a missing log; 0 where that is not sure.

    All anchors that can stand in the file must, each as far before the last one as it was. Raises: OSError.
    """
    anchors = [each for each in missing.positions.anchors if each.digest]
    if not anchors or anchors[-1].position != missing.positions.confirmed or content.is_archive:
        return 0
    end = _end_of(content, anchors[-1])
    shift = anchors[-1].position - end
    if not end or shift <= 0:
        return 0
    inside = [each.position - shift for each in anchors], [each.digest for each in anchors]
    alike = (_is_at(content, at, digest) for at, digest in zip(*inside, strict=True) if at >= ANCHOR_BYTES)
    lines = content.read_at(max(0, end - _PROBE_BYTES), min(end, _PROBE_BYTES)).splitlines()
    return end if all(alike) and len(set(lines)) >= LINES_MIN else 0


def _end_of(content: Content, anchor: Anchor) -> int:
    """The first line end that an anchor stands before, 0 without one."""
    for start in range(0, _SEARCHED_BYTES, _BLOCK_BYTES):
        first = max(0, start - ANCHOR_BYTES)
        data = content.read_at(first, start - first + _BLOCK_BYTES)
        at = data.find(b"\n", start - first)
        while at >= 0:
            if at + 1 >= ANCHOR_BYTES and anchor_of(data[at + 1 - ANCHOR_BYTES : at + 1]) == anchor.digest:
                return first + at + 1
            at = data.find(b"\n", at + 1)
        if len(data) < start - first + _BLOCK_BYTES:
            break
    return 0


def _is_at(content: Content, position: int, digest: bytes) -> bool:
    return anchor_of(content.read_at(position - ANCHOR_BYTES, ANCHOR_BYTES)) == digest
