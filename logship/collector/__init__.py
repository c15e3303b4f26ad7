"""The ingestion API itself, embedded: a server, a store and a page to look at.

Needs the extra `collector`; what needs it is imported when it is used, so that a missing one can be told in a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logship.collector.options import CollectorOptions

if TYPE_CHECKING:
    from logship.collector.server import CollectorServer, serve, stored_events

__all__ = ["CollectorOptions", "CollectorServer", "serve", "stored_events"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from logship.collector import server

    return getattr(server, name)
