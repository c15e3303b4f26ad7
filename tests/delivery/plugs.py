"""What delivery tests plug in: a clock that is moved by hand, a receiver of a few lines, batches."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from logship.counters import Counters
from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.coordinator import Coordinator
from logship.delivery.exchange import Transport
from logship.delivery.scheduler import Rest
from logship.endpoint import DeliveryLimits, Endpoint, Secret
from logship.event import Batch, Chunk, Conversion, LogFile, Outcome, Piece, Span

CREATED = Answer(201)
DOWN = Failure(FailureKind.CONNECT, "connection refused")
WALL_S = 1_790_000_000.0


class HandClock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return WALL_S + self.now_s

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        """Nobody waits for time: only for events, or the moment comes at once."""
        if timeout_s is None:
            return event.wait()
        if event.is_set():
            return True
        self.now_s += timeout_s
        return False


def make_batch(first: int, count: int, source: str = "api", pad: int = 0) -> Batch:
    """Events {"n": first} and so on, one a line; line n is b"line n"."""
    events = [json.dumps({"n": number, "pad": "x" * pad}) for number in range(first, first + count)]
    lines = [b"line %d\n" % number for number in range(first, first + count)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    file = LogFile(1, f"/var/log/{source}.log", source, 7, "web-1")
    conversion = Conversion.of(events, range(count), starts)
    piece = Piece(Chunk(file, 0, starts[-1], b"".join(lines)), conversion, 0, count)
    return Batch.of([conversion.text], (Span(file, 0, starts[-1], b""),), (piece,), first)


def numbers_of(body: bytes) -> list[int]:
    decoded = json.loads(body)
    events = decoded if isinstance(decoded, list) else [decoded]
    return [event["n"] for event in events]


@dataclass
class Request:
    """One request as the receiver saw it."""

    path: str
    headers: Mapping[str, str]
    numbers: list[int]
    size: int


Judge = Callable[[Request], Answer | Failure]


@dataclass
class PlayReceiver(Transport):
    """A transport and the receiver behind it; `judge` says what it answers, a Failure stores nothing.

    `lose` makes it store and lose the answer.
    """

    judge: Judge = lambda request: CREATED
    lose: Callable[[Request], bool] = lambda request: False
    requests: list[Request] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)  # as they came, repeats included

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        request = Request(path, dict(headers), numbers_of(plain), len(plain))
        self.requests.append(request)
        answer = self.judge(request)
        if isinstance(answer, Answer) and answer.status in (200, 201, 202, 204) and not answer.is_html:
            self.stored += request.numbers
            if self.lose(request):
                return Failure(FailureKind.LOST, "reset after the body")
        return answer

    def cut(self) -> None: ...

    def close(self) -> None: ...


def in_turn(answers: Sequence[Answer | Failure], then: Answer | Failure = CREATED) -> Judge:
    """Answers one after the other, and `then` for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if left else then


def refusing(bad: set[int], status: int = 400) -> Judge:
    """Refuses every body that holds one of these events."""
    return lambda request: Answer(status, excerpt="bad event") if bad & set(request.numbers) else CREATED


class Rig:
    """A coordinator driven by hand: no threads, no waiting."""

    def __init__(
        self,
        receiver: PlayReceiver | None = None,
        *,
        concurrency: int = 4,
        max_body_bytes: int = 250_000,
        seed: int = 1,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.clock = HandClock()
        self.receiver = receiver or PlayReceiver()
        self.counters = Counters()
        self.coordinator = Coordinator(
            endpoint or Endpoint("http://127.0.0.1:1", Secret("id-1")),
            DeliveryLimits(concurrency=concurrency, max_body_bytes=max_body_bytes),
            clock=self.clock,
            random=random.Random(seed),
            counters=self.counters,
        )
        self.outcomes: list[Outcome] = []

    def step(self) -> Rest | None:
        rest = self.coordinator.step(self.receiver)
        self.outcomes += self.coordinator.outcomes()
        return rest

    def run(self, for_s: float = 86_400.0) -> None:
        """Step until everything is settled, or time alone doesn't help, or so much of it went by."""
        end_s = self.clock.now_s + for_s
        while True:
            rest = self.step()
            if rest is None:
                continue
            if rest.until_s is None or rest.until_s > end_s:
                self.clock.now_s = max(self.clock.now_s, min(end_s, rest.until_s or self.clock.now_s))
                return
            self.clock.now_s = max(self.clock.now_s, rest.until_s)

    @property
    def dead(self) -> list[int]:
        """Numbers of the events that became dead letters."""
        return [outcome.batch.number + refused.index for outcome in self.outcomes for refused in outcome.refused]

    @property
    def settled(self) -> list[int]:
        """First numbers of the settled batches."""
        return [outcome.batch.number for outcome in self.outcomes]
