"""A connection of urllib3's with an exchange of our own: head and body in one call, plain answers read plainly."""

from __future__ import annotations

import http.client
import io
import re
import socket
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_ANSWER_BYTES = 65_536  # what is read of an answer's body; a longer one costs its connection
RECEIVE_BYTES = 65_536
FINAL_STATUS = re.compile(rb"HTTP/1\.1 ([2-9][0-9][0-9])[ \r]")


@dataclass(slots=True)
class ReadAnswer:
    """An answer that is read already: as much of a response as urllib3's pool asks for, at a tenth of its cost.

    Shapes: names of headers are in lower case; `data` is the body's first MAX_ANSWER_BYTES.
    """

    status: int
    headers: dict[str, str]
    data: bytes
    version_string: str = "HTTP/1.1"
    length_remaining: int = 0
    retries: object = None
    _connection: object = None
    _pool: object = None


class _Replay(io.RawIOBase):
    """A socket's bytes again: those received already, then the rest."""

    def __init__(self, received: bytes, sock: socket.socket) -> None:
        self._received = received
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if not self._received:
            return self._sock.recv_into(view)
        count = min(len(view), len(self._received))
        view[:count] = self._received[:count]
        self._received = self._received[count:]
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks of a socket."""
        return io.BufferedReader(self)


class LeanConnection(HTTPConnection):
    """A connection with urllib3's dialling, tunnels and TLS, and an exchange of our own."""

    fd = -1  # of the socket, while it is open
    requests_made = 0

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.fd = sock.fileno()
        return sock

    def close(self) -> None:
        self.fd = -1
        self.requests_made = 0
        super().close()

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **_: Any) -> None:
        if self.sock is None:
            self.connect()
        if self.requests_made == 0:
            self.sock.settimeout(None)  # from here on the attempt as a whole is bounded, from outside
        self.requests_made += 1
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {url} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
        if type(self.sock) is not socket.socket:
            self.sock.sendall(head + body)  # TLS takes one buffer
            return
        sent = self.sock.sendmsg((head, body))
        if sent < len(head) + len(body):  # a signal came between
            self.sock.sendall((head + body)[sent:])

    def getresponse(self) -> ReadAnswer:  # type: ignore[override] # the pool takes what has these attributes
        received = self.sock.recv(RECEIVE_BYTES)
        if not received:
            raise http.client.RemoteDisconnected("the receiver closed the connection without an answer")
        return _whole_answer(received) or self._long_answer(received)

    def _long_answer(self, received: bytes) -> ReadAnswer:
        """Any answer that http.client can read, up to MAX_ANSWER_BYTES of its body."""
        response = http.client.HTTPResponse(_Replay(received, self.sock), method="POST")  # type: ignore[arg-type] # it only asks for makefile
        response.begin()
        body = b""
        while len(body) < MAX_ANSWER_BYTES and (part := response.read(MAX_ANSWER_BYTES - len(body))):
            body += part
        if len(body) < MAX_ANSWER_BYTES and response.length:
            raise http.client.IncompleteRead(body, response.length)
        if response.will_close or len(body) >= MAX_ANSWER_BYTES or response.status < 200:
            self.close()
        return ReadAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


class LeanTlsConnection(LeanConnection, HTTPSConnection):
    """The same over TLS."""


def _whole_answer(received: bytes) -> ReadAnswer | None:
    """An answer that is all there and plain to read; None for any other."""
    status = FINAL_STATUS.match(received)
    head, end, body = received.partition(b"\r\n\r\n")
    if not status or not end:
        return None
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in headers or name != name.strip():
            return None
        headers[name] = value.strip()
    length = headers.get("content-length", "")
    if length != str(len(body)) or "transfer-encoding" in headers:
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return ReadAnswer(int(status[1]), headers, body)
