"""The page: everything is rendered here, from templates that escape what they show; the script only fetches it anew."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
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
    read_filter,
)
from logship.collector.listing import Place
from logship.collector.options import CollectorOptions
from logship.collector.read_api import ReadApi, now_ms, search_budget
from logship.collector.refusal import RefusalError
from logship.collector.summary import CLASSES, status_class
from logship.collector.times import iso_time, moment, percentage, rate, short_count, short_duration

FILES = Path(__file__).parent / "page"
ROWS = 50
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
PARAMETERS = ("app", "range", "since", "until", "q", *FIELDS, *(EXCLUDING + name for name in FIELDS))
LABELS = {"q": "search", "since": "from", "until": "to"}
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
        names = [name for name in PARAMETERS if name not in ("app", "range") and self.given.get(name)]
        return [(LABELS.get(name, name), self.given[name], self.link(**{name: ""})) for name in names]

    def get(self, name: str) -> str:
        return self.given.get(name, "")


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
        summary = self._api.summaries.of(wanted, now, budget=search_budget())
        span_s = max(((wanted.until_ms or now) - (wanted.since_ms or _first_ms(summary.bars, now))) / 1000, 1)
        return {
            "asked": asked,
            "wanted": wanted,
            "page": found,
            "is_first": after is None,
            "summary": summary,
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
