"""The page."""

from __future__ import annotations

import time
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from logship.collector.database import Database
from logship.collector.options import CollectorOptions


class Page:
    def __init__(self, options: CollectorOptions, database: Database) -> None:
        self._options = options
        self._database = database

    def routes(self) -> list[Route]:
        return [Route("/", self.index)]

    def index(self, request: Request) -> Response:
        records = self._database.read("SELECT time_ms, verb, status, path FROM events ORDER BY id DESC LIMIT 100")
        rows = "".join(
            f"<tr><td>{time.strftime('%F %T', time.gmtime(t / 1000))}<td>{escape(v)}<td>{s}<td>{escape(p)}"
            for t, v, s, p in records
        )
        return HTMLResponse(f"<!doctype html><title>logship collector</title><table>{rows}</table>")
