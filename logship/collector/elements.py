"""The elements of a JSON array, one text after another: a batch is taken apart without decoding it as a whole.

Decoded at once, 12 MB of `{}` are four million objects; who looks at one element after another can stop at bad ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import orjson

from logship import digits
from logship.collector.refusal import Fault, RefusalError

MAX_VALUES = 200_000  # of one event; what stands in an array or object and is one itself counts twice; 40 MB at most
MAX_NESTING = 1_024  # where orjson stops reading
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{},"]', re.DOTALL)  # possessive: no steps back, linear time
VALUE_MARKS = (b",", b"{", b"[")
WHITESPACE = b" \t\r\n"
DEEPER = {ord("{"), ord("[")}
HIGHER = {ord("}"), ord("]")}
COMMA = ord(",")


def elements(body: bytes, noun: str = "event") -> Iterator[bytes]:
    """The text of each element of the array that `body` is, in order; errors call it `noun`.

    The texts may be no JSON: whoever decodes them finds out. What they are between is checked here.
    Raises: RefusalError 400 where the array is broken or an element holds more than MAX_VALUES, after the elements
    before that place.
    """
    tokens = TOKEN.finditer(body)
    opening = next(tokens, None)
    if opening is None or opening.group() != b"[" or body[: opening.start()].strip(WHITESPACE):
        raise not_json("it does not begin as an array", 0)
    depth, start, index, values = 1, opening.end(), 0, 0
    for token in tokens:
        kind = body[token.start()]
        if kind == COMMA:
            if depth == 1:
                yield body[start : token.start()]
                start, index, values = token.end(), index + 1, 0
            values += 1
        elif kind in DEEPER:
            depth += 1
            values += 1
            if depth > MAX_NESTING:
                raise not_json("it is nested too deeply", token.start())
        elif kind in HIGHER:
            depth -= 1
            if depth == 0:
                break
        elif token.end() == token.start() + 1:
            raise not_json("a text has no end", token.start())
        if values > MAX_VALUES:
            raise too_many_values(index, noun)
    else:
        raise not_json("it ends in the middle", len(body))
    last = body[start : token.start()]
    if index or last.strip(WHITESPACE):
        yield last
    if body[token.start()] != ord("]") or body[token.end() :].strip(WHITESPACE):
        raise not_json("there is more than one array", token.start())


def decode(text: bytes, what: str) -> object:
    """The JSON value of a text; `what` says in an error which part of the body it is.

    Raises: RefusalError 400 with the place where it stops being JSON.
    """
    try:
        return digits.loads(text)
    except orjson.JSONDecodeError as exc:
        raise RefusalError(400, "invalid_json", f"the body is not JSON: {what}{exc}") from exc


def has_too_many_values(text: bytes) -> bool:
    """Whether a text holds more than MAX_VALUES; counted before they are made."""
    if sum(text.count(mark) for mark in VALUE_MARKS) <= MAX_VALUES:
        return False
    marks = (token for token in TOKEN.finditer(text) if token.group() in VALUE_MARKS)  # those inside texts are none
    return next(islice(marks, MAX_VALUES, None), None) is not None


def too_many_values(index: int, noun: str = "event") -> RefusalError:
    reason = f"more than {MAX_VALUES} values"
    message = f"{noun} {index} is invalid, nothing was stored: {reason}"
    return RefusalError(400, f"invalid_{noun}s", message, faults=(Fault(index, "", reason),))


def not_json(reason: str, at: int) -> RefusalError:
    return RefusalError(400, "invalid_json", f"the body is not JSON: {reason}, at byte {at}")
