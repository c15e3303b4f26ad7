"""Many machines: the same pieces on a Dask cluster whose workers come and go, and logs in an object store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.cli import execute
from tests.backfill.cluster import Cluster
from tests.backfill.receiver import Receiver
from tests.backfill.world import World, access_lines, joined, truth, write_old
from tests.rigs.waiting import wait_until

EACH = 4_000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path, 3) as cluster:
        yield cluster


def test_a_worker_killed_and_one_added_in_the_middle_change_nothing(
    world: World, receiver: Receiver, cluster: Cluster
) -> None:
    ids: set[str] = set()
    for generation in range(6):
        lines = access_lines(EACH, first=(6 - generation) * EACH, seed=generation)
        packs = generation % 2
        name = f"access.log.{generation + 1}{'.gz' if packs else ''}"
        path = write_old(world.logs / name, gzip.compress(joined(lines)) if packs else joined(lines))
        ids |= truth(path, lines)
    process = world.start("--json", "--cluster", cluster.address, "--rate", 6_000, world.logs)
    wait_until(lambda: len(receiver.times) > len(ids) // 4, 60, "events")
    cluster.kill_worker(0)
    cluster.add_worker()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert receiver.ids == ids
    said = json.loads(out)
    assert (said["lines"], said["sent"]) == (6 * EACH, 6 * EACH), "what the dead worker had sent is counted once"
    assert world.here(world.logs)["already_confirmed"] == 6 * EACH, "the driver wrote it all down"
    assert "Exception while handling" not in cluster.scheduler_log.read_text(), "listening leaves no tracebacks there"


def test_no_scheduler_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("logship.backfill.cluster.CONNECT_S", 0.2)
    write_old(world.logs / "access.log.1", joined(access_lines(10)))
    code = execute(["backfill", "-c", str(world.config), "--cluster", "tcp://127.0.0.1:9", str(world.logs)])
    assert code == 1
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
