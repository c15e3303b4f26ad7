"""Identifiers that SDKs send as numbers, since the application's own ids are: they are taken as their text."""

from __future__ import annotations

from logship import digits
from logship.collector.elements import decode
from logship.digits import Digits

NAMES = ("user_id", "company_id", "session_token", "subscription_id", "transaction_id")
NUMBERS = (int, float, Digits)


def decode_item(text: bytes, what: str) -> object:
    """The JSON value of an event or of any other item; identifiers that are numbers are texts of the same digits.

    Raises: RefusalError 400, see `elements.decode`.
    """
    item = decode(text, what)
    if isinstance(item, dict) and any(map(_has_number, map(item.get, NAMES))):
        try:
            written = digits.spelled(text)
        except RecursionError:  # nobody's: the model refuses the numbers
            return item
        for name in NAMES:
            if _has_number(item.get(name)):
                item[name] = _as_text(written[name])
    return item


def _has_number(value: object) -> bool:
    if isinstance(value, list):  # session tokens
        return any(map(_is_number, value))
    return _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _as_text(value: object) -> object:
    if isinstance(value, list):
        return [str(one) if isinstance(one, Digits) else one for one in value]
    return str(value)
