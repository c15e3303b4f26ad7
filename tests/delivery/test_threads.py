"""Delivery with its threads over real sockets: the oracle, the end of the process, and failures that must be loud."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from logship.clock import SystemClock
from logship.counters import Counters
from logship.delivery import Delivery, DeliveryState
from logship.delivery.answer import Answer
from logship.delivery.http import HttpTransport
from logship.delivery.senders import SenderPool
from logship.endpoint import Api, DeliveryLimits, Endpoint, Secret
from logship.event import Batch, Chunk, Conversion, LogFile, Outcome, Piece, Span
from tests.delivery.plugs import HandClock
from tests.rigs.certificates import Authority
from tests.rigs.machine import scaled
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until


class HurriedClock(SystemClock):
    """Real time, but every second of it is SPEED seconds: retries and timeouts come sooner."""

    SPEED = 50.0

    def monotonic(self) -> float:
        return time.monotonic() * self.SPEED

    def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
        return event.wait(None if timeout_s is None else timeout_s / self.SPEED)


def events_of(batch: Batch) -> list[str]:
    return [batch.event(index) for index in range(len(batch))]


def make_batch(first: int, count: int) -> Batch:
    events = [
        json.dumps({"transaction_id": f"id-{number}", "number": number, "pad": "x" * (number % 300)})
        for number in range(first, first + count)
    ]
    file = LogFile(1, "/var/log/a.log", "api", 7, "web-1")
    conversion = Conversion.of(events, range(count), range(0, 2 * count + 1, 2))
    piece = Piece(Chunk(file, 0, 2 * count, b"l\n" * count), conversion, 0, count)
    return Batch.of([conversion.text], (Span(file, 0, 2 * count, b""),), (piece,), first)


def deliver_to(url: str, *, concurrency: int = 8, seed: int = 0, timeout_s: float = 30.0, **options: Any) -> Delivery:
    return Delivery(
        Endpoint(url, Secret("id-1"), timeout_s=timeout_s, **options),
        DeliveryLimits(concurrency=concurrency),
        clock=HurriedClock(),
        random=random.Random(seed),
        counters=Counters(),
    )


def ship(delivery: Delivery, batches: list[Batch], deadline_s: float = 120.0, *, begins: bool = False) -> list[Outcome]:
    """Submits all, or begins them in this thread, and collects every outcome, as the main loop does."""
    give = delivery.begin if begins else delivery.submit
    end_s = time.monotonic() + deadline_s
    outcomes: list[Outcome] = []
    left = list(batches)
    while len(outcomes) < len(batches):
        assert time.monotonic() < end_s, delivery.status()
        delivery.wake.clear()
        while left and delivery.room():
            give(left.pop(0))
        outcomes += delivery.outcomes()
        if delivery.failure:
            raise delivery.failure
        if len(outcomes) < len(batches):
            delivery.rest()
            delivery.wake.wait(0.1)
    return outcomes


@pytest.mark.parametrize("round_", range(scaled(1, 20)))
@pytest.mark.parametrize(
    ("api", "is_tls", "begins"),
    [(Api.MOESIFAPI, False, True), (Api.MOESIFAPI, False, False), (Api.V1, False, True), (Api.AUTO, True, True)],
)
def test_after_a_storm_of_faults_everything_has_arrived_unchanged(
    round_: int, api: Api, is_tls: bool, begins: bool, authority: Authority
) -> None:
    """The oracle: what was submitted is an obligation; nothing else arrives, no id twice, no payload changed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 # pytest shows it where the test fails
    dice = random.Random(seed)
    count, first, batches = scaled(3_000, 20_000), 0, []
    while first < count:
        size = min(dice.choice([1, 2, 20, 150]), count - first)
        batches.append(make_batch(first, size))
        first += size
    poison = set(dice.sample(range(count), 5))
    with Receiver(
        limit_bytes=dice.choice([None, 10_000]),
        refuses=lambda event: event["number"] in poison,
        certificate=authority.certificate("before") if is_tls else None,
    ) as receiver:
        receiver.go_wild(seed, 0.3)
        delivery = deliver_to(receiver.url, seed=seed, api=api, ca_file=authority.pem if is_tls else None)
        half = len(batches) // 2
        outcomes = ship(delivery, batches[:half], begins=begins)
        receiver.stop()
        delivery.submit(batches[half])
        wait_until(lambda: delivery.status().state is DeliveryState.PAUSED)
        receiver.certificate = authority.certificate("after") if is_tls else None
        receiver.start()
        outcomes += ship(delivery, batches[half + 1 :], begins=begins)
        receiver.behave()
        delivery.finish()
        while len(outcomes) < len(batches):
            assert delivery.wake.wait(30), delivery.status()
            delivery.wake.clear()
            outcomes += delivery.outcomes()
        fresh = make_batch(count, 1)
        outcomes += ship(delivery, [fresh])
        assert delivery.close(10.0) == []
    dead = {outcome.batch.number + refused.index for outcome in outcomes for refused in outcome.refused}
    assert dead == poison
    assert sorted(event["number"] for event in receiver.events) == sorted(set(range(count + 1)) - poison)
    written = {json.loads(event)["transaction_id"]: event for batch in [*batches, fresh] for event in events_of(batch)}
    assert all(json.loads(written[event["transaction_id"]]) == event for event in receiver.events)
    assert receiver.conflicts == []
    assert sorted(outcome.batch.number for outcome in outcomes) == sorted([batch.number for batch in batches] + [count])


