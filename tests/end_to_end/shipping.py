"""A daemon between a log and a collector, for the tests of the whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from logship.collector import CollectorServer
from tests.rigs.daemon import Daemon
from tests.rigs.load import Load
from tests.rigs.waiting import wait_until

APPLICATION_ID = "end-to-end"
READY = "ready files"


def write_config(
    directory: Path, url: str, logs: str, log_format: str, id_field: str, *, extra: str = "", batch_bytes: int = 250_000
) -> Path:
    """A logship.yml whose events carry the server's own request id in `metadata.id`.

    Shapes: `log_format` is YAML for `format:`; `extra` is YAML at the top level.
    """
    path = directory / "logship.yml"
    path.write_text(
        f"""
endpoint: {{url: "{url}", application_id: {APPLICATION_ID}}}
delivery: {{retry_initial: 50ms, retry_max: 500ms}}
batch: {{max_age: 100ms, max_bytes: {batch_bytes}}}
state_dir: {directory}/state
origin: web-1
status: null
{extra}
sources:
  - name: site
    paths: ["{logs}"]
    format: {log_format}
    start_at: beginning
    mapping: {{extends: default, event: {{metadata: {{id: ${id_field}}}}}}}
"""
    )
    return path


def request_ids(collector: CollectorServer) -> Counter[str]:
    """How often each request of the server stands in the collector."""
    return Counter(event["metadata"]["id"] for event in collector.events())


def wait_for_ids(collector: CollectorServer, truth: Callable[[], list[str]], deadline_s: float = 60.0) -> None:
    """Returns when the collector holds as many events as the truth has ids, or the time is over: then the comparison
    that follows shows what differs."""
    wanted = len(truth())

    def is_there() -> bool:
        return len(collector.events()) >= wanted

    try:
        wait_until(is_there, deadline_s)
    except AssertionError:
        return


def wait_for_requests(load: Load, wanted: int) -> None:
    """Returns when so many requests were answered."""
    wait_until(lambda: load.answered >= wanted, 120, f"{wanted} requests")


def ship_through_kills(
    daemon: Daemon, port: int, requests: int, kills: int, rng: random.Random, between: Callable[[int], None]
) -> None:
    """`requests` in as many parts as there are kills: each part flows while the daemon is killed at a random moment of
    it and started again; after two of three restarts the next part waits until the daemon ships.

    `between(part)` is called in the middle of each part.
    """
    starts_seen = 0
    for part in range(kills):
        if part % 3 != 2:
            daemon.wait_for_log(READY, times=starts_seen + 1)
        load = Load(port, requests // kills).start()
        moments = sorted(rng.randrange(requests // kills) for _ in range(2))
        wait_for_requests(load, moments[0])
        between(part)
        wait_for_requests(load, moments[1])
        daemon.kill()
        starts_seen = daemon.log().count(READY)
        daemon.start()
        load.join()
