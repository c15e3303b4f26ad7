"""The collector's web application: its paths, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from logship.collector import answers
from logship.collector.access import Access, Senders
from logship.collector.answers import json_answer
from logship.collector.database import Database, StoreUnavailableError
from logship.collector.ingest import Ingest, Instructions, probe
from logship.collector.openapi import Description
from logship.collector.options import CollectorOptions
from logship.collector.page_views import Page
from logship.collector.read_api import ProfileApi, ReadApi
from logship.collector.refusal import RefusalError
from logship.collector.retention import sweep
from logship.collector.served_config import ServedConfig
from logship.collector.writer import Writer

MESSAGE = "Content-Length and Transfer-Encoding together; send one of them"
READERS = 8  # threads for the page and the read API, each with a connection of its own


class OneLength:
    """Passes what has at most one of both headers; answers 400 to the others and closes their connection.

    Source: RFC 9112, 6.1: such a message ought to be handled as an error; request smuggling is made of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            names = {name for name, _ in scope["headers"]}
            if b"transfer-encoding" in names and b"content-length" in names:
                refusal = {"code": "two_lengths", "message": MESSAGE}
                await json_answer(refusal, 400, {"Connection": "close"})(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_app(options: CollectorOptions, database: Database, on_death: Callable[[], None]) -> Starlette:
    """The application over an open database, which it closes when it stops."""
    writer = Writer(database, on_death)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = READERS
        writer.start()
        sweeping = asyncio.create_task(sweep(database, writer, options))
        try:
            yield
        finally:
            sweeping.cancel()
            writer.close()
            database.close()

    senders, served = Senders(options), ServedConfig(options.config)
    taking, instructions = Ingest(options, writer, senders, served), Instructions(senders, served)
    access = Access(options)
    api = ReadApi(options, database, access)
    page = Page(options, database, access, api)
    routes: list[Route | Mount] = [
        *taking.routes(),
        Route("/v1/config", instructions.config),
        Route("/v1/rules", instructions.rules),
        Route("/health/probe", probe),
        Route("/openapi.json", Description(options).get),
        *api.routes(),
        *ProfileApi(database, api).routes(),
        *page.routes(),
    ]
    if options.path_prefix:
        routes = [Mount(options.path_prefix, routes=routes)]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(OneLength)],
        exception_handlers={
            RefusalError: page.for_people(answers.refused),
            StoreUnavailableError: page.for_people(answers.no_store),
            HTTPException: page.for_people(answers.no_route),
            Exception: page.for_people(answers.broken),
        },
    )
    app.router.redirect_slashes = False  # a 307 to a sender that follows none would lose its events
    return app
