"""A tailer with a state on real files, and a pretended receiver: what the route does, in one step."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from logship.event import Chunk, Span, transaction_id
from logship.state import State
from logship.tail.notices import Look, Notice, What
from logship.tail.source import TailSource
from logship.tail.tailer import Tailer

ORIGIN = "web-1"
RECEIVER = "https://receiver.test"


class FakeClock:
    """Time that moves when told; its wall clock starts at the kernel's, which stamps the files."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.wall_s = time.time()

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.wall_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_s += seconds


class RealClock(FakeClock):
    """The machine's own time, for tests with real processes; what is told to pass passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.now_s

    def time(self) -> float:
        return time.time()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def source(
    *paths: str | Path,
    name: str = "api",
    rotated: Sequence[str] = (),
    exclude: Sequence[str] = (),
    start_at: str = "beginning",
) -> TailSource:
    return TailSource(
        name=name,
        paths=tuple(str(path) for path in paths),
        receiver=RECEIVER,
        origin_of=lambda path: ORIGIN,
        exclude=tuple(exclude),
        rotated=tuple(rotated),
        start_at="end" if start_at == "end" else "beginning",
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line as the receiver got it."""

    id: str
    line: bytes
    path: str
    generation: int
    position: int


@dataclass
class Receiver:
    """Keeps each id once, and every arrival in order."""

    arrivals: list[Arrival] = field(default_factory=list)
    by_id: dict[str, bytes] = field(default_factory=dict)

    def take(self, chunk: Chunk) -> None:
        at = chunk.start
        for line in chunk.data.split(b"\n")[:-1]:
            text = line.removesuffix(b"\r")
            arrival = Arrival(transaction_id(text, chunk.file.key, at), text, chunk.file.path, chunk.file.file_id, at)
            at += len(line) + 1
            known = self.by_id.setdefault(arrival.id, text)
            assert known == text, f"two lines have the id {arrival.id}: {known!r} {text!r}"
            self.arrivals.append(arrival)

    @property
    def lines(self) -> list[bytes]:
        """Each id's line once, in the order of first arrival."""
        return list(self.by_id.values())


class Rig:
    """A daemon without a network: stop it, kill it, start it again on the same state."""

    running: ClassVar[list[Rig]] = []  # a test's, ended by a fixture: a thousand files must not stay open behind it

    def __init__(
        self, state_dir: Path, *sources: TailSource, clock: FakeClock | None = None, **options: object
    ) -> None:
        self.state_dir = state_dir
        self.sources = sources
        self.receiver = Receiver()
        self.clock = clock or FakeClock()
        self.options = options
        self.notices: list[Notice] = []
        self.waiting: list[tuple[Chunk, Span]] = []
        self.start()

    def start(self) -> None:
        self.running.append(self)
        self.state = State.open(self.state_dir, self.clock)
        options = {"use_hints": False, "full_look_s": 0.0, **self.options}
        self.tail = Tailer(self.sources, self.state, clock=self.clock, **options)  # type: ignore[arg-type]
        self.waiting = []

    def look(self) -> Look:
        look = self.tail.look(self.clock.monotonic())
        self.notices += look.notices
        return look

    def read(self, limit_bytes: int = 262_144) -> Chunk | None:
        """One chunk on its way to the receiver."""
        chunk = self.tail.read(limit_bytes)
        if chunk is not None:
            self.waiting.append((chunk, self.tail.span(chunk, chunk.start, chunk.end)))
        return chunk

    def read_all(self, limit_bytes: int = 262_144) -> None:
        while self.read(limit_bytes) is not None:
            pass

    def deliver(self, *which: int) -> None:
        """The receiver says yes to the waiting chunks with these indexes (default: all)."""
        chosen = set(which) if which else set(range(len(self.waiting)))
        spans = []
        for index in sorted(chosen):
            chunk, span = self.waiting[index]
            self.receiver.take(chunk)
            spans.append(span)
        self.waiting = [each for index, each in enumerate(self.waiting) if index not in chosen]
        self.tail.confirm(spans)
        self.tail.save(self.clock.monotonic(), force=True)

    def step(self, limit_bytes: int = 262_144) -> list[bytes]:
        """Look, read, deliver, confirm; gives all lines the receiver has by now."""
        self.look()
        self.read_all(limit_bytes)
        self.deliver()
        return self.receiver.lines

    def settle(self) -> list[bytes]:
        """Steps until the graces for copies and last lines are over."""
        for seconds in (0, 1, 11, 61, 1, 601, 1):
            self.clock.pass_s(seconds)
            self.step()
        return self.receiver.lines

    def stop(self) -> None:
        self.running.remove(self)
        self.tail.close()
        self.state.close()

    def kill(self) -> None:
        """SIGKILL: nothing is saved; descriptors and the lock are closed, as the kernel does."""
        self.running.remove(self)
        self.tail._followed.replaced.close()
        for generation in list(self.tail._register.open):
            self.tail._register.take(generation)
        if self.tail._watcher is not None:
            self.tail._watcher.close()
        self.tail._alarm.close()
        if self.state._connection is not None:
            self.state._connection.close()
            self.state._connection = None
        if self.state._lock is not None:
            self.state._lock.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def told(self, what: What) -> list[Notice]:
        return [notice for notice in self.notices if notice.what is what]
