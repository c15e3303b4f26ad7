"""Delivery to one receiver: batches go in, settled batches come out, whatever the network does between."""

from __future__ import annotations

import random as random_module
import threading

from logship.counters import Counters
from logship.delivery.clock import Clock
from logship.delivery.endpoint import DeliverySettings, Endpoint
from logship.delivery.status import DeliveryStatus
from logship.event import Batch, Outcome


class Delivery:
    """Sender threads for one receiver; the caller's thread only submits and collects."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: DeliverySettings,
        *,
        clock: Clock,
        random: random_module.Random,
        counters: Counters,
        wake: threading.Event | None = None,
    ) -> None:
        self.wake = wake or threading.Event()
        raise NotImplementedError

    @property
    def failure(self) -> BaseException | None:
        """What ended a sender thread; the main loop raises it. `wake` is set when it appears."""
        raise NotImplementedError

    @property
    def max_body_bytes(self) -> int:
        """How large a decoded body may be: learned from 413, never above the setting."""
        raise NotImplementedError

    def room(self) -> int:
        """How many more batches may be submitted now; 0 while held."""
        raise NotImplementedError

    def submit(self, batch: Batch) -> None:
        """Take a batch on its way."""
        raise NotImplementedError

    def outcomes(self) -> list[Outcome]:
        """What was settled since the last call, in any order; never blocks."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing more will be submitted for now: refused events needn't wait for company to be judged."""
        raise NotImplementedError

    def status(self) -> DeliveryStatus:
        """A look from outside."""
        raise NotImplementedError

    def close(self, within_s: float) -> list[Batch]:
        """Drain for at most so many seconds; gives back what is unsettled. Call outcomes() once more afterwards."""
        raise NotImplementedError
