"""One HTTP connection, guarded: heads have a size and a deadline, and so has the number of connections."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

RETRY_AFTER_S = 2
FULL = orjson.dumps({"code": "busy", "message": "too many connections; try again"})
FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n"
    + f"retry-after: {RETRY_AFTER_S}\r\ncontent-length: {len(FULL)}\r\n\r\n".encode()
    + FULL
)


def guarded(max_connections: int, head_timeout_s: float) -> type[H11Protocol]:
    """A protocol class for uvicorn that sheds what it can't serve.

    From the first byte of a head (the first: from the connect) there are `head_timeout_s` for all of it, however many
    bytes drip in; uvicorn's own keep-alive timer ends at the first of them.
    """

    class Guarded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _is_shed = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                self._is_shed = True
                transport.write(FULL_ANSWER)
                transport.close()
                return
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            if self._is_shed:
                return
            super().data_received(data)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_deadline()
            super().connection_lost(exc)

        def _watch_head(self) -> None:
            if self.cycle is None:
                is_in_head = True  # a new connection
            else:
                is_in_head = self.cycle.response_complete and bool(self.conn.trailing_data[0])
            if not is_in_head:  # in a request, or idle: uvicorn's keep-alive timer looks after it
                self._forget_deadline()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(head_timeout_s, self._give_up)

        def _forget_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self.transport.close()

    return Guarded
