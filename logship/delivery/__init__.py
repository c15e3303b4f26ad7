"""The receiver's side: batches leave, answers decide, nothing is lost in between."""

from __future__ import annotations

from logship.clock import WaitingClock
from logship.delivery.dead_letter_store import DeadLetter, DeadLetters
from logship.delivery.delivery import Delivery
from logship.delivery.endpoint import Api, Compression, DeliveryLimits, Endpoint
from logship.delivery.status import DeliveryState, DeliveryStatus

__all__ = [
    "Api",
    "Compression",
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "DeliveryLimits",
    "DeliveryState",
    "DeliveryStatus",
    "Endpoint",
    "WaitingClock",
]
