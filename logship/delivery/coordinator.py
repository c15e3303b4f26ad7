"""Gives senders their work and takes their answers: one step at a time, thread-safe, without a thread of its own."""

from __future__ import annotations

import logging
import random as random_module
import threading
from collections.abc import Callable
from enum import StrEnum

from logship.clock import WaitingClock
from logship.counters import Counters
from logship.delivery.answer import Answer, Failure, Verdict, retry_after_s
from logship.delivery.exchange import AttemptTarget, Exchange, Reply, Transport
from logship.delivery.scheduler import Job, Rest, Scheduler
from logship.endpoint import DeliveryLimits, Endpoint
from logship.event import Batch, Outcome
from logship.records import record

REPEAT_S = 60.0  # a repeated warning comes once in so long, with its count


class DeliveryState(StrEnum):
    """What the senders are doing."""

    STARTING = "starting"  # nothing was answered yet
    OK = "ok"
    PAUSED = "paused"  # waits before the next try; needs no action
    HELD = "held"  # somebody must act; tried again every minute


@record
class DeliveryStatus:
    """One delivery at one moment.

    Shapes: *_s are moments of the clock's monotonic(), None where the thing never happened.
    """

    state: DeliveryState
    api: str  # paths in use: moesifapi or v1
    compression: str  # none or gzip
    last_status: int | None = None
    last_success_s: float | None = None
    last_error: str = ""  # of the newest attempt that failed since the last success
    hint: str = ""  # what to do about it
    next_try_s: float | None = None
    in_flight: int = 0
    waiting: int = 0  # batches submitted, not settled, not in flight
    window: int = 1  # how many may be in flight now
    posts: int = 0
    retries: int = 0
    max_body_bytes: int = 0


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
        """The next attempt, counted as started; or how long nothing may start."""
        with self._lock:
            return self._scheduler.next(self._clock.monotonic())

    def start(self, job: Job, transport: Transport) -> AttemptTarget | None:
        """Start the attempt without waiting; None where that is impossible. Then is_confirmed() or perform()."""
        return self._exchange.begin(transport, job.parts(), is_single=job.is_single)

    def is_confirmed(self, job: Job, transport: Transport, target: AttemptTarget) -> bool:
        """Whether what was begun is confirmed by now, and settled; never waits."""
        reply = self._exchange.confirmation(transport, target)
        if reply is not None:
            self._settle(job, reply)
        return reply is not None

    def perform(self, job: Job, transport: Transport, begun: AttemptTarget | None = None) -> None:
        """Make the attempt, or end the one that was begun, and settle its result."""
        self._settle(job, self._exchange.perform(transport, job.body(), is_single=job.is_single, begun=begun))

    def step(self, transport: Transport) -> Rest | None:
        """Make one attempt if one may start now, and give None; what a sender's thread does."""
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
        """From now on no answer counts; gives the batches without an outcome."""
        with self._lock:
            self._is_closed = True
            return self._scheduler.unsettled()

    def _settle(self, job: Job, reply: Reply) -> None:
        wait_s = None
        if isinstance(reply.answer, Answer):
            wait_s = retry_after_s(reply.answer.retry_after, self._clock.time()) if reply.answer.retry_after else None
            if reply.answer.config_etag is not None:
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


log = logging.getLogger(__name__)


class DeliveryLog:
    """Logs changes: holds and their end, an outage at most once a minute, never content.

    A WARNING needs no action, an ERROR does; nothing is lost in either.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_held = False
        self._failures = 0  # attempts since the last success
        self._unreported = 0
        self._hint = ""  # of the newest failure
        self._reported_s: float | None = None

    def report(self, scheduler: Scheduler, reply: Reply, now_s: float, limit_before: int) -> None:
        """One attempt was settled; `limit_before` is the body limit before it."""
        if reply.decision.verdict is Verdict.SMALLER and scheduler.limit.bytes < limit_before:
            log.info("the receiver takes only smaller bodies url=%s max_bytes=%d", self._url, scheduler.limit.bytes)
        if reply.decision.verdict is Verdict.CONFIRMED and not (self._failures or self._is_held or scheduler.pace.hold):
            return  # the usual one
        self._report_hold(scheduler)
        if reply.decision.verdict is Verdict.RETRY:
            self._report_failure(reply.answer, scheduler.hint, now_s)
        elif reply.decision.verdict is Verdict.CONFIRMED and self._failures:
            if self._unreported < self._failures:  # failures that were not logged end without a log line, too
                log.info("delivery continues url=%s after_failed_attempts=%d", self._url, self._failures)
            self._failures = 0

    def _report_hold(self, scheduler: Scheduler) -> None:
        is_held = scheduler.pace.hold is not None
        if is_held and not self._is_held:
            log.error(
                "delivery is held, nothing is lost, tried again every minute url=%s answer=%s hint=%s",
                self._url,
                _named(scheduler.last_error),
                scheduler.hint,
            )
        elif self._is_held and not is_held:
            log.info("delivery is no longer held url=%s", self._url)
        self._is_held = is_held

    def _report_failure(self, answer: Answer | Failure, hint: str, now_s: float) -> None:
        self._failures += 1
        self._unreported += 1
        is_news = bool(hint) and not self._hint
        self._hint = hint
        if self._reported_s is not None and now_s < self._reported_s + REPEAT_S and not is_news:
            return
        said = f" hint={hint}" if hint else ""
        why = _named(answer)
        log.warning("delivery fails and is retried url=%s why=%s attempts=%d%s", self._url, why, self._unreported, said)
        self._reported_s, self._unreported = now_s, 0


def _named(answer: Answer | Failure | None) -> str:
    """Without the answer's body: it may quote events."""
    return str(answer) if isinstance(answer, Failure) else answer.name if answer else ""
