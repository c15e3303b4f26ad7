"""What somebody asks of the page: the query string, and the addresses of the questions next to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from markupsafe import Markup

from logship.collector.filters import EXCLUDING, FIELDS, EventFilter, written
from logship.collector.refusal import bad_parameter
from logship.collector.summary import ValueCount
from logship.collector.time_range import DEFAULT_RANGE, RANGES
from logship.records import record

TIMES = ("since", "until")
FILTERS = (*TIMES, "q", *FIELDS, *(EXCLUDING + name for name in FIELDS))
PARAMETERS = ("app", "tz", "range", *FILTERS, "list", "sort", "rows")
ASKED_FOR = ("q", *FIELDS, *TIMES)  # in the form; the rest of a question is kept beside it
KEPT = tuple(name for name in PARAMETERS if name not in (*ASKED_FOR, "app"))
LABELS = {"q": "search", "since": "from", "until": "to"} | {EXCLUDING + name: f"not {name}" for name in FIELDS}
LIST_ROWS, MAX_LIST_ROWS = 10, 1_000
LISTS_SHOWN = {
    "route": "Routes",
    "path": "Paths",
    "user": "Users",
    "client": "Clients",
    "company": "Companies",
    "host": "Hosts",
    "source": "Sources",
    "agent": "Agents",
    "referrer": "Referrers",
    "verb": "Verbs",
}
SORTS: dict[str, Callable[[ValueCount], tuple[float | str, ...]]] = {
    "requests": lambda one: (-one.requests, one.value),
    "errors": lambda one: (-one.server_errors - one.client_errors, -one.server_errors, one.value),
    "p95": lambda one: (-(one.p95_ms or 0), one.value),
    "name": lambda one: (one.value,),
}


@record
class Asked:
    """A query string, and how to make the others from it."""

    base: str
    given: Mapping[str, str]

    def link(self, place: str = "/", /, **changes: str) -> str:
        """The address of another page: the same question with some answers changed ("" takes one away)."""
        merged = {**self.given, **changes}
        query = urlencode({name: value for name, value in merged.items() if value})
        return f"{self.base}{place}{'?' if query else ''}{query}"

    def to(self, **changes: str) -> Markup:
        """The attributes of a link to `link(**changes)` that the script follows without a new page."""
        return Markup(' data-swap href="{}"').format(self.link(**changes))

    def only(self, name: str, value: str) -> Markup:
        """The attributes of a link to the events with this value."""
        return self.to(**{name: written(name, value)})

    def but(self, name: str, value: str) -> Markup:
        """The attributes of a link to all but those."""
        return self.to(**{EXCLUDING + name: written(name, value)})

    def opening(self, number: int) -> Markup:
        """The attributes of a link to an event."""
        return Markup(' class="open" href="{}"').format(self.link(f"/events/{number}"))

    def chips(self) -> list[tuple[str, str, str]]:
        """The conditions in force: what, its value, the address without it."""
        names = [name for name in FILTERS if self.given.get(name)]
        return [(LABELS.get(name, name), self.given[name], self.link(**{name: ""})) for name in names]

    def conditions(self) -> list[tuple[str, str]]:
        """The conditions in force but the time: what, and its value."""
        return [(LABELS.get(name, name), self.given[name]) for name in FILTERS[len(TIMES) :] if self.given.get(name)]

    def to_all(self) -> Markup:
        """The attributes of a link to the same question without any condition."""
        return self.to(**dict.fromkeys(FILTERS, ""))

    def get(self, name: str) -> str:
        return self.given.get(name, "")

    @property
    def range(self) -> str:
        """The range in force, "" where from or until are given."""
        return "" if any(self.get(name) for name in TIMES) else self.get("range") or DEFAULT_RANGE

    @property
    def ranges(self) -> tuple[str, ...]:
        """The ranges to choose from, that in force among them."""
        return RANGES if self.range in (*RANGES, "") else (*RANGES, self.range)


class AskedOnce(Asked):
    """A question of a report: what is a link on the page leads nowhere."""

    __slots__ = ()

    def to(self, **changes: str) -> Markup:
        return Markup("")

    def only(self, name: str, value: str) -> Markup:
        """The attributes of a link to the events with this value."""
        return self.to(**{name: written(name, value)})

    def but(self, name: str, value: str) -> Markup:
        """The attributes of a link to all but those."""
        return self.to(**{EXCLUDING + name: written(name, value)})

    def opening(self, number: int) -> Markup:
        return Markup("")


@record
class Shown:
    """Which list is shown, in which order, and how many rows of it."""

    name: str = "route"
    sort: str = "requests"
    rows: int = LIST_ROWS

    def listed(self, values: Iterable[ValueCount]) -> list[ValueCount]:
        """The rows that are shown; events without a value are the last one."""
        order = SORTS[self.sort]
        return sorted(values, key=lambda one: (not one.value, order(one)))[: self.rows]

    @property
    def more_rows(self) -> int:
        """How many the next look shows; 0 when this is as far as a page goes."""
        return min(10 * self.rows, MAX_LIST_ROWS) if self.rows < MAX_LIST_ROWS else 0


def read_shown(given: Mapping[str, str]) -> Shown:
    """Raises: RefusalError 400 for a list or an order that there isn't."""
    name, sort, rows = given.get("list", "route"), given.get("sort", "requests"), given.get("rows", "")
    if name not in LISTS_SHOWN:
        raise bad_parameter("list", name, f"give one of {', '.join(LISTS_SHOWN)}")
    if sort not in SORTS:
        raise bad_parameter("sort", sort, f"give one of {', '.join(SORTS)}")
    number = int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 5 else LIST_ROWS
    return Shown(name, sort, min(max(number, 1), MAX_LIST_ROWS))


def previous(wanted: EventFilter, now: int) -> EventFilter | None:
    """The same question of the time before, as long; None without a beginning, or where a text would be looked for."""
    if wanted.since_ms is None or wanted.search:
        return None
    span_ms = (now if wanted.until_ms is None else min(wanted.until_ms, now)) - wanted.since_ms
    return replace(wanted, since_ms=wanted.since_ms - span_ms, until_ms=wanted.since_ms) if span_ms > 0 else None
