"""Events as they usually come, decoded and checked in one pass of msgspec; its one door.

These structs are narrower than model.py, which says what is allowed: no unknown keys, header values are texts, bodies
are texts. What fits them is valid there too and means the same; what doesn't is not necessarily wrong, so that the
caller asks model.py. tests/collector/test_intake.py holds both together.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from logship.collector.model import MAX_ID_CHARS, MAX_USER_CHARS, MAX_WEIGHT

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # beyond, orjson makes numbers floating
MaybeText = str | None | UnsetType
MaybeTexts = dict[str, str] | None | UnsetType  # None and absent are kept apart only to be stored as they came
Text = Annotated[str, Meta(min_length=1)]
Id = Annotated[str, Meta(max_length=MAX_ID_CHARS)]
User = Annotated[str, Meta(max_length=MAX_USER_CHARS)]
NUL_ESCAPED = b"\\u0000"  # ids may not hold it, rows need it replaced: left to the caller


class UsualRequest(Struct, forbid_unknown_fields=True, gc=False):
    """`model.Request` with headers of texts and without a structured body."""

    time: str
    verb: Text
    uri: Text
    ip_address: MaybeText = UNSET
    api_version: MaybeText = UNSET
    headers: MaybeTexts = UNSET
    transfer_encoding: MaybeText = UNSET
    body: MaybeText = UNSET


class UsualResponse(Struct, forbid_unknown_fields=True, gc=False):
    """`model.Response`, likewise."""

    time: str
    status: Annotated[int, Meta(ge=0, le=999)]
    ip_address: MaybeText = UNSET
    headers: MaybeTexts = UNSET
    transfer_encoding: MaybeText = UNSET
    body: MaybeText = UNSET


class UsualEvent(Struct, forbid_unknown_fields=True, gc=False):
    """`model.Event`, likewise, with metadata one level deep; encoding it gives its compact JSON."""

    request: UsualRequest
    response: UsualResponse | UnsetType | None = UNSET
    user_id: User | UnsetType | None = UNSET
    company_id: MaybeText = UNSET
    session_token: MaybeText = UNSET
    subscription_id: MaybeText = UNSET
    metadata: dict[str, str | bool | Whole | None] | UnsetType | None = UNSET
    direction: MaybeText = UNSET
    weight: Annotated[int, Meta(ge=1, le=MAX_WEIGHT)] | UnsetType | None = UNSET
    tags: MaybeText = UNSET
    blocked_by: MaybeText = UNSET
    transaction_id: Id | UnsetType | None = UNSET


ONE: Final = msgspec.json.Decoder(UsualEvent)
MANY: Final = msgspec.json.Decoder(list[UsualEvent])
encode: Final = msgspec.json.Encoder().encode


def usual_events(body: bytes, *, batch: bool) -> list[UsualEvent] | None:
    """The events of a body when each of them is of the usual kind, else None."""
    if NUL_ESCAPED in body:
        return None
    try:
        return MANY.decode(body) if batch else [ONE.decode(body)]
    except (ValueError, RecursionError):  # ValueError: not JSON, not UTF-8, or of another kind
        return None
