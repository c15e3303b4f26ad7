"""A user as the page shows them: the profile, the company's, and what they did beside calling the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from logship import digits
from logship.collector.profiles import UserPage
from logship.collector.row import TimeReader
from logship.records import record

MAX_FACTS = 60
MAX_FACT_CHARS = 500
TOKENS = "session_token"
NAMES = ("user_id", "company_id")  # links to their events; the rest are facts

Fact = tuple[str, str]


@record
class Action:
    """Shapes: `time_ms` is None where the sender named no time it can be read."""

    name: str
    time_ms: int | None
    uri: str
    facts: tuple[Fact, ...]


@record
class Person:
    """Shapes: facts are name and value; `is_known` is false when nothing but events is stored of this user."""

    user_id: str
    company_id: str
    profile: tuple[Fact, ...]
    company: tuple[Fact, ...]
    actions: tuple[Action, ...]

    @property
    def is_known(self) -> bool:
        return bool(self.profile or self.company or self.company_id or self.actions)


def person_of(user_id: str, found: UserPage) -> Person:
    """What to show of a user."""
    return Person(
        user_id=user_id,
        company_id=str((found.profile or {}).get("company_id") or ""),
        profile=facts_of(found.profile),
        company=facts_of(found.company),
        actions=tuple(_action(one) for one in found.actions),
    )


def facts_of(document: dict[str, Any] | None) -> tuple[Fact, ...]:
    """The members of a document, those of objects each by itself; tokens are only counted."""
    return tuple(_facts(document or {}))[:MAX_FACTS]


def _facts(document: dict[str, Any]) -> Iterator[Fact]:
    for name, value in document.items():
        if name in NAMES or value is None or value in ({}, [], ""):
            continue
        if name == TOKENS:
            count = len(value) if isinstance(value, list) else 1
            yield "session tokens", str(count)
        elif isinstance(value, dict):
            yield from (
                (f"{name}.{inner}" if name != "metadata" else inner, _text(one)) for inner, one in value.items()
            )
        else:
            yield name.replace("_", " "), _text(value)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else digits.dumps(value).decode()
    return text if len(text) <= MAX_FACT_CHARS else f"{text[:MAX_FACT_CHARS]}…"


def _action(document: dict[str, Any]) -> Action:
    request = document.get("request") or {}
    return Action(
        name=str(document.get("action_name", "")),
        time_ms=_time_ms(request.get("time")),
        uri=str(request.get("uri", "")),
        facts=facts_of(document.get("metadata")),
    )


def _time_ms(text: object) -> int | None:
    try:
        return TimeReader().read(text) if isinstance(text, str) else None
    except ValueError:
        return None
