"""One sender's connection to the receiver: the pool as requests makes it, and what its errors mean."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.exceptions
import urllib3
import urllib3.exceptions

from logship.clock import WaitingClock
from logship.delivery.answer import EXCERPT_CHARACTERS, Answer, Failure, FailureKind
from logship.delivery.http.answer_reader import MAX_ANSWER_BYTES, ReadAnswer
from logship.delivery.http.begun import Begun
from logship.delivery.http.connection import LeanConnection, LeanTlsConnection, TlsContext, TunnelRefused, head_of
from logship.endpoint import Endpoint
from logship.event import Parts
from logship.records import record

OF_IDLE_CONNECTIONS = (400, 408, 415, 422)  # servers and balancers write these while they close an idle connection
PROXY_AUTHENTICATION = 407
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset instead of what waits
NO_RETRIES = urllib3.Retry(False)  # when to try again is not the pool's to decide
HEADER_VALUE = re.compile(r"[\x20-\x7e]*\Z")
CREATED = Answer(201)
CONFIG_ETAG = "x-moesif-config-etag"
EXCERPT_BYTES = 4 * EXCERPT_CHARACTERS  # UTF-8 takes up to four bytes a character


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter on one TLS context that all senders share: loading the authorities takes 20 ms and 1 MB."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)


@record(frozen=False)
class HttpAttempt:
    """A request that was begun, and its answer once it has come."""

    begun: Begun
    path: str
    body: Parts
    headers: Mapping[str, str]
    answer: Answer | None = None


class HttpTransport:
    """One sender's connection to the receiver, kept alive between attempts."""

    most_answer_bytes = MAX_ANSWER_BYTES  # of a body; a longer one is cut

    def __init__(self, endpoint: Endpoint, tls: TlsContext, clock: WaitingClock) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._clock = clock
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._connection: LeanConnection | None = None
        self._opened_s = 0.0
        self._is_cut = False
        self._begun: HttpAttempt | None = None
        self._base = ""  # what precedes a path in the request line
        self._fixed_headers: dict[str, str] = {}
        self._checked_headers: Mapping[str, str] = {}
        self._heads: dict[str, bytes] = {}  # by path, of requests with these headers
        self._timeout = urllib3.Timeout(connect=endpoint.timeout_s, read=None)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Send and wait for the answer; if a connection that was kept alive breaks or refuses, once more on a new one.

        A server may write 400 on an idle connection while closing it; that answers no request.
        """
        for name, value in headers.items() if headers != self._checked_headers else ():
            if not HEADER_VALUE.match(value):
                return Failure(FailureKind.SETTING, f"{name} holds a character that no header can carry")
        if headers != self._checked_headers:
            self._checked_headers, self._heads = headers, {}
        self._is_cut = False
        self._close_what_is_old()
        return self._checked(self._attempt(path, body, headers), path, body, headers)

    @property
    def can_begin(self) -> bool:
        """Whether there is a connection that begin() can use."""
        return self._connection is not None and self._connection.is_open_and_plain

    def begin(self, path: str, body: Parts, headers: Mapping[str, str]) -> bool:
        """Start an attempt and don't wait; False, with nothing sent, where there is no suitable open connection.

        Then call progress() until it gives the answer, or finish(), and nothing else.
        """
        self._is_cut = False
        self._close_what_is_old()
        if self._connection is None or headers != self._checked_headers:
            return False
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = head_of("POST", self._base + path, {**self._fixed_headers, **headers})
        begun = self._connection.begin(head, body)
        self._begun = HttpAttempt(begun, path, body, headers) if begun else None
        return begun is not None

    def progress(self) -> Answer | None:
        """The answer, if it has come; never waits."""
        attempt = self._begun
        assert attempt is not None
        if attempt.answer is None and (read := attempt.begun.answer()) is not None:
            attempt.answer = self._taken(read)
        return attempt.answer

    def finish(self) -> Answer | Failure:
        """Wait for the answer to what was begun; as for post()."""
        attempt, self._begun = self._begun, None
        assert attempt is not None
        answer: Answer | Failure | None = attempt.answer
        if answer is None:
            try:
                answer = self._taken(attempt.begun.finish())
            except (OSError, http.client.HTTPException) as exc:
                if self._connection is not None:
                    self._connection.close()
                answer = self._failure(urllib3.exceptions.ProtocolError("Connection aborted.", exc))
        return self._checked(answer, attempt.path, b"".join(attempt.body), attempt.headers)

    def cut(self) -> None:
        """Shut down the socket of the attempt; a sender that is dialling is bounded by the connect timeout.

        What is still in the kernel's buffer is dropped: on a slow link it would delay the next attempt.
        """
        connection = self._connection
        if connection is None or connection.fd < 0:
            return
        self._is_cut = True
        try:
            # The descriptor's twin: the TLS layer's own shutdown() would pull the session from under its reader.
            with socket.socket(fileno=os.dup(connection.fd)) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                twin.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed in the meantime

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        self._connection = None

    def _close_what_is_old(self) -> None:
        """Each new connection resolves the name again, which follows a receiver that moved."""
        age_s = self._clock.monotonic() - self._opened_s
        if self._connection is not None and age_s > self._endpoint.connection_max_age_s:
            self._connection.close()

    def _taken(self, read: ReadAnswer) -> Answer:
        if read.is_last and self._connection is not None:
            self._connection.close()
        return _answer(read)

    def _checked(
        self, answer: Answer | Failure, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | Failure:
        """The answer, or that of a new connection where the first may not belong to the request."""
        connection = self._connection
        if connection is None or not connection.is_reused or self._is_cut or not _is_doubtful(answer):
            return answer
        connection.close()
        return self._attempt(path, body, headers)

    def _attempt(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        response = self._exchange("POST", path, body, headers)
        return response if isinstance(response, Answer | Failure) else _answer(response)

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> ReadAnswer | Answer | Failure:
        """What came back; an Answer where the proxy answered."""
        try:
            pool = self._pool or self._open()
        except (OSError, requests.exceptions.RequestException, ValueError) as exc:
            return Failure(FailureKind.SETTING, f"the endpoint can't be used: {exc}")
        try:
            response = pool.urlopen(
                method,
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
            proxy_says = getattr(exc, "original_error", None)
            if isinstance(proxy_says, TunnelRefused) and proxy_says.status == PROXY_AUTHENTICATION:
                return Answer(PROXY_AUTHENTICATION, excerpt="Proxy Authentication Required")
            failure = self._failure(exc)
            if failure.kind is FailureKind.TLS:
                self.close()
                self._tls.forget()
            return failure
        return cast(ReadAnswer, response)

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

    def _connect(self, *args: Any, **kwargs: Any) -> LeanConnection:
        kind = LeanTlsConnection if isinstance(self._pool, urllib3.HTTPSConnectionPool) else LeanConnection
        self._connection = kind(*args, **kwargs)
        self._connection.most_answer_bytes = self.most_answer_bytes
        self._opened_s = self._clock.monotonic()
        return self._connection

    def _failure(self, exc: urllib3.exceptions.HTTPError) -> Failure:
        if self._is_cut:
            return Failure(FailureKind.TIMEOUT, f"no complete answer within {self._endpoint.timeout_s:g} s")
        kind = _kind(exc)
        cause = exc.__cause__ if kind in (FailureKind.CONNECT, FailureKind.DNS) else None  # the system's own words
        cause = cause or (exc.args[-1] if exc.args else exc)
        text = getattr(cause, "reason", None) or getattr(cause, "strerror", None) or cause
        if kind is FailureKind.DNS:
            text = f"{urlsplit(self._endpoint.proxy or self._endpoint.url).hostname}: {text}"
        return Failure(kind, _one_line(str(text)))


def _kind(exc: BaseException) -> FailureKind:
    """The kind of one of urllib3's errors."""
    wrapped = exc.args[1] if len(exc.args) > 1 else None
    if isinstance(exc, urllib3.exceptions.ProxyError):
        return FailureKind.PROXY
    if isinstance(exc, urllib3.exceptions.SSLError):
        return FailureKind.TLS
    if isinstance(exc, urllib3.exceptions.NameResolutionError):
        return FailureKind.DNS
    if isinstance(exc, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        return FailureKind.CONNECT  # whatever is to be sent over it
    if isinstance(exc, urllib3.exceptions.TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(wrapped, http.client.HTTPException) and not isinstance(
        wrapped, (http.client.RemoteDisconnected, http.client.IncompleteRead)
    ):
        return FailureKind.GARBAGE
    return FailureKind.LOST


def _is_doubtful(answer: Answer | Failure) -> bool:
    """Whether it may not belong to the request, but to the connection's idle time before."""
    if isinstance(answer, Failure):
        return answer.kind is FailureKind.LOST
    return answer.status in OF_IDLE_CONNECTIONS


def _one_line(text: str) -> str:
    """A server's bytes may be in an error's text: removes control bytes."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _answer(read: ReadAnswer) -> Answer:
    etag = read.headers.get(CONFIG_ETAG)
    if read.status == 201:
        return CREATED if etag is None else Answer(201, config_etag=etag)
    excerpt = read.data[:EXCERPT_BYTES].decode("utf-8", "replace")[:EXCERPT_CHARACTERS].strip()
    is_html = "html" in read.headers.get("content-type", "").lower()
    return Answer(read.status, is_html, read.headers.get("retry-after"), excerpt, etag)
