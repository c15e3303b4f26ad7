"""What the daemon shipped live is known to a backfill, whatever rotation made of the files since."""

from __future__ import annotations

import gzip
import os
import shutil

import pytest

from tests.backfill.receiver import Receiver
from tests.backfill.world import START_S, World, access_lines, joined
from tests.rigs.daemon import Daemon
from tests.rigs.waiting import wait_until

GENERATIONS = 4
EACH = 1_500


def rotate(world: World) -> None:
    """logrotate's rename with delaycompress: .1 stays plain, older ones are compressed."""
    for number in range(GENERATIONS, 1, -1):
        older = world.logs / f"access.log.{number}.gz"
        if older.exists():
            older.rename(world.logs / f"access.log.{number + 1}.gz")
    newest = world.logs / "access.log.1"
    if newest.exists():
        (world.logs / "access.log.2.gz").write_bytes(gzip.compress(newest.read_bytes()))
        newest.unlink()
    live = world.logs / "access.log"
    live.rename(newest)
    live.touch()


def wait_for(receiver: Receiver, events: int) -> None:
    wait_until(lambda: len(receiver.times) == events, 30, f"{events} events")


@pytest.fixture
def shipped(world: World, receiver: Receiver) -> World:
    """A world whose live log was shipped by the daemon through several rotations; every line arrived."""
    daemon = Daemon(world.config, world.directory)
    with daemon:
        daemon.wait_for_log("ready")
        for generation in range(GENERATIONS):
            if generation:
                rotate(world)
            with (world.logs / "access.log").open("ab") as log:
                log.write(joined(access_lines(EACH, first=generation * EACH, seed=generation)))
            wait_for(receiver, (generation + 1) * EACH)
        assert daemon.terminate() == 0, daemon.log()
    return world


def test_a_backfill_of_all_generations_sends_nothing_twice(shipped: World, receiver: Receiver) -> None:
    summary = shipped.here(shipped.logs)
    assert (summary.code, summary["sent"]) == (0, 0)
    assert summary["already_confirmed"] == GENERATIONS * EACH
    assert receiver.repeats == 0


def test_without_the_daemons_state_the_same_ids_are_sent(shipped: World, receiver: Receiver) -> None:
    before = receiver.ids
    shutil.rmtree(shipped.directory / "state")
    summary = shipped.here(shipped.logs)
    assert (summary.code, summary["sent"]) == (0, GENERATIONS * EACH)
    assert receiver.ids == before, "the receiver drops them all"


@pytest.mark.parametrize("name", ["nothing-like-it", "2023.gz", "access.log-of-november.gz"])
def test_a_log_that_the_daemon_knows_has_its_ids_under_any_name(shipped: World, receiver: Receiver, name: str) -> None:
    copy = shipped.directory / "elsewhere" / name
    copy.parent.mkdir()
    shutil.copy(shipped.logs / ("access.log.2.gz" if name.endswith(".gz") else "access.log.1"), copy)
    os.utime(copy, (START_S, START_S))
    before = receiver.ids
    summary = shipped.here(copy)
    assert (summary.code, summary["sent"], summary["already_confirmed"]) == (0, 0, EACH)
    assert receiver.ids == before


def test_the_daemon_passes_over_what_a_backfill_of_the_live_log_has_sent(world: World, receiver: Receiver) -> None:
    log = world.logs / "access.log"
    world.config.write_text(world.config.read_text() + "    start_at: beginning\n")
    log.write_bytes(joined(access_lines(EACH)))
    assert world.here(log)["sent"] == EACH
    with log.open("ab") as file:
        file.write(joined(access_lines(10, first=EACH)))
    daemon = Daemon(world.config, world.directory)
    with daemon:
        wait_for(receiver, EACH + 10)
        assert daemon.terminate() == 0
    assert receiver.repeats == 0
    assert f"already confirmed, skipped {EACH:,}" in daemon.log()
