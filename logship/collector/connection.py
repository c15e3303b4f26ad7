"""One HTTP connection, guarded: heads have a size and a deadline; of too many connections the idle ones give way."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

RETRY_AFTER_S = 2
STALLED_S = 2.0  # after so long without a byte of its body, or reading its answer, a client counts as waited for
HAS_STORED = "logship.has_stored"  # in a request's scope: it was answered 201
FULL = orjson.dumps({"code": "busy", "message": "too many connections; try again"})
FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n"
    + f"retry-after: {RETRY_AFTER_S}\r\ncontent-length: {len(FULL)}\r\n\r\n".encode()
    + FULL
)


class Guarded(H11Protocol):
    """A connection that sheds what it can't serve.

    From the first byte of a head (the first: from the connect) there are `head_timeout_s` for all of it, however many
    bytes drip in; uvicorn's own keep-alive timer ends at the first of them. A connection over `max_connections` takes
    the place of one that waits for its client; where all of them are being answered it gets 503.
    """

    max_connections: int
    head_timeout_s: float
    _deadline: asyncio.TimerHandle | None = None
    _is_shed = False
    _has_stored = False  # one of its requests was answered 201: senders are let go last
    heard_s = 0.0  # when its client last sent anything

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.heard_s = self.loop.time()
        if len(self.connections) > self.max_connections and not self._make_room():
            self._is_shed = True
            transport.write(FULL_ANSWER)
            transport.close()
            return
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        if self._is_shed:
            return
        self.heard_s = self.loop.time()
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._has_stored = self._has_stored or HAS_STORED in self.scope
        super().on_response_complete()

    def _make_room(self) -> bool:
        """Closes the connection that has waited longest for its client; whether there was one."""
        others = [one for one in self.connections if isinstance(one, Guarded) and one is not self]
        waiting = [one for one in others if one.is_waiting()]
        if not waiting:
            return False
        longest = min(waiting, key=lambda one: (one._has_stored, one.heard_s))
        longest.transport.abort()  # not close(): it waits until its client has read what is on the way
        self.connections.discard(longest)
        return True

    def is_waiting(self) -> bool:
        """Whether nothing happens here until the client sends something."""
        if self._is_shed:
            return False
        is_stalled = self.loop.time() - self.heard_s > STALLED_S
        if self.cycle is None or self.cycle.response_complete:
            return is_stalled or not self.transport.get_write_buffer_size()
        return is_stalled and self.cycle.more_body

    def _watch_head(self) -> None:
        if self.cycle is None:
            is_in_head = True  # a new connection
        else:
            is_in_head = self.cycle.response_complete and bool(self.conn.trailing_data[0])
        if not is_in_head:  # in a request, or idle: uvicorn's keep-alive timer looks after it
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def guarded(max_connections: int, head_timeout_s: float) -> type[Guarded]:
    """The class with its limits, for uvicorn, which makes connections itself."""
    return type("Guarded", (Guarded,), {"max_connections": max_connections, "head_timeout_s": head_timeout_s})
