"""Random programs against delivery: any interleaving of senders, any fault, and the promises hold at every moment."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.pace import HOLD_INTERVAL_S, LEAST_BYTES
from logship.delivery.scheduler import Job
from tests.delivery.plugs import CREATED, DOWN, PlayReceiver, Request, Rig, make_batch
from tests.rigs.machine import scaled

EVENT_BYTES = 100  # and a little: thirty of them are more than what a slow link carries in time
LIMIT_BYTES = 400  # no event of these tests is larger
SLOW_BYTES = 2 * LEAST_BYTES  # timeouts make no body smaller that isn't above it
LATE = Failure(FailureKind.TIMEOUT, "no complete answer within 30 s")

FAULTS: list[Answer | Failure] = [
    DOWN,
    LATE,
    Failure(FailureKind.LOST, "an answer cut in its head"),
    Failure(FailureKind.GARBAGE, "Content-Length is 'two'"),
    Answer(408),
    Answer(500),
    Answer(503, retry_after="7"),
    Answer(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    Answer(401),
    Answer(404),
    Answer(200, is_html=True),
    Answer(302),
]


class DeliveryMachine(RuleBasedStateMachine):
    """Model: which events exist, which of them are bad, which the receiver stored."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0
        self.bad: set[int] = set()
        self.in_flight: list[Job] = []
        self.fault: Answer | Failure | None = None
        self.has_limit = self.is_slow = self.loses = False

    @initialize(concurrency=st.integers(1, 6), seed=st.integers(0, 2**32))
    def begin(self, concurrency: int, seed: int) -> None:
        self.concurrency = concurrency
        self.rig = Rig(PlayReceiver(self.judge, lambda request: self.loses), concurrency=concurrency, seed=seed)

    def judge(self, request: Request) -> Answer | Failure:
        if self.fault:
            return self.fault
        if self.has_limit and request.size > LIMIT_BYTES:
            return Answer(413)
        if self.is_slow and request.size > SLOW_BYTES:
            return LATE
        return Answer(422) if self.bad & set(request.numbers) else CREATED

    @precondition(lambda self: self.rig.coordinator.room() > 0)
    @rule(count=st.integers(1, 30), bad=st.sets(st.integers(0, 29), max_size=4), source=st.sampled_from("ab"))
    def submit(self, count: int, bad: set[int], source: str) -> None:
        self.bad |= {self.events + number for number in bad if number < count}
        self.rig.coordinator.submit(make_batch(self.events, count, source=source, pad=EVENT_BYTES))
        self.events += count

    @rule()
    def a_sender_takes_a_job(self) -> None:
        job = self.rig.coordinator.take()
        if isinstance(job, Job):
            self.in_flight.append(job)

    @precondition(lambda self: self.in_flight)
    @rule(place=st.integers(0, 100))
    def an_answer_comes(self, place: int) -> None:
        job = self.in_flight.pop(place % len(self.in_flight))
        self.rig.coordinator.perform(job, self.rig.receiver)

    @rule(seconds=st.sampled_from([0.01, 0.5, 5.0, HOLD_INTERVAL_S, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.rig.clock.now_s += seconds

    @rule(fault=st.sampled_from(FAULTS))
    def the_receiver_breaks(self, fault: Answer | Failure) -> None:
        self.fault = fault

    @rule(has_limit=st.booleans(), is_slow=st.booleans(), loses=st.booleans())
    def the_receiver_works_again(self, has_limit: bool, is_slow: bool, loses: bool) -> None:
        """Perhaps behind another proxy, with a limit, or over a slow link."""
        self.fault, self.has_limit, self.is_slow, self.loses = None, has_limit, is_slow, loses

    @rule()
    def somebody_reloads(self) -> None:
        self.rig.coordinator.resume()

    @invariant()
    def what_is_settled_is_stored_or_a_dead_letter_that_is_bad(self) -> None:
        rig = self.rig
        rig.outcomes += rig.coordinator.outcomes()
        stored, dead = set(rig.receiver.stored), set(rig.dead)
        assert dead <= self.bad
        for outcome in rig.outcomes:
            numbers = range(outcome.batch.number, outcome.batch.number + len(outcome.batch))
            assert set(numbers) <= stored | dead
        assert len(rig.settled) == len(set(rig.settled))

    @invariant()
    def memory_and_concurrency_are_bounded(self) -> None:
        assert len(self.in_flight) <= self.concurrency
        assert 0 <= self.rig.coordinator.room() <= self.concurrency + 1
        assert (
            self.rig.coordinator.status().waiting <= self.concurrency + 1 + 20 * 2
        )  # and the suspects' of two sources

    def teardown(self) -> None:
        """Once the faults stop everything is settled, and a fresh event still flows."""
        if not hasattr(self, "rig"):
            return
        self.fault, self.loses = None, False
        while self.in_flight:
            self.an_answer_comes(0)
        for _ in range(20):
            self.rig.run(for_s=4000)
        self.rig.coordinator.submit(make_batch(self.events, 1))
        self.events += 1
        self.rig.coordinator.finish()
        self.rig.run(for_s=4000)
        self.what_is_settled_is_stored_or_a_dead_letter_that_is_bad()
        assert set(self.rig.dead) == self.bad
        assert set(self.rig.receiver.stored) == set(range(self.events)) - self.bad
        assert self.rig.coordinator.abandon() == []


DeliveryMachine.TestCase.settings = settings(
    max_examples=scaled(60, 5_000), stateful_step_count=scaled(60, 120), deadline=None
)
TestDelivery = DeliveryMachine.TestCase