class OneAtATime(HTTPServer):
    """A receiver that serves one connection until its end, and nobody else meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert isinstance(self.server, OneAtATime)
            self.server.numbers += [event["number"] for event in (events if isinstance(events, list) else [events])]
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.numbers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None: ...


@pytest.mark.parametrize("begins", [True, False])
def test_a_receiver_that_serves_one_connection_at_a_time_is_kept_busy(begins: bool) -> None:
    """An idle connection of one sender must not lock the others out."""
    with OneAtATime() as receiver:
        delivery = deliver_to(receiver.url, timeout_s=10.0, api=Api.MOESIFAPI)
        try:
            for first in range(0, 600, 150):  # in between, all senders sleep
                ship(delivery, [make_batch(first + number * 10, 10) for number in range(15)], 60.0, begins=begins)
        finally:
            assert delivery.close(10.0) == []
        receiver.shutdown()
    assert sorted(set(receiver.numbers)) == list(range(600))


def test_an_attempt_that_hangs_or_drips_is_cut_and_made_again() -> None:
    with Receiver() as receiver:
        receiver.script("hang:60", "drip:60")
        delivery = deliver_to(receiver.url, timeout_s=4.0)
        ship(delivery, [make_batch(0, 5)])
        assert len(receiver.events) == 5
        assert delivery.status().retries == 2
        assert delivery.close(1.0) == []


def test_as_many_answers_are_waited_for_at_once_as_the_setting_allows() -> None:
    """A receiver that answers only when four requests are there gets them, and never a fifth."""
    gate = threading.Barrier(4, timeout=20.0)
    inside: list[int] = []
    most: list[int] = []

    def wait_for_company(event: dict[str, Any]) -> bool:
        if event["number"] >= 10:
            inside.append(event["number"])
            gate.wait()
            most.append(len(inside))
            inside.remove(event["number"])
        return False

    with Receiver(refuses=wait_for_company) as receiver:
        delivery = deliver_to(receiver.url, concurrency=4, timeout_s=1000.0)
        ship(delivery, [make_batch(first, 1) for first in range(10)])
        ship(delivery, [make_batch(first, 1) for first in range(10, 18)])
        assert max(most) <= 4
        assert delivery.close(1.0) == []


@pytest.mark.parametrize("fault", [RuntimeError("sender"), MemoryError(), KeyError("x")])
def test_an_exception_in_a_sender_reaches_the_main_loop(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """No thread ever ends in silence."""

    def post(self: HttpTransport, *rest: object) -> None:
        raise fault

    monkeypatch.setattr(HttpTransport, "post", post)
    delivery = deliver_to("http://127.0.0.1:1")
    with pytest.raises(type(fault)) as caught:
        ship(delivery, [make_batch(0, 5)])
    assert caught.value is fault
    assert "post" in {entry.name for entry in caught.traceback}
    assert [batch.number for batch in delivery.close(1.0)] == [0]


def test_an_exception_in_the_watchdog_reaches_the_main_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the guard a mute receiver would hold its senders for ever."""

    def look(self: SenderPool) -> None:
        raise RuntimeError("watchdog")

    monkeypatch.setattr(SenderPool, "_watch_once", look)
    with Receiver() as receiver:
        receiver.script("hang:1")
        delivery = deliver_to(receiver.url)
        with pytest.raises(RuntimeError, match="watchdog"):
            ship(delivery, [make_batch(0, 5)])
        delivery.close(0.0)


