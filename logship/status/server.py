"""The status endpoint: /metrics, /healthz, /readyz and /status over HTTP, from snapshots only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket
from typing import TYPE_CHECKING, NamedTuple

from logship.process.loopback import host_name, is_loopback
from logship.status.model import StatusBoard

if TYPE_CHECKING:  # snapshots are made by others, and not before somebody asks
    from logship.status.model import Status

log = logging.getLogger(__name__)

ANSWER_S = 5.0  # how long the work thread may take before it counts as stuck
CLIENT_S = 10.0  # a client that sends and reads nothing for so long is disconnected
MAX_CLIENTS = 16  # at once; enough for scrapers and some people

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class HttpReply(NamedTuple):
    status: HTTPStatus
    kind: str
    body: bytes


class StatusServer:
    """Threads that answer for the daemon; `port` is the bound port, also if 0 was requested."""

    def __init__(
        self,
        board: StatusBoard,
        host: str,
        port: int,
        *,
        metrics: Callable[[Status], tuple[str, bytes]],
        answer_s: float = ANSWER_S,
    ) -> None:
        """Shapes: `metrics` gives content type and text of a snapshot.

        Raises: OSError when the address can't be bound; for the daemon that is only a warning.
        """
        self._server = _Server(host, port, Answers(board, metrics, answer_s, host))
        self.port: int = self._server.server_address[1]
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Stops listening; answers in progress may be cut off."""
        if not self._has_ended.is_set():  # shutdown() would wait forever for a server that has ended
            self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.serve_forever()
        finally:
            self._has_ended.set()


class Answers:
    """What each path answers."""

    def __init__(
        self,
        board: StatusBoard,
        metrics: Callable[[Status], tuple[str, bytes]],
        answer_s: float = ANSWER_S,
        host: str = "127.0.0.1",
    ) -> None:
        """`host` is the listening address; on loopback only requests for loopback names are answered.

        A foreign page could point its own name at 127.0.0.1 (DNS rebinding) and read the answers in a local browser.
        """
        self.is_local = is_loopback(host)
        self.board = board
        self.metrics = metrics
        self.answer_s = answer_s
        self.paths: dict[str, Callable[[Status], HttpReply]] = {
            "/metrics": self._metrics,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/status": self._status,
        }

    def __call__(self, path: str, hosts: Sequence[str] = ("localhost",)) -> HttpReply:
        """The answer to GET `path` with these Host headers; 503 for every path if the work thread is stuck."""
        if len(hosts) > 1:
            return HttpReply(HTTPStatus.BAD_REQUEST, TEXT, b"one Host header, not several\n")
        if self.is_local and hosts and not is_loopback(host_name(hosts[0])):
            return HttpReply(HTTPStatus.FORBIDDEN, TEXT, b"use the name 127.0.0.1 or localhost\n")
        answer = self.paths.get(path)
        if answer is None:
            return HttpReply(HTTPStatus.NOT_FOUND, TEXT, f"there are {' '.join(self.paths)}\n".encode())
        status = self.board.ask(self.answer_s)
        if status is None:
            text = f"the work thread has not answered for {self.answer_s:g} s\n"
            return HttpReply(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, text.encode())
        return answer(status)

    def _metrics(self, status: Status) -> HttpReply:
        return HttpReply(HTTPStatus.OK, *self.metrics(status))

    def _health(self, status: Status) -> HttpReply:
        if status.stuck:
            return HttpReply(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{status.stuck}\n".encode())
        return HttpReply(HTTPStatus.OK, TEXT, b"ok\n")

    def _readiness(self, status: Status) -> HttpReply:
        if status.obstacle:
            return HttpReply(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{status.obstacle}\n".encode())
        return HttpReply(HTTPStatus.OK, TEXT, b"ok\n")

    def _status(self, status: Status) -> HttpReply:
        return HttpReply(HTTPStatus.OK, JSON, status.to_json())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MAX_CLIENTS

    def __init__(self, host: str, port: int, answers: Answers) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.answers = answers
        self._clients = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__((host, port), _RequestHandler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        if not self._clients.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._clients.release()

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a client of the status endpoint disconnected", exc_info=True)


class _RequestHandler(BaseHTTPRequestHandler):
    timeout = CLIENT_S
    server_version = "logship"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answers(self.path.partition("?")[0], self.headers.get_all("Host") or ())
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""
