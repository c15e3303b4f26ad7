"""Killed at any moment, the same command goes on: everything arrives, nothing twice, the sums are right."""

from __future__ import annotations

import random
import signal
from itertools import cycle, islice
from pathlib import Path

from tests.backfill.receiver import Receiver
from tests.backfill.world import COMPRESS, World, access_lines, joined, truth, write_old
from tests.rigs.machine import scaled
from tests.rigs.waiting import wait_until

FILES = 12
KILLS = 5


def mixed_generations(logs: Path, lines: int) -> set[str]:
    """Generations of one log in every form, the newest plain; the ids of all their lines."""
    ids: set[str] = set()
    each = lines // FILES
    for generation, suffix in zip(range(FILES), islice(cycle(COMPRESS), FILES), strict=True):
        content = access_lines(each, first=(FILES - generation) * each, seed=generation)
        name = f"access.log.{generation}{suffix}" if generation else "access.log"
        path = write_old(logs / name, COMPRESS[suffix](joined(content)))
        ids |= truth(path, content)
    return ids


def kill_after(events: int, world: World, receiver: Receiver) -> None:
    """A run that meets SIGKILL once the receiver has so many events."""
    process = world.start("--jobs", 2, world.logs)
    wait_until(lambda: len(receiver.times) >= events or process.poll() is not None, 100, f"{events} events")
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_five_times_it_delivers_every_line_of_every_form_once(world: World, receiver: Receiver) -> None:
    lines = scaled(200_000, 1_000_000) // FILES * FILES
    ids = mixed_generations(world.logs, lines)
    rng = random.Random(6)
    for kill in range(KILLS):
        kill_after(len(ids) * (kill + 1) // (KILLS + 1) - rng.randrange(len(ids) // 20), world, receiver)
    summary = world.summary("--jobs", 2, world.logs)
    assert summary.code == 0
    assert receiver.ids == ids
    assert summary["lines"] + summary["already_confirmed"] == lines
    assert summary["sent"] < lines // 2, "what was confirmed before the kills is not sent again"
    assert len(summary["logs"]) == FILES
    again = world.summary(world.logs)
    assert (again["lines"], again["already_confirmed"], again.code) == (0, lines, 0)
