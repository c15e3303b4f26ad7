"""The daemon's lives on one state: the pipeline as logship.route.assembly builds it, step by step.

Senders' threads, watches and time are in the test's hand; everything between the files and the transport is real.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from unittest.mock import patch
from zlib import crc32

from logship.checkpoint import Checkpoint
from logship.clock import SystemClock
from logship.config.loading import load_settings
from logship.config.settings import Settings
from logship.delivery import DeadLetters, dead_letter_store
from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.coordinator import Coordinator
from logship.delivery.exchange import Transport
from logship.delivery.scheduler import Job
from logship.event import Chunk
from logship.route.assembly import build_pipeline
from logship.route.pipeline import Pipeline, Step
from logship.state import State, schema
from logship.tail.hints import NO_HINTS, Hints
from logship.tail.notices import Look, What
from tests.tail.driver import FakeClock

MAX_LINE_BYTES = 1_024
REPEATED_ID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4})-([0-9a-f]{12})")
NUMBER = re.compile(r"/(\d+)(?:-|$)")
CONFIG = """
endpoint: {{url: "http://receiver.test", application_id: machine}}
batch: {{max_bytes: 1500, max_age: 1s}}
delivery: {{concurrency: 3, retry_initial: 500ms, retry_max: 5s, shutdown_timeout: 2s}}
state_dir: {here}/state
origin: web-1
status: null
max_line_bytes: {max_line_bytes}
sources:
  - {{name: site, paths: [{paths}], rotated: ["{rotated}"], format: combined, start_at: beginning}}
"""


class Disk:
    """The disk under the state directory: it may have no room for dead letters, or for the state."""

    def __init__(self) -> None:
        self.is_full_for_letters = self.is_full_for_state = False
        self._write_all, self._save = dead_letter_store._write_all, schema.save_checkpoints
        self._patches = ExitStack()
        self._patches.enter_context(patch("logship.delivery.dead_letter_store._write_all", self._write_letters))
        self._patches.enter_context(patch("logship.state.schema.save_checkpoints", self._write_state))

    def _write_letters(self, descriptor: int, content: bytes, offset: int) -> None:
        if self.is_full_for_letters:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write_all(descriptor, content, offset)

    def _write_state(self, connection: sqlite3.Connection, rows: Iterable[Checkpoint], now_s: float) -> None:
        if self.is_full_for_state:
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL  # without it the state would be taken for damaged
            raise full
        self._save(connection, rows, now_s)

    def close(self) -> None:
        self._patches.close()


class Killed(BaseException):
    """SIGKILL arrived: nothing of the process runs any more."""


class HandClock(FakeClock, SystemClock):
    """Waiting for something is what brings it about."""

    def __init__(self) -> None:
        FakeClock.__init__(self)
        self.while_waiting: Callable[[], None] = lambda: None

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        self.pause(0.0 if timeout_s is None else timeout_s)
        return event.is_set()

    def pause(self, seconds: float) -> None:
        self.while_waiting()
        self.pass_s(seconds)


class Senders:
    """In the place of delivery's threads: who calls take() and answer() is the sender."""

    def __init__(self, coordinator: Coordinator, **_: object) -> None:
        self.coordinator = coordinator
        self.failure: BaseException | None = None
        self.in_flight: list[Job] = []
        self.is_over = False

    def ring(self) -> None:
        """Nobody sleeps here, and nothing is begun but by take()."""

    begin = proceed = rest = renew = ring

    def stop(self) -> None:
        self.is_over = True

    def take(self) -> bool:
        """An attempt begins, if one may."""
        job = None if self.is_over else self.coordinator.take()
        if isinstance(job, Job):
            self.in_flight.append(job)
        return isinstance(job, Job)

    def answer(self, place: int, receiver: Receiver) -> None:
        self.coordinator.perform(self.in_flight.pop(place % len(self.in_flight)), receiver)

    def send_all(self, receiver: Receiver) -> None:
        """Every attempt that may begin now, each answered."""
        while self.in_flight or self.take():
            self.answer(0, receiver)


class _InOrder(frozenset[str]):
    """A set that is looked through in the order of its making, so that a program runs the same in every process."""

    order: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: list[str]) -> _InOrder:
        made = cls(paths)
        made.order = tuple(dict.fromkeys(paths))
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self.order)

    def union(self, *others: object) -> _InOrder:
        return self


