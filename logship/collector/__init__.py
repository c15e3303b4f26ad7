"""The ingestion API itself, embedded: a server, a store and a page to look at."""

from __future__ import annotations

from logship.collector.options import CollectorOptions
from logship.collector.server import CollectorServer, serve, stored_events

__all__ = ["CollectorOptions", "CollectorServer", "serve", "stored_events"]
