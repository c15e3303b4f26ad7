"""Logs to fill back, the ids that their lines must get, and the command as its own process."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backports import zstd

from logship.backfill.command_line import Target, load
from logship.backfill.executors import NearPool
from logship.backfill.service import Backfill, Options
from logship.cli.backfill_view import JsonView
from logship.clock import SystemClock
from logship.event import transaction_id
from logship.tail.identity import file_key
from tests.rigs.daemon import logship_command

ORIGIN = "web-1"
SHUTDOWN_S = 30  # shutdown_timeout
START_S = 1_700_000_000  # 2023-11-14T22:13:20Z: the first line's time, and the age of files that nobody writes to


def access_lines(count: int, *, first: int = 0, seed: int = 1) -> list[bytes]:
    """Real-looking combined lines, one a second, each different, some of them with escapes, without newlines."""
    rng = random.Random(seed)
    agents = ["curl/8.1", "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "-", 'a\\x22b "']
    lines = []
    for number in range(first, first + count):
        time = clf(START_S + number)
        agent = agents[0 if rng.random() < 0.6 else rng.randrange(3)]
        path = f"/shop/{rng.randrange(10_000)}?page={number}&q=%C3%BC"
        client = f"203.0.113.{rng.randrange(256)}"
        request = f"GET {path} HTTP/1.1"
        lines.append(f'{client} - - [{time}] "{request}" {rng.choice([200, 200, 304, 404])} 512 "-" "{agent}"'.encode())
    return lines


def clf(epoch_s: float) -> str:
    """The time as servers log it, UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def two_members(data: bytes) -> bytes:
    """gzip as logrotate's `compress` appends it and `cat a.gz b.gz` makes it."""
    half = len(data) // 2
    return gzip.compress(data[:half], 1) + gzip.compress(data[half:], 1)


def quick_xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": two_members,
    ".bz2": bz2.compress,
    ".xz": quick_xz,
    ".zst": zstd.compress,
}


def write_old(path: Path, data: bytes) -> Path:
    """A file that nobody writes to any more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (START_S, START_S))
    return path


def truth(path: Path, lines: Sequence[bytes], stem: str = "access.log", origin: str = ORIGIN) -> set[str]:
    """The transaction_ids of a log's lines, by DESIGN's words alone."""
    key = file_key(origin, os.path.realpath(path.parent), stem, lines[0][:1024])
    ids, position = set(), 0
    for line in lines:
        ids.add(transaction_id(line, key, position))
        position += len(line) + 1
    return ids


@dataclass(slots=True)
class World:
    """A directory with a configuration, its state, and backfills to run in it."""

    directory: Path
    url: str
    extra: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def config(self) -> Path:
        path = self.directory / "logship.yml"
        if not path.exists():
            path.write_text(
                f"endpoint: {{url: '{self.url}', application_id: test-app}}\n"
                f"state_dir: {self.directory / 'state'}\norigin: {ORIGIN}\nstatus: null\n"
                f"delivery: {{shutdown_timeout: {SHUTDOWN_S}s}}\n"
                f"sources:\n  - name: web\n    paths: ['{self.logs}/*access.log']\n    format: combined\n{self.extra}"
            )
        return path

    def bare(self, *arguments: object) -> Run:
        """The command without any configuration."""
        command = logship_command("backfill", *map(str, arguments))
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **self.environ}, check=False
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: object, **popen: Any) -> subprocess.Popen[bytes]:
        """The command, running; its standard output and error are pipes unless told otherwise."""
        command = logship_command("backfill", "-c", str(self.config), *map(str, arguments))
        given: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": {**os.environ, **self.environ},
            **popen,
        }
        self.started.append(subprocess.Popen(command, **given))
        return self.started[-1]

    def end(self) -> None:
        """Nothing that was started outlives the test: a backfill whose receiver is gone waits for it for ever."""
        for process in self.started:
            process.kill()
            process.wait()

    def run(self, *arguments: object, **popen: Any) -> Run:
        """The command from beginning to end."""
        stdin = popen.pop("input", None)
        if stdin is not None:
            popen["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **popen)
        out, err = process.communicate(stdin, timeout=120)
        return Run(process.returncode, (out or b"").decode(), (err or b"").decode())

    def summary(self, *arguments: object, **popen: Any) -> BackfillSummary:
        """What --json says of a run of the command."""
        run = self.run("--json", *arguments, **popen)
        assert run.out, f"no summary: {run.err}"
        return BackfillSummary(run.code, json.loads(run.out))

    def here(self, *paths: object, target: Target = Target(), **options: Any) -> BackfillSummary:  # noqa: B008 - frozen
        """A run inside of this process, whose workers are a thread: the same route without processes to start.

        Raises: LogshipError, as the command would print it.
        """
        clock, environ = SystemClock(), {**os.environ, **self.environ}
        asked = Options(tuple(map(str, paths)), 1, **options)
        settings = load(self.config, target, environ, sending=not asked.is_dry)
        backfill = Backfill(settings, asked, environ, clock, lambda _: NearPool())
        out = io.StringIO()
        summary = backfill.run(backfill.plan(), lambda progress: None)
        JsonView(out).summary(summary)
        return BackfillSummary(summary.exit_code, json.loads(out.getvalue()))


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is over."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class BackfillSummary:
    """The JSON summary of a run, whose sums must hold in all and for each log."""

    code: int
    said: dict[str, Any]

    def __post_init__(self) -> None:
        assert self.said["exit"] == self.code
        for tally in (self.said, *self.said["logs"]):
            assert tally["lines"] == decided(tally), tally
        for name in ("lines", "sent", "dead_letters", "already_confirmed"):
            assert self.said[name] == sum(log[name] for log in self.said["logs"]), name

    def __getitem__(self, name: str) -> Any:
        return self.said[name]


def decided(tally: Mapping[str, Any]) -> int:
    """The right side of the sum."""
    rules = sum(tally["dropped_by_rule"].values()) + sum(tally["sampled_out"].values())
    names = ("sent", "out_of_range", "too_old", "dead_letters", "unmatched")
    return int(rules + sum(tally[name] for name in names))
