"""What a running daemon costs: idle CPU and memory per file watched, and how long a line takes to the receiver.

python -m benchmarks.living [--files 100,10000] [--seconds 10] [--lines 300]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sink import Sink, build

LINE = '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /item/{} HTTP/1.1" 200 17 "-" "living"\n'
CONFIG = """
endpoint: {{url: "{url}", application_id: benchmark}}
batch: {{max_age: {max_age}}}
state_dir: {here}/state
origin: web-1
status: null
sources:
  - {{name: living, paths: ["{here}/logs/*.log"], format: combined, start_at: beginning}}
"""
START_S = 120.0
PERIOD_S = 0.03  # between lines: slower than max_age would hide how batches wait, faster would measure a backlog


class Running:
    """A daemon over some logs and a sink."""

    def __init__(self, directory: Path, url: str, files: int, max_age: str) -> None:
        logs = directory / "logs"
        logs.mkdir()
        for number in range(files):
            (logs / f"{number}.log").write_text(LINE.format(number))
        config = directory / "logship.yml"
        config.write_text(CONFIG.format(url=url, here=directory, max_age=max_age))
        command = [sys.executable, "-m", "logship", "run", "-c", str(config)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def cpu_s(self) -> float:
        """User and system seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def wait_for(sink: Sink, events: int) -> None:
    """Returns when the sink has so many events.

    Raises: RuntimeError after START_S.
    """
    deadline_s = time.monotonic() + START_S
    while sink.events() < events:
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"only {sink.events()} of {events} events arrived")
        time.sleep(0.05)


@dataclass(frozen=True)
class Idle:
    """What following so many quiet files costs: percent of a core, and memory in MiB."""

    files: int
    percent: float
    memory_mib: float

    def row(self) -> str:
        return f"| idle, {self.files:,} files | {self.percent:.2f} % of a core | {self.memory_mib:.0f} MiB |"


def idle(sink_program: Path, files: int, seconds: float) -> Idle:
    """Measured over `seconds` after everything that starting left to do is done."""
    with tempfile.TemporaryDirectory() as name, Sink(sink_program) as sink:
        running = Running(Path(name), sink.url, files, "1s")
        try:
            wait_for(sink, files)
            time.sleep(3)  # what starting left to do: the last checkpoint, the first round of watches
            before_s = running.cpu_s()
            time.sleep(seconds)
            percent = (running.cpu_s() - before_s) / seconds * 100
            return Idle(files, percent, running.memory_mib())
        finally:
            running.stop()


def each_file(measured: Sequence[Idle]) -> str:
    """What one more file costs: the difference between the most and the fewest files, divided."""
    few, many = min(measured, key=lambda each: each.files), max(measured, key=lambda each: each.files)
    more = many.files - few.files
    memory_kib = (many.memory_mib - few.memory_mib) * 1024 / more
    percent = (many.percent - few.percent) / more * 1000
    return f"| each file watched | {percent:.2f} % of a core for 1,000 | {memory_kib:.1f} KiB |"


def arrival(sink_program: Path, lines: int) -> str:
    """Milliseconds from write to the receiver, max_age 50 ms."""
    with tempfile.TemporaryDirectory() as name, Sink(sink_program) as sink:
        running = Running(Path(name), sink.url, 1, "50ms")
        try:
            wait_for(sink, 1)
            times_ms = [_one_arrival(Path(name) / "logs" / "0.log", sink, number) for number in range(lines)]
        finally:
            running.stop()
    slowest = statistics.quantiles(times_ms, n=100)[98]
    return f"| write to receiver, max_age 50 ms | median {statistics.median(times_ms):.0f} ms | p99 {slowest:.0f} ms |"


def _one_arrival(log: Path, sink: Sink, number: int) -> float:
    events = sink.events()
    start_s = time.monotonic()
    with log.open("a") as out:
        out.write(LINE.format(number))
    while sink.events() == events:
        time.sleep(0.001)
    taken_ms = (time.monotonic() - start_s) * 1000
    time.sleep(PERIOD_S)
    return taken_ms


def main() -> int:
    """Prints one table row for each question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.living", description=__doc__)
    parser.add_argument("--files", default="100,10000")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--directory", type=Path, default=Path("bench-data"))
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    program = build(options.directory.resolve())
    measured = []
    for files in options.files.split(","):
        measured.append(idle(program, int(files), options.seconds))
        print(measured[-1].row(), flush=True)
    if len({each.files for each in measured}) > 1:
        print(each_file(measured), flush=True)
    print(arrival(program, options.lines), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
