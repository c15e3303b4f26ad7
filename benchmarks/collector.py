"""How many events a second a collector accepts, what they cost, and how much memory it takes.

    python benchmarks/collector.py [--store postgresql://…] [--batches 400]

Events are made beforehand, 250 kB a batch, with ids as logship makes them (`--random-ids` for UUIDs of version 4); each
connection sends its next batch when the last one was answered 201, that is, when it was durable. CPU and memory are the
collector's own, from /proc. Compare runs only with runs on the same machine, and only when it is otherwise idle.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

BATCH_BYTES = 250_000
LINE_BYTES = 253  # between the positions of neighbouring lines
TICKS_PER_S = 100
PATHS = ("/", "/login", "/api/cart", "/api/products/{}", "/api/users/{}/orders", "/static/app.css", "/search")
STATUSES = (200, 200, 200, 304, 404, 500)
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36"


@dataclass(frozen=True, slots=True)
class Result:
    """What one run showed."""

    connections: int
    events_per_s: float
    cpu_s_per_million: float
    peak_mib: float


def events(source: int, *, is_random: bool) -> Iterator[bytes]:
    """Events as the default mapping makes them of combined lines, a thousand a second of log time."""
    choose = random.Random(source)
    start = datetime.now(UTC)
    number = 0
    while True:
        number += 1
        at = start + timedelta(milliseconds=number)
        ended = at + timedelta(milliseconds=choose.randrange(400))
        path = choose.choice(PATHS).format(choose.randrange(5_000))
        ours = f"{choose.getrandbits(32):08x}-{source:04x}-8c3d-9e4f-{number * LINE_BYTES:012x}"
        yield orjson.dumps(
            {
                "request": {
                    "time": iso(at),
                    "verb": choose.choice(("GET", "GET", "GET", "POST")),
                    "uri": f"https://shop.example.com{path}?page={number % 9}",
                    "ip_address": f"203.0.113.{choose.randrange(255)}",
                    "headers": {"User-Agent": AGENT, "Referer": "https://shop.example.com/"},
                },
                "response": {"time": iso(ended), "status": choose.choice(STATUSES), "headers": {}},
                "user_id": f"user-{choose.randrange(300)}",
                "transaction_id": str(uuid.UUID(int=choose.getrandbits(128), version=4)) if is_random else ours,
                "direction": "Incoming",
            }
        )


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def batches(source: int, count: int, *, is_random: bool) -> list[tuple[bytes, int]]:
    """Requests, each with the number of its events."""
    made: list[tuple[bytes, int]] = []
    stream = events(source, is_random=is_random)
    held: list[bytes] = []
    size = 2
    while len(made) < count:
        event = next(stream)
        if size + len(event) + 1 > BATCH_BYTES:
            body = b"[" + b",".join(held) + b"]"
            head = f"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            made.append((f"{head}X-Moesif-Application-Id: bench\r\n\r\n".encode() + body, len(held)))
            held, size = [], 2
        held.append(event)
        size += len(event) + 1
    return made


def send(port: int, requests: list[tuple[bytes, int]]) -> None:
    """Posts one after the other; each must be answered 201."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for request, _ in requests:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 201"), answer


def run(store: str, connections: int, each: int, *, is_random: bool) -> Result:
    """One collector, started anew, with `connections` senders of `each` batches."""
    work = [batches(number * 97 + each, each, is_random=is_random) for number in range(connections)]
    command = [sys.executable, "-m", "logship", "collector", "--listen", "127.0.0.1:0", "--store", store]
    with subprocess.Popen([*command, "--application-id", "bench"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        before = cpu_s(process.pid)
        threads = [threading.Thread(target=send, args=(port, requests)) for requests in work]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lasted = time.perf_counter() - started
        total = sum(count for requests in work for _, count in requests)
        used = cpu_s(process.pid) - before
        peak = peak_mib(process.pid)
        process.terminate()
    return Result(connections, total / lasted, used / total * 1e6, peak)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="postgresql://… of an empty database; default: a temporary SQLite file")
    parser.add_argument("--batches", type=int, default=400, help="of each run, over all its connections")
    parser.add_argument("--random-ids", action="store_true")
    options = parser.parse_args()
    print(f"{'connections':>11} {'events/s':>10} {'CPU s/million':>14} {'peak MiB':>9}")
    for connections in (1, 8):
        with tempfile.TemporaryDirectory() as directory:
            store = options.store or f"{directory}/events.db"
            result = run(store, connections, options.batches // connections, is_random=options.random_ids)
        figures = f"{result.events_per_s:10,.0f} {result.cpu_s_per_million:14.1f} {result.peak_mib:9.0f}"
        print(f"{result.connections:11} {figures}")


if __name__ == "__main__":
    main()
