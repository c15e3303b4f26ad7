"""A request that is sent and answered without waiting, as far as possible."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable

from logship.delivery.http.answer_reader import RECEIVE_BYTES, USUAL_BYTES, ReadAnswer, read_answer, usual_answer
from logship.event import Parts

AT_ONCE = socket.MSG_DONTWAIT


class Begun:
    """One request on an open connection that is not encrypted; sending its `parts` begins at once.

    Call answer() until it gives one, or finish(), which waits and raises what went wrong.
    """

    def __init__(self, sock: socket.socket, parts: Parts) -> None:
        self._sock = sock
        self._unsent = [memoryview(part) for part in parts]
        self._received = b""
        self._is_ended = False
        self._fault: Exception | None = None
        self._send()

    def answer(self) -> ReadAnswer | None:
        """The answer, if all of it has come; never waits."""
        if self._unsent:
            self._send()
        if self._unsent or self._fault or not self._receive():
            return None
        try:
            if len(self._received) <= USUAL_BYTES and not self._is_ended:
                return usual_answer(self._received)
            return read_answer(self._incoming(_nothing_yet))
        except BlockingIOError:
            return None
        except (OSError, http.client.HTTPException) as exc:
            self._fault = exc
            return None

    def finish(self) -> ReadAnswer:
        """Waits for the answer. Raises: OSError, http.client.HTTPException; see read_answer."""
        try:
            while self._unsent and not self._fault:
                self._drop(self._sock.sendmsg(self._unsent))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered before it closed
        return read_answer(self._incoming(lambda: self._sock.recv(RECEIVE_BYTES)))

    def _send(self) -> None:
        try:
            while self._unsent:
                self._drop(self._sock.sendmsg(self._unsent, (), AT_ONCE))
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent = []  # it may have answered before it closed
        except OSError as exc:
            self._fault = exc

    def _drop(self, sent_bytes: int) -> None:
        """Forget what is sent."""
        while self._unsent and sent_bytes >= len(self._unsent[0]):
            sent_bytes -= len(self._unsent.pop(0))
        if sent_bytes:
            self._unsent[0] = self._unsent[0][sent_bytes:]

    def _receive(self) -> bool:
        """Whether something came, or the end of the connection."""
        try:
            received = self._sock.recv(RECEIVE_BYTES, AT_ONCE)
        except BlockingIOError:
            return False
        except OSError as exc:
            self._fault = exc
            return False
        self._is_ended = not received
        self._received += received
        return True

    def _incoming(self, more: Callable[[], bytes]) -> Callable[[], bytes]:
        """What was received, then what `more` gives, or the error that ended it."""
        first = [self._received] if self._received else []

        def receive() -> bytes:
            if first:
                return first.pop()
            if self._fault:
                raise self._fault
            return b"" if self._is_ended else more()

        return receive


def is_silent(sock: socket.socket) -> bool:
    """Whether an open connection has nothing to read, not even its end."""
    try:
        sock.recv(1, AT_ONCE | socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _nothing_yet() -> bytes:
    raise BlockingIOError
