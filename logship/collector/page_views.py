"""The page: everything is rendered here, from templates that escape what they show; the script only fetches it anew."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from logship.collector.access import Access
from logship.collector.applications import applications
from logship.collector.chart import draw
from logship.collector.database import Database
from logship.collector.event_view import view_of
from logship.collector.filters import (
    DEFAULT_RANGE,
    EXCLUDING,
    FIELDS,
    RANGES_S,
    STATUS_CLASSES,
    EventFilter,
    bad_parameter,
    read_filter,
)
from logship.collector.listing import Place
from logship.collector.options import CollectorOptions
from logship.collector.read_api import ReadApi, now_ms, search_budget
from logship.collector.refusal import RefusalError
from logship.collector.summary import ValueCount
from logship.collector.summary_part import CLASSES, status_class
from logship.collector.times import change, iso_time, moment, percentage, rate, short_count, short_duration

FILES = Path(__file__).parent / "page"
ROWS = 50
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
FILTERS = ("since", "until", "q", *FIELDS, *(EXCLUDING + name for name in FIELDS))
PARAMETERS = ("app", "range", *FILTERS, "list", "sort", "rows")
LABELS = {"q": "search", "since": "from", "until": "to"} | {EXCLUDING + name: f"not {name}" for name in FIELDS}
ASKED_FOR = ("q", "verb", "status", "path", "user", "client", "source", "since", "until")  # fields of the form
KEPT = tuple(name for name in PARAMETERS if name not in (*ASKED_FOR, "app"))
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
MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PRIVATE = {**SECURITY, "Cache-Control": "no-store"}
PART_HEADER = "X-Page-Part"  # the script asks with it for what changes, without head and filters


@dataclass(frozen=True, slots=True)
class Asked:
    """The query string of a page, and how to make the others from it."""

    base: str
    given: Mapping[str, str]

    def link(self, place: str = "/", /, **changes: str) -> str:
        """The address of another page: the same question with some answers changed ("" takes one away)."""
        merged = {**self.given, **changes}
        query = urlencode({name: value for name, value in merged.items() if value})
        return f"{self.base}{place}{'?' if query else ''}{query}"

    def chips(self) -> list[tuple[str, str, str]]:
        """The conditions in force: what, its value, the address without it."""
        names = [name for name in FILTERS if self.given.get(name)]
        return [(LABELS.get(name, name), self.given[name], self.link(**{name: ""})) for name in names]

    def get(self, name: str) -> str:
        return self.given.get(name, "")


@dataclass(frozen=True, slots=True)
class Shown:
    """Which list is shown, in which order, and how many rows of it."""

    list: str
    sort: str
    rows: int


def read_shown(given: Mapping[str, str]) -> Shown:
    """Raises: RefusalError 400 for a list or an order that there isn't."""
    name, sort, rows = given.get("list", "route"), given.get("sort", "requests"), given.get("rows", "")
    if name not in LISTS_SHOWN:
        raise bad_parameter("list", name, f"give one of {', '.join(LISTS_SHOWN)}")
    if sort not in SORTS:
        raise bad_parameter("sort", sort, f"give one of {', '.join(SORTS)}")
    number = int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 5 else LIST_ROWS
    return Shown(name, sort, min(max(number, 1), MAX_LIST_ROWS))


def listed(values: Iterable[ValueCount], shown: Shown) -> list[ValueCount]:
    """The rows of the shown list; events without a value are its last one."""
    order = SORTS[shown.sort]
    return sorted(values, key=lambda one: (not one.value, order(one)))[: shown.rows]


def previous(wanted: EventFilter, now: int) -> EventFilter | None:
    """The same question of the time before, as long; None without a beginning, or where a text would be looked for."""
    if wanted.since_ms is None or wanted.search:
        return None
    span_ms = (now if wanted.until_ms is None else wanted.until_ms) - wanted.since_ms
    return replace(wanted, since_ms=wanted.since_ms - span_ms, until_ms=wanted.since_ms) if span_ms > 0 else None


def spread_of(histogram: tuple[tuple[float, int], ...]) -> list[tuple[float, float, str]]:
    """Bars of a picture of durations: left edge and height in percent, and what each says."""
    if not histogram:
        return []
    counts: dict[int, int] = {}
    for middle_ms, requests in histogram:
        place = max(int(math.log2(max(middle_ms, 1)) * 2), 0)
        counts[place] = counts.get(place, 0) + requests
    places = range(min(counts), max(counts) + 1)
    most = max(counts.values())
    return [
        (
            100 * (place - places[0]) / len(places),
            100 * counts.get(place, 0) / most,
            f"{short_duration(2 ** (place / 2))} to {short_duration(2 ** ((place + 1) / 2))}: "
            f"{counts.get(place, 0):,} requests",
        )
        for place in places
    ]


