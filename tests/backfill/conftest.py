"""What the tests of backfills share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backfill.receiver import Receiver
from tests.backfill.world import World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> Iterator[World]:
    """A directory with a configuration that sends to the receiver."""
    world = World(tmp_path, receiver.url)
    world.logs.mkdir()
    yield world
    world.end()
