"""Where senders fetch their work and bring back the answer: one step at a time, thread-safe, without a thread."""

from __future__ import annotations

import random as random_module
import threading
from collections.abc import Callable

from logship.clock import WaitingClock
from logship.counters import Counters
from logship.delivery.answer import Answer, retry_after_s
from logship.delivery.decision import Verdict
from logship.delivery.delivery_log import DeliveryLog
from logship.delivery.endpoint import DeliveryLimits, Endpoint
from logship.delivery.exchange import AttemptTarget, Exchange, Reply
from logship.delivery.scheduler import Job, Rest, Scheduler
from logship.delivery.status import DeliveryState, DeliveryStatus
from logship.delivery.transport import Transport
from logship.event import Batch, Outcome


class Coordinator:
    """The state that the senders of one receiver share, under one lock."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: DeliveryLimits,
        *,
        clock: WaitingClock,
        random: random_module.Random,
        counters: Counters,
        hear_etag: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._hear_etag = hear_etag
        self._clock = clock
        self._counters = counters
        self._exchange = Exchange(endpoint)
        self._log = DeliveryLog(endpoint.url)
        self._scheduler = Scheduler(settings, endpoint.timeout_s, random)
        self._lock = threading.Lock()
        self._is_closed = False
        self._last_status: int | None = None
        self._last_success_s: float | None = None
        self._posts = self._retries = 0

    @property
    def has_outcomes(self) -> bool:
        return self._scheduler.has_outcomes

    @property
    def max_body_bytes(self) -> int:
        """How large a decoded body may be: learned from 413, never above the setting."""
        return self._scheduler.limit.bytes

    def room(self) -> int:
        """How many more batches may be submitted now; 0 while held."""
        with self._lock:
            return self._scheduler.room()

    def submit(self, batch: Batch) -> None:
        with self._lock:
            self._scheduler.submit(batch)

    def finish(self) -> None:
        with self._lock:
            self._scheduler.finish()

    def resume(self) -> None:
        with self._lock:
            self._scheduler.pace.resume(self._clock.monotonic())

    def outcomes(self) -> list[Outcome]:
        with self._lock:
            return self._scheduler.outcomes()

    @property
    def is_drained(self) -> bool:
        """Whether nothing is to be sent or out; suspects may still be undecided."""
        with self._lock:
            return self._scheduler.is_drained

    def take(self) -> Job | Rest:
        """An attempt to be made now, counted as started; or how long nothing may start."""
        with self._lock:
            return self._scheduler.next(self._clock.monotonic())

    def start(self, job: Job, transport: Transport) -> AttemptTarget | None:
        """Start the attempt without waiting; None where that can't be. Then is_confirmed() or perform()."""
        return self._exchange.begin(transport, job.body(), is_single=job.is_single)

    def is_confirmed(self, job: Job, transport: Transport, door: AttemptTarget) -> bool:
        """Whether what was begun is confirmed by now, and settled; never waits."""
        reply = self._exchange.confirmation(transport, door)
        if reply is not None:
            self._settle(job, reply)
        return reply is not None

    def perform(self, job: Job, transport: Transport, begun: AttemptTarget | None = None) -> None:
        """Make the attempt, or end the one that was begun, and settle what it came to."""
        self._settle(job, self._exchange.perform(transport, job.body(), is_single=job.is_single, begun=begun))

    def step(self, transport: Transport) -> Rest | None:
        """Make one attempt, if one may start now; None when one was made. What a sender does, without its thread."""
        job = self.take()
        if isinstance(job, Rest):
            return job
        self.perform(job, transport)
        return None

    def has_work(self) -> bool:
        """Whether one more attempt may start now."""
        with self._lock:
            return self._scheduler.has_work(self._clock.monotonic())

    def abandon(self) -> list[Batch]:
        """From now on no answer counts; what has no outcome."""
        with self._lock:
            self._is_closed = True
            return self._scheduler.unsettled()

    def _settle(self, job: Job, reply: Reply) -> None:
        header = reply.answer.retry_after if isinstance(reply.answer, Answer) else None
        wait_s = retry_after_s(header, self._clock.time())
        if isinstance(reply.answer, Answer) and reply.answer.config_etag is not None:
            self._hear_etag(reply.answer.config_etag)
        with self._lock:
            if self._is_closed:
                return
            now_s = self._clock.monotonic()
            before = self._scheduler.limit.bytes
            self._scheduler.settle(job, reply.answer, reply.decision, now_s, wait_s)
            self._count(job, reply, now_s)
            self._log.report(self._scheduler, reply, now_s, before)

    def _count(self, job: Job, reply: Reply, now_s: float) -> None:
        for answer in reply.posted:
            self._counters.answers[answer.name] = self._counters.answers.get(answer.name, 0) + 1
        self._counters.answer_times.add(now_s - job.started_s)
        self._counters.posts += len(reply.posted)
        self._posts += len(reply.posted)
        if isinstance(reply.answer, Answer):
            self._last_status = reply.answer.status
        if reply.decision.verdict is Verdict.CONFIRMED:
            self._last_success_s = now_s
            self._counters.batches += 1
            self._counters.body_bytes += job.size
        elif reply.decision.verdict in (Verdict.RETRY, Verdict.HOLD):
            self._counters.retries += 1
            self._retries += 1

    def status(self) -> DeliveryStatus:
        with self._lock:
            now_s = self._clock.monotonic()
            scheduler = self._scheduler
            return DeliveryStatus(
                state=self._state(now_s),
                api=str(self._exchange.paths.api),
                compression=str(self._exchange.compression(self._exchange.paths)),
                last_status=self._last_status,
                last_success_s=self._last_success_s,
                last_error=str(scheduler.last_error or ""),
                hint=scheduler.hint,
                next_try_s=self._next_try_s(now_s),
                in_flight=scheduler.pace.in_flight,
                waiting=scheduler.waiting,
                window=scheduler.pace.window,
                posts=self._posts,
                retries=self._retries,
                max_body_bytes=scheduler.limit.bytes,
            )

    def _state(self, now_s: float) -> DeliveryState:
        if self._scheduler.pace.hold:
            return DeliveryState.HELD
        if self._scheduler.pace.failures:
            return DeliveryState.PAUSED
        return DeliveryState.OK if self._posts else DeliveryState.STARTING

    def _next_try_s(self, now_s: float) -> float | None:
        pace = self._scheduler.pace
        moment = pace.hold.next_try_s if pace.hold else pace.paused_until_s
        return moment if moment > now_s else None
