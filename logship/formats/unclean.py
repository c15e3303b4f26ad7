"""Which lines of a chunk hold what no clean row may: a backslash, a DEL or a byte beyond ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FEW = 16  # places found one by one before every line that is left is asked
DEL = b"\x7f"  # the one ASCII character beside the controls that our JSON spells with an escape


def unclean(data: bytes, lines: Sequence[bytes]) -> set[int]:
    """The indexes of lines that hold one of them; `data` is the lines, each with its newline."""
    return {*foreign(data, lines), *lines_with(b"\\", data, lines)}


def foreign(data: bytes, lines: Sequence[bytes]) -> set[int]:
    """The indexes of lines with a DEL or a byte beyond ASCII."""
    found = set(lines_with(DEL, data, lines))
    if not data.isascii():
        found.update(indexes_of(list(map(bytes.isascii, lines)), False))
    return found


def lines_with(byte: bytes, data: bytes, lines: Sequence[bytes]) -> list[int]:
    """The indexes of lines that hold the byte, ascending.

    By its places where they are few: asking every line cost 3 % of the converter.
    """
    found: list[int] = []
    at, number = data.find(byte), -1
    while at >= 0:
        end = data.find(b"\n", at)
        number = lines.index(data[data.rfind(b"\n", 0, at) + 1 : end], number + 1)
        found.append(number)
        if len(found) == FEW:
            return found + [index for index in range(number + 1, len(lines)) if byte in lines[index]]
        at = data.find(byte, end)
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
