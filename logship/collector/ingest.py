"""The endpoints that take events in."""

from __future__ import annotations

import asyncio
import functools
import hmac
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
from logship.collector.writer import Writer

ID_HEADER = "X-Moesif-Application-Id"
MAX_ID_CHARS = 512  # with a user it must fit into a row of a PostgreSQL index
INLINE_BYTES = 600_000  # a larger body is taken apart in a thread, so that others are answered meanwhile
STORED = b"{}"


class Ingest:
    """Takes requests with events in, never more at once than `in_flight_bytes` of them, compressed and decoded."""

    def __init__(self, options: CollectorOptions, writer: Writer) -> None:
        self._options = options
        self._writer = writer
        self._intake = Intake()
        self._taking_apart = asyncio.Lock()
        self._budget = Budget(options.in_flight_bytes)

    async def one(self, request: Request) -> Response:
        return await self._take(request, batch=False)

    async def batch(self, request: Request) -> Response:
        return await self._take(request, batch=True)

    async def _take(self, request: Request, *, batch: bool) -> Response:
        application_id = self.application_of(request)
        with self._budget.request() as share:
            await self._store(request, application_id, share, batch=batch)
        request.scope[HAS_STORED] = True
        return Response(STORED, 201, media_type="application/json")

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

    def application_of(self, request: Request) -> str:
        """The application id of a request.

        Raises: RefusalError 401; comparing takes as long for a wrong id as for a right one.
        """
        given = request.headers.get(ID_HEADER, "").strip()
        if not given:
            raise RefusalError(401, "no_application_id", f"the header {ID_HEADER} is missing")
        if len(given) > MAX_ID_CHARS:
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is over {MAX_ID_CHARS} characters long")
        known = self._options.application_ids
        matches = [hmac.compare_digest(given.encode(), one.encode()) for one in known]
        if known and not any(matches):
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is not an id of this collector")
        return given


async def config(request: Request) -> Response:
    """What SDKs ask for before they sample: everything is wanted."""
    return json_answer(
        {
            "app_id": "",
            "sample_rate": 100,
            "block_bot_traffic": False,
            "user_sample_rate": {},
            "company_sample_rate": {},
            "user_rules": {},
            "company_rules": {},
            "ip_addresses_blocked_by_name": {},
            "regex_config": [],
            "billing_config_jsons": {},
        }
    )


async def rules(request: Request) -> Response:
    """Governance rules that SDKs would apply: there are none."""
    return json_answer([])


async def probe(request: Request) -> Response:
    return json_answer({"status": True})
