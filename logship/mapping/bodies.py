"""Bodies: how they are written into an event, and what is masked in them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from unicodedata import normalize
from urllib.parse import quote_plus, unquote_plus

import orjson

from logship.kernel.values import ascii_json
from logship.mapping.redaction import REDACTED

Mask = tuple[str, ...]
_FORM = re.compile(r"[^\x00-\x20\x7f\"<>{}]*=[^\x00-\x20\x7f\"<>{}]*\Z")
_STEP = re.compile(r"[^.\[\]]+")
_SEPARATOR = re.compile(r"([&;])")  # also of `&amp;`
_AROUND = " \t\0?+"  # what servers take away around a name
_LOOKS_LIKE_JSON = frozenset("{[")


def body_members(text: str) -> str:
    """`"body":…,"transfer_encoding":…`: JSON stays JSON, all else becomes base64."""
    try:
        encoded = ascii_json(orjson.dumps(orjson.loads(text.encode())).decode())
    except (TypeError, ValueError):  # not JSON, or nested deeper than orjson goes
        content = b64encode(text.encode("utf-8", "replace")).decode("ascii")
        return f'"body":"{content}","transfer_encoding":"base64"'
    return f'"body":{encoded},"transfer_encoding":"json"'


def is_longer(most: int) -> Callable[[str], str]:
    """A function from a text to two characters where it has more than `most` bytes, else to one."""

    def measured(text: str) -> str:
        return "11" if len(text) > most or len(text.encode("utf-8", "replace")) > most else "1"

    return measured


def is_missing(text: str) -> str:
    """Two characters where the text is empty, else one; see is_longer()."""
    return "1" if text else "11"


def body_mask(keys: Sequence[str]) -> Callable[[str], str]:
    """A function from a body to the same one with what stands under the keys replaced.

    A key is a name at any depth, in any case (`password`), or the end of the way to it (`card.number`); `*` is any one
    name, a leading `**.` changes nothing. Arrays are no step of the way. JSON texts inside of JSON are looked through.
    A form's names are split at dots and brackets (`card[number]`). What is neither JSON nor a form (XML, multipart, a
    body that was cut) can't be looked through: it becomes the empty text, the body is left out.
    """
    masks = [mask for key in keys if (mask := steps_of(key))]

    def masked(text: str) -> str:
        if not text:
            return text
        try:
            tree = orjson.loads(text.encode("utf-8", "replace"))
        except ValueError:
            return _masked_form(text, masks) if _FORM.match(text) else ""
        try:
            return orjson.dumps(_masked(tree, masks)).decode()
        except (TypeError, ValueError):  # deeper than orjson writes
            return ""

    return masked


def steps_of(key: str) -> Mask:
    """The names of a key of `redact.body`, in lower case."""
    return tuple(_plain(step) for step in _STEP.findall(key) if step != "**")


def _is_hidden(way: Sequence[str], masks: Sequence[Mask]) -> bool:
    """Whether the last steps of the way are those of a mask."""
    for mask in masks:
        end = way[-len(mask) :]
        if len(end) == len(mask) and all(step in ("*", name) for step, name in zip(mask, end, strict=True)):
            return True
    return False


def _masked(tree: object, masks: Sequence[Mask]) -> object:
    """The tree with values replaced in place; without recursion, as the nesting is whoever sent the request's."""
    longest = max(map(len, masks), default=0)
    root: list[object] = [tree]
    todo: list[tuple[dict[str, object] | list[object], Mask]] = [(root, ())]
    while todo:
        node, way = todo.pop()
        if isinstance(node, dict):
            for key, below in node.items():
                steps = [_plain(step) for step in _STEP.findall(key)] or [""]
                ways = [(*way, *steps[:end])[-longest:] for end in range(1, len(steps) + 1)]
                is_hidden = any(_is_hidden(one, masks) for one in ways)
                node[key] = REDACTED if is_hidden else _looked_through(below, ways[-1], masks, todo)
        else:
            for index, below in enumerate(node):
                node[index] = _looked_through(below, way, masks, todo)
    return root[0]


def _looked_through(
    value: object, way: Mask, masks: Sequence[Mask], todo: list[tuple[dict[str, object] | list[object], Mask]]
) -> object:
    """The value itself; what is below it is still to do, but for JSON or a form in a text."""
    if isinstance(value, dict | list):
        todo.append((value, way))
    elif isinstance(value, str) and value.lstrip()[:1] in _LOOKS_LIKE_JSON:
        return _masked_text(value, masks)
    elif isinstance(value, str) and "=" in value and _FORM.match(value):
        return _masked_form(value, masks)
    return value


def _masked_text(text: str, masks: Sequence[Mask]) -> str:
    """A text in a body that may be JSON itself; one that only begins so stays, and one in which nothing is hidden."""
    try:
        tree = orjson.loads(text.encode("utf-8", "replace"))
    except ValueError:
        return text
    before = orjson.dumps(tree)
    after = orjson.dumps(_masked(tree, masks))
    return text if after == before else after.decode()


def _masked_form(text: str, masks: Sequence[Mask]) -> str:
    pairs = []
    for pair in _SEPARATOR.split(text):
        name, equals, value = pair.partition("=")
        way = [_plain(step) for step in _STEP.findall(unquote_plus(name))]
        decoded = unquote_plus(value)
        if any(_is_hidden(way[:end], masks) for end in range(1, len(way) + 1)):
            pair = f"{name}{equals}{REDACTED}" if value else pair
        elif decoded.lstrip()[:1] in _LOOKS_LIKE_JSON:
            pair = f"{name}{equals}{quote_plus(_masked_text(decoded, masks))}"
        pairs.append(pair)
    return "".join(pairs)


def _plain(name: str) -> str:
    """A name as names are compared: case, width and blanks around it don't matter."""
    if not name.isascii():
        name = normalize("NFKC", name).casefold()
    return name.lower().strip(_AROUND)
