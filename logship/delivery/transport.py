"""The way to the receiver, as a part that is plugged in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from logship.delivery.answer import Answer, Failure, FailureKind


class Transport(Protocol):
    """What one sender posts with: http.HttpTransport, or a test's own, which need not know begin()."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Send and wait for the answer."""

    @property
    def can_begin(self) -> bool:
        """Whether begin() is worth preparing a body for."""
        return False

    def begin(self, path: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Start an attempt without waiting; False where that can't be. Then progress() or finish()."""
        return False

    def progress(self) -> Answer | None:
        """The answer to what was begun, if it has come; never waits."""
        return None

    def finish(self) -> Answer | Failure:
        """Wait for the answer to what was begun."""
        return Failure(FailureKind.SETTING, "nothing was begun")

    def cut(self) -> None:
        """From another thread: the attempt in progress takes too long."""

    def close(self) -> None:
        """Let go of the connection."""
