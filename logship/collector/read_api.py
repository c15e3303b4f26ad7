"""The read API behind the page."""

from __future__ import annotations

from starlette.routing import Route

from logship.collector.database import Database
from logship.collector.options import CollectorOptions


class ReadApi:
    def __init__(self, options: CollectorOptions, database: Database) -> None:
        self._options = options
        self._database = database

    def routes(self) -> list[Route]:
        return []
