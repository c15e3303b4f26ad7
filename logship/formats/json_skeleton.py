"""JSON logs by one findall: what is the same in every line of a log is learned from one of them.

A server writes the same keys in the same order into every line, so all of a line but its values is a literal, and a
chunk is read as one of a text format is, with the same proof. Half the cost of parsing it. Lines that are different go
other ways: those with other keys or types, nested objects, escapes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from logship.formats.chunk_pattern import OTHERWISE, ChunkPattern

MAX_KEYS = 128  # of a line that a pattern is made of
_STRING = r'"[^"]*+"'
# What an exact float64 holds, without a sign or an exponent: its text is an integer's or can be brought to a float's.
_NUMBER = r"(?:0|[1-9][0-9]{0,14}+)(?:\.[0-9]{1,17}+)?+"
_MEMBER = re.compile(
    r'(\s*+"([^"\\]*+)"\s*+:\s*+)'
    rf"(?:({_STRING})|({_NUMBER})|(true|false|null))"
    r"(?=\s*+[,}])"
)
_COMMA = re.compile(r'\s*+,(?=\s*+")')
_END = re.compile(r"\s*+\}\s*+\Z")


class Type(Enum):
    """What stands under a key."""

    STRING = "string"
    NUMBER = "number"
    NULL = "null"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A learned pattern.

    Shapes: `types` of all keys; rows of `pattern` hold the values of `columns`: strings without their quotes, numbers
    as they are written.
    """

    types: dict[str, Type]
    columns: tuple[str, ...]
    pattern: ChunkPattern
    line: re.Pattern[str]


def learn(line: bytes, wanted: Collection[str]) -> Skeleton | None:
    """The skeleton of lines like this one, with columns for those of the wanted keys that hold strings or numbers.

    None: the line is no flat object of printable ASCII without escapes.
    """
    text = line.decode("latin-1")
    if text[:1] != "{" or not text.isascii() or not text.isprintable() or "\\" in text:
        return None
    types: dict[str, Type] = {}
    columns: list[str] = []
    literals, pattern = ["{"], [r"\{"]
    at = 1
    while member := _MEMBER.match(text, at):
        lead, key, string, number, word = member.groups()
        if key in types or len(types) == MAX_KEYS:
            return None
        kind = Type.STRING if string else Type.NUMBER if number else Type.NULL if word == "null" else Type.BOOLEAN
        types[key] = kind
        is_column = key in wanted and kind in (Type.STRING, Type.NUMBER)
        if is_column:
            columns.append(key)
        value, quotes = _value(kind, is_column=is_column)
        pattern += [re.escape(lead), value]
        literals += [lead, quotes]
        at = member.end()
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        pattern.append(re.escape(comma[0]))
        literals.append(comma[0])
        at = comma.end()
    if not columns or not _END.match(text, at):
        return None
    whole = "".join(pattern) + re.escape(text[at:])
    return Skeleton(
        types, tuple(columns), ChunkPattern(rf"{whole}\n{OTHERWISE}", len(columns), literals), re.compile(whole)
    )


def _value(kind: Type, *, is_column: bool) -> tuple[str, str]:
    """The pattern of a value and the quotes around it."""
    if kind is Type.STRING:
        return ('"([^"]*+)"' if is_column else _STRING), '""'
    if kind is Type.NUMBER:
        return (f"({_NUMBER})" if is_column else _NUMBER), ""
    return ("null" if kind is Type.NULL else "(?:true|false)"), ""
