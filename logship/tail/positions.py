"""What is confirmed? A position moves over spans that join on to it, in whatever order they are settled."""

from __future__ import annotations

from collections.abc import Iterable

from logship.checkpoint import Anchor
from logship.event import Span

ANCHORS_KEPT = 16
_NUMBER_BYTES = 8
_PACKED_BYTES = _NUMBER_BYTES + 16  # a position and the digest before it: 50,000 busy logs have 800,000 of them


class Positions:
    """The confirmed range [start, confirmed) of one generation, and the settled spans that do not join on to it yet."""

    __slots__ = ("_packed", "_settled", "confirmed", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.confirmed = start
        self._packed = b""
        self._settled: dict[int, tuple[int, bytes]] | None = None

    @property
    def anchors(self) -> list[Anchor]:
        """Those of the last ANCHORS_KEPT positions, oldest first."""
        packed = self._packed
        return [_unpacked(packed[at : at + _PACKED_BYTES]) for at in range(0, len(packed), _PACKED_BYTES)]

    @anchors.setter
    def anchors(self, anchors: Iterable[Anchor]) -> None:
        self._packed = b"".join(map(_packed, anchors))

    @property
    def has_anchors(self) -> bool:
        return bool(self._packed)

    @property
    def last_anchor(self) -> Anchor:
        """The newest of them; there is one."""
        return _unpacked(self._packed[-_PACKED_BYTES:])

    def confirm(self, span: Span) -> bool:
        """Takes a settled span; True where the position moved."""
        if span.end <= self.confirmed:
            return False
        settled = {} if self._settled is None else self._settled
        settled[span.start] = (span.end, span.anchor)
        moved = []
        while (joining := settled.pop(self.confirmed, None)) is not None:
            self.confirmed, anchor = joining
            moved.append(_packed(Anchor(self.confirmed, anchor)))
        self._settled = settled or None
        if moved:
            self._packed = (self._packed + b"".join(moved))[-ANCHORS_KEPT * _PACKED_BYTES :]
        return bool(moved)


def _packed(anchor: Anchor) -> bytes:
    """An empty digest, which any content fits, is zeros."""
    return anchor.position.to_bytes(_NUMBER_BYTES, "big") + anchor.digest.ljust(_PACKED_BYTES - _NUMBER_BYTES, b"\0")


def _unpacked(packed: bytes) -> Anchor:
    digest = packed[_NUMBER_BYTES:]
    return Anchor(int.from_bytes(packed[:_NUMBER_BYTES], "big"), digest if any(digest) else b"")
