"""A receiver that remembers every event, for backfills that run as processes of their own."""

from __future__ import annotations

import gzip
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import orjson

ID = re.compile(rb'"transaction_id":"([0-9a-f-]{36})"')  # nothing else in these tests' events looks like it


class Receiver:
    """Answers every POST with `status`; takes events only with 201.

    Shapes: `times` counts by transaction_id how often an event came; `events` are the events themselves, by id, if
    `keeps` says so.
    """

    def __init__(self, status: int = 201, *, keeps: bool = False) -> None:
        self.status = status
        self._keeps = keeps
        self.posts = 0
        self.times: Counter[str] = Counter()
        self.events: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ids(self) -> set[str]:
        return set(self.times)

    @property
    def repeats(self) -> int:
        """How many events came again; a real receiver drops them."""
        return sum(self.times.values()) - len(self.times)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> int:
        """One POST; the status to answer."""
        with self._lock:
            self.posts += 1
            if self.status != 201:
                return self.status
            self.times.update(found.decode() for found in ID.findall(body))
            if self._keeps:
                parsed = orjson.loads(body)
                for event in parsed if isinstance(parsed, list) else [parsed]:
                    self.events.setdefault(event["transaction_id"], event)
        return 201


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status = self.server.receiver.take(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it would stand in the middle of the tests' output."""
