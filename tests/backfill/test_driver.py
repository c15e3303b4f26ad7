"""The driver and workers that fail it: what dies is done again, but not for ever."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, Future

from logship.backfill.command_line import Target, load
from logship.backfill.executors import NearPool, P, Work
from logship.backfill.reports import Report
from logship.backfill.service import Backfill, Options
from logship.clock import SystemClock
from tests.backfill.receiver import Receiver
from tests.backfill.world import World, access_lines, joined, truth, write_old

LINES = access_lines(500)


class Doomed(NearPool):
    """A pool whose workers die `deaths` times before they live."""

    def __init__(self, deaths: int = 0) -> None:
        super().__init__()
        self.deaths = deaths
        self.replaced = 0
        self.dead = BrokenExecutor("killed for its memory")

    def submit(self, work: Work[P], /, *args: P.args, **kwargs: P.kwargs) -> Future[Report]:
        if self.replaced >= self.deaths:
            return super().submit(work, *args, **kwargs)
        future: Future[Report] = Future()
        future.set_exception(self.dead)
        return future

    def is_loss(self, error: BaseException) -> bool:
        return error is self.dead

    def replace(self) -> None:
        self.replaced += 1


def run(world: World, pool: Doomed) -> tuple[int, str, int]:
    """Exit code, why it stopped, events sent."""
    settings = load(world.config, Target(), os.environ, sending=True)
    backfill = Backfill(settings, Options((str(world.logs),), 1), os.environ, SystemClock(), lambda _: pool)
    summary = backfill.run(backfill.plan(), lambda progress: None)
    return summary.exit_code, summary.stopped_by, summary.tally.sent


def test_a_log_truncated_after_the_plan_is_said(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    settings = load(world.config, Target(), os.environ, sending=True)
    backfill = Backfill(settings, Options((str(path),), 1), os.environ, SystemClock(), lambda _: NearPool())
    plan = backfill.plan()
    write_old(path, joined(LINES[:100]))
    summary = backfill.run(plan, lambda progress: None)
    assert (summary.exit_code, summary.tally.sent) == (1, 100)
    assert "was truncated while it was read" in summary.logs[0].problem


def test_a_live_log_that_its_daemon_goes_on_with_is_skipped_as_far_as_it_is_confirmed(world: World) -> None:
    path = write_old(world.logs / "access.log", joined(LINES))
    assert world.here(path)["sent"] == len(LINES)
    settings = load(world.config, Target(), os.environ, sending=True)
    write_old(path, joined(LINES[:200]))  # what a plan sees that was made a moment earlier
    backfill = Backfill(settings, Options((str(path),), 1), os.environ, SystemClock(), lambda _: NearPool())
    plan = backfill.plan()
    write_old(path, joined(LINES))
    summary = backfill.run(plan, lambda progress: None)
    assert (summary.tally.sent, summary.tally.already_confirmed) == (0, 200)


def test_workers_that_die_are_replaced_and_their_pieces_done(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    assert run(world, Doomed(deaths=3)) == (0, "", len(LINES))
    assert receiver.ids == truth(path, LINES)


def test_workers_that_always_die_end_it_with_the_log_named(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    pool = Doomed(deaths=1_000)
    code, stopped_by, sent = run(world, pool)
    assert (code, sent, receiver.posts) == (1, 0, 0)
    assert stopped_by == f"workers died {pool.replaced} times in a row at {path}; is there enough memory?"
    assert pool.replaced < 10
