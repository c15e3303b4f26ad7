"""A backfill from beginning to end: plan, the look for events that are too old, the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Literal

from logship.backfill.assignments import Assignments
from logship.backfill.driver import Driver
from logship.backfill.executors import Crew
from logship.backfill.ledger import Ledger
from logship.backfill.local import LocalCrew
from logship.backfill.obedience import Obedience
from logship.backfill.order import Log, Order, Purpose
from logship.backfill.paths import expand
from logship.backfill.plan import Identity, Plan, Planner
from logship.backfill.sources import Chooser
from logship.backfill.summary import Progress, Summary
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
    """Half the cores that this process may use: the web server lives on the others."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def crew_of(options: Options) -> Crew:
    """Workers on this machine, or on the cluster that the options name.

    Raises: ClusterError.
    """
    if not options.cluster:
        return LocalCrew(options.jobs)
    from logship.backfill.cluster import ClusterCrew

    return ClusterCrew(options.cluster)


class Backfill:
    """One run; stop() may be called at any time, by a signal handler too."""

    def __init__(
        self,
        settings: Settings,
        options: Options,
        environ: Mapping[str, str],
        clock: SystemClock,
        make_crew: Callable[[Options], Crew] | None = None,
    ) -> None:
        """`make_crew` gives workers of another kind than the options name."""
        self._settings, self._options, self._environ, self._clock = settings, options, environ, clock
        self._make_crew = make_crew or crew_of
        self._driver: Driver | None = None
        self._stops = 0
        self._obedience: Obedience | None = None

    def plan(self) -> Plan:
        """What there is to do.

        Raises: UsageError, ConfigError, RefusedError.
        """
        options = self._options
        chooser = Chooser(self._settings, options.overrides, self._environ)
        planner = Planner(self._settings, chooser, options.identity, self._clock.time(), self._known())
        plan = planner.plan(expand(options.paths))
        plan.logs = [replace(one, window=self._window(one)) for one in plan.logs]
        self._obedience = Obedience((one.endpoint for one in plan.logs), self._settings.state_dir, self._clock)
        plan.remarks += self._obedience.begin()
        return plan

    def run(self, plan: Plan, show: Callable[[Progress], None]) -> Summary:
        """Does it.

        Raises: UsageError where events are too old and nobody said what to do with them; StateError, ClusterError.
        """
        is_refusing = self._options.old_events == "refuse" and not self._options.is_dry
        if is_refusing and not self._stops:
            self._refuse_old(plan, show)
        ledger = self._ledger()
        try:
            return self._drive(plan, Purpose.COUNT if self._options.is_dry else Purpose.SEND, ledger, show)
        finally:
            if self._obedience is not None:
                self._obedience.close()
            if ledger is not None:
                ledger.close()

    def stop(self) -> None:
        """Once: what is under way is finished; twice: at once.

        Raises: KeyboardInterrupt while nothing is under way.
        """
        if self._driver is None:
            raise KeyboardInterrupt
        self._stops += 1
        self._driver.stop()

    def _drive(
        self, plan: Plan, purpose: Purpose, ledger: Ledger | None, show: Callable[[Progress], None], until: str = ""
    ) -> Summary:
        options = self._options
        crew = self._make_crew(options)
        order = Order(replace(self._settings, sources=(), converters={}), purpose, options.rate / crew.slots)
        window = Window(since=options.since, until=until or options.until)
        assignments = Assignments(window)
        obeying = self._obedience.obeying if self._obedience is not None else lambda piece: piece
        driver = Driver(
            plan, order, crew, assignments, ledger, self._clock, is_restart=options.is_restart, obeying=obeying
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

    def _ledger(self) -> Ledger | None:
        folder = self._settings.state_dir
        if self._options.is_dry and not folder.exists():
            return None
        return Ledger(self._state(), DeadLetters(folder, counters=Counters()), self._clock)

    def _state(self) -> State:
        folder = self._settings.state_dir
        try:
            return State.open(folder, self._clock, daemon=False)
        except OSError as exc:
            message = f"{folder}: can't be used for the state: {exc.strerror}; set state_dir, or $STATE_DIRECTORY"
            raise StateError(message) from exc

    def _window(self, log: Log) -> Window:
        age_s = log.endpoint.max_event_age_s
        oldest = ""
        if age_s is not None and self._options.old_events != "send":
            oldest = iso_time(self._clock.time() - age_s)
        return Window(oldest, self._options.since, self._options.until)

    def _refuse_old(self, plan: Plan, show: Callable[[Progress], None]) -> None:
        """Counts what the receiver would reject for its age, in the logs that begin before that age.

        Raises: UsageError if there is anything.
        """
        old = [one for one in plan.logs if one.window.oldest and one.first_time < one.window.oldest and one.path != "-"]
        if not old:
            return
        latest = max(one.window.oldest for one in old)
        until = min(filter(None, (latest, self._options.until)))
        looked = self._drive(Plan(old, [], plan.clocks), Purpose.COUNT, None, show, until)
        too_old = looked.tally.too_old
        if too_old and not self._stops:
            days = (old[0].endpoint.max_event_age_s or 0.0) / DAY_S
            raise UsageError(
                f"{too_old:,} of the events are older than the {days:g} days that {old[0].endpoint.receiver} takes; "
                "say --skip-old to leave them out (they are counted), or --send-old to send them all the same"
            )
