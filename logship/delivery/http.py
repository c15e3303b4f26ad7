"""HTTP: one request, one answer or the reason why there is none. The only file that knows requests and urllib3.

requests makes the URL, the proxies and the pool; urllib3's pool makes connections, tunnels, TLS and verification. Only
the exchange of bytes on a connection is ours: head and body leave in one system call, and an answer that came in one
piece is read without the mail parser, which costs twice as much as all the rest; any other answer goes through
http.client. Measured on loopback with 250 kB bodies: Session.send 700 us of CPU per POST, adapter.send 460, the pool's
urlopen 370, the same with these connections 125, of which the kernel takes 50 to 100.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.exceptions
import requests.utils
import urllib3
import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from logship.delivery.answer import EXCERPT_CHARACTERS, Answer, Failure, FailureKind
from logship.delivery.clock import Clock
from logship.delivery.endpoint import Endpoint

MAX_ANSWER_BYTES = 65_536  # what is read of an answer's body; a longer one costs its connection
RECEIVE_BYTES = 65_536
MAX_CONNECTION_AGE_S = 300.0  # then the name is resolved anew: a receiver that moved is followed
NO_RETRIES = urllib3.Retry(False)  # when to try again is not the pool's to decide
FINAL_STATUS = re.compile(rb"HTTP/1\.1 ([2-9][0-9][0-9])[ \r]")
HEADER_VALUE = re.compile(r"[\x20-\x7e]*\Z")
CREATED = Answer(201)
EXCERPT_BYTES = 4 * EXCERPT_CHARACTERS  # UTF-8 takes up to four bytes a character


@dataclass(slots=True)
class _Read:
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


class _Lean(HTTPConnection):
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

    def getresponse(self) -> _Read:  # type: ignore[override] # the pool takes what has these attributes
        received = self.sock.recv(RECEIVE_BYTES)
        if not received:
            raise http.client.RemoteDisconnected("the receiver closed the connection without an answer")
        return _whole_answer(received) or self._long_answer(received)

    def _long_answer(self, received: bytes) -> _Read:
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
        return _Read(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


class _LeanTls(_Lean, HTTPSConnection):
    """The same over TLS."""


def _whole_answer(received: bytes) -> _Read | None:
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
    return _Read(int(status[1]), headers, body)


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter on one TLS context that all senders share: loading the authorities takes 20 ms and 1 MB."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)


class TlsContext:
    """The context of one endpoint, made at its first use and made anew when TLS failed: its files may have changed."""

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


class HttpTransport:
    """One sender's connection to the receiver, kept alive between attempts."""

    def __init__(self, endpoint: Endpoint, tls: TlsContext, clock: Clock) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._clock = clock
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._connection: _Lean | None = None
        self._opened_s = 0.0
        self._is_cut = False
        self._base = ""  # what precedes a path in the request line
        self._fixed_headers: dict[str, str] = {}
        self._checked_headers: Mapping[str, str] = {}
        self._timeout = urllib3.Timeout(connect=endpoint.timeout_s, read=None)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Send and wait for the answer; a connection kept alive that turns out to be dead is replaced once."""
        for name, value in headers.items() if headers != self._checked_headers else ():
            if not HEADER_VALUE.match(value):
                return Failure(FailureKind.SETTING, f"{name} holds a character that no header can carry")
        self._checked_headers = headers
        self._is_cut = False
        was_used = self._is_kept_alive()
        answer = self._attempt(path, body, headers)
        if was_used and isinstance(answer, Failure) and answer.kind is FailureKind.LOST and not self._is_cut:
            answer = self._attempt(path, body, headers)
        return answer

    def cut(self) -> None:
        """Shut the socket down under the attempt; a sender that is dialling is bounded by the connect timeout."""
        self._is_cut = True
        connection = self._connection
        if connection is None or connection.fd < 0:
            return
        try:
            # The descriptor's twin: the TLS layer's own shutdown() would pull the session from under its reader.
            with socket.socket(fileno=os.dup(connection.fd)) as twin:
                twin.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed meanwhile

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        self._connection = None

    def _is_kept_alive(self) -> bool:
        if self._connection is None or self._connection.requests_made == 0:
            return False
        if self._clock.monotonic() - self._opened_s > MAX_CONNECTION_AGE_S:
            self._connection.close()
            return False
        return True

    def _attempt(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        try:
            pool = self._pool or self._open()
        except (OSError, requests.exceptions.RequestException, ValueError) as exc:
            return Failure(FailureKind.SETTING, f"the endpoint can't be used: {exc}")
        try:
            response = pool.urlopen(
                "POST",
                self._base + path,
                body=body,
                headers={**self._fixed_headers, **headers},
                retries=NO_RETRIES,
                redirect=False,
                assert_same_host=False,  # the pool of a proxy is asked for foreign hosts
                timeout=self._timeout,
                preload_content=True,  # so that urlopen itself takes the connection back; it is read already
            )
        except urllib3.exceptions.HTTPError as exc:
            failure = self._failure(exc)
            if failure.kind is FailureKind.TLS:
                self.close()
                self._tls.forget()
            return failure
        return _answer(cast(_Read, response))

    def _open(self) -> urllib3.HTTPConnectionPool:
        """The pool as requests makes it, with our connections."""
        url = self._endpoint.url.rstrip("/")
        proxy = self._endpoint.proxy
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        request = requests.Request("POST", url).prepare()
        assert request.url is not None
        adapter = _Adapter(self._tls.get())
        pool: urllib3.HTTPConnectionPool = adapter.get_connection_with_tls_context(request, True, proxies)  # type: ignore[assignment] # requests' stubs give its base
        if not (proxy or "").startswith("socks"):
            pool.ConnectionCls = self._connect  # type: ignore[assignment] # a factory is all that is asked of it
        parts = urlsplit(request.url)
        target = adapter.request_url(request, proxies)
        self._base = target.rstrip("/")
        self._fixed_headers = {"Host": parts.netloc.rpartition("@")[2]}
        if "Authorization" in request.headers:  # user and password of the URL
            self._fixed_headers["Authorization"] = str(request.headers["Authorization"])
        self._pool = pool
        return pool

    def _connect(self, *args: Any, **kwargs: Any) -> _Lean:
        kind = _LeanTls if isinstance(self._pool, urllib3.HTTPSConnectionPool) else _Lean
        self._connection = kind(*args, **kwargs)
        self._opened_s = self._clock.monotonic()
        return self._connection

    def _failure(self, exc: urllib3.exceptions.HTTPError) -> Failure:
        if self._is_cut:
            return Failure(FailureKind.TIMEOUT, f"no complete answer within {self._endpoint.timeout_s:g} s")
        kind = _kind(exc)
        cause = exc.args[-1] if exc.args else exc
        text = getattr(cause, "reason", None) or getattr(cause, "strerror", None) or cause
        return Failure(kind, _one_line(str(text)))


def _kind(exc: BaseException) -> FailureKind:
    """What went wrong, of urllib3's errors and what they wrap."""
    wrapped = exc.args[1] if len(exc.args) > 1 else None
    if isinstance(exc, urllib3.exceptions.ProxyError):
        return FailureKind.PROXY
    if isinstance(exc, urllib3.exceptions.SSLError):
        return FailureKind.TLS
    if isinstance(exc, urllib3.exceptions.NameResolutionError):
        return FailureKind.DNS
    if isinstance(exc, urllib3.exceptions.NewConnectionError):
        return FailureKind.CONNECT
    if isinstance(exc, urllib3.exceptions.TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(wrapped, http.client.HTTPException) and not isinstance(
        wrapped, (http.client.RemoteDisconnected, http.client.IncompleteRead)
    ):
        return FailureKind.GARBAGE
    return FailureKind.LOST


def _one_line(text: str) -> str:
    """What a broken server sent may stand in an error's text: no control byte gets any further."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _answer(read: _Read) -> Answer:
    if read.status == 201:
        return CREATED
    excerpt = read.data[:EXCERPT_BYTES].decode("utf-8", "replace")[:EXCERPT_CHARACTERS].strip()
    is_html = "html" in read.headers.get("content-type", "").lower()
    return Answer(read.status, is_html, read.headers.get("retry-after"), excerpt)
