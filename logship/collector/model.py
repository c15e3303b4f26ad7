"""The typed model of an event as the ingestion API takes it; validation, error texts and OpenAPI all come from here.

Unknown keys are kept, null equals absent, nothing is coerced: "200" is no status. Identifiers may
be numbers: identifiers.py makes texts of them first.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, InstanceOf, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict

MAX_ID_CHARS = 128  # of a transaction_id; a UUID has 36
MAX_USER_CHARS = 256  # PostgreSQL indexes 2,700 bytes, the application id among them
MAX_WEIGHT = 1_000_000_000
OPEN = ConfigDict(extra="allow", strict=True)
NO_NUL = r"^[^\x00]*$"  # PostgreSQL text holds no NUL


def or_number(**limits: int | str) -> WithJsonSchema:
    """The schema of an identifier; the limits are those of its text."""
    number = {"type": "number", "description": "taken as its text, with the digits as they are written"}
    return WithJsonSchema({"anyOf": [{"type": "string", **limits}, number]})


Status = Annotated[int, Field(ge=0, le=999)]
Weight = Annotated[int, Field(ge=1, le=MAX_WEIGHT)]
Time = Annotated[str, Field(description="ISO 8601: Z, an offset, or no zone (= UTC); 0 to 9 fraction digits")]
Text = Annotated[str, Field(min_length=1)]
# InstanceOf looks at the type only: JSON objects have text keys, and copying them costs a tenth of an event
Object = Annotated[InstanceOf[dict[str, Any]], WithJsonSchema({"type": "object", "additionalProperties": True})]
Id = Annotated[str, Field(max_length=MAX_ID_CHARS, pattern=NO_NUL), or_number(maxLength=MAX_ID_CHARS, pattern=NO_NUL)]
User = Annotated[str, Field(max_length=MAX_USER_CHARS), or_number(maxLength=MAX_USER_CHARS)]
Identifier = Annotated[str, or_number()]


class Request(TypedDict):
    """What was asked."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # pydantic's documented way for a TypedDict
    time: Time
    uri: Text
    verb: Text
    ip_address: NotRequired[str | None]
    headers: NotRequired[Object | None]
    body: NotRequired[Any]
    transfer_encoding: NotRequired[str | None]
    api_version: NotRequired[str | None]


class Response(TypedDict):
    """What was answered."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    time: Time
    status: Status
    ip_address: NotRequired[str | None]
    headers: NotRequired[Object | None]
    body: NotRequired[Any]
    transfer_encoding: NotRequired[str | None]


class Event(TypedDict):
    """One call of an API."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    request: Request
    response: NotRequired[Response | None]
    transaction_id: NotRequired[Id | None]
    user_id: NotRequired[User | None]
    company_id: NotRequired[Identifier | None]
    session_token: NotRequired[Identifier | None]
    subscription_id: NotRequired[Identifier | None]
    metadata: NotRequired[Object | None]
    direction: NotRequired[str | None]
    weight: NotRequired[Weight | None]


ONE = TypeAdapter(Event)
MANY = TypeAdapter(list[Event])
