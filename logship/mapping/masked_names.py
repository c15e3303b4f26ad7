"""Names of parameters and keys whose values are masked: `password`, `card.number`, `**.token`, `pin.*`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import normalize

Way = tuple[str, ...]
_STEP = re.compile(r"[^.\[\]]+")
_AROUND = " \t\0?+"  # what servers take away around a name


def steps_of(name: str) -> Way:
    """The steps of a name as they are compared: `card.number`, `card[number]` and `card[number][]` have two."""
    return tuple(plain(step) for step in _STEP.findall(name) if step != "**")


def plain(name: str) -> str:
    """A name as names are compared: case, width and blanks around it don't matter."""
    if not name.isascii():
        name = normalize("NFKC", name).casefold()
    return name.lower().strip(_AROUND)


class MaskedNames:
    """A key is a name at any depth, in any case, or the end of the way to it; `*` is any one name."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._masks = [mask for key in keys if (mask := steps_of(key))]
        self._longest = max(map(len, self._masks), default=1)

    def hide_name(self, name: str) -> bool:
        """Whether a key is found on the way that a name writes, as in `user[token][0]`."""
        return self.way_below((), name) is None

    def way_below(self, way: Way, name: str) -> Way | None:
        """The end of the way to what is under a name, as long as any key; None where it is masked."""
        below = (*way, *(steps_of(name) or ("",)))
        for end in range(len(way) + 1, len(below) + 1):
            if self._hide(below[max(0, end - self._longest) : end]):  # a name may be sent with thousands of steps
                return None
        return below[-self._longest :]

    def _hide(self, way: Way) -> bool:
        for mask in self._masks:
            end = way[-len(mask) :]
            if len(end) == len(mask) and all(step in ("*", name) for step, name in zip(mask, end, strict=True)):
                return True
        return False
