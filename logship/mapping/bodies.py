"""Bodies: how they are written into an event, and when they are left out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from logship import digits
from logship.kernel.values import ascii_json


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
