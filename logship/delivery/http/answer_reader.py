"""Reads one answer from a connection, strictly: an answer that is cut or has no clear end is none.

RFC 9112, with less tolerance than http.client: that accepts a head that ends early, and ignores a length that it can't
read, so that half an answer would confirm events that the receiver never stored.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from functools import lru_cache

from logship.records import record

RECEIVE_BYTES = 65_536  # asked of a connection at once
MAX_HEAD_BYTES = 65_536
MAX_ANSWER_BYTES = 65_536  # read of an answer's body; after a longer one the connection is closed
USUAL_BYTES = 1_024  # larger answers are not cached
MAX_INTERIM = 100  # answers before the answer: servers send one or two
HEAD_END = re.compile(rb"\r?\n\r?\n")
LINE_END = re.compile(rb"\r?\n")
STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\0]*)?")
HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\0]*)")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r]*)?")
LENGTH = re.compile(r"[0-9]{1,18}")
WITHOUT_BODY = (204, 304)
OF_EVENTS = (400, 415, 422)  # these are about the events, and count only when complete


@record(frozen=False)
class ReadAnswer:
    """An answer that was read: as much of a response as urllib3's pool needs, at a tenth of the cost.

    Shapes: names of headers are in lower case, values of one name joined by commas; `data` is the beginning of
    the body. `is_last`: nothing more may be sent over its connection.
    """

    status: int
    headers: dict[str, str]
    data: bytes = b""
    is_last: bool = False
    version_string: str = "HTTP/1.1"
    length_remaining: int = 0
    retries: object = None
    _connection: object = None
    _pool: object = None


class Incoming:
    """Unread bytes of a connection; `receive` gives b"" at its end."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._bytes = b""

    def unread(self, most: int) -> bytes:
        return self._bytes[:most]

    @property
    def is_empty(self) -> bool:
        return not self._bytes

    def until(self, end: re.Pattern[bytes], most: int) -> bytes:
        """The bytes before `end`; reads `end`, too.

        Raises: RemoteDisconnected where not one byte came, IncompleteRead where it is cut, HTTPException beyond `most`.
        """
        searched = 0
        while not (found := end.search(self._bytes, searched)):
            if len(self._bytes) > most:
                raise http.client.HTTPException(f"a line or head of more than {most} bytes")
            searched = max(0, len(self._bytes) - 3)  # an end may be half there
            if not self._more():
                if not self._bytes:
                    raise http.client.RemoteDisconnected("the receiver closed the connection without an answer")
                raise http.client.IncompleteRead(self._bytes)
        part, self._bytes = self._bytes[: found.start()], self._bytes[found.end() :]
        return part

    def exactly(self, count: int) -> bytes:
        """Raises: IncompleteRead where it is cut."""
        while len(self._bytes) < count:
            if not self._more():
                raise http.client.IncompleteRead(self._bytes, count - len(self._bytes))
        part, self._bytes = self._bytes[:count], self._bytes[count:]
        return part

    def rest(self, most: int) -> bytes:
        """All until the connection ends, or its first `most` bytes."""
        while len(self._bytes) < most and self._more():
            pass
        part, self._bytes = self._bytes[:most], self._bytes[most:]
        return part

    def _more(self) -> bool:
        received = self._receive()
        self._bytes += received
        return bool(received)


def read_answer(receive: Callable[[], bytes], most_bytes: int = MAX_ANSWER_BYTES) -> ReadAnswer:
    """The final answer with the first `most_bytes` of its body; interim ones before it are skipped.

    Source: RFC 9110 15.2: 100, 102, 103 and others. A refusal that is not about the events (401, 407, 413, 503) counts
    when its head is complete: a server that refuses before it has read the body, and closes, may reset the connection
    during its own answer (RFC 9112 9.6).

    Raises: http.client.HTTPException: RemoteDisconnected and IncompleteRead where the connection ended too soon, others
    where what came is not HTTP; and OSError as `receive` gives it.
    """
    incoming = Incoming(receive)
    for _ in range(MAX_INTERIM):
        version, answer = _head(incoming)
        if answer.status >= 200:
            break
    else:
        raise http.client.HTTPException(f"{MAX_INTERIM} interim answers and no final one")
    is_kept = version > 0 and "close" not in answer.headers.get("connection", "").lower()
    try:
        is_framed = _read_body(incoming, answer, most_bytes)
    except BlockingIOError:
        raise
    except (http.client.IncompleteRead, OSError):
        if answer.status < 300 or answer.status in OF_EVENTS:
            raise
        answer.data, is_framed = answer.data or incoming.unread(most_bytes), False
    answer.is_last = not (is_kept and is_framed and incoming.is_empty)  # surplus bytes answer no request
    return answer


