"""The typed models of what SDKs send beside events: users, companies, subscriptions, and actions of users.

Unknown keys are kept, nothing is coerced but identifiers that are numbers, as in model.py.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from logship.collector.model import MAX_USER_CHARS, NO_NUL, OPEN, Id, Identifier, Object, Text, Time, or_number
from logship.records import record

Key = Annotated[
    str,
    Field(min_length=1, max_length=MAX_USER_CHARS, pattern=NO_NUL),
    or_number(minLength=1, maxLength=MAX_USER_CHARS, pattern=NO_NUL),
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_USER_CHARS)]
Tokens = Identifier | list[Identifier]


class UserProfile(TypedDict):
    """Somebody who calls the API."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # pydantic's documented way for a TypedDict
    user_id: Key
    company_id: NotRequired[Identifier | None]
    session_token: NotRequired[Tokens | None]
    modified_time: NotRequired[str | None]
    ip_address: NotRequired[str | None]
    user_agent_string: NotRequired[str | None]
    campaign: NotRequired[Object | None]
    metadata: NotRequired[Object | None]


class CompanyProfile(TypedDict):
    """A customer to whom users belong."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    company_id: Key
    company_domain: NotRequired[str | None]
    session_token: NotRequired[Tokens | None]
    modified_time: NotRequired[str | None]
    ip_address: NotRequired[str | None]
    campaign: NotRequired[Object | None]
    metadata: NotRequired[Object | None]


class SubscriptionProfile(TypedDict):
    """What a company has subscribed to; its status may be said earlier or later."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    subscription_id: Key
    company_id: Key
    status: NotRequired[str | None]
    current_period_start: NotRequired[str | None]
    current_period_end: NotRequired[str | None]
    items: NotRequired[list[Object] | None]
    metadata: NotRequired[Object | None]


class ActionRequest(TypedDict):
    """Where an action happened."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    uri: Text
    time: NotRequired[Time | None]
    ip_address: NotRequired[str | None]
    user_agent_string: NotRequired[str | None]


class UserAction(TypedDict):
    """Something a user did that is no call of the API."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    action_name: Name
    request: ActionRequest
    transaction_id: NotRequired[Id | None]
    session_token: NotRequired[Identifier | None]
    user_id: NotRequired[Key | None]
    company_id: NotRequired[Identifier | None]
    subscription_id: NotRequired[Identifier | None]
    metadata: NotRequired[Object | None]


@record
class ItemKind:
    """One family of paths: `/v1/{path}` takes one item, `/v1/{path}/batch` an array.

    Shapes: `key` is the member that names a profile, "" for actions, which are not merged; `typed` are the members
    that the model names.
    """

    path: str
    key: str
    model: TypeAdapter[Any]
    schema_name: str
    typed: frozenset[str]


def _kind(path: str, key: str, model: type) -> ItemKind:
    return ItemKind(path, key, TypeAdapter(model), model.__name__, frozenset(model.__annotations__))


USERS = _kind("users", "user_id", UserProfile)
COMPANIES = _kind("companies", "company_id", CompanyProfile)
SUBSCRIPTIONS = _kind("subscriptions", "subscription_id", SubscriptionProfile)
ACTIONS = _kind("actions", "", UserAction)
PROFILES = (USERS, COMPANIES, SUBSCRIPTIONS)
KINDS = (*PROFILES, ACTIONS)
