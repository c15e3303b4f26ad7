"""The endpoints that take events in."""

from __future__ import annotations

import asyncio
import functools
import time

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from logship.collector.answers import json_answer
from logship.collector.body import read_body
from logship.collector.budget import Budget, Share, busy
from logship.collector.connection import HAS_STORED
from logship.collector.database import StoreUnavailableError
from logship.collector.intake import Intake
from logship.collector.options import CollectorOptions
from logship.collector.refusal import RefusalError
from logship.collector.senders import Senders
from logship.collector.served_config import ServedConfig, ServedDocuments, is_unchanged
from logship.collector.writer import Writer

INLINE_BYTES = 600_000  # a larger body is taken apart in a thread, so that others are answered meanwhile
STORED = b"{}"


class Ingest:
    """Takes requests with events in, never more at once than `in_flight_bytes` of them, compressed and decoded."""

    def __init__(self, options: CollectorOptions, writer: Writer, senders: Senders, served: ServedConfig) -> None:
        self._options = options
        self._senders = senders
        self._served = served
        self._writer = writer
        self._intake = Intake()
        self._taking_apart = asyncio.Lock()
        self._budget = Budget(options.in_flight_bytes)

    async def one(self, request: Request) -> Response:
        return await self._take(request, batch=False)

    async def batch(self, request: Request) -> Response:
        return await self._take(request, batch=True)

    async def _take(self, request: Request, *, batch: bool) -> Response:
        application_id = self._senders.application_of(request)
        with self._budget.request() as share:
            await self._store(request, application_id, share, batch=batch)
        request.scope[HAS_STORED] = True
        return Response(STORED, 201, self._served.current().headers, media_type="application/json")

    async def _store(self, request: Request, application_id: str, share: Share, *, batch: bool) -> None:
        options = self._options
        try:
            body = await read_body(request.stream(), request.headers, options.max_bytes, options.body_timeout_s, share)
        except ClientDisconnect as exc:
            raise RefusalError(400, "cut_off", "the body ended before its length") from exc
        peer = request.client.host if request.client else ""
        received_ms = time.time_ns() // 1_000_000
        async with self._taking_apart:
            take_apart = functools.partial(
                self._intake.rows, body, batch=batch, application_id=application_id, received_ms=received_ms, peer=peer
            )
            rows = take_apart() if len(body) <= INLINE_BYTES else await asyncio.to_thread(take_apart)
        try:
            await asyncio.wrap_future(self._writer.submit(rows))
        except StoreUnavailableError as exc:
            raise busy("the store can't take events now; nothing of this request was stored") from exc


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
