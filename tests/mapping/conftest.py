"""Programs are executed by the kernel and by `exact`."""

from __future__ import annotations

from tests.rigs.executors import executor

__all__ = ["executor"]
