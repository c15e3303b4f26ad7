"""The daemon's pipeline in a process of its own, driven through virtual time: one line in, one measurement out.

python -m tests.service.endurance LOGSHIP.YML
< 60\\n       so many seconds pass, then it works until everything is confirmed or nothing goes through
> {"confirmed": …, "size": …, "memory_bytes": …, "descriptors": …, "threads": …, "state_bytes": …}
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from logship.assembly import build_pipeline
from logship.clock import SystemClock
from logship.config import load_settings
from logship.metrics import render
from logship.pipeline import Pipeline
from logship.state import State
from logship.status.model import Status
from logship.status.observer import Observer, Receiver

SIDE_FILES = ("-wal", "-shm")  # SQLite's write-ahead log: grows to 4 MB, then it is written over
PATIENCE_S = 10.0  # real time for one virtual step


class VirtualClock(SystemClock):
    """Time passes as it does, plus what the test adds."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def time(self) -> float:
        return time.time() + self.ahead_s

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        due_s = None if timeout_s is None else self.monotonic() + timeout_s
        while not event.wait(0.005):
            if due_s is not None and self.monotonic() >= due_s:
                return event.is_set()
        return True


def work(pipeline: Pipeline, clock: VirtualClock) -> None:
    """Passes until everything is confirmed, or the receiver is away."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        pipeline.step()
        clock.ahead_s += 0.1  # batches come of age, looks come due
        lanes = pipeline.lanes.values()
        if any(lane.delivery.status().state in ("paused", "held") for lane in lanes):
            return
        if all(lane.is_empty for lane in lanes) and not any(file.lag_bytes for file in pipeline.tailer.files()):
            pipeline.step()
            return
        pipeline.tailer.wait(0.002)


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
        clock.ahead_s += float(line)
        work(pipeline, clock)
        ends = [
            Receiver(name, name, tuple(lane.sources), lane.delivery.status()) for name, lane in pipeline.lanes.items()
        ]
        files = pipeline.tailer.files()
        status = observer.observe(clock.monotonic(), clock.time(), files, ends, pipeline.counters)
        render(status)
        sys.stdout.write(json.dumps(measure(status, settings.state_dir)) + "\n")
        sys.stdout.flush()
    pipeline.close(1.0)
    pipeline.tailer.close()
    state.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
