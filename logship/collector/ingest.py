"""The endpoints that take something in, and those that tell senders what is wanted."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from concurrent.futures import Future

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from logship.collector.access import Senders
from logship.collector.answers import json_answer
from logship.collector.body import Budget, BudgetShare, busy, read_body
from logship.collector.connection import HAS_STORED
from logship.collector.database import StoreUnavailableError
from logship.collector.intake import Intake
from logship.collector.items import read_items
from logship.collector.options import CollectorOptions
from logship.collector.profile_model import ACTIONS, KINDS, ItemKind
from logship.collector.profiles import add_actions, put
from logship.collector.refusal import RefusalError
from logship.collector.served_config import ServedConfig, ServedDocuments, is_unchanged
from logship.collector.writer import Writer
from logship.records import record

INLINE_BYTES = 600_000  # a larger body is taken apart in a thread, so that others are answered meanwhile
MAX_ACTIONS_BYTES = 15_000_000  # the service's limit of a batch of actions
STORED = b"{}"


@record
class Caller:
    """Who sent a body, and when."""

    application_id: str
    peer: str
    received_ms: int


Store = Callable[[], "Future[None]"]  # gives what was taken apart to the writer; done once it is durable
TakeApart = Callable[[Intake, bytes, Caller], Store]


class Lane:
    """Bodies that are taken apart one after another; the small ones don't wait for the large ones."""

    def __init__(self) -> None:
        self.intake = Intake()
        self.lock = asyncio.Lock()


class Ingest:
    """Takes requests in, never more at once than `in_flight_bytes` of them, compressed and decoded."""

    def __init__(self, options: CollectorOptions, writer: Writer, senders: Senders, served: ServedConfig) -> None:
        self._options = options
        self._senders = senders
        self._served = served
        self._writer = writer
        self._small, self._large = Lane(), Lane()
        self._budget = Budget(options.in_flight_bytes)

    def routes(self) -> list[Route]:
        """Every path that takes something, each family with its limit."""
        options = self._options
        routes: list[Route] = []
        for family, limit_bytes in (("/moesifapi", options.max_bytes), ("/v1", options.max_bytes_v1)):
            routes += self._pair(f"{family}/events", self._events, limit_bytes)
        for kind in KINDS:
            limit_bytes = min(options.max_bytes_v1, MAX_ACTIONS_BYTES) if kind is ACTIONS else options.max_bytes_v1
            routes += self._pair(f"/v1/{kind.path}", functools.partial(self._items, kind), limit_bytes)
        return routes

    def _pair(self, path: str, take_apart: Callable[..., Store], limit_bytes: int) -> list[Route]:
        """The path of one and the path of several."""
        return [
            Route(
                f"{path}/batch" if batch else path,
                functools.partial(self._take, limit_bytes, functools.partial(take_apart, batch)),
                methods=["POST"],
            )
            for batch in (False, True)
        ]

    def _events(self, batch: bool, intake: Intake, body: bytes, caller: Caller) -> Store:
        rows = intake.rows(
            body,
            batch=batch,
            application_id=caller.application_id,
            received_ms=caller.received_ms,
            peer=caller.peer,
        )
        return lambda: self._writer.submit(rows, len(body))

    def _items(self, kind: ItemKind, batch: bool, intake: Intake, body: bytes, caller: Caller) -> Store:
        items, owner, now_ms = read_items(body, kind, batch=batch), caller.application_id, caller.received_ms
        if kind is ACTIONS:
            return lambda: self._writer.change(lambda run: add_actions(run, owner, items, now_ms))
        return lambda: self._writer.change(lambda run: put(run, owner, kind, items, now_ms))

    async def _take(self, limit_bytes: int, take_apart: TakeApart, request: Request) -> Response:
        application_id = self._senders.application_of(request)
        with self._budget.request() as share:
            body = await self._body(request, limit_bytes, share)
            peer = request.client.host if request.client else ""
            caller = Caller(application_id, peer, time.time_ns() // 1_000_000)
            is_small = len(body) <= INLINE_BYTES
            lane = self._small if is_small else self._large
            async with lane.lock:
                work = functools.partial(take_apart, lane.intake, body, caller)
                store = work() if is_small else await asyncio.to_thread(work)
            try:
                await asyncio.wrap_future(store())
            except StoreUnavailableError as exc:
                raise busy("the store can't take this now; send all of this request again") from exc
        request.scope[HAS_STORED] = True
        return Response(STORED, 201, self._served.current().headers, media_type="application/json")

    async def _body(self, request: Request, limit_bytes: int, share: BudgetShare) -> bytes:
        timeout_s = self._options.body_timeout_s
        try:
            return await read_body(request.stream(), request.headers, limit_bytes, timeout_s, share)
        except ClientDisconnect as exc:
            raise RefusalError(400, "cut_off", "the body ended before its length") from exc


class Instructions:
    """Answers what SDKs ask before they sample, to those who may post: rates name users."""

    def __init__(self, senders: Senders, served: ServedConfig) -> None:
        self._senders = senders
        self._served = served

    async def config(self, request: Request) -> Response:
        """The sampling rates."""
        documents = self._asked(request)
        return self._answer(request, documents, documents.config, documents.config_tag)

    async def rules(self, request: Request) -> Response:
        """The governance rules."""
        documents = self._asked(request)
        return self._answer(request, documents, documents.rules, documents.rules_tag)

    def _asked(self, request: Request) -> ServedDocuments:
        self._senders.application_of(request)
        return self._served.current()

    def _answer(self, request: Request, documents: ServedDocuments, body: bytes, tag: str) -> Response:
        headers = {**documents.headers, "ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if is_unchanged(request.headers.get("If-None-Match", ""), tag):
            return Response(None, 304, headers)
        return Response(body, 200, headers, media_type="application/json")


async def probe(request: Request) -> Response:
    return json_answer({"status": True})
