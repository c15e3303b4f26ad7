"""Which lines of a chunk hold what no clean row may: a backslash or a byte beyond ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def unclean(data: bytes, lines: Sequence[bytes]) -> set[int]:
    """The indexes of lines that hold a backslash or a byte beyond ASCII; `data` is the lines, each with its newline.

    By the places of backslashes where they are few: asking every line cost 3 % of the converter.
    """
    found: set[int] = set()
    if not data.isascii():
        found.update(indexes_of(list(map(bytes.isascii, lines)), False))
    at, number = data.find(b"\\"), -1
    while at >= 0:
        end = data.find(b"\n", at)
        number = lines.index(data[data.rfind(b"\n", 0, at) + 1 : end], number + 1)
        found.add(number)
        at = data.find(b"\\", end)
    return found


def indexes_of(items: list[T], wanted: T) -> list[int]:
    """The indexes at which `wanted` stands, by list.index: C all the way."""
    found: list[int] = []
    index = -1
    try:
        while True:
            index = items.index(wanted, index + 1)
            found.append(index)
    except ValueError:
        return found
