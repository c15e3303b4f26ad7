"""A connection of urllib3 with an exchange of our own: head and body in one system call, answers read strictly."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import requests.utils
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from logship.delivery.http.answer_reader import (
    MAX_ANSWER_BYTES,
    RECEIVE_BYTES,
    ReadAnswer,
    read_answer,
    read_tunnel_answer,
)
from logship.delivery.http.begun import Begun, is_silent
from logship.endpoint import Endpoint
from logship.event import Parts


class TlsContext:
    """The TLS context of one endpoint's senders, made again after TLS failed: its files may have changed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext | None:
        """None where neither the receiver nor the proxy needs one.

        Raises: OSError (ssl.SSLError is one) when a file can't be used.
        """
        if not self._endpoint.url.startswith("https:") and not (self._endpoint.proxy or "").startswith("https:"):
            return None
        with self._lock:
            if self._context is None:
                self._context = self._make()
            return self._context

    def forget(self) -> None:
        with self._lock:
            self._context = None

    def _make(self) -> ssl.SSLContext:
        context = create_urllib3_context()  # requires and checks certificates; nothing here can switch that off
        for name, load in (
            (self._endpoint.ca_file or requests.utils.DEFAULT_CA_BUNDLE_PATH, context.load_verify_locations),
            (self._endpoint.client_cert, self._load_client_cert(context)),
        ):
            if name:
                try:
                    load(name)
                except OSError as exc:
                    raise OSError(f"{name}: {exc.strerror or exc}") from exc
        return context

    def _load_client_cert(self, context: ssl.SSLContext) -> Any:
        # A key with a passphrase would ask on the terminal; a daemon has none.
        return lambda cert: context.load_cert_chain(cert, self._endpoint.client_key, password=lambda: b"")


class TunnelRefused(OSError):  # noqa: N818 (the pool takes an OSError for the proxy's)
    """A proxy refused CONNECT."""

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
            self.sock.settimeout(None)  # from here on the watchdog bounds the attempt as a whole
        self._count()
        head = _with_length(head_of(method, url, headers), len(body))
        if type(self.sock) is not socket.socket:
            self.sock.sendall(head + body)  # TLS takes one buffer
            return
        sent = self.sock.sendmsg((head, body))
        if sent < len(head) + len(body):  # a signal came between
            self.sock.sendall((head + body)[sent:])

    @property
    def is_open_and_plain(self) -> bool:
        """Whether it has carried a request, and without TLS."""
        return self.fd >= 0 and self.requests_made > 0 and type(self.sock) is socket.socket

    def begin(self, head: bytes, body: Parts) -> Begun | None:
        """The request, sent without waiting; None where there is no open connection, or TLS on it.

        `head` is as head_of() makes it. None, too, where unrequested bytes came: they would be taken for this
        request's answer.
        """
        if not self.is_open_and_plain or not is_silent(self.sock):
            return None
        self._count()
        return Begun(self.sock, (_with_length(head, sum(map(len, body))), *body))

    def _count(self) -> None:
        """One more request goes out."""
        self.is_reused = self.requests_made > 0
        self.requests_made += 1

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


def head_of(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """A request's head without the length of its body and its end."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {url} HTTP/1.1\r\n{lines}".encode("latin-1")


def _with_length(head: bytes, body_bytes: int) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n" % (head, body_bytes)


class LeanTlsConnection(LeanConnection, HTTPSConnection):
    """The same over TLS."""
