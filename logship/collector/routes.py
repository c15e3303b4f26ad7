"""Paths folded to routes, so that /users/1 and /users/2 count together and hostile paths can't fill the store."""

from __future__ import annotations

import re

from logship.collector.row import MAX_ROUTE_CHARS

OTHER = "(other)"
ROUTE_MARK = "{id}"
PATHS_CACHED = 8_192
ROUTES_KNOWN = 2_000  # of one application in an hour; scanners try more
HOUR_MS = 3_600_000
ID_SEGMENT = re.compile(
    r"/(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}|(?=[\w-]*\d)[\w-]{24,})(?=/|$)",
    re.ASCII,
)


class Routes:
    """The route of each path of one application; bounded in memory and in what it gives."""

    def __init__(self) -> None:
        self._routes: dict[str, str] = {}
        self._known: set[str] = set()
        self._hour = 0

    def of(self, path: str, now_ms: int) -> str:
        """`path` with numbers, UUIDs and long ids replaced by {id}; OTHER for the routes beyond ROUTES_KNOWN."""
        route = self._routes.get(path)
        if route is not None:
            return route
        if len(self._routes) >= PATHS_CACHED or now_ms // HOUR_MS != self._hour:
            self._routes.clear()
            if now_ms // HOUR_MS != self._hour:
                self._known.clear()
                self._hour = now_ms // HOUR_MS
        route = ID_SEGMENT.sub(f"/{ROUTE_MARK}", path)[:MAX_ROUTE_CHARS]
        if route not in self._known:
            if len(self._known) >= ROUTES_KNOWN:
                route = OTHER
            self._known.add(route)
        self._routes[path] = route
        return route
