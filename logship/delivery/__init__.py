"""Delivery: batches are sent, answers decide what became of their events, and nothing is lost in between."""

from __future__ import annotations

from logship.clock import WaitingClock
from logship.delivery.coordinator import DeliveryState, DeliveryStatus
from logship.delivery.dead_letter_store import DeadLetter, DeadLetters
from logship.delivery.delivery import Delivery

__all__ = [
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "DeliveryState",
    "DeliveryStatus",
    "WaitingClock",
]
