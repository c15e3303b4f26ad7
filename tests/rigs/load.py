"""Requests in exact numbers, from threads of the test: pipelined on keep-alive connections, so they cost little."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

PIPELINED = 20  # requests written at once; servers answer them in order
ANSWER = b"HTTP/1.1 "


@dataclass
class Load:
    """`requests` GETs of `/p/<n>?q=<n>` against 127.0.0.1:`port`, each answered, in the background.

        load = Load(server.port, 20_000).start()
        ...rotate, kill the daemon...
        load.join()

    A connection that the server closes (a graceful restart) is made anew and unanswered requests are sent again; so the
    server may have logged a few more than were answered: its truth log says which.
    """

    port: int
    requests: int
    connections: int = 4
    headers: Mapping[str, str] = field(default_factory=lambda: {"User-Agent": 'load "1" \\x'})
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._answered = 0
        self._failed: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        with self._lock:
            return self._answered

    def start(self) -> Load:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.connections)]
        for thread in self._threads:
            thread.start()
        return self

    def join(self, deadline_s: float = 120.0) -> None:
        """Returns when every request was answered.

        Raises: AssertionError after `deadline_s` or when a connection failed for good.
        """
        for thread in self._threads:
            thread.join(deadline_s)
        assert not self._failed, f"load failed: {self._failed[0]!r}"
        assert self.answered >= self.requests, f"only {self.answered} of {self.requests} answered in {deadline_s:g} s"

    def _run(self) -> None:
        try:
            while numbers := self._take():
                while numbers:
                    numbers = self._send_on_one_connection(numbers)
        except OSError as exc:
            self._failed.append(exc)

    def _take(self) -> list[int]:
        with self._lock:
            first, self._next = self._next, min(self._next + PIPELINED, self.requests)
            return list(range(first, self._next))

    def _send_on_one_connection(self, numbers: list[int]) -> list[int]:
        """Sends until the work is done or the connection ends; gives what was not answered."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            while numbers:
                try:
                    connection.sendall(b"".join(self._request(number) for number in numbers))
                    got = _count_answers(connection, len(numbers))
                except (ConnectionError, BrokenPipeError):
                    return numbers
                with self._lock:
                    self._answered += got
                if got < len(numbers):
                    return numbers[got:]
                numbers = self._take()
        return []

    def _request(self, number: int) -> bytes:
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"GET /p/{number}?q={number} HTTP/1.1\r\nHost: shop.example.com\r\n{extra}\r\n".encode("latin-1")


def _count_answers(connection: socket.socket, wanted: int) -> int:
    """Reads `wanted` answers, or those that came before the server closed."""
    data = b""
    while data.count(ANSWER) < wanted or not _is_complete(data):
        more = connection.recv(65536)
        if not more:
            return data.count(ANSWER)
        data += more
    return wanted


def _is_complete(data: bytes) -> bool:
    """True when the last answer's body is there; the servers of the rigs send Content-Length."""
    head, separator, body = data[data.rfind(ANSWER) :].partition(b"\r\n\r\n")
    if not separator:
        return False
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return len(body) >= length
