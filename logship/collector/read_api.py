"""The read API behind the page: events, summary, profiles, exports."""

from __future__ import annotations

import csv
import functools
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from logship.collector.access import Access
from logship.collector.answers import json_answer
from logship.collector.applications import Application, applications, choose
from logship.collector.database import Database
from logship.collector.filters import FIELDS, EventFilter, read_filter, written
from logship.collector.listing import EventPage, Listing, PageEnd, StoredEvent
from logship.collector.options import CollectorOptions
from logship.collector.overview import Overviews, search_budget
from logship.collector.profile_model import ACTIONS, KINDS, ItemKind
from logship.collector.profiles import next_actions, next_profiles, user_page
from logship.collector.refusal import RefusalError, bad_parameter, refuse_twice
from logship.collector.summary import LISTS, Summary
from logship.collector.summary_part import CLASSES
from logship.collector.time_range import read_zone
from logship.collector.times import iso_time

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
CSV_HEAD = "time,verb,status,path,source,user_id,duration_ms,weight,transaction_id,uri,ip_address\r\n"
CSV_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
EXPORTED_AT_ONCE = 50  # each may have 1 MB
MAX_USER_CHARS = 512  # as the filter of events takes


class ReadApi:
    """GET endpoints under /api; each checks that its reader may read."""

    def __init__(self, options: CollectorOptions, database: Database, access: Access) -> None:
        self._options = options
        self._database = database
        self._access = access
        self.overviews = Overviews(database)

    def routes(self) -> list[Route]:
        return [
            Route("/api/applications", self.applications),
            Route("/api/events", self.events),
            Route("/api/events/{number:int}", self.event),
            Route("/api/summary", self.summary),
            Route("/api/values", self.values),
            Route("/api/export", self.export),
        ]

    def wanted(self, request: Request) -> EventFilter:
        """The filter of a request, after the check that it may read.

        Raises: RefusalError 400, 401, 403, 404.
        """
        return read_filter(request.query_params, self.chosen(request).id, now_ms())

    def chosen(self, request: Request) -> Application:
        """The application that a request asks of.

        Raises: RefusalError 400, 401, 403, 404.
        """
        self._access.check(request)
        refuse_twice([name for name, _ in request.query_params.multi_items()])
        known = applications(self._database, self._options.applications)
        return choose(known, request.query_params.get("app", ""))

    def applications(self, request: Request) -> Response:
        self._access.check(request)
        known = applications(self._database, self._options.applications)
        return json_answer({"applications": [{"label": one.label, "name": one.name} for one in known]}, headers=PRIVATE)

    def events(self, request: Request) -> Response:
        wanted = self.wanted(request)
        limit = read_limit(request.query_params.get("limit", ""))
        cursor = request.query_params.get("cursor", "")
        after = PageEnd.of_cursor(cursor) if cursor else None
        found = self.overviews.listing.page(wanted, limit=limit, after=after, budget=search_budget())
        return Response(page_document(found), 200, PRIVATE, media_type="application/json")

    def event(self, request: Request) -> Response:
        found = self.stored(request)
        return Response(event_document(found), 200, PRIVATE, media_type="application/json")

    def stored(self, request: Request) -> StoredEvent:
        """The event whose number is in the path.

        Raises: RefusalError 404.
        """
        application_id = self.chosen(request).id
        number = int(request.path_params["number"])
        found = self.overviews.listing.one(application_id, number) if number < 1 << 63 else None
        if found is None:
            raise RefusalError(404, "no_event", f"no event {str(number)[:20]} in this application")
        return found

    def summary(self, request: Request) -> Response:
        wanted = self.wanted(request)
        column = read_list(request.query_params.get("list", ""))
        limit = read_limit(request.query_params.get("limit", ""))
        summary = self.overviews.summaries.of(wanted, now_ms(), column=column, zone=read_zone(request.query_params))
        return json_answer(summary_document(summary, limit), headers=PRIVATE)

    def values(self, request: Request) -> Response:
        """Values of one field that hold `part`, in any case, most requests first, as filters take them: to choose one.

        The field's own condition is left out, else there would be one.
        """
        asked = dict(request.query_params)
        column, name = read_list(asked.get("list", "")) or "route", asked.get("list", "") or "route"
        limit, part = read_limit(asked.get("limit", "")), asked.get("part", "").casefold()
        asked.pop(asked.get("list", ""), None)
        wanted = read_filter(asked, self.chosen(request).id, now_ms())
        budget = search_budget()
        found = self.overviews.summaries.of(wanted, now_ms(), column=column, budget=budget).values
        fitting = [one for one in found if one.value and part in one.value.casefold()][:limit]
        document = [{"value": written(name, one.value), "requests": one.requests} for one in fitting]
        return json_answer({"values": document}, headers=PRIVATE)

    def export(self, request: Request) -> Response:
        """Every matching event, newest first, as they are read: memory stays flat."""
        wanted = self.wanted(request)
        kind = request.query_params.get("format", "ndjson")
        if kind not in ("ndjson", "csv"):
            raise bad_parameter("format", kind, "give ndjson or csv")
        media = "application/x-ndjson" if kind == "ndjson" else "text/csv; charset=utf-8"
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="events.{kind}"'}
        return StreamingResponse(exported(self.overviews.listing, wanted, kind), 200, headers, media_type=media)


