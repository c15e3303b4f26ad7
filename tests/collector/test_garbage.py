"""What is no good request: a clear answer, nothing stored, no memory taken."""

from __future__ import annotations

import gzip
import json
import resource
import signal
import socket
import time
import zlib
from pathlib import Path

import orjson
import pytest
import requests

from logship.collector import CollectorServer
from logship.collector import connection as connection_module
from logship.collector.options import MAX_BYTES
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, many, post

GZIP = {"Content-Encoding": "gzip"}
DEFLATE = {"Content-Encoding": "deflate"}
GOOD = orjson.dumps([event(1)])


def raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


def exchange(url: str, *pieces: bytes) -> bytes:
    """What comes back until the other side closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while True:
            try:
                piece = connection.recv(65_536)
            except ConnectionResetError:
                return answer
            if not piece:
                return answer
            answer += piece


def head(length: str, *more: str) -> bytes:
    lines = ["POST /v1/events/batch HTTP/1.1", "Host: x", f"X-Moesif-Application-Id: {APPLICATION_ID}", length, *more]
    return "\r\n".join([*(line for line in lines if line), "", ""]).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (GOOD, {}),
        (gzip.compress(GOOD), GZIP),
        (gzip.compress(GOOD[:40]) + gzip.compress(GOOD[40:]), GZIP),
        (zlib.compress(GOOD), DEFLATE),
        (raw_deflate(GOOD), DEFLATE),
        (b"\xef\xbb\xbf" + GOOD, {}),
        (GOOD, {"Content-Type": "application/json; charset=UTF-8"}),
        (GOOD, {"Content-Type": ""}),
        (GOOD, {"Content-Encoding": "identity"}),
    ],
)
def test_each_way_to_write_a_good_body_is_read(
    collector: CollectorServer, body: bytes, headers: dict[str, str]
) -> None:
    assert post(collector.url, body, headers=headers).status_code == 201
    assert len(collector.events()) == 1


def test_a_chunked_body_is_read(collector: CollectorServer) -> None:
    chunks = (GOOD[start : start + 100] for start in range(0, len(GOOD), 100))
    headers = {"X-Moesif-Application-Id": APPLICATION_ID}
    answer = requests.post(collector.url + "/v1/events/batch", chunks, headers=headers, timeout=30)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "invalid_json"),
        (b"null", {}, 400, "not_a_batch"),
        (orjson.dumps(event(1)), {}, 400, "not_a_batch"),
        (b'[1, null, [], "x"]', {}, 400, "invalid_events"),
        (gzip.compress(GOOD)[:-9], GZIP, 400, "broken_compression"),
        (GOOD, GZIP, 400, "broken_compression"),
        (b"\x00" * 50, DEFLATE, 400, "broken_compression"),
        (gzip.compress(b" " * (MAX_BYTES + 1)), GZIP, 413, "body_too_large"),
        (b" " * (MAX_BYTES + 1), {}, 413, "body_too_large"),
        (b" " * 2_000_000, {}, 413, "body_too_large"),
        (GOOD, {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        (GOOD, {"Content-Encoding": "gzip, gzip"}, 415, "unsupported_encoding"),
        (GOOD, {"Content-Type": "text/plain"}, 415, "unsupported_type"),
        (GOOD, {"Content-Type": "application/json; charset=utf-16"}, 415, "unsupported_charset"),
        (b"[" * 10_000 + b"]" * 10_000, {}, 400, "invalid_json"),
        (GOOD.replace(b"200", b"NaN"), {}, 400, "invalid_json"),
        (GOOD.replace(b"200", b"1e999"), {}, 400, "invalid_json"),
        (GOOD.replace(b"200", b"9" * 400), {}, 400, "invalid_json"),
        (GOOD.replace(b"200", b"9" * 30), {}, 400, "invalid_events"),
        (GOOD.replace(b"200", b"true"), {}, 400, "invalid_events"),
        (GOOD.replace(b"200", b'"200"'), {}, 400, "invalid_events"),
        (GOOD.replace(b"curl/8", b"\\ud800"), {}, 400, "invalid_json"),
        (GOOD.replace(b"curl/8", b"\xff"), {}, 400, "invalid_json"),
        (GOOD.replace(b"2026-10-10T13:55:36.123Z", b"2026-02-30T13:55:36.123Z"), {}, 400, "invalid_events"),
        (GOOD.replace(b'{"User-Agent":"curl/8"}', b'{"a":' * 300 + b"1" + b"}" * 300), {}, 400, "invalid_events"),
    ],
)
def test_each_bad_body_is_refused_for_its_reason(
    collector: CollectorServer, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = post(collector.url, body, path="/moesifapi/events/batch", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"]
    assert collector.events() == []
    assert post(collector.url, GOOD).status_code == 201


def test_duplicate_keys_count_as_the_last_and_are_stored_so(collector: CollectorServer) -> None:
    assert post(collector.url, GOOD.replace(b'"verb":"GET"', b'"verb":"PUT","verb":"POST"')).status_code == 201
    assert collector.events()[0]["request"]["verb"] == "POST"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-10-10T13:55:36Z", 0),
        ("2026-10-10T13:55:36", 0),
        ("2026-10-10T15:55:36.5+02:00", 500),
        ("2026-10-10T13:55:36.123456789Z", 123),
        ("2026-10-10 13:55:36.12", 120),
        ("2026-10-10T13:55:36.Z", 0),
    ],
)
def test_each_way_to_write_a_time_is_the_same_instant(collector: CollectorServer, text: str, milliseconds: int) -> None:
    one = event(1)
    one["request"]["time"] = text
    assert post(collector.url, [one]).status_code == 201
    found = requests.get(collector.url + "/api/export?range=all&format=csv", timeout=10).text
    assert f"2026-10-10T13:55:36.{milliseconds:03d}Z" in found


@pytest.mark.parametrize(("family", "more_kib"), [("/moesifapi", 20_000), ("/v1", 80_000)])
def test_a_bomb_is_put_out_while_it_inflates(collector: CollectorServer, family: str, more_kib: int) -> None:
    squeezer = zlib.compressobj(wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(squeezer.compress(zeros) for _ in range(200)) + squeezer.flush()  # 200 MB in 200 kB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        assert post(collector.url, bomb, path=f"{family}/events/batch", headers=GZIP).status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < more_kib


def test_every_bad_event_is_named_up_to_a_hundred(collector: CollectorServer) -> None:
    answer = post(collector.url, [event(0), *({} for _ in range(300))])
    faults = answer.json()["events"]
    assert len(faults) == 100
    assert [fault["index"] for fault in faults] == list(range(1, 101))
    assert "at least 100 events" in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/events/", "POST", 404),
        ("/v2/events", "POST", 404),
        ("/v1/events", "GET", 405),
        ("/v1/events/batch", "PUT", 405),
        ("/api/events", "POST", 405),
    ],
)
def test_wrong_doors_answer_json_and_never_redirect(
    collector: CollectorServer, path: str, method: str, status: int
) -> None:
    answer = requests.request(method, collector.url + path, data=GOOD, timeout=10, allow_redirects=False)
    assert answer.status_code == status
    assert answer.json()["code"] in ("not_found", "method_not_allowed")


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        head("Content-Length: 5", "Content-Length: 6") + b"[]   ",
        head("Content-Length: +5") + b"[]   ",
        head("Transfer-Encoding: xchunked") + b"0\r\n\r\n",
        head("Transfer-Encoding : chunked") + b"0\r\n\r\n",
        head("Content-Length: 2", "X: " + "a" * 1_000_000) + b"[]",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 10,
        b"GET / HTTP/1.1\nHost x\n\n\x00",
        b"A" * 200_000,
    ],
    ids=["both", "two lengths", "signed", "unknown coding", "space", "1 MB header", "TLS", "no colon", "no line"],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(collector: CollectorServer, request_bytes: bytes) -> None:
    answer = exchange(collector.url, request_bytes)
    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0] or b" 431 " in answer.split(b"\r\n")[0], answer[:300]
    assert b"smuggled" not in answer
    assert answer.count(b"HTTP/1.1") <= 1
    assert collector.events() == []
    assert post(collector.url, GOOD).status_code == 201


def test_a_sender_that_drips_is_let_go(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), head_timeout_s=1, body_timeout_s=1) as collector:
        assert exchange(collector.url, b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-A: ") == b""
        answer = exchange(collector.url, head("Content-Length: 50"), b"[")
        assert answer.startswith(b"HTTP/1.1 408")
        assert json.loads(answer.split(b"\r\n\r\n")[1])["code"] == "too_slow"
        assert post(collector.url, GOOD).status_code == 201


def test_an_idle_connection_outlives_the_deadline_of_heads(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), head_timeout_s=0.2) as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as idle:
            assert probe(idle).startswith(b"HTTP/1.1 200")
            idle.settimeout(0.5)
            with pytest.raises(TimeoutError):  # neither bytes nor an end
                idle.recv(1_000)
            idle.settimeout(20)
            assert probe(idle).startswith(b"HTTP/1.1 200")


def probe(connection: socket.socket) -> bytes:
    """The whole answer to a health probe; it may come in pieces."""
    connection.sendall(b"GET /health/probe HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        piece = connection.recv(1_000)
        assert piece, "closed without an answer"
        answer += piece
    return answer


def test_dripping_heads_are_not_kept_alive_by_their_drops(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), head_timeout_s=0.4) as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        give_up = time.monotonic() + 30
        was_closed = False
        with socket.create_connection((host, int(port)), timeout=0.05) as dripping:
            dripping.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            while not was_closed and time.monotonic() < give_up:
                try:
                    dripping.sendall(b"X-A: b\r\n")
                    was_closed = dripping.recv(100) == b""
                except TimeoutError:
                    continue
                except OSError:
                    was_closed = True
        assert was_closed


def test_connections_beyond_the_limit_are_told_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STALLED_S", 60)
    with CollectorServer(store=str(tmp_path / "e.db"), max_connections=3) as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        held: list[socket.socket] = []
        deadline = time.monotonic() + 20
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503") and time.monotonic() < deadline:
            held.append(socket.create_connection((host, int(port))))
            held[-1].sendall(head("Content-Length: 50") + b"[")  # idle ones would give way
            answer = exchange(collector.url, b"GET /health/probe HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in answer
        for connection in held:
            connection.close()


def test_more_than_fits_in_flight_is_told_to_come_again(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), in_flight_bytes=1_000) as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(head("Content-Length: 900") + b"[")
            deadline = time.monotonic() + 20
            answer = post(collector.url, many(2))
            while answer.status_code == 201 and time.monotonic() < deadline:  # until the slow one was seen
                answer = post(collector.url, many(2))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        while answer.status_code == 503 and time.monotonic() < deadline:
            answer = post(collector.url, many(2))
        assert answer.status_code == 201


def test_a_full_store_answers_503_and_stores_nothing_by_halves(collector: CollectorServer, tmp_path: Path) -> None:
    post(collector.url, many(3))
    limit = (tmp_path / "events.db-wal").stat().st_size + 200_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        answers = [post(collector.url, many(300, first=1_000 * number)) for number in range(1, 6)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert answers[-1].status_code == 503
    assert int(answers[-1].headers["Retry-After"]) > 0
    accepted = sum(answer.status_code == 201 for answer in answers)
    assert len(collector.events()) == 3 + 300 * accepted
    assert post(collector.url, many(300, first=90_000)).status_code == 201