@lru_cache(16)
def usual_answer(received: bytes) -> ReadAnswer:
    """What read_answer() makes of these bytes; cached: a receiver's answers within one second are the same.

    Raises: as read_answer(); BlockingIOError where the answer is not complete.
    """
    parts = [received]

    def receive() -> bytes:
        if not parts:
            raise BlockingIOError
        return parts.pop()

    return read_answer(receive)


def read_tunnel_answer(receive: Callable[[], bytes]) -> ReadAnswer:
    """A proxy's answer to CONNECT: a head, after which the tunnel begins if its status is 2xx. Raises as above."""
    incoming = Incoming(receive)
    _, answer = _head(incoming)
    if answer.status // 100 == 2 and not incoming.is_empty:
        raise http.client.HTTPException("the proxy sent something before the tunnel was used")
    return answer


def _head(incoming: Incoming) -> tuple[int, ReadAnswer]:
    """Minor version of HTTP/1, and the answer without its body."""
    head = incoming.until(HEAD_END, MAX_HEAD_BYTES)
    first, *lines = LINE_END.split(head)
    status_line = STATUS_LINE.fullmatch(first.decode("latin-1"))
    if not status_line:
        raise http.client.BadStatusLine(repr(first[:60]))
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.decode("latin-1").rstrip(" \t")
        if text[:1] in (" ", "\t") and name:  # obsolete line folding: the value continues
            headers[name] += " " + text.strip()
            continue
        if not (header := HEADER.fullmatch(text)):
            raise http.client.HTTPException(f"a broken header line {line[:60]!r}")
        name = header[1].lower()
        headers[name] = f"{headers[name]}, {header[2]}" if name in headers else header[2]
    return int(status_line[1]), ReadAnswer(int(status_line[2]), headers)


def _read_body(incoming: Incoming, answer: ReadAnswer, most_bytes: int) -> bool:
    """Reads up to `most_bytes` of the body; gives whether the next answer begins after what was read.

    A length that is given twice is refused, even if both are equal.
    """
    length, coding = answer.headers.get("content-length"), answer.headers.get("transfer-encoding")
    if coding is not None and (length is not None or coding.lower() != "chunked"):
        raise http.client.HTTPException(f"Transfer-Encoding {coding!r} with Content-Length {length!r}")
    if length is not None and not LENGTH.fullmatch(length):
        raise http.client.HTTPException(f"Content-Length is {length[:60]!r}")
    if answer.status in WITHOUT_BODY:
        return True
    if coding is not None:
        return _read_chunks(incoming, answer, most_bytes)
    if length is None:
        answer.data = incoming.rest(most_bytes)
        return False
    answer.data = incoming.exactly(min(int(length), most_bytes))
    return int(length) <= most_bytes


def _read_chunks(incoming: Incoming, answer: ReadAnswer, most_bytes: int) -> bool:
    """The body is whole once its last chunk, of zero bytes, has begun (RFC 9112 8)."""
    while True:
        line = _line(incoming)
        if not (size := CHUNK_SIZE.fullmatch(line)):
            raise http.client.HTTPException(f"a chunk of {line[:60]!r} bytes")
        if (count := int(size[1], 16)) == 0:
            break
        answer.data += incoming.exactly(min(count, most_bytes - len(answer.data)))
        if len(answer.data) == most_bytes:
            return False
        if _line(incoming):
            raise http.client.HTTPException("a chunk that is longer than it says")
    try:
        return not _line(incoming)  # after trailers, which are not read, the connection isn't used again
    except http.client.IncompleteRead:
        return False


def _line(incoming: Incoming) -> bytes:
    try:
        return incoming.until(LINE_END, MAX_HEAD_BYTES)
    except http.client.RemoteDisconnected as exc:  # not before the answer, but in it
        raise http.client.IncompleteRead(b"") from exc
