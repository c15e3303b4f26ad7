"""What is begun in the caller's thread: it never waits, and comes to the same as an attempt of a sender's."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.delivery import Delivery, DeliveryState
from logship.delivery.answer import Answer, Failure
from logship.delivery.http import HttpTransport
from logship.delivery.http.answer_reader import ReadAnswer, read_answer
from logship.delivery.http.begun import Begun, is_silent
from logship.endpoint import Compression
from tests.delivery.test_answer_reader import BROKEN, WHOLE
from tests.delivery.test_threads import deliver_to, make_batch, ship
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

HEAD = b"POST /events HTTP/1.1\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end of a connection, and the receiver's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as ours:
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


def outcome(begun: Begun) -> ReadAnswer | type[Exception]:
    try:
        return begun.finish()
    except (OSError, http.client.HTTPException) as exc:
        return type(exc)


def read(text: bytes) -> ReadAnswer | type[Exception]:
    pieces = [text] if text else []
    try:
        return read_answer(lambda: pieces.pop() if pieces else b"")
    except (OSError, http.client.HTTPException) as exc:
        return type(exc)


@given(data=st.data(), name=st.sampled_from([*WHOLE, *BROKEN]))
@settings(max_examples=150)
def test_an_answer_in_any_pieces_is_what_a_waiting_reader_makes_of_it(name: str, data: st.DataObject) -> None:
    text = {**WHOLE, **BROKEN}[name]
    cuts = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=4))})
    until = data.draw(st.sampled_from(cuts))  # from then on finish() is waited for
    ours, theirs = socket.socketpair()
    with ours, theirs:
        begun = Begun(ours, (HEAD, b"{}"))
        early = begun.answer()
        for first, last in pairwise(cuts):
            if first >= until:
                break
            theirs.sendall(text[first:last])
            early = early or begun.answer()
        theirs.sendall(text[until:])
        theirs.shutdown(socket.SHUT_WR)
        expected = read(text)
        assert (early or outcome(begun)) == expected


def test_a_body_larger_than_the_connection_takes_goes_out_as_it_is_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    body = bytes(range(256)) * 200_000
    begun = Begun(ours, (HEAD, *(memoryview(body)[at : at + 1_000_003] for at in range(0, len(body), 1_000_003))))
    received = bytearray()
    while len(received) < len(HEAD) + len(body):
        received += theirs.recv(1 << 20)
        assert begun.answer() is None
    assert received == HEAD + body
    theirs.sendall(WHOLE["with a length"])
    assert begun.finish().status == 201


def test_an_answer_before_the_body_is_read_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    begun = Begun(ours, (HEAD, b"x" * 50_000_000))
    theirs.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    theirs.shutdown(socket.SHUT_WR)
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: theirs.recv(1 << 20), b"")], daemon=True)
    reader.start()
    assert begun.answer() is None, "it is not sent yet"
    assert begun.finish().status == 413
    ours.close()
    reader.join()


def test_a_connection_that_spoke_or_ended_by_itself_is_not_silent(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    assert is_silent(ours)
    theirs.sendall(b"HTTP/1.1 201 Created\r\n")
    wait_until(lambda: not is_silent(ours))
    ours.recv(100)
    assert is_silent(ours)
    theirs.shutdown(socket.SHUT_WR)
    wait_until(lambda: not is_silent(ours))


def asleep(delivery: Delivery) -> bool:
    """Whether a sender with an open connection waits for work."""
    return bool(delivery._pool._idle)


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
def test_a_near_receiver_is_fed_without_a_sender(compression: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[int] = []
    post = HttpTransport.post

    def counted(self: HttpTransport, path: str, body: bytes, headers: dict[str, str]) -> Answer | Failure:
        posted.append(len(body))
        return post(self, path, body, headers)

    monkeypatch.setattr(HttpTransport, "post", counted)
    with Receiver() as receiver:
        delivery = deliver_to(receiver.url, concurrency=1, compression=compression)
        ship(delivery, [make_batch(0, 5)], begins=True)
        for number in range(5, 100, 5):
            wait_until(lambda: asleep(delivery))
            delivery.begin(make_batch(number, 5))
            wait_until(delivery.outcomes)
        assert delivery.close(10.0) == []
        assert len(receiver.events) == 100
    assert len(posted) == 1, "only the first attempt, which has to dial, is a sender's own"


@pytest.mark.parametrize(
    ("fault", "requests", "retries"),
    [
        ("400", 3, 0), ("413", 5, 0), ("429:0", 3, 1), ("503", 3, 1), ("garbage", 3, 1), ("hang:60", 3, 1),
        ("close", 3, 0), ("rst_body", 2, 0), ("half:20", 3, 0), ("chunked", 2, 0), ("ok", 2, 0),
    ],
)  # fmt: skip
def test_what_is_no_plain_confirmation_is_left_to_a_sender(fault: str, requests: int, retries: int) -> None:
    """The same as for attempts of a sender; where a connection that was kept alive breaks, a new one is tried."""
    with begun_behind_another(fault) as (receiver, delivery):
        wait_until(delivery.outcomes)
        assert (len(receiver.events), len(receiver.seen), delivery.status().retries) == (10, requests, retries)


@pytest.mark.parametrize("fault", ["401", "404", "html", "301:http://127.0.0.1:1/"])
def test_a_no_to_what_was_begun_holds_until_somebody_knows_more(fault: str) -> None:
    with begun_behind_another(fault, fault, fault) as (receiver, delivery):
        wait_until(lambda: delivery.status().state is DeliveryState.HELD)
        receiver.behave()
        delivery.resume()
        wait_until(delivery.outcomes)
        assert len(receiver.events) == 10


@contextmanager
def begun_behind_another(*faults: str) -> Iterator[tuple[Receiver, Delivery]]:
    """A batch that was begun over an open connection and left to the sender, to a receiver with these faults."""
    with Receiver() as receiver:
        delivery = deliver_to(receiver.url, concurrency=1, timeout_s=50.0)
        ship(delivery, [make_batch(0, 5)], begins=True)
        wait_until(lambda: asleep(delivery))
        receiver.script(*faults)
        delivery.begin(make_batch(5, 5))
        delivery.rest()
        try:
            yield receiver, delivery
        finally:
            left = delivery.close(10.0)
        assert left == []


def test_an_idle_connection_that_brought_an_answer_nobody_asked_for_confirms_nothing() -> None:
    with Receiver() as receiver:
        receiver.script("ok_and_400")
        delivery = deliver_to(receiver.url, concurrency=1)
        for number in range(0, 20, 5):
            delivery.begin(make_batch(number, 5))
            wait_until(delivery.outcomes)
            wait_until(lambda: asleep(delivery))
        assert len(receiver.events) == 20
        assert delivery.close(10.0) == []
