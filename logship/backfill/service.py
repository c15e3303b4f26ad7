"""A backfill from beginning to end: plan, count the events that are too old, run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Literal

from logship.backfill.command_line import Chooser
from logship.backfill.driver import Driver
from logship.backfill.executors import WorkerPool
from logship.backfill.local import LocalPool
from logship.backfill.paths import expand
from logship.backfill.plan import BackfillPlan, Identity, Planner
from logship.backfill.range_store import RangeStore
from logship.backfill.receiver_rules import ReceiverRules
from logship.backfill.reports import BackfillSummary, RunProgress
from logship.backfill.run_settings import BackfillLog, RunPurpose, RunSettings
from logship.backfill.split import Split
from logship.checkpoint import Checkpoint
from logship.clock import SystemClock, iso_time
from logship.config import Settings
from logship.config.overrides import Overrides
from logship.counters import Counters
from logship.delivery import DeadLetters
from logship.errors import StateError, UsageError
from logship.event import Window
from logship.records import record
from logship.state import State

OldEvents = Literal["refuse", "skip", "send"]
DAY_S = 86_400.0


@record
class Options:
    """What the command line asks for.

    Shapes: since and until are moments, "" for none; rate is events/s, 0 for no limit; cluster is a scheduler's
    address, "" for this machine.
    """

    paths: tuple[str, ...]
    jobs: int
    overrides: Overrides = field(default_factory=Overrides)
    identity: Identity = field(default_factory=Identity)
    since: str = ""
    until: str = ""
    rate: float = 0.0
    cluster: str = ""
    old_events: OldEvents = "refuse"
    is_dry: bool = False
    is_restart: bool = False


def default_jobs() -> int:
    """Half the cores that this process may use: the rest is for the web server."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def pool_of(options: Options) -> WorkerPool:
    """Workers on this machine, or on the cluster that the options name.

    Raises: ClusterError.
    """
    if not options.cluster:
        return LocalPool(options.jobs)
    from logship.backfill.cluster import ClusterPool

    return ClusterPool(options.cluster)


class Backfill:
    """One run; stop() may be called at any time, by a signal handler too."""

    def __init__(
        self,
        settings: Settings,
        options: Options,
        environ: Mapping[str, str],
        clock: SystemClock,
        make_pool: Callable[[Options], WorkerPool] | None = None,
    ) -> None:
        """`make_pool` replaces the workers that the options name."""
        self._settings, self._options, self._environ, self._clock = settings, options, environ, clock
        self._make_pool = make_pool or pool_of
        self._driver: Driver | None = None
        self._stops = 0
        self._receiver_rules: ReceiverRules | None = None

    def plan(self) -> BackfillPlan:
        """What there is to do.

        Raises: UsageError, ConfigError, RefusedError.
        """
        options = self._options
        chooser = Chooser(self._settings, options.overrides, self._environ)
        planner = Planner(self._settings, chooser, options.identity, self._clock.time(), self._known())
        plan = planner.plan(expand(options.paths))
        plan.logs = [replace(one, window=self._window(one)) for one in plan.logs]
        self._receiver_rules = ReceiverRules((one.endpoint for one in plan.logs), self._settings.state_dir, self._clock)
        plan.remarks += self._receiver_rules.begin()
        return plan

    def run(self, plan: BackfillPlan, show: Callable[[RunProgress], None]) -> BackfillSummary:
        """Runs the plan.

        Raises: UsageError where events are too old and no option says what to do with them; StateError, ClusterError.
        """
        is_refusing = self._options.old_events == "refuse" and not self._options.is_dry
        if is_refusing and not self._stops:
            self._refuse_old(plan, show)
        range_store = self._range_store()
        try:
            return self._drive(plan, RunPurpose.COUNT if self._options.is_dry else RunPurpose.SEND, range_store, show)
        finally:
            if self._receiver_rules is not None:
                self._receiver_rules.close()
            if range_store is not None:
                range_store.close()

    def stop(self) -> None:
        """Once: what is in flight is finished; twice: at once.

        Raises: KeyboardInterrupt while nothing runs.
        """
        if self._driver is None:
            raise KeyboardInterrupt
        self._stops += 1
        self._driver.stop()

    def _drive(
        self,
        plan: BackfillPlan,
        purpose: RunPurpose,
        range_store: RangeStore | None,
        show: Callable[[RunProgress], None],
        until: str = "",
    ) -> BackfillSummary:
        options = self._options
        pool = self._make_pool(options)
        run_settings = RunSettings(
            replace(self._settings, sources=(), converters={}), purpose, options.rate / pool.slots
        )
        window = Window(since=options.since, until=until or options.until)
        split = Split(window)
        obeying = self._receiver_rules.obeying if self._receiver_rules is not None else lambda piece: piece
        driver = Driver(
            plan, run_settings, pool, split, range_store, self._clock, is_restart=options.is_restart, obeying=obeying
        )
        self._driver = driver
        for _ in range(self._stops):
            driver.stop()
        return driver.run(show)

    def _known(self) -> list[Checkpoint]:
        if not self._settings.state_dir.exists():
            return []
        state = self._state()
        try:
            return state.load()
        finally:
            state.close()

    def _range_store(self) -> RangeStore | None:
        folder = self._settings.state_dir
        if self._options.is_dry and not folder.exists():
            return None
        return RangeStore(self._state(), DeadLetters(folder, counters=Counters()), self._clock)

    def _state(self) -> State:
        folder = self._settings.state_dir
        try:
            return State.open(folder, self._clock, daemon=False)
        except OSError as exc:
            message = f"{folder}: can't be used for the state: {exc.strerror}; set state_dir, or $STATE_DIRECTORY"
            raise StateError(message) from exc

    def _window(self, log: BackfillLog) -> Window:
        age_s = log.endpoint.max_event_age_s
        oldest = ""
        if age_s is not None and self._options.old_events != "send":
            oldest = iso_time(self._clock.time() - age_s)
        return Window(oldest, self._options.since, self._options.until)

    def _refuse_old(self, plan: BackfillPlan, show: Callable[[RunProgress], None]) -> None:
        """Counts what the receiver would reject for its age, in the logs that begin before that age.

        Raises: UsageError if there is anything.
        """
        old = [one for one in plan.logs if one.window.oldest and one.first_time < one.window.oldest and one.path != "-"]
        if not old:
            return
        latest = max(one.window.oldest for one in old)
        until = min(filter(None, (latest, self._options.until)))
        looked = self._drive(BackfillPlan(old, [], plan.clocks), RunPurpose.COUNT, None, show, until)
        too_old = looked.tally.too_old
        if too_old and not self._stops:
            days = (old[0].endpoint.max_event_age_s or 0.0) / DAY_S
            raise UsageError(
                f"{too_old:,} of the events are older than the {days:g} days that {old[0].endpoint.receiver} takes; "
                "give --skip-old to leave them out (they are counted), or --send-old to send them anyway"
            )
