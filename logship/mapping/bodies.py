"""Bodies: how they are written into an event, and what is masked in them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.parse import quote_plus, unquote_plus

from logship import digits
from logship.kernel.values import ascii_json
from logship.mapping.masked_names import MaskedNames, Way
from logship.mapping.redaction import REDACTED

_FORM = re.compile(r"[^\x00-\x20\x7f\"<>{}]*=[^\x00-\x20\x7f\"<>{}]*\Z")
_SEPARATOR = re.compile(r"([&;])")  # also of `&amp;`
_LOOKS_LIKE_JSON = frozenset("{[")


def body_members(text: str) -> str:
    """`"body":…,"transfer_encoding":…`: JSON stays JSON, all else becomes base64."""
    try:
        encoded = ascii_json(digits.dumps(digits.loads(text)).decode())
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
    masks = MaskedNames(keys)

    def masked(text: str) -> str:
        if not text:
            return text
        try:
            tree = digits.loads(text.encode("utf-8", "replace"))
        except ValueError:
            return _masked_form(text, masks) if _FORM.match(text) else ""
        try:
            return digits.dumps(_masked(tree, masks)).decode()
        except (TypeError, ValueError):  # deeper than orjson writes
            return ""

    return masked


def member_mask(keys: Sequence[str]) -> Callable[[str], str]:
    """A function from a field's text to its JSON, masked like a body's; '' where it is none, or nothing is masked."""
    masks = MaskedNames(keys)

    def masked(text: str) -> str:
        if text.lstrip()[:1] not in _LOOKS_LIKE_JSON:
            return ""
        changed = _masked_text(text, masks)
        return "" if changed == text else ascii_json(changed)

    return masked


def _masked(tree: object, masks: MaskedNames) -> object:
    """The tree with values replaced in place; without recursion, as the nesting is whoever sent the request's."""
    root: list[object] = [tree]
    todo: list[tuple[dict[str, object] | list[object], Way]] = [(root, ())]
    while todo:
        node, way = todo.pop()
        if isinstance(node, dict):
            for key, below in node.items():
                inside = masks.way_below(way, key)
                node[key] = REDACTED if inside is None else _looked_through(below, inside, masks, todo)
        else:
            for index, below in enumerate(node):
                node[index] = _looked_through(below, way, masks, todo)
    return root[0]


def _looked_through(
    value: object, way: Way, masks: MaskedNames, todo: list[tuple[dict[str, object] | list[object], Way]]
) -> object:
    """The value itself; what is below it is still to do, but for JSON or a form in a text."""
    if isinstance(value, dict | list):
        todo.append((value, way))
    elif isinstance(value, str) and value.lstrip()[:1] in _LOOKS_LIKE_JSON:
        return _masked_text(value, masks)
    elif isinstance(value, str) and "=" in value and _FORM.match(value):
        return _masked_form(value, masks)
    return value


def _masked_text(text: str, masks: MaskedNames) -> str:
    """A text in a body that may be JSON itself; one that only begins so stays, and one in which nothing is hidden."""
    try:
        tree = digits.loads(text.encode("utf-8", "replace"))
    except ValueError:
        return text
    before = digits.dumps(tree)
    after = digits.dumps(_masked(tree, masks))
    return text if after == before else after.decode()


def _masked_form(text: str, masks: MaskedNames) -> str:
    pairs = []
    for pair in _SEPARATOR.split(text):
        name, equals, value = pair.partition("=")
        decoded = unquote_plus(value)
        if masks.hide_name(unquote_plus(name)):
            pair = f"{name}{equals}{REDACTED}" if value else pair
        elif decoded.lstrip()[:1] in _LOOKS_LIKE_JSON and (masked := _masked_text(decoded, masks)) != decoded:
            pair = f"{name}{equals}{quote_plus(masked)}"
        pairs.append(pair)
    return "".join(pairs)
