"""What is confirmed? A position moves over spans that join on to it, in whatever order they are settled."""

from __future__ import annotations

from logship.checkpoint import Anchor
from logship.event import Span

ANCHORS_KEPT = 16


class Positions:
    """The confirmed range [start, confirmed) of one generation, and the settled spans that do not join on to it yet.

    `anchors` are those of the last ANCHORS_KEPT positions, oldest first.
    """

    __slots__ = ("_settled", "anchors", "confirmed", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.confirmed = start
        self.anchors: list[Anchor] = []
        self._settled: dict[int, tuple[int, bytes]] = {}

    def confirm(self, span: Span) -> bool:
        """Takes a settled span; True where the position moved."""
        if span.end <= self.confirmed:
            return False
        self._settled[span.start] = (span.end, span.anchor)
        moved = False
        while (joining := self._settled.pop(self.confirmed, None)) is not None:
            self.confirmed, anchor = joining
            self.anchors.append(Anchor(self.confirmed, anchor))
            moved = True
        if moved:
            del self.anchors[:-ANCHORS_KEPT]
        return moved
