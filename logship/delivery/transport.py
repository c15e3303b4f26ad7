"""The way to the receiver, as a part that is plugged in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from logship.delivery.answer import Answer, Failure


class Transport(Protocol):
    """What one sender posts with: http.HttpTransport, or a test's own."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Send and wait for the answer."""

    def cut(self) -> None:
        """From another thread: the attempt in progress takes too long."""

    def close(self) -> None:
        """Let go of the connection."""