def test_a_failure_wakes_the_main_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpTransport, "post", lambda *rest: 1 / 0)
    delivery = deliver_to("http://127.0.0.1:1")
    delivery.submit(make_batch(0, 1))
    assert delivery.wake.wait(10.0)
    assert isinstance(delivery.failure, ZeroDivisionError)
    delivery.close(0.0)


def test_stopping_an_idle_delivery_leaves_no_thread() -> None:
    """Idle."""
    with Receiver() as receiver:
        delivery = deliver_to(receiver.url)
        ship(delivery, [make_batch(0, 5)])
        assert delivery.close(10.0) == []
        wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("sender")])


def test_stopping_in_mid_batch_waits_for_the_answer() -> None:
    """Mid-batch: what is under way is confirmed, not sent again after the restart."""
    with Receiver() as receiver:
        receiver.script("slow_read:20000")
        delivery = deliver_to(receiver.url, timeout_s=200.0)
        delivery.submit(make_batch(0, 30))
        wait_until(lambda: receiver.connections)
        assert delivery.close(100.0) == []
        assert [outcome.batch.number for outcome in delivery.outcomes()] == [0]


def test_stopping_while_the_receiver_is_down_gives_everything_back() -> None:
    """Receiver down."""
    with Receiver() as gone:
        url = gone.url
    delivery = deliver_to(url, concurrency=1)
    delivery.submit(make_batch(0, 5))
    delivery.submit(make_batch(5, 5))
    wait_until(lambda: delivery.status().retries >= 2)
    assert [batch.number for batch in delivery.close(5.0)] == [0, 5]
    assert delivery.outcomes() == []


def test_stopping_while_the_receiver_is_mute_takes_no_longer_than_allowed() -> None:
    """Receiver slow."""
    with Receiver() as receiver:
        receiver.script("hang:30")
        delivery = deliver_to(receiver.url, timeout_s=1000.0)
        delivery.submit(make_batch(0, 5))
        wait_until(lambda: receiver.seen)
        assert [batch.number for batch in delivery.close(2.0)] == [0]


def test_stopping_while_a_name_does_not_resolve_leaves_the_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS dead: name resolution can't be interrupted, so nobody waits for it."""
    answer = threading.Event()
    asked = threading.Event()

    def look_up(*rest: object, **options: object) -> None:
        asked.set()
        answer.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    delivery = deliver_to("http://slow.localhost", timeout_s=1000.0)
    delivery.submit(make_batch(0, 5))
    assert asked.wait(10)
    assert [batch.number for batch in delivery.close(2.0)] == [0]
    answer.set()
    assert delivery.outcomes() == []


def test_stopping_while_held_is_done_at_once() -> None:
    """Held: no try would come before the deadline."""
    with Receiver(application_ids={"another"}) as receiver:
        delivery = deliver_to(receiver.url)
        delivery.submit(make_batch(0, 5))
        wait_until(lambda: delivery.status().state is DeliveryState.HELD)
        held_s = delivery._clock.monotonic()
        assert [batch.number for batch in delivery.close(10_000.0)] == [0]
        assert delivery._clock.monotonic() - held_s < 1_000.0


@pytest.mark.parametrize("fault", ["429:3000", "401"])
def test_a_wait_is_ended_by_who_knows_more_and_new_connections_are_made(fault: str) -> None:
    with Receiver() as receiver:
        delivery = deliver_to(receiver.url, concurrency=1)
        ship(delivery, [make_batch(0, 5)])
        receiver.script(fault, fault)
        delivery.submit(make_batch(5, 5))
        wait_until(lambda: delivery.status().next_try_s)
        began_s, receiver_connections = delivery._clock.monotonic(), receiver.connections
        receiver.behave()
        delivery.resume()
        wait_until(delivery.outcomes)
        assert delivery._clock.monotonic() - began_s < 3000.0
        assert receiver.connections == receiver_connections + 1
        assert delivery.close(1.0) == []


