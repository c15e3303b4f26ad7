"""A day of virtual time with rotations and outages: memory, descriptors, threads and state stay as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.machine import scaled
from tests.rigs.receiver import Receiver

LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /p/{} HTTP/1.1" 200 17 "-" "{}"\n'
LINES_A_MINUTE = 300
ROTATE_EVERY_MIN = 30
KEPT = 4  # rotated files that logrotate leaves
OUTAGE_EVERY_MIN, OUTAGE_MIN = 60, 7
MEMORY_BYTES = 5_000_000  # the allocator's own ups and downs; the objects of a day are 0.2 MB (generations, 30 days)
STATE_BYTES = 200_000  # the generations of a day stay known for 30 days, 1 kB each
LOG_BYTES = 6_000_000  # of SQLite's write-ahead log


class Day:
    """A server that writes, logrotate that rotates, a receiver that is away at times, and the daemon."""

    def __init__(self, directory: Path, receiver: Receiver) -> None:
        self.log = directory / "logs/access.log"
        self.log.parent.mkdir()
        self.receiver = receiver
        self.is_up = True
        self.written = 0
        config = directory / "logship.yml"
        config.write_text(
            f"""
endpoint: {{url: "{receiver.url}", application_id: some-id}}
delivery: {{retry_initial: 1s, retry_max: 20s, concurrency: 1}}
state_dir: {directory}/state
status: null
sources: [{{name: site, paths: ["{self.log}"], format: combined, mapping: default, start_at: beginning}}]
"""
        )
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "tests.service.endurance", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def minute(self, number: int) -> dict[str, int]:
        """Lines are written, the log is rotated when it is time, the receiver goes and comes; then what is measured."""
        phase = number % OUTAGE_EVERY_MIN
        if phase == OUTAGE_EVERY_MIN - OUTAGE_MIN - 1:
            self.receiver.stop()
            self.is_up = False
        elif phase == OUTAGE_EVERY_MIN - 1:
            self.receiver.start()
            self.is_up = True
        if number % ROTATE_EVERY_MIN == ROTATE_EVERY_MIN - 1:
            self._rotate()
        with self.log.open("a") as log:
            log.write("".join(LINE.format(self.written + each, "x" * 80) for each in range(LINES_A_MINUTE)))
        self.written += LINES_A_MINUTE
        return self.pass_s(60)

    def pass_s(self, seconds: float) -> dict[str, int]:
        assert self.daemon.stdin is not None
        assert self.daemon.stdout is not None
        self.daemon.stdin.write(f"{seconds} {'up' if self.is_up else 'down'}\n")
        self.daemon.stdin.flush()
        said = self.daemon.stdout.readline()
        assert said, "the daemon is gone; its traceback stands in stderr"
        measured: dict[str, int] = json.loads(said)
        return measured

    def _rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            older = self.log.with_name(f"access.log.{number}")
            if older.exists():
                older.replace(self.log.with_name(f"access.log.{number + 1}"))
        self.log.rename(self.log.with_name("access.log.1"))
        self.log.with_name(f"access.log.{KEPT + 1}").unlink(missing_ok=True)


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with Receiver() as receiver:
        day = Day(tmp_path, receiver)
        yield day
        assert day.daemon.stdin is not None
        day.daemon.stdin.close()
        assert day.daemon.wait(30) == 0


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_day_of_rotations_and_outages_leaves_everything_flat(day: Day) -> None:
    hours = scaled(4, 24)
    warm = day.minute(0)
    for number in range(1, hours * 60):
        measured = day.minute(number)
        if number == 65:  # an outage, two rotations and every kind of object have been seen
            warm = measured
        if day.is_up:
            assert measured["lag_bytes"] == 0, f"minute {number}: everything is sent"
        else:
            assert measured["lag_bytes"] > 0, f"minute {number}: nothing gets through in an outage"
    for _ in range(20):
        last = day.pass_s(60)
    assert last["lag_bytes"] == 0
    assert len(day.receiver.ids) == day.written
    assert day.receiver.conflicts == []
    assert last["memory_bytes"] - warm["memory_bytes"] < MEMORY_BYTES, (warm, last)
    assert last["descriptors"] <= warm["descriptors"] + 2, (warm, last)
    assert last["threads"] <= warm["threads"], (warm, last)
    assert last["state_bytes"] - warm["state_bytes"] < STATE_BYTES, (warm, last)
    assert last["log_bytes"] < LOG_BYTES, (warm, last)