class Watches:
    """In the place of watchdog: what changed in a directory since the last look at it, told, lost or never heard."""

    def __init__(self, wake: object) -> None:
        self.busy: dict[str, float] = {}
        self.is_deaf = False
        self._heard: deque[tuple[str, bool]] = deque()
        self._is_overflow = False
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._is_new = True

    @property
    def has_hints(self) -> bool:
        return bool(self._heard)

    def hears_all(self, folders: object) -> bool:
        return not self.is_deaf

    def watch(self, folders: object, now_s: float) -> bool:
        is_new, self._is_new = self._is_new, False
        return is_new and not self.is_deaf

    def take(self, now_s: float) -> Hints:
        if self._is_overflow:
            self._is_overflow = False
            return Hints(is_overflow=True)
        if not self._heard:
            return NO_HINTS
        heard = list(self._heard)
        self._heard.clear()
        return Hints(_InOrder.of([path for path, _ in heard]), any(is_name for _, is_name in heard))

    def learn(self, *_: object) -> None:
        """Deaf or not is the test's to say."""

    def close(self) -> None:
        """Nothing is open."""

    # the test's side

    def notice(self, *directories: Path) -> None:
        """Something happened in the directories."""
        seen = {}
        for entry in (each for folder in directories for each in sorted(os.scandir(folder), key=lambda one: one.name)):
            facts = entry.stat(follow_symlinks=False)
            seen[entry.path] = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        changed = [
            (path, path not in self._seen or self._seen[path][0] != seen[path][0])
            for path in seen
            if self._seen.get(path) != seen[path]
        ]
        gone = [(path, True) for path in self._seen if path not in seen]
        self._seen = seen
        if not self.is_deaf:
            self._heard += [*changed, *gone]

    def lose(self, *, is_told: bool) -> None:
        """The kernel's queue overflows."""
        self._heard.clear()
        self._is_overflow = is_told

    def reverse(self) -> None:
        """The threads that bring hints run in any order."""
        self._heard.reverse()


@dataclass
class Receiver(Transport):
    """The transport's other end: keeps every event once by id, and knows which bytes of which log are settled.

    Shapes: `settled` are ends by start, by the file key's digits in an id; several where two generations of a log have
    the same first line.
    """

    texts: Mapping[int, Sequence[tuple[bytes, bytes]]]  # by a line's number: the line and its newline, or a rest of it
    mood: str = "up"  # down | loses (its answer)
    uris: dict[str, str] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)  # of every id once, in the order of first arrival
    settled: dict[str, dict[int, set[int]]] = field(default_factory=dict)
    repeats: int = 0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        if self.mood == "down":
            return Failure(FailureKind.CONNECT, "refused")
        parsed = json.loads(body)
        for event in parsed if isinstance(parsed, list) else [parsed]:
            self._keep(event["transaction_id"], event["request"]["uri"])
        return Failure(FailureKind.LOST, "reset") if self.mood == "loses" else Answer(201)

    def cut(self) -> None:
        """Every attempt is answered at once."""

    def close(self) -> None:
        """No connection."""

    def _keep(self, event_id: str, uri: str) -> None:
        if event_id in self.uris:
            self.repeats += 1
            assert self.uris[event_id] == uri, f"two lines have the id {event_id}: {self.uris[event_id]} {uri}"
            return
        named = NUMBER.search(uri)
        assert named
        texts = {f"{crc32(line):08x}": (line, newline) for line, newline in self.texts[int(named[1])]}
        assert event_id[:8] in texts, f"{uri} has an id of other bytes: {event_id}"
        line, newline = texts[event_id[:8]]
        key, position = self.split(event_id)
        self.uris[event_id] = uri
        self.settled.setdefault(key, {}).setdefault(position, set()).add(position + len(line + newline))
        self.lines.append(line)

    @staticmethod
    def split(event_id: str) -> tuple[str, int]:
        found = REPEATED_ID.fullmatch(event_id)
        assert found, event_id
        return found[1], int(found[2], 16)


SETTINGS: dict[str, Settings] = {}  # a configuration costs 30 ms, a thousand programs use three


def settings_for(here: Path, *paths: Path, rotated: Path) -> Settings:
    quoted = ", ".join(f'"{path}"' for path in paths)
    text = CONFIG.format(here=here, paths=quoted, rotated=rotated, max_line_bytes=MAX_LINE_BYTES)
    if text not in SETTINGS:
        here.mkdir(exist_ok=True)
        path = here / "logship.yml"
        path.write_text(text)
        SETTINGS[text] = load_settings(path, {})
    return SETTINGS[text]


