"""A number for each text of a column, the same in all segments: counts of segments are added up by number."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from logship.collector.columns import Array
from logship.collector.kept import Kept
from logship.collector.segments import KnownSegment
from logship.records import record

KEPT_BYTES = 32_000_000  # of numbers, four bytes each
MAX_TEXTS = 1_000_000  # of a column


@record
class NumberedTexts:
    """Shapes: `codes` has an array for each segment: the number of each of its texts; `texts` are in their order."""

    codes: list[Array]
    texts: list[bytes]


class TextNumbers:
    """Gives texts their numbers; any thread. `is_full` says that another one should take over."""

    def __init__(self) -> None:
        self._kept = Kept[Array](KEPT_BYTES)
        self._numbers: dict[str, defaultdict[bytes, int]] = {}
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        return any(len(numbers) > MAX_TEXTS for numbers in list(self._numbers.values()))

    def of(self, segments: Sequence[KnownSegment], column: str) -> NumberedTexts:
        """The numbers of the texts of some segments.

        Raises: GoneError when one of them is gone.
        """
        codes = [self._of_segment(known, column) for known in segments]
        with self._lock:
            return NumberedTexts(codes, list(self._numbers.get(column, ())))

    def _of_segment(self, known: KnownSegment, column: str) -> Array:
        found = self._kept.get((known.id, column)) if known.id else None
        if found is not None:
            return found
        texts = known.columns.texts(column)
        with self._lock:
            numbers = self._numbers.get(column)
            if numbers is None:
                numbers = self._numbers[column] = defaultdict()
                numbers.default_factory = numbers.__len__
            made = np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts))
        if known.id:
            self._kept.keep((known.id, column), made, made.nbytes)
        return made
