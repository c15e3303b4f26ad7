"""Repairs lines of YAML: puts values in quotes, closes quotes and brackets."""

from __future__ import annotations

import re

from logship.patterns import deferred

KEY = deferred(
    r"""(\s*(?:-[ ]+)*(?:[\w.$<>-]+|'[^']*'|"[^"]*"):\s+|\s*(?:-[ ]+)+)(?P<value>\S.*?)(?P<after>\s+\#.*|\s*)\Z"""
)


def quoted(line: str) -> list[str]:
    """Ways to write the line with its problematic values in quotes, the smallest change first."""
    ways = []
    match = KEY.match(line)
    if match and match["value"][0] in "{[":
        inner = _quote_flow(match["value"])
        if inner != match["value"]:
            ways.append(match[1] + inner + match["after"])
    if match:
        value = match["value"]
        if value[0] == value[-1] == '"' and '\\"' not in value:  # a \ that is no escape in "…" is just a \ in '…'
            ways.append(match[1] + in_quotes(value[1:-1]) + match["after"])
        ways.append(match[1] + in_quotes(value) + match["after"])
    return [way for way in ways if way != line]


def closed(line: str) -> list[tuple[str, str]]:
    """The line with the quote or bracket closed that its value opens, and the closing sign."""
    match = KEY.match(line)
    if match is None:
        return []
    value = match["value"]
    if value[0] in "'\"" and (len(value) == 1 or (_past_quotes(value, 0) == len(value) and value[-1] != value[0])):
        return [(match[1] + value + value[0] + match["after"], value[0])]
    if value[0] in "[{":
        sign = {"[": "]", "{": "}"}[value[0]]
        if value.count(value[0]) > value.count(sign):
            return [(match[1] + value.rstrip(",") + sign + match["after"], sign)]
    return []


def in_quotes(value: str) -> str:
    """The value as a single-quoted scalar, in which only ' itself is written differently."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        value = value[1:-1].replace("''", "'")
    return "'" + value.replace("'", "''") + "'"


def _quote_flow(text: str) -> str:
    """A flow collection with quotes around plain values that contain signs of YAML."""
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "{}[]," or char.isspace():
            out.append(char)
            at += 1
        elif char in "'\"":
            end = _past_quotes(text, at)
            out.append(text[at:end])
            at = end
        elif (key := re.compile(r"[\w.<-]+:\s+").match(text, at)) is not None:
            out.append(key.group())
            at = key.end()
        else:
            end = _value_end(text, at)
            value = text[at:end].rstrip()
            needs_quotes = value[0] in "%*@`&!|>" or any(sign in value for sign in ("{", "[", "}", "]", ": ", ","))
            out.append(in_quotes(value) if needs_quotes else value)
            out.append(text[at + len(value) : end])
            at = end
    return "".join(out)


def _past_quotes(text: str, at: int) -> int:
    quote = text[at]
    end = at + 1
    while end < len(text):
        is_escape = text[end] == "\\" if quote == '"' else text.startswith("''", end)
        if is_escape:
            end += 2
        elif text[end] == quote:
            return end + 1
        else:
            end += 1
    return len(text)


def _value_end(text: str, at: int) -> int:
    """The end of a plain value, with the brackets inside it."""
    depth = 0
    for end in range(at, len(text)):
        char = text[end]
        if char in "{[":
            depth += 1
        elif char in "}]":
            if depth == 0:
                return end
            depth -= 1
        elif char == "," and depth == 0 and (end + 1 == len(text) or text[end + 1].isspace()):
            return end
    return len(text)