class Life:
    """One start of the daemon, until it stops or is killed."""

    def __init__(
        self,
        settings: Settings,
        clock: HandClock,
        receiver: Receiver,
        before_full_look: Callable[[Life], None],
        *,
        is_deaf: bool,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.receiver = receiver
        self.read_to: dict[int, int] = {}
        self.read: set[bytes] = set()  # whole lines that were handed out
        self.losses = 0  # that were told
        self.has_damage = False  # was told: nobody knows how much that is
        clock.while_waiting = self.send_all
        self.state = State.open(settings.state_dir, clock)
        with (
            patch("logship.delivery.delivery.SenderPool", Senders),
            patch("logship.tail.tailer.Watcher", Watches),
        ):
            self.pipeline: Pipeline = build_pipeline(settings, self.state, clock)
        self.tailer = self.pipeline.tailer
        self.watches.is_deaf = is_deaf
        self._look, self._read = self.tailer.look, self.tailer.read
        self._look_everywhere, self._before_full_look = self.tailer._look_everywhere, before_full_look
        self.tailer._look_everywhere = self.look_everywhere  # type: ignore[method-assign]
        self.tailer.look, self.tailer.read, self.tailer.wait = self.look, self.read_one, clock.pause  # type: ignore[method-assign,assignment]

    @property
    def watches(self) -> Watches:
        return cast(Watches, self.tailer._watcher)

    @property
    def senders(self) -> list[Senders]:
        return [cast(Senders, output.delivery._pool) for output in self.pipeline.outputs.values()]

    @property
    def letters(self) -> DeadLetters:
        return self.pipeline.dead_letters._store

    def look(self, now_s: float) -> Look:
        look = self._look(now_s)
        self.losses += sum(each.what in (What.LOST, What.DAMAGED) for each in look.notices)
        self.has_damage |= any(each.what is What.DAMAGED for each in look.notices)
        return look

    def look_everywhere(self, hints: Hints, now_s: float) -> None:
        self._before_full_look(self)
        self._look_everywhere(hints, now_s)

    def read_one(self, limit_bytes: int, only: frozenset[str] | None = None) -> Chunk | None:
        chunk = self._read(limit_bytes, only)
        if chunk is not None:
            known = self.read_to.get(chunk.file.file_id, chunk.start)
            assert chunk.start == known, f"read in order and without gaps: {chunk.start} after {known}"
            self.read_to[chunk.file.file_id] = chunk.end
            self.read.update(chunk.data.split(b"\n"))
        return chunk

    def send_all(self) -> None:
        for each in self.senders:
            each.send_all(self.receiver)

    def step(self) -> Step:
        return self.pipeline.step()

    def work(self) -> None:
        """Until nothing more happens in this moment; what waits for company goes out a second later."""
        while True:
            step = self.step()
            self.send_all()
            if step.was_idle and step.due_s is None and not any(each.coordinator.has_outcomes for each in self.senders):
                return
            if step.was_idle:
                if self.receiver.mood != "up" or self.pipeline.dead_letters.problem:
                    return
                self.clock.pass_s(1.0)

    def settle(self) -> None:
        """Until every grace for copies, last lines and odd ends is over."""
        for seconds in (6, 6, 11, 61, 11, 11, 601, 61, 11):
            self.work()
            self.clock.pass_s(seconds)
        self.work()

    def stop(self) -> None:
        """SIGTERM, as logship.daemon does it."""
        self.pipeline.close(self.settings.delivery.shutdown_timeout_s)
        self.tailer.close()
        self.state.close()

    def kill(self) -> None:
        """Nothing is closed but what the kernel closes: descriptors, and the lock with its own."""
        self.tailer._followed.replaced.close()
        for generation in list(self.tailer._register.open):
            self.tailer._register.take(generation)
        for strangers in self.tailer._followed._strangers.values():
            for stranger in strangers:
                stranger.content.close()
        self.tailer._alarm.close()
        if self.state._connection is not None:
            self.state._connection.close()
            self.state._connection = None
        if self.state._lock is not None:
            self.state._lock.close()

    @property
    def lost_bytes(self) -> int:
        """What its last words, its metrics and its exit code tell."""
        return self.pipeline.counters.total().lost_bytes

    def unsettled(self) -> Counter[str]:
        """Lines whose fate is open, by file and in all."""
        tallies = {"all": self.pipeline.counters.total()}
        tallies |= {str(number): tally for number, tally in self.pipeline.counters.files.items()}
        return Counter({name: tally.waiting for name, tally in tallies.items() if tally.waiting})