class Page:
    """The pages for people: list, event, and the way in where a token is set."""

    def __init__(self, options: CollectorOptions, database: Database, access: Access) -> None:
        self._options = options
        self._database = database
        self._access = access
        self._api = ReadApi(options, database, access)
        self._templates = environment()

    def routes(self) -> list[Route]:
        return [
            Route("/", self.index),
            Route("/events/{number:int}", self.event),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/page/{name}", self.file),
        ]

    def index(self, request: Request) -> Response:
        try:
            values = self._list_values(request)
        except RefusalError as exc:
            return self._refused(exc, request)
        is_part = PART_HEADER in request.headers
        return self._render("live.html" if is_part else "index.html", values, request)

    def _list_values(self, request: Request) -> dict[str, object]:
        started = time.perf_counter()
        application = self._api.chosen(request)
        now = now_ms()
        asked = self._asked(request)
        wanted = read_filter(asked.given, application.id, now)
        if not any(asked.get(name) for name in ("range", "since", "until")) and not self._has_events(wanted):
            asked = Asked(asked.base, {**asked.given, "range": "all"})  # who backfilled last year wants to see it
            wanted = read_filter(asked.given, application.id, now)
        cursor = request.query_params.get("cursor", "")
        after = Place.of_cursor(cursor) if cursor else None
        found = self._api.listing.page(wanted, limit=ROWS, after=after, budget=search_budget())
        shown = read_shown(asked.given)
        summaries = self._api.summaries
        summary = summaries.of(wanted, now, column=FIELDS[shown.list][0], budget=search_budget())
        earlier = previous(wanted, now)
        before = summaries.of(earlier, now) if earlier is not None else None
        span_s = max(((wanted.until_ms or now) - (wanted.since_ms or _first_ms(summary.bars, now))) / 1000, 1)
        return {
            "asked": asked,
            "wanted": wanted,
            "page": found,
            "is_first": after is None,
            "summary": summary,
            "before": before,
            "shown": shown,
            "values": listed(summary.values, shown),
            "curves": spread_of(summary.histogram),
            "now": now,
            "per_second": summary.requests / span_s,
            "chart": draw(summary, asked),
            "is_empty_store": not found.events and not self._has_events(EventFilter(application.id)),
            "applications": applications(self._database, self._options.application_ids),
            "chosen": application,
            "took_ms": (time.perf_counter() - started) * 1000,
            "ingest_url": f"{request.url.scheme}://{request.url.netloc}{self._options.path_prefix}",
        }

    def _has_events(self, wanted: EventFilter) -> bool:
        return bool(self._api.listing.page(wanted, limit=1).events)

    def event(self, request: Request) -> Response:
        asked = self._asked(request)
        try:
            found = self._api.stored(request)
        except RefusalError as exc:
            return self._refused(exc, request)
        is_part = PART_HEADER in request.headers
        values = {"asked": asked, "found": found, "view": view_of(found)}
        return self._render("detail.html" if is_part else "event.html", values, request)

    async def log_in(self, request: Request) -> Response:
        answer = await self._access.log_in(request)
        if answer is None:
            return self._render("login.html", {"asked": self._asked(request), "is_wrong": True}, request, 401)
        answer.headers.update(PRIVATE)
        return answer

    def file(self, request: Request) -> Response:
        """A stylesheet, script or picture; nobody's secret."""
        path = FILES / request.path_params["name"]
        if path.suffix not in MEDIA or path.name not in _static_names():
            raise RefusalError(404, "not_found", "no such file")
        headers = {**SECURITY, "Cache-Control": "no-cache", "ETag": _tag(path.read_bytes())}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        return Response(path.read_bytes(), 200, headers, media_type=MEDIA[path.suffix])

    def _asked(self, request: Request) -> Asked:
        given = {name: request.query_params[name] for name in PARAMETERS if request.query_params.get(name)}
        return Asked(self._options.path_prefix, given)

    def _refused(self, exc: RefusalError, request: Request) -> Response:
        asked = Asked(self._options.path_prefix, {})
        if exc.status == 401:
            return self._render("login.html", {"asked": asked, "is_wrong": False}, request, 401)
        return self._render("refused.html", {"asked": asked, "refusal": exc}, request, exc.status)

    def _render(self, template: str, values: dict[str, object], request: Request, status: int = 200) -> Response:
        text = self._templates.get_template(template).render(values)
        return Response(text, status, PRIVATE, media_type="text/html; charset=utf-8")


def environment() -> Environment:
    """Templates that escape every value and fail on a misspelt one."""
    made = Environment(
        loader=FileSystemLoader(FILES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        iso=iso_time,
        clock=lambda time_ms: moment(time_ms).strftime("%H:%M:%S"),
        day=lambda time_ms: moment(time_ms).strftime("%d %b"),
        fraction=lambda time_ms: f".{time_ms % 1000:03d}",
        duration=short_duration,
        count=short_count,
        rate=rate,
        status_class=lambda status: CLASSES[status_class(status)],
        width=lambda seconds: str(timedelta(seconds=seconds)).removesuffix(":00"),
    )
    made.globals.update(
        percentage=percentage,
        classes=CLASSES,
        lists=LISTS_SHOWN,
        kept=KEPT,
        change=change,
        verbs=VERBS,
        status_classes=STATUS_CLASSES,
        ranges=tuple(RANGES_S),
        default_range=DEFAULT_RANGE,
    )
    return made


def _static_names() -> set[str]:
    return {path.name for path in FILES.iterdir() if path.suffix in MEDIA}


def _tag(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"'


def _first_ms(bars: tuple[object, ...], now: int) -> int:
    first = bars[0] if bars else None
    return int(getattr(first, "start_s", now // 1000)) * 1000
