"""A receiver that fails on command or at random, and remembers what it accepted.

with Receiver() as receiver: receiver.url · .script("503", "rst_body") · .go_wild(seed, rate) · .behave() · .events
Faults, one a request, `name` or `name:argument`:
  ok · any status as a number ("503") · 429:SECONDS · 429date:SECONDS · 503date:SECONDS · 301:LOCATION
  html (200 text/html) · early:STATUS (before the body is read, then reset under its own answer)
  rst_head (before reading) · rst_body (half of the body read) · rst_answer (in the middle of the answer)
  close (no answer) · lost (stored, then reset) · hang:SECONDS (all read, nothing said) · slow_read:BYTES_PER_S
  drip:SECONDS (an answer byte by byte) · bad_length (Content-Length too long) · garbage (not HTTP)
  interim:STATUS (before the answer) · half:BYTES (so many of the answer's head, nothing stored)
  length:TEXT (as Content-Length, nothing stored) · ok_and_400 (an answer behind the answer)
  chunked · big (a 201 with 200 kB) · close_after (201, keep-alive promised, then closed) · old (HTTP/1.0)
`go_wild` draws one for each request from (seed, number of the request), so a seed can be played again. Its faults
never say that an event is bad: 413 and 400 come only from `limit_bytes` and `refuses`.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import ssl
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Self

from tests.rigs.config_page import ConfigPage

WILD = (
    "500", "502", "503", "429:0.05", "429date:1", "503date:1", "408", "rst_head", "rst_body", "rst_answer", "close",
    "lost", "lost", "hang:0.2", "slow_read:2000000", "bad_length", "garbage", "chunked", "big", "close_after", "old",
    "interim:103", "half:20", "half:40", "length:two", "length:2, 3", "ok_and_400",
)  # fmt: skip
STORING = {
    "ok", "lost", "rst_answer", "slow_read", "drip", "bad_length", "garbage", "chunked", "big", "close_after", "old",
    "interim", "ok_and_400",
}  # fmt: skip
POLL_S = 0.05


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    size: int  # of the decoded body
    count: int  # of its events
    fault: str
    connection: int


@dataclass
class Receiver:
    """An ingestion API on loopback; every connection has its thread.

    `certificate` is a PEM file with certificate and key; `limit_bytes` answers 413 to larger decoded bodies;
    `application_ids` answers 401 to any other; `refuses` answers 400 to bodies with such an event.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    client_ca: Path | None = None
    limit_bytes: int | None = None
    application_ids: set[str] | None = None
    paths: tuple[str, ...] = ("/moesifapi/events", "/v1/events")
    prefix: str = ""
    config: ConfigPage | None = None  # at GET /v1/config; its ETag is in every answer
    refuses: Callable[[dict[str, Any]], bool] = lambda event: False
    seen: list[Seen] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)  # accepted, the first of each transaction_id
    repeats: int = 0  # accepted again with the same id and payload
    conflicts: list[str] = field(default_factory=list)  # ids that came with another payload
    connections: int = 0
    distrusted: int = 0  # handshakes that the sender ended because it does not trust the certificate
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._script: list[str] = []
        self._wild: tuple[int, float, Sequence[str]] | None = None
        self._by_id: dict[str, dict[str, Any]] = {}
        self._open: dict[int, socket.socket] = {}
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}{self.prefix}"

    @property
    def ids(self) -> list[str]:
        return list(self._by_id)

    def script(self, *faults: str) -> None:
        """The next requests' faults, in this order; then "ok" or what go_wild says."""
        with self._lock:
            self._script += faults

    def go_wild(self, seed: int, rate: float, faults: Sequence[str] = WILD) -> None:
        """From now on so many of the requests fail, as the seed says."""
        self._wild = (seed, rate, faults)

    def behave(self) -> None:
        """No fault any more."""
        self._wild, self._script = None, []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port again after a stop."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Down: refuses connections and resets those there are."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop_connections()

    def drop_connections(self) -> None:
        """Close every connection, idle or not."""
        with self._lock:
            connections = list(self._open.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would end its reader's session

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            number = self.connections
            self._open[number] = connection
        try:
            if self.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate)
                if self.client_ca:
                    context.load_verify_locations(self.client_ca)
                    context.verify_mode = ssl.CERT_REQUIRED
                connection = self._shake_hands(context, connection)
                with self._lock:
                    self._open[number] = connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(self, connection, number)
            while conversation.one_request():
                pass
        except (OSError, EOFError, ValueError):
            pass  # the sender went away, or this side's fault took the connection with it
        finally:
            with self._lock:
                self._open.pop(number, None)
            connection.close()

    def _shake_hands(self, context: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
        try:
            return context.wrap_socket(connection, server_side=True)
        except ssl.SSLError as exc:
            self.distrusted += "UNKNOWN_CA" in (exc.reason or "")
            raise

    def next_fault(self) -> str:
        with self._lock:
            if self._script:
                fault = self._script.pop(0)
            elif self._wild:
                seed, rate, faults = self._wild
                dice = random.Random(f"{seed}:{sum(self.faults.values())}")
                fault = dice.choice(faults) if dice.random() < rate else "ok"
            else:
                fault = "ok"
            self.faults[fault] += 1
            return fault

    def verdict(self, headers: dict[str, str], size: int, events: list[dict[str, Any]], path: str) -> int:
        """The status an honest receiver answers with."""
        if path.removeprefix(self.prefix).removesuffix("/batch") not in self.paths or not path.startswith(self.prefix):
            return 404
        if self.application_ids is not None and headers.get("x-moesif-application-id") not in self.application_ids:
            return 401
        if self.limit_bytes is not None and size > self.limit_bytes:
            return 413
        return 400 if any(map(self.refuses, events)) else 201

    def accept(self, events: list[dict[str, Any]]) -> None:
        with self._lock:
            for event in events:
                known = self._by_id.setdefault(event["transaction_id"], event)
                if known is event:
                    self.events.append(event)
                elif known == event:
                    self.repeats += 1
                else:
                    self.conflicts.append(event["transaction_id"])

    def note(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)


class Conversation:
    """One connection."""

    def __init__(self, receiver: Receiver, connection: socket.socket, number: int) -> None:
        self._receiver = receiver
        self._socket = connection
        self._number = number
        self._reader = connection.makefile("rb")

    def one_request(self) -> bool:
        """Read, fail or answer; False where the connection is over."""
        line = self._reader.readline().decode("latin-1")
        if not line:
            return False
        method, path, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        while (text := self._reader.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        if method == "GET":
            return self._page(path, headers)
        fault = self._receiver.next_fault()
        kind, _, argument = fault.partition(":")
        length = int(headers.get("content-length", 0))
        if kind == "rst_head":
            return self._reset()
        if kind == "early":
            self._send(_answer(int(argument), b"why not" * 9, close=True)[:-40])
            time.sleep(POLL_S)  # the answer is on its way before the rest of the body meets a closed socket
            return self._reset()
        if kind == "rst_body":
            self._reader.read(length // 2)
            return self._reset()
        body = self._slowly(length, int(argument)) if kind == "slow_read" else self._reader.read(length)
        if len(body) < length:
            return False
        if headers.get("content-encoding") == "gzip":
            body = zlib.decompress(body, 31)
        decoded = json.loads(body)
        events = decoded if isinstance(decoded, list) else [decoded]
        self._receiver.note(Seen(path, headers, len(body), len(events), fault, self._number))
        status = self._receiver.verdict(headers, len(body), events, path)
        if kind in STORING and status == 201:
            self._receiver.accept(events)
        return self._reply(kind, argument, status)

    def _page(self, path: str, headers: dict[str, str]) -> bool:
        config = self._receiver.config
        if config is None or path != f"{self._receiver.prefix}/v1/config":
            self._send(_answer(404, close=True))
            return False
        status, body, more = config.answer(headers)
        self._send(_answer(status, body, more, close=True))
        return False

    def _reply(self, kind: str, argument: str, status: int) -> bool:
        if kind.isdigit() or kind in ("429date", "503date"):
            return self._refusal(int(kind[:3]), argument, is_date=kind.endswith("date"))
        config = self._receiver.config
        whole = _answer(status, headers={"X-Moesif-Config-ETag": config.etag} if config else None)
        match kind:
            case "ok" | "slow_read":
                self._send(whole)
            case "interim":
                self._send(b"HTTP/1.1 %d Wait\r\nLink: </style.css>\r\n\r\n" % int(argument) + whole)
            case "half":
                self._send(_answer(201)[: int(argument)])
                return False
            case "length":
                self._send(_answer(201, headers={"Content-Length": argument}))
            case "ok_and_400":
                self._send(whole + _answer(400, close=True))
                return False
            case "html":
                self._send(_answer(200, b"<html>It works!</html>", {"Content-Type": "text/html; charset=utf-8"}))
            case "lost":
                return self._reset()
            case "rst_answer":
                self._send(whole[:20])
                time.sleep(POLL_S)
                return self._reset()
            case "close":
                return False
            case "hang":
                time.sleep(float(argument))
                return False
            case "drip":
                end_s = time.monotonic() + float(argument)
                while time.monotonic() < end_s:
                    self._send(whole[:1] or b" ")
                    whole = whole[1:]
                    time.sleep(POLL_S)
                return False
            case "bad_length":
                self._send(_answer(status, b"{}", {"Content-Length": "9999"}))
                return False
            case "garbage":
                self._send(b"\x15\x03\x01 not http\r\n\r\n")
                return False
            case "chunked":
                head = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
                self._send(head + b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n')
            case "big":
                self._send(_answer(status, b"x" * 200_000))
            case "close_after":
                self._send(whole)
                return False
            case "old":
                self._send(b"HTTP/1.0 %d X\r\nContent-Type: application/json\r\n\r\n{}" % status)
                return False
            case _:
                raise AssertionError(f"no fault {kind}")
        return True

    def _refusal(self, status: int, argument: str, *, is_date: bool) -> bool:
        headers = {}
        if 300 <= status < 400:
            headers["Location"] = argument or "/elsewhere"
        elif argument:
            headers["Retry-After"] = formatdate(time.time() + float(argument), usegmt=True) if is_date else argument
        self._send(_answer(status, b'{"error":"injected"}', headers))
        return True

    def _slowly(self, length: int, bytes_per_s: int) -> bytes:
        body = b""
        while len(body) < length and (part := self._reader.read(min(length - len(body), max(1, bytes_per_s // 20)))):
            body += part
            time.sleep(POLL_S)
        return body

    def _send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _reset(self) -> bool:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._reader.close()
        return False


def _answer(status: int, body: bytes = b"{}", headers: dict[str, str] | None = None, *, close: bool = False) -> bytes:
    named = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    if close:
        named["Connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body