@pytest.mark.parametrize("pause_s", [5, 3000])
def test_stopping_in_a_pause_is_done_at_once(pause_s: int) -> None:
    """Whether the next try would come in time or not: nothing is in flight, and the next start sends it again."""
    with Receiver() as receiver:
        receiver.script(*[f"429:{pause_s}"] * 1_000)
        delivery = deliver_to(receiver.url)
        delivery.submit(make_batch(0, 5))
        wait_until(lambda: delivery.status().next_try_s)
        began_s = delivery._clock.monotonic()
        assert [batch.number for batch in delivery.close(100_000.0)] == [0]
        assert delivery._clock.monotonic() - began_s < 10_000.0


def test_stopping_with_refused_events_buries_none_of_them() -> None:
    """They may be the first of a mapping that is wrong; the next start finds out."""
    with Receiver(refuses=lambda event: True) as receiver:
        delivery = deliver_to(receiver.url, concurrency=1)
        delivery.submit(make_batch(0, 3))
        wait_until(lambda: len(receiver.seen) >= 5)
        assert [batch.number for batch in delivery.close(5.0)] == [0]
        assert delivery.outcomes() == []


def test_the_watchdog_sleeps_while_nothing_is_sent() -> None:
    """An idle daemon must not wake up for delivery at all."""
    waits: list[float | None] = []

    class CountingClock(HurriedClock):
        def wait(self, event: threading.Event, timeout_s: float | None) -> bool:
            waits.append(timeout_s)
            return super().wait(event, timeout_s)

    with Receiver() as receiver:
        delivery = Delivery(
            Endpoint(receiver.url, timeout_s=2.0),
            DeliveryLimits(),
            clock=CountingClock(),
            random=random.Random(0),
            counters=Counters(),
        )
        ship(delivery, [make_batch(first, 1) for first in range(10)])
        wait_until(lambda: waits and waits[-1] is None and waits.count(None) >= 2)
        delivery.close(1.0)


class Pipe:
    """A transport whose post() ends when the test says so, whatever is cut."""

    def __init__(self) -> None:
        self.is_open = threading.Event()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.is_open.wait()
        return Answer(201)

    def cut(self) -> None: ...

    def close(self) -> None: ...


def by_hand(monkeypatch: pytest.MonkeyPatch, pipe: Pipe) -> tuple[Delivery, HandClock]:
    monkeypatch.setattr("logship.delivery.delivery._transports", lambda endpoint, clock: lambda: pipe)
    clock = HandClock()
    endpoint, settings = Endpoint("http://127.0.0.1:9", timeout_s=30.0), DeliveryLimits(concurrency=1)
    return Delivery(endpoint, settings, clock=clock, random=random.Random(1), counters=Counters()), clock


def test_a_sender_that_does_not_come_back_is_told_and_one_that_does_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe()
    delivery, _ = by_hand(monkeypatch, pipe)
    assert delivery.stuck() == ""
    delivery.submit(make_batch(0, 1))
    wait_until(delivery.stuck, what="time runs by itself here: the guard waits for the attempt's end")
    assert delivery.stuck().startswith("sender-1 has been in one attempt for ")
    pipe.is_open.set()
    wait_until(delivery.outcomes, what="the answer")
    assert delivery.stuck() == ""
    delivery.close(0.0)
    assert delivery.stuck() == ""


def test_work_that_no_sender_takes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery, clock = by_hand(monkeypatch, Pipe())
    monkeypatch.setattr(SenderPool, "ring", lambda pool: None)
    delivery.submit(make_batch(0, 1))
    assert delivery.stuck() == ""
    clock.now_s += 299
    assert delivery.stuck() == ""
    clock.now_s += 2
    assert delivery.stuck() == "no sender has taken what is to be sent for 301 s"


def test_an_hour_with_nothing_to_send_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery, clock = by_hand(monkeypatch, Pipe())
    for _ in range(60):
        clock.now_s += 60
        assert delivery.stuck() == ""


def test_a_thread_that_has_ended_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe()
    monkeypatch.setattr(pipe, "post", None)  # calling it is an error nobody expects
    delivery, _ = by_hand(monkeypatch, pipe)
    delivery.submit(make_batch(0, 1))
    wait_until(lambda: delivery.stuck() == "sender-1 has ended", what="its end is seen")
    assert isinstance(delivery.failure, TypeError)
    delivery.close(0.0)
