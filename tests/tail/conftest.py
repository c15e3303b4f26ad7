"""A log directory and a daemon on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tail.driver import Rig, source


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    for rig in [*Rig.running]:
        rig.kill()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "access.log"


@pytest.fixture
def rig(tmp_path: Path, log: Path) -> Rig:
    return Rig(tmp_path / "state", source(log))
