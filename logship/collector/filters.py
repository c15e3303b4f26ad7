"""Which events somebody wants to see: one definition, from which figures, chart, lists, events and exports all come."""

from __future__ import annotations

import re
from collections.abc import Mapping

from logship.collector.callers import MAX_NAME_CHARS
from logship.collector.refusal import bad_parameter
from logship.collector.routes import OTHER, ROUTE_MARK
from logship.collector.row import (
    MAX_CLIENT_CHARS,
    MAX_COMPANY_CHARS,
    MAX_PATH_CHARS,
    MAX_ROUTE_CHARS,
    MAX_SOURCE_CHARS,
    MAX_VERB_CHARS,
)
from logship.collector.time_range import read_range, read_zone
from logship.records import record

MAX_TEXT_CHARS = 512
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_RESPONSE = "none"
NO_VALUE = re.compile(r"(\\*)none")  # events without a value; with a backslash the value "none"
ALWAYS_THERE = ("status", "route", "path")  # no event is without
STAR = "\\*"  # at the end of a path: a star; without the backslash it means all that begin so
EXCLUDING = "not-"  # before a parameter's name: all but those
FIELDS = {  # parameter: column, longest value
    "verb": ("verb", MAX_VERB_CHARS),
    "status": ("status", 4),
    "route": ("route", MAX_ROUTE_CHARS),
    "path": ("path", MAX_PATH_CHARS),
    "user": ("user_id", MAX_TEXT_CHARS),
    "company": ("company", MAX_COMPANY_CHARS),
    "client": ("client", MAX_CLIENT_CHARS),
    "source": ("source", MAX_SOURCE_CHARS),
    "host": ("host", MAX_SOURCE_CHARS),
    "agent": ("agent", MAX_NAME_CHARS),
    "referrer": ("referrer", MAX_NAME_CHARS),
}


@record
class FilterCondition:
    """One condition on a column of FIELDS.

    Shapes: `statuses` is the lowest and highest status of a condition on the status (-1: no response), None of others;
    `is_prefix` asks for texts that begin so; `is_excluded` turns it round. An event without a value has the value "".
    """

    column: str
    text: str = ""
    statuses: tuple[int, int] | None = None
    is_prefix: bool = False
    is_excluded: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of which one must match: what may be a route is also looked for among the routes."""
        is_route = self.column == "path" and (self.is_prefix or ROUTE_MARK in self.text or self.text == OTHER)
        return ("path", "route") if is_route else (self.column,)


@record
class EventFilter:
    """Conditions that must all hold.

    Shapes: `since_ms` is inclusive, `until_ms` exclusive, both of request.time, None is no bound; `search` is looked
    for anywhere in the event's JSON, in any case, "" for no such condition.
    """

    application_id: str
    since_ms: int | None = None
    until_ms: int | None = None
    conditions: tuple[FilterCondition, ...] = ()
    search: str = ""


def like_literal(text: str) -> str:
    """`text` inside a LIKE pattern, standing for itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def read_filter(parameters: Mapping[str, str], application_id: str, now_ms: int) -> EventFilter:
    """The filter that a query string describes.

    Shapes: `range`, `since`, `until` and `tz` see time_range.py; `status` is 404, 4xx or none; a `path` ending in *
    means all that begin so, in \\* one that ends in a star; `none` for the others means events without a value, \\none
    the value "none"; each of FIELDS may begin with `not-`.
    Raises: RefusalError 400 naming the parameter.
    """
    conditions: list[FilterCondition] = []
    for name, (column, limit) in FIELDS.items():
        for given, is_excluded in ((name, False), (EXCLUDING + name, True)):
            text = _text(parameters, given, limit)
            if text:
                conditions.append(_condition(given, column, text, is_excluded=is_excluded))
    time_range = read_range(parameters, now_ms, read_zone(parameters))
    return EventFilter(
        application_id,
        since_ms=time_range.since_ms,
        until_ms=time_range.until_ms,
        conditions=tuple(conditions),
        search=_text(parameters, "q", MAX_TEXT_CHARS).strip(),
    )


def _condition(name: str, column: str, text: str, *, is_excluded: bool) -> FilterCondition:
    if column == "status":
        return FilterCondition(column, text, statuses=_statuses(name, text.strip().lower()), is_excluded=is_excluded)
    if column == "path" and text.endswith(STAR):
        return FilterCondition(column, f"{text[:-2]}*", is_excluded=is_excluded)
    if column == "path" and text.endswith("*"):
        return FilterCondition(column, text[:-1], is_prefix=True, is_excluded=is_excluded)
    none = NO_VALUE.fullmatch(text) if name.removeprefix(EXCLUDING) not in ALWAYS_THERE else None
    if none:
        return FilterCondition(column, text[1:] if none[1] else "", is_excluded=is_excluded)
    return FilterCondition(column, text, is_excluded=is_excluded)


def written(name: str, value: str) -> str:
    """A value of a list as the parameter that means exactly this value."""
    if name == "path" and value.endswith("*"):
        return f"{value[:-1]}{STAR}"
    if name in ALWAYS_THERE:
        return value
    return f"\\{value}" if NO_VALUE.fullmatch(value) else value or "none"


def kept_whole(name: str, value: str) -> str:
    """A value as people see it: … at its end says that it may be longer than what is kept of it."""
    return f"{value}…" if name in FIELDS and len(value) >= FIELDS[name][1] else value


def _statuses(name: str, text: str) -> tuple[int, int]:
    if text == NO_RESPONSE:
        return -1, -1
    if text in STATUS_CLASSES:
        lowest = int(text[0]) * 100
        return lowest, lowest + 99
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text), int(text)
    raise bad_parameter(name, text, "give a status as 404, a class as 4xx, or none")


def _text(parameters: Mapping[str, str], name: str, limit: int) -> str:
    text = parameters.get(name, "")
    has_mark = text.endswith("*") or NO_VALUE.fullmatch(text) is not None
    if len(text) > limit + has_mark:
        raise bad_parameter(name, text, f"at most {limit} characters; of longer values only the first are kept")
    if "\x00" in text:
        raise bad_parameter(name, text, "NUL can't be looked for")
    return text
