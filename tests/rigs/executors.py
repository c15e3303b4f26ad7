"""Both executors of programs: tests that use this fixture run once with the kernel and once without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from logship import kernel

EXECUTORS = ["exact", "kernel"] if kernel.IMPLEMENTATION == "native" else ["exact"]


def without_kernel() -> AbstractContextManager[object]:
    """All lines are done by `exact`."""
    return patch("logship.kernel.run", return_value=None)


@pytest.fixture(scope="module", params=EXECUTORS, autouse=True)
def executor(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of what executes programs in this module's tests."""
    if request.param == "kernel":
        yield request.param
        return
    with without_kernel():
        yield request.param
