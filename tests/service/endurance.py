"""The daemon's pipeline in a process of its own, driven through virtual time: one line in, one measurement out.

python -m tests.service.endurance LOGSHIP.YML
< 60 up\\n    so many seconds pass, then it works until everything is confirmed
< 60 down\\n  the same while the receiver is away: until one more try has failed and the next is due later
> {"lag_bytes": …, "memory_bytes": …, "descriptors": …, "threads": …, "state_bytes": …, "log_bytes": …}

Time stands still while an exchange is on its way: how long a real socket takes on a busy machine is no virtual second,
so no timeout of the day is ever due to the machine.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from logship.clock import SystemClock
from logship.config import load_settings
from logship.delivery import DeliveryStatus
from logship.route.assembly import build_pipeline
from logship.route.pipeline import Pipeline
from logship.state import State
from logship.status.metrics import render
from logship.status.model import Status
from logship.status.observer import Observer, Receiver

SIDE_FILES = ("-wal", "-shm")  # SQLite's write-ahead log: grows to 4 MB, then it is written over
PATIENCE_S = 120.0  # real time for one virtual step; a loaded machine takes a second or two
TICK_S = 0.1  # virtual time between two passes: batches come of age, looks and the next try come due


class VirtualClock(SystemClock):
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self._started_wall_s = time.time()
        self._now_s = 0.0

    def pass_s(self, seconds: float) -> None:
        self._now_s += seconds

    def monotonic(self) -> float:
        return self._now_s

    def time(self) -> float:
        return self._started_wall_s + self._now_s

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        due_s = None if timeout_s is None else self._now_s + timeout_s
        while not event.wait(0.005):
            if due_s is not None and self._now_s >= due_s:
                return event.is_set()
        return True


def work(pipeline: Pipeline, clock: VirtualClock, seconds: float, *, is_receiver_up: bool) -> None:
    """So much time, then passes until everything is confirmed, or until one more try has failed.

    Raises: TimeoutError when that doesn't come.
    """
    assert not any(delivery.in_flight for delivery in deliveries(pipeline))
    clock.pass_s(seconds)
    tries = sum(delivery.retries for delivery in deliveries(pipeline))
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        pipeline.step()
        now = deliveries(pipeline)
        if is_receiver_up:
            is_done = pipeline.is_empty and not any(file.lag_bytes for file in pipeline.tailer.files())
        else:
            has_failed = sum(delivery.retries for delivery in now) > tries
            is_done = has_failed and all(not each.in_flight and each.next_try_s is not None for each in now)
        if is_done:
            pipeline.step()
            return
        if not any(delivery.in_flight for delivery in now):
            clock.pass_s(TICK_S)
        pipeline.tailer.wait(0.002)
    raise TimeoutError(f"after {PATIENCE_S:g} s of real time: {deliveries(pipeline)}")


def deliveries(pipeline: Pipeline) -> list[DeliveryStatus]:
    return [output.delivery.status() for output in pipeline.outputs.values()]


def measure(status: Status, state_dir: Path) -> dict[str, int]:
    sizes = {path.name: path.stat().st_size for path in state_dir.iterdir()}
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "lag_bytes": sum(file.lag_bytes for file in status.files),
        "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "state_bytes": sum(size for name, size in sizes.items() if not name.endswith(SIDE_FILES)),
        "log_bytes": sum(size for name, size in sizes.items() if name.endswith(SIDE_FILES)),
    }


def main(config: Path) -> None:
    settings = load_settings(config, os.environ)
    clock = VirtualClock()
    state = State.open(settings.state_dir, clock)
    pipeline = build_pipeline(settings, state, clock)
    observer = Observer(
        state_dir=str(settings.state_dir), origin="web-1", started_s=clock.monotonic(), started_wall_s=1e9
    )
    for line in sys.stdin:
        seconds, receiver = line.split()
        work(pipeline, clock, float(seconds), is_receiver_up=receiver == "up")
        ends = [
            Receiver(name, name, tuple(output.sources), output.delivery.status())
            for name, output in pipeline.outputs.items()
        ]
        files = pipeline.tailer.files()
        status = observer.observe(clock.monotonic(), clock.time(), files, ends, pipeline.counters)
        render(status)
        sys.stdout.write(json.dumps(measure(status, settings.state_dir)) + "\n")
        sys.stdout.flush()
    pipeline.close(0.0)
    pipeline.tailer.close()
    state.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