def exported(listing: Listing, wanted: EventFilter, kind: str) -> Iterator[bytes]:
    """The lines of an export, some at a time; `kind` is ndjson or csv."""
    write: Callable[[tuple[StoredEvent, ...]], bytes] = ndjson if kind == "ndjson" else csv_lines
    if kind == "csv":
        yield CSV_HEAD.encode()
    for events in listing.all(wanted):
        yield write(events)


def read_limit(text: str) -> int:
    """Raises: RefusalError 400 for what is no number from 1 to MAX_LIMIT."""
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT):
        raise bad_parameter("limit", text, f"give a number from 1 to {MAX_LIMIT}")
    return int(text)


def read_list(text: str) -> str:
    """The column whose values are wanted, "" for none.

    Raises: RefusalError 400 for what is no list.
    """
    if not text:
        return ""
    if text not in FIELDS or FIELDS[text][0] not in LISTS:
        known = ", ".join(name for name, (column, _) in FIELDS.items() if column in LISTS)
        raise bad_parameter("list", text, f"give one of {known}")
    return FIELDS[text][0]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event_document(found: StoredEvent) -> bytes:
    """An event with what the store knows of it, as JSON."""
    return orjson.dumps(
        {"id": found.id, "received_at": iso_time(found.received_at), "event": orjson.Fragment(found.event)}
    )


def page_document(found: EventPage) -> bytes:
    return orjson.dumps(
        {
            "events": [orjson.Fragment(event_document(event)) for event in found.events],
            "next_cursor": found.next.cursor() if found.next else None,
            "is_complete": found.is_complete,
        }
    )


def summary_document(summary: Summary, limit: int) -> dict[str, object]:
    """The summary as the API gives it, with `limit` values of the wanted list."""
    document: dict[str, Any] = asdict(replace(summary, values=summary.values[:limit]))
    document["by_class"] = dict(zip(CLASSES, summary.by_class, strict=True))
    document["statuses"] = [{"status": status, "requests": count} for status, count in summary.statuses]
    document["histogram"] = [{"duration_ms": middle, "requests": count} for middle, count in summary.histogram]
    document["bars"] = [
        {"start": iso_time(bar.start_s * 1000), **dict(zip(CLASSES, bar.requests, strict=True))} for bar in summary.bars
    ]
    return document


def ndjson(events: tuple[StoredEvent, ...]) -> bytes:
    return "".join(f"{found.event}\n" for found in events).encode()


def csv_lines(events: tuple[StoredEvent, ...]) -> bytes:
    """RFC 4180 lines; cells that a spreadsheet would take for a formula begin with an apostrophe."""
    text = io.StringIO()
    csv.writer(text).writerows([inert(cell) for cell in _cells(found)] for found in events)
    return text.getvalue().encode()


def _cells(found: StoredEvent) -> Iterator[object]:
    request = orjson.loads(found.event)["request"]
    yield from (iso_time(found.time_ms), found.verb, found.status, found.path, found.source, found.user_id)
    yield from (found.duration_ms, found.weight, found.transaction_id, request["uri"], request.get("ip_address"))


def inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(CSV_FORMULA) else cell


class ProfileApi:
    """GET endpoints under /api beside those of events; the same readers may read."""

    def __init__(self, database: Database, api: ReadApi) -> None:
        self._database = database
        self._api = api

    def routes(self) -> list[Route]:
        exports = [Route(f"/api/export/{kind.path}", functools.partial(self._export, kind)) for kind in KINDS]
        return [Route("/api/user", self.user), *exports]

    def user(self, request: Request) -> Response:
        """The profile of one user, that of the company, and the newest actions."""
        application_id = self._api.chosen(request).id
        user_id = request.query_params.get("user", "")
        if not user_id or len(user_id) > MAX_USER_CHARS or "\x00" in user_id:
            raise bad_parameter("user", user_id, "give a user_id")
        found = user_page(self._database, application_id, user_id)
        document = {"profile": found.profile, "company": found.company, "actions": found.actions}
        return json_answer(document, headers=PRIVATE)

    async def _export(self, kind: ItemKind, request: Request) -> Response:
        """Every document of a kind, one a line, as they are read: memory stays flat."""
        application = await run_in_threadpool(self._api.chosen, request)
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{kind.path}.ndjson"'}
        lines = self._actions(application.id) if kind is ACTIONS else self._profiles(kind, application.id)
        return StreamingResponse(lines, 200, headers, media_type="application/x-ndjson")

    async def _profiles(self, kind: ItemKind, application_id: str) -> AsyncIterator[bytes]:
        after, limit = "", EXPORTED_AT_ONCE
        while found := await run_in_threadpool(next_profiles, self._database, application_id, kind, after, limit):
            yield "".join(f"{document}\n" for _, document in found).encode()
            after = found[-1][0]

    async def _actions(self, application_id: str) -> AsyncIterator[bytes]:
        after = 0
        while found := await run_in_threadpool(next_actions, self._database, application_id, after, EXPORTED_AT_ONCE):
            yield "".join(f"{action}\n" for _, action in found).encode()
            after = found[-1][0]
