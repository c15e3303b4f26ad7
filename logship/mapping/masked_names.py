"""Names of parameters and keys whose values are masked: `password`, `card.number`, `**.token`, `pin.*`."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

from logship.patterns import deferred

Way = tuple[str, ...]
_STEP = deferred(r"[^.\[\]]+")
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
    """A key is a name at any depth, in any case, or the end of the way to it; `*` is any one name.

    A number on the way may be an index, as in `card[0][number]`: it is a step only for a `*` or the same number.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._masks = [mask for key in keys if (mask := steps_of(key))]
        self._most = 2 * max(map(len, self._masks), default=1)  # each step with an index behind it

    def __bool__(self) -> bool:
        return bool(self._masks)

    @property
    def masks(self) -> list[Way]:
        return self._masks

    @property
    def needed(self) -> frozenset[str]:
        """A step of each mask, without which a text holds nothing for it; an empty one for stars only."""
        return frozenset(next((step for step in reversed(mask) if step != "*"), "") for mask in self._masks)

    def hide_name(self, name: str) -> bool:
        """Whether a key is found on the way that a name writes, as in `user[token][0]`."""
        return self.way_below((), name) is None

    def way_below(self, way: Way, name: str) -> Way | None:
        """The end of the way to what is under a name, as long as any key; None where it is masked."""
        for step in steps_of(name) or ("",):  # a name may be sent with thousands of steps
            is_index = step.isdigit() and way and way[-1].isdigit()
            way = (*way[:-1], step) if is_index else (*way, step)[-self._most :]
            if any(_ends(way, mask) for mask in self._masks):
                return None
        return way


def _ends(way: Way, mask: Way) -> bool:
    """Whether a way ends with a mask, indexes left out where they are no step of it."""
    if not mask:
        return True
    if not way:
        return False
    if mask[-1] in ("*", way[-1]) and _ends(way[:-1], mask[:-1]):
        return True
    return way[-1].isdigit() and len(way) > 1 and _ends(way[:-1], mask)
