"""How long each view of the collector's page takes over a large store.

    python benchmarks/collector_page.py [--store postgresql://…] [--events 1000000]

A collector takes the events in as any sender would send them, then each view is asked for several times and the median
printed; wanted is under 300 ms for each. Events spread over the last 30 days and over two applications.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.collector import events, iso
from logship.collector import CollectorServer

BATCH = 450
ASKED = 5
SPAN = timedelta(days=30)
VIEWS = {
    "newest events, last day": "/",
    "all times": "/?range=all",
    "last hour": "/?range=1h",
    "30 days, errors": "/?range=30d&status=5xx",
    "30 days, one verb": "/?range=30d&verb=POST",
    "one user": "/?range=all&user=user-7",
    "a user nobody has": "/?range=all&user=nobody",
    "one route": "/?range=all&path=/api/users/*",
    "a path nobody asked for": "/?range=all&path=/none",
    "text that is rare": "/?range=all&q=page=8%22%2C%22ip_address",
    "text nobody sent": "/?range=all&q=nowhere",
    "one source": "/?range=all&source=shop.example.com",
    "an event": "/events/{middle}",
    "the counts": "/api/summary?range=30d",
    "500 events": "/api/events?range=all&limit=500",
}


def bodies(total: int) -> Iterator[bytes]:
    """Batches of events, their times spread evenly over SPAN until now."""
    made = events(1, is_random=False)
    first = datetime.now(UTC) - SPAN
    held: list[dict[str, object]] = []
    for number in range(total):
        event = orjson.loads(next(made))
        at = first + SPAN * (number / total)
        lasted = timedelta(milliseconds=number * 7 % 400)
        event["request"]["time"], event["response"]["time"] = iso(at), iso(at + lasted)
        held.append(event)
        if len(held) == BATCH or number == total - 1:
            yield orjson.dumps(held)
            held = []


def post(url: str, body: bytes, application_id: str) -> None:
    headers = {"X-Moesif-Application-Id": application_id, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/events/batch", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201


def median_ms(address: str) -> float:
    """How long the whole answer takes, in the middle of several tries."""
    lasted: list[float] = []
    for _ in range(ASKED):
        started = time.perf_counter()
        with urllib.request.urlopen(address, timeout=60) as answer:
            answer.read()
        lasted.append((time.perf_counter() - started) * 1_000)
    return statistics.median(lasted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="postgresql://… of an empty database; default: a temporary SQLite file")
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = options.store or f"{directory}/events.db"
        with CollectorServer(store=store, application_ids=("bench", "small")) as collector:
            for body in bodies(options.events):
                post(collector.url, body, "bench")
            print(f"{'view':26} {'ms':>6}   of {options.events:,} events")
            for name, address in VIEWS.items():
                print(
                    f"{name:26} {median_ms(collector.url + address.format(middle=options.events // 2)):6.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
