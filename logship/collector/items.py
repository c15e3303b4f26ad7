"""A body becomes users, companies, subscriptions or actions: decoded, validated as a whole, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from logship import digits
from logship.collector.checking import MANY_KEYS_CHARS, MAX_KEYS, reasons
from logship.collector.elements import WHITESPACE, decode, elements, has_too_many_values, too_many_values
from logship.collector.identifiers import decode_item
from logship.collector.intake import BOM, MAX_DEPTH
from logship.collector.profile_model import ItemKind
from logship.collector.refusal import MAX_FAULTS, Fault, RefusalError
from logship.collector.row import TimeReader

MAX_ITEMS = 10_000  # of a request: they are merged in one transaction, for which the events wait
MAX_ITEM_BYTES = 1_000_000  # the service's limit of an action, and of a profile once it is merged

Item = dict[str, Any]


def read_items(body: bytes, kind: ItemKind, *, batch: bool) -> list[Item]:
    """The items of a body, each of them valid.

    Raises: RefusalError 400 with the first MAX_FAULTS mistakes, 413 for more than MAX_ITEMS.
    """
    items: list[Item] = []
    faults: list[Fault] = []
    for index, text in enumerate(_texts(body.removeprefix(BOM), kind, batch=batch)):
        if index >= MAX_ITEMS:
            raise RefusalError(413, "too_many_items", f"more than {MAX_ITEMS} {kind.path}; send fewer at once")
        items += _checked(text, index, kind, faults)
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        first = faults[0]
        place = f"{first.field}: " if first.field else ""
        message = f"invalid {kind.path}, nothing was stored; item {first.index}: {place}{first.reason}"
        raise RefusalError(400, "invalid_items", message, faults=tuple(faults[:MAX_FAULTS]))
    return items


def _texts(body: bytes, kind: ItemKind, *, batch: bool) -> Iterator[bytes]:
    """The JSON of each item."""
    opening, other = (b"[", "without") if batch else (b"{", "with")
    if body.lstrip(WHITESPACE)[:1] != opening:
        if not has_too_many_values(body):
            decode(body, "")
        what = "array; one item goes" if batch else "object; several go"
        message = f"the body is no {what} to the path {other} /batch"
        raise RefusalError(400, "not_a_batch" if batch else "not_an_item", message)
    if batch:
        return elements(body, "item")
    if has_too_many_values(body):
        raise too_many_values(0, "item")
    return iter([body])


def _checked(text: bytes, index: int, kind: ItemKind, faults: list[Fault]) -> list[Item]:
    """The item if it is valid; else none, and `faults` say why."""
    item = decode_item(text, f"item {index}: ")
    try:
        kind.model.validate_python(item)
        valid: Item = item  # type: ignore[assignment]  # the model says so
        found = [*_oversize(valid), *(() if kind.key else _bad_time(valid))]
    except ValidationError as exc:
        found = reasons(exc)
    faults += [Fault(index, field, reason) for field, reason in found]
    return [] if found else [valid]


def _oversize(item: Item) -> Iterator[tuple[str, str]]:
    try:
        text = digits.dumps(item)
    except TypeError:
        yield "", f"nested deeper than {MAX_DEPTH}"
        return
    if len(text) > MAX_ITEM_BYTES:
        yield "", f"longer than {MAX_ITEM_BYTES} bytes"
    if len(text) > MANY_KEYS_CHARS and text.count(b'":') > MAX_KEYS:
        yield "", f"more than {MAX_KEYS} keys"


def _bad_time(item: Item) -> Iterator[tuple[str, str]]:
    """Of an action; times of profiles are kept as they are written."""
    moment = item["request"].get("time")
    if moment:
        try:
            TimeReader().read(moment)
        except ValueError as exc:
            yield "request.time", str(exc)
