"""Delivery to one receiver: batches go in, settled batches come out, whatever the network does."""

from __future__ import annotations

import random as random_module
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from logship.clock import WaitingClock
from logship.counters import Counters
from logship.delivery.coordinator import Coordinator, DeliveryState
from logship.delivery.exchange import Transport
from logship.delivery.senders import STUCK_S, SenderPool
from logship.endpoint import DeliveryLimits, Endpoint
from logship.event import Batch, Outcome

if TYPE_CHECKING:
    from logship.delivery.http import TlsContext


class Delivery(Coordinator):
    """Sender threads for one receiver; the caller's thread only submits and collects.

    `wake` is set when outcomes() has something new, room() may have grown, or a thread failed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: DeliveryLimits,
        *,
        clock: WaitingClock,
        random: random_module.Random,
        counters: Counters,
        wake: threading.Event | None = None,
        hear_etag: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`hear_etag` is called from any thread with the ETag of the receiver's rules that an answer names."""
        super().__init__(endpoint, settings, clock=clock, random=random, counters=counters, hear_etag=hear_etag)
        self.wake = wake or threading.Event()
        self._idle_since_s = clock.monotonic()  # since when something could have been sent and nothing was
        self._idle_posts = -1
        self._pool = SenderPool(
            self,
            clock=clock,
            concurrency=settings.concurrency,
            timeout_s=endpoint.timeout_s,
            make_transport=_transports(endpoint, clock),
            wake=self.wake,
        )

    @property
    def failure(self) -> BaseException | None:
        """What ended a thread; the main loop raises it."""
        return self._pool.failure

    def stuck(self) -> str:
        """Why delivery makes no progress though it could; "" while it does."""
        now_s = self._clock.monotonic()
        status = self.status()
        if not self.has_work() or status.in_flight or status.posts != self._idle_posts:
            self._idle_since_s, self._idle_posts = now_s, status.posts
        elif now_s - self._idle_since_s > STUCK_S:
            return f"no sender has taken what is to be sent for {now_s - self._idle_since_s:.0f} s"
        return self._pool.stuck(now_s)

    def submit(self, batch: Batch) -> None:
        """Send a batch."""
        super().submit(batch)
        self._pool.ring()

    def begin(self, batch: Batch) -> None:
        """submit(), and send it from this thread as far as possible without waiting.

        The caller must call outcomes() again soon, or rest() before waiting for anything.
        """
        super().submit(batch)
        self._pool.begin()

    def rest(self) -> None:
        """The caller is going to wait: senders continue what was begun."""
        self._pool.rest()

    def outcomes(self) -> list[Outcome]:
        """What was settled since the last call, in any order; never blocks."""
        self._pool.proceed()
        return super().outcomes()

    def finish(self) -> None:
        """Nothing more will be submitted for now: refused events need not wait for later ones."""
        super().finish()
        self._pool.ring()

    def resume(self) -> None:
        """The cause of a pause may be gone: try now, over new connections."""
        self._pool.renew()
        super().resume()
        self._pool.ring()

    def close(self, within_s: float) -> list[Batch]:
        """Drain for at most `within_s` seconds from now; in a pause or a hold only what is in flight.

        Gives the unsettled batches: their positions do not move. Undecided suspects are among them. Call outcomes()
        once more afterwards.
        """
        deadline_s = self._clock.monotonic() + within_s
        self._pool.rest()
        while self._clock.monotonic() < deadline_s and self.is_draining():
            self.wake.clear()
            if self.is_draining():  # what came before clear() sets nothing
                self._clock.wait(self.wake, deadline_s - self._clock.monotonic())
        self._pool.stop()
        return self.abandon()

    def is_draining(self) -> bool:
        """Whether waiting may settle something: an attempt is in flight, or may start without a pause."""
        if self.failure or self.is_drained:
            return False
        status = self.status()
        return bool(status.in_flight) or (status.state is not DeliveryState.HELD and status.next_try_s is None)


def _transports(endpoint: Endpoint, clock: WaitingClock) -> Callable[[], Transport]:
    """A maker of transports that share one TLS context; the HTTP library is loaded by the first."""
    lock = threading.Lock()
    shared: list[TlsContext] = []

    def make() -> Transport:
        from logship.delivery.http import HttpTransport, TlsContext

        with lock:
            if not shared:
                shared.append(TlsContext(endpoint))
        return HttpTransport(endpoint, shared[0], clock)

    return make
