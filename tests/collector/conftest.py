"""A collector for each test, on a free port and a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.collector import CollectorServer
from tests.collector.postgres import postgres_url

__all__ = ["postgres_url"]

APPLICATION_ID = "test-application"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorServer]:
    with CollectorServer(store=str(tmp_path / "events.db"), application_ids=(APPLICATION_ID,)) as server:
        yield server
