"""The page: everything is rendered here, from templates that escape what they show; the script only refreshes it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from logship.collector.access import Access
from logship.collector.applications import applications
from logship.collector.asked import PARAMETERS, Asked, read_shown
from logship.collector.database import Database
from logship.collector.event_view import view_of
from logship.collector.filters import EventFilter
from logship.collector.listing import PageEnd
from logship.collector.options import CollectorOptions
from logship.collector.person import person_of
from logship.collector.profiles import user_page
from logship.collector.read_api import ReadApi, now_ms
from logship.collector.refusal import RefusalError
from logship.collector.report import report_of
from logship.collector.templates import FILES, environment
from logship.collector.time_range import read_zone

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
STATE_MS = 60_000  # a view of the last hour moves on without any new event, by the minute
PROGRAMS = ("/v1/", "/moesifapi/", "/api/", "/health/", "/openapi.json")  # what begins so is answered in JSON

ErrorAnswer = Callable[[Request, Exception], Awaitable[Response]]


class Page:
    """The pages for people: list, event, and the way in where a token is set."""

    def __init__(self, options: CollectorOptions, database: Database, access: Access, api: ReadApi) -> None:
        self._options = options
        self._database = database
        self._access = access
        self._api = api
        self._templates = environment()

    def routes(self) -> list[Route]:
        return [
            Route("/", self.index),
            Route("/events/{number:int}", self.event),
            Route("/report", self.report),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/page/{name}", self.file),
        ]

    def index(self, request: Request) -> Response:
        is_part = PART_HEADER in request.headers
        try:
            self._access.check(request)
            state = self._state(request) if is_part else ""
            if state and request.headers.get("if-none-match") == state:
                return Response(None, 304, PRIVATE)
            values = self._list_values(request)
        except RefusalError as exc:
            return self._refused(exc, request)
        answer = self._render("live.html" if is_part else "index.html", values, request)
        if state and values["is_whole"]:
            answer.headers["ETag"] = state
        return answer

    def _state(self, request: Request) -> str:
        """What the store must be like for a view to be the same: what arrived last, and the minute."""
        last = self._database.read("SELECT max(id) FROM events")[0][0]
        return _tag(f"{request.url.query} {last} {now_ms() // STATE_MS}".encode())

    def _list_values(self, request: Request) -> dict[str, object]:
        started = time.perf_counter()
        application = self._api.chosen(request)
        cursor = request.query_params.get("cursor", "")
        after = PageEnd.of_cursor(cursor) if cursor else None
        asked = self._asked(request)
        found = self._api.overviews.of(asked, application.id, now_ms(), read_shown(asked.given), after=after)
        users = [one for one in found.wanted.conditions if one.column == "user_id" and not one.is_excluded]
        user_id = users[0].text if users else ""
        return {
            **found.names(),
            "person": person_of(user_id, user_page(self._database, application.id, user_id)) if user_id else None,
            "is_first": after is None,
            "is_whole": found.page.is_complete and found.summary.covered_since_ms is None,
            "is_empty_store": not found.page.events and not self._api.overviews.has_events(EventFilter(application.id)),
            "applications": applications(self._database, self._options.applications),
            "chosen": application,
            "took_ms": (time.perf_counter() - started) * 1000,
            "ingest_url": f"{request.url.scheme}://{request.url.netloc}{self._options.path_prefix}",
        }

    def report(self, request: Request) -> Response:
        """The view as one file."""
        try:
            application = self._api.chosen(request)
            text = report_of(self._api.overviews, self._asked(request).given, application, now_ms())
        except RefusalError as exc:
            return self._refused(exc, request)
        headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="report.html"'}
        return Response(text, 200, headers, media_type="text/html; charset=utf-8")

    def event(self, request: Request) -> Response:
        asked = self._asked(request)
        try:
            found, zone = self._api.stored(request), read_zone(asked.given)
        except RefusalError as exc:
            return self._refused(exc, request)
        is_part = PART_HEADER in request.headers
        values = {"asked": asked, "found": found, "view": view_of(found, zone)}
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

    def for_people(self, answer: ErrorAnswer) -> ErrorAnswer:
        """The answers that `answer` gives programs, as pages for browsers."""

        async def shown(request: Request, exc: Exception) -> Response:
            plain = await answer(request, exc)
            path = request.url.path.removeprefix(self._options.path_prefix)
            is_page = PART_HEADER in request.headers or "text/html" in request.headers.get("accept", "")
            if path.startswith(PROGRAMS) or not is_page:
                return plain
            message = orjson.loads(plain.body)["message"]
            if plain.status_code == 404:
                message = f"there is no page {path[:200]}"
            made = self._refused(RefusalError(plain.status_code, "", message), request)
            made.headers.update(
                {name: plain.headers[name] for name in ("retry-after", "allow") if name in plain.headers}
            )
            return made

        return shown

    def _refused(self, exc: RefusalError, request: Request) -> Response:
        asked = Asked(self._options.path_prefix, {})
        if exc.status == 401:
            return self._render("login.html", {"asked": asked, "is_wrong": False}, request, 401)
        return self._render("refused.html", {"asked": asked, "refusal": exc}, request, exc.status)

    def _render(self, template: str, values: dict[str, object], request: Request, status: int = 200) -> Response:
        text = self._templates.get_template(template).render(values)
        return Response(text, status, PRIVATE, media_type="text/html; charset=utf-8")


def _static_names() -> set[str]:
    return {path.name for path in FILES.iterdir() if path.suffix in MEDIA}


def _tag(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"'
