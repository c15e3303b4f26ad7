"""An oracle writes lines and knows them all; receiver, network, log and daemon do their worst; then all is there.

Every line is an obligation: when the faults stop, each has arrived, with the payload it was written with, once by id,
and nothing that was not written; and a fresh line still flows. The seed of a run is printed; LOGSHIP_SEED repeats it.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.end_to_end.shipping import READY
from tests.rigs.daemon import Daemon
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

LINES = 200_000 if os.environ.get("LOGSHIP_SOAK") else 50_000
DISASTERS = 40 if os.environ.get("LOGSHIP_SOAK") else 12
CONFIG = """
endpoint: {{url: "{url}", application_id: oracle, timeout: 1s}}
delivery: {{concurrency: 8, retry_initial: 10ms, retry_max: 200ms, shutdown_timeout: 3s}}
batch: {{max_bytes: 40000, max_age: 50ms}}
state_dir: {here}/state
origin: web-1
status: null
sources:
  - {{name: oracle, paths: ["{here}/log/access.log"], format: combined, start_at: beginning}}
"""


class Log:
    """The log an oracle writes: every line is different, and rotation is as logrotate does it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.path = directory / "access.log"
        self.targets: list[str] = []
        self._rotations = 0

    def write(self, count: int) -> None:
        with self.path.open("a") as log:
            for _ in range(count):
                target = f"/item/{len(self.targets)}"
                self.targets.append(target)
                log.write(f'192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET {target} HTTP/1.1" 200 17 "-" "oracle"\n')

    def rotate(self) -> None:
        self._rotations += 1
        for number in range(self._rotations - 1, 0, -1):
            self.path.with_suffix(f".log.{number}").rename(self.path.with_suffix(f".log.{number + 1}"))
        self.path.rename(self.path.with_suffix(".log.1"))
        self.path.touch()


def seed_of_this_run() -> int:
    seed = int(os.environ.get("LOGSHIP_SEED") or random.randrange(2**32))
    print(f"play this again with LOGSHIP_SEED={seed}")  # noqa: T201
    return seed


def test_whatever_fails_every_line_arrives_once_as_it_was_written(tmp_path: Path) -> None:
    seed = seed_of_this_run()
    rng = random.Random(seed)
    log = Log(tmp_path / "log")
    with Receiver(limit_bytes=30_000) as receiver:
        config = tmp_path / "logship.yml"
        config.write_text(CONFIG.format(url=receiver.url, here=tmp_path))
        with Daemon(config, tmp_path) as daemon:
            log.write(1)
            daemon.wait_for_log(READY)
            receiver.go_wild(seed, 0.3)
            for _ in range(DISASTERS):
                log.write(LINES // DISASTERS)
                wait_for_events(receiver, len(receiver.events) + rng.randrange(LINES // DISASTERS))
                strike(rng, daemon, receiver, log)
            receiver.behave()
            wait_for_events(receiver, len(log.targets))
            log.write(1)
            wait_for_events(receiver, len(log.targets))
            assert daemon.terminate() == 0
        arrived = [event["request"]["uri"].removeprefix("https://web-1") for event in receiver.events]
        assert sorted(arrived) == sorted(log.targets)
        assert receiver.conflicts == []
        assert len(receiver.ids) == len(receiver.events)


def wait_for_events(receiver: Receiver, wanted: int) -> None:
    wait_until(lambda: len(receiver.events) >= wanted, 120, f"{wanted} events at the receiver")


def strike(rng: random.Random, daemon: Daemon, receiver: Receiver, log: Log) -> None:
    """One disaster."""
    what = rng.choice(("kill", "kill", "terminate", "rotate", "rotate", "down", "rotate while stopped"))
    if what == "kill":
        daemon.kill()
        daemon.start()
    elif what == "terminate":
        assert daemon.terminate() == 0
        daemon.start()
    elif what == "rotate":
        log.rotate()
    elif what == "rotate while stopped":
        daemon.kill()
        log.rotate()
        log.write(10)
        log.rotate()
        daemon.start()
    else:
        receiver.stop()
        log.write(100)
        daemon.kill()
        daemon.start()
        receiver.start()
