"""A daemon between a log and a collector, for the tests of the whole."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from logship.collector import CollectorServer
from tests.rigs.daemon import Daemon
from tests.rigs.waiting import wait_until

APPLICATION_ID = "end-to-end"


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


class Killer:
    """SIGKILLs a daemon at random moments and starts it again, in the background."""

    def __init__(self, daemon: Daemon, times: int, seed: int, longest_s: float) -> None:
        self.kills = 0
        self._daemon = daemon
        self._times = times
        self._random = random.Random(seed)
        self._longest_s = longest_s
        self._never = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")
        print(f"seed of the kills: {seed}")  # noqa: T201 (pytest shows it with a failure)

    def start(self) -> Killer:
        self._thread.start()
        return self

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        for _ in range(self._times):
            self._never.wait(self._random.uniform(0.05, self._longest_s))
            self._daemon.kill()
            self.kills += 1
            self._daemon.start()
