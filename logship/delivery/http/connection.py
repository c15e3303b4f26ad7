"""A connection of urllib3's with an exchange of our own: head and body in one call, plain answers read plainly."""

from __future__ import annotations

import http.client
import socket
from functools import partial
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from logship.delivery.http.answer_reader import (
    MAX_ANSWER_BYTES,
    RECEIVE_BYTES,
    ReadAnswer,
    read_answer,
    read_tunnel_answer,
)
from logship.delivery.http.begun import Begun, is_silent


class TunnelRefused(OSError):  # noqa: N818 (the pool takes an OSError for the proxy's)
    """A proxy's no to CONNECT."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answers CONNECT with {status}")
        self.status = status


class LeanConnection(HTTPConnection):
    """A connection with urllib3's dialling, tunnels and TLS, and an exchange of our own."""

    fd = -1  # of the socket, while it is open
    requests_made = 0
    most_answer_bytes = MAX_ANSWER_BYTES
    is_reused = False  # whether the newest request went out behind another

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
        head = self._head(method, url, body, headers)
        if type(self.sock) is not socket.socket:
            self.sock.sendall(head + body)  # TLS takes one buffer
            return
        sent = self.sock.sendmsg((head, body))
        if sent < len(head) + len(body):  # a signal came between
            self.sock.sendall((head + body)[sent:])

    @property
    def is_open_and_plain(self) -> bool:
        """Whether a request went over it already, and TLS does not."""
        return self.fd >= 0 and self.requests_made > 0 and type(self.sock) is socket.socket

    def begin(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Begun | None:
        """The request on its way without waiting; None where there is no open connection, or TLS on it.

        Nor over one on which something came that nobody asked for: it would be taken for this request's answer.
        """
        if not self.is_open_and_plain or not is_silent(self.sock):
            return None
        return Begun(self.sock, self._head(method, url, body, headers), body)

    def _head(self, method: str, url: str, body: Any, headers: Any) -> bytes:
        self.is_reused = self.requests_made > 0
        self.requests_made += 1
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {url} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")

    def getresponse(self) -> ReadAnswer:  # type: ignore[override] # the pool takes what has these attributes
        answer = read_answer(partial(self.sock.recv, RECEIVE_BYTES), self.most_answer_bytes)
        if answer.is_last:
            self.close()
        return answer

    def _tunnel(self) -> None:
        """CONNECT, its answer read as strictly as any other.

        Raises: OSError (TunnelRefused is one), which the pool takes for the proxy's.
        """
        host = f"[{self._tunnel_host}]" if ":" in (self._tunnel_host or "") else self._tunnel_host
        target = f"{host}:{self._tunnel_port}"
        headers = {"Host": target, **self._tunnel_headers}  # type: ignore[attr-defined] # the stubs leave it out
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.sock.sendall(f"CONNECT {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        try:
            answer = read_tunnel_answer(partial(self.sock.recv, RECEIVE_BYTES))
            if answer.status // 100 != 2:
                raise TunnelRefused(answer.status)
        except http.client.HTTPException as exc:
            self.close()
            raise OSError(f"the proxy's answer to CONNECT is none: {exc}") from exc
        except TunnelRefused:
            self.close()
            raise


class LeanTlsConnection(LeanConnection, HTTPSConnection):
    """The same over TLS."""
