"""Senders that want to use up the collector: what they cost is bounded, and others are served meanwhile."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from logship.collector import CollectorServer, connection, intake
from logship.collector.ingest import INLINE_BYTES
from logship.collector.intake import Intake
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, many, post

LARGE_BYTES, SMALL_BYTES = 3_000_000, 250_000
LARGE_MIB, SMALL_MIB = 40, 20
GZIP = {"Content-Encoding": "gzip"}
TINY = orjson.dumps({"request": {"time": "", "verb": "G", "uri": "/"}})
GOOD = orjson.dumps(event(1))


def array(one: bytes, size: int) -> bytes:
    return b"[" + b",".join([one] * (size // (len(one) + 1))) + b"]"


def inside(one: bytes, size: int) -> bytes:
    """A batch of one event that holds many values."""
    return b"[" + GOOD[:-1] + b',"metadata":{"a":' + array(one, size) + b"}}]"


INVALID: dict[str, Callable[[int], bytes]] = {
    "objects": lambda size: array(b"{}", size),
    "arrays": lambda size: array(b"[]", size),
    "nulls": lambda size: array(b"null", size),
    "texts": lambda size: array(b'""', size),
    "numbers": lambda size: array(b"1234567", size),
    "events without a response": lambda size: array(b'{"request":{}}', size),
    "events without a time": lambda size: array(TINY, size),
    "a good event first": lambda size: b"[" + GOOD + b"," + array(b"{}", size)[1:],
    "a batch in a batch": lambda size: b"[" + array(b"{}", size) + b"]",
    "nested": lambda size: b"[" * size,
    "one event of objects": lambda size: inside(b"{}", size),
    "one event of texts": lambda size: inside(b'"ab"', size),
    "one event of headers": lambda size: b'[{"request":{"headers":{' + b'"ab":"c",' * (size // 9) + b'"a":"b"}}}]',
    "quotation marks": lambda size: b'["' + b'\\"' * (size // 2),
    "broken at the end": lambda size: array(b"{}", size)[:-1],
}

VALID_WHERE_SMALL = ("one event of objects", "one event of texts")


@contextmanager
def process(store: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """A collector of its own: its URL, and its highest memory in MiB."""
    command = [sys.executable, "-m", "logship", "collector", "--listen", "127.0.0.1:0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[1]

        def peak_mib() -> float:
            lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

        try:
            yield url, peak_mib
        finally:
            running.terminate()


def test_what_is_invalid_takes_little_memory(tmp_path: Path) -> None:
    with process(tmp_path / "e.db") as (url, peak_mib):
        post(url, b"[]")
        rest = peak_mib()
        for name, make in INVALID.items():
            answer = post(url, gzip.compress(make(SMALL_BYTES)), headers=GZIP)
            assert answer.status_code == (201 if name in VALID_WHERE_SMALL else 400), name
            assert peak_mib() - rest < SMALL_MIB, name
        for name, make in INVALID.items():
            answer = post(url, make(LARGE_BYTES))
            assert answer.status_code == 400, name
            assert len(answer.json().get("events", [])) <= 100
            assert peak_mib() - rest < LARGE_MIB, name


def test_a_large_batch_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db")) as collector:
        events = many(4_000)
        refused = post(collector.url, [*events, {}])
        assert (refused.status_code, refused.json()["events"][0]["index"]) == (400, 4_000)
        assert "1 of 4001 events" in refused.json()["message"]
        assert collector.events() == []
        assert post(collector.url, events).status_code == 201
        assert collector.events() == events


def test_so_many_events_that_they_would_block_the_others_are_413(
    collector: CollectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_EVENTS", 3_000)
    answer = post(collector.url, many(3_001))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_events")
    assert collector.events() == []
    assert post(collector.url, many(3_000)).status_code == 201


def test_small_batches_are_taken_while_a_large_one_is_taken_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    rows = Intake.rows

    def slowly(self: Intake, body: bytes, **more: Any) -> Any:
        if len(body) > INLINE_BYTES:
            begun.set()
            may_go_on.wait(60)
        return rows(self, body, **more)

    monkeypatch.setattr(Intake, "rows", slowly)
    with CollectorServer(store=str(tmp_path / "e.db")) as collector, ThreadPoolExecutor() as pool:
        large = pool.submit(post, collector.url, many(3_000, first=10))
        assert begun.wait(60)
        assert post(collector.url, [event(1)]).status_code == 201
        assert not large.done()
        may_go_on.set()
        assert large.result(60).status_code == 201
        assert len(collector.events()) == 3_001


IDLE: dict[str, bytes] = {
    "answered": b"GET /health/probe HTTP/1.1\r\nHost: x\r\n\r\n",
    "silent": b"",
    "in its head": b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-A: ",
    "in the body of a refused request": b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    "lost": b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", IDLE)
def test_idle_connections_give_way(kind: str, tmp_path: Path) -> None:
    settings = {"max_connections": 5, "application_ids": (APPLICATION_ID,)}
    with CollectorServer(store=str(tmp_path / "e.db"), **settings) as collector, ExitStack() as opened:
        sender = opened.enter_context(requests.Session())
        headers = {"X-Moesif-Application-Id": APPLICATION_ID}
        path = f"{collector.url}/v1/events"
        assert sender.post(path, GOOD, headers=headers, timeout=20).status_code == 201
        for _ in range(25):
            idle = opened.enter_context(socket.create_connection(address(collector), timeout=20))
            idle.sendall(IDLE[kind])
            if kind in ("answered", "lost", "in the body of a refused request"):
                assert idle.recv(4_096).startswith(b"HTTP/1.1 ")
        assert post(collector.url, event(2), path="/v1/events").status_code == 201
        # who has sent events keeps its connection as long as there are others
        assert sender.post(path, GOOD, headers=headers, timeout=20).status_code == 201


def address(collector: CollectorServer) -> tuple[str, int]:
    host, port = collector.url.removeprefix("http://").split(":")
    return host, int(port)


def test_a_stalled_body_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.0)
    with CollectorServer(store=str(tmp_path / "e.db"), max_connections=3) as collector, ExitStack() as opened:
        for _ in range(6):
            stalled = opened.enter_context(socket.create_connection(address(collector), timeout=20))
            stalled.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Moesif-Application-Id: a\r\n")
            stalled.sendall(b"Content-Length: 9\r\n\r\n{")
        assert post(collector.url, event(1), path="/v1/events").status_code == 201


@pytest.mark.parametrize("is_chunked", [False, True])
def test_what_is_compressed_counts_as_what_it_holds(is_chunked: bool, tmp_path: Path) -> None:
    """A body is held open in the middle while another one, small on the wire, asks for more than is left."""
    with CollectorServer(store=str(tmp_path / "e.db"), in_flight_bytes=100_000) as collector:
        body = gzip.compress(orjson.dumps([event(1, metadata={"a": " " * 90_000})]))
        assert len(body) < 1_000
        with socket.create_connection(address(collector), timeout=20) as slow:
            head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Moesif-Application-Id: a\r\n"
            length = b"Transfer-Encoding: chunked\r\n\r\n4e20\r\n" if is_chunked else b"Content-Length: 20001\r\n\r\n"
            slow.sendall(head + length + b" " * 20_000)
            while post(collector.url, body, headers=GZIP).status_code == 201:
                pass  # until the slow one was seen; then each is refused
            refused = post(collector.url, body, headers=GZIP)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert post(collector.url, event(2), path="/v1/events").status_code == 201  # what fits is taken
