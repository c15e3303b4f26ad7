"""The daemon: repeats the pipeline's step until it is asked to stop, with `once` until everything has arrived."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType

from logship import kernel
from logship.clock import SystemClock
from logship.config import Settings
from logship.delivery import DeliveryState
from logship.errors import ConfigError, Exit
from logship.process import startup
from logship.process.logs import toggle_debug
from logship.process.sdnotify import Notifier
from logship.route.assembly import build_pipeline, reroute
from logship.route.pipeline import Pipeline, Step
from logship.state import State
from logship.status.reporting import Reporter
from logship.words import bytes_words, counted

log = logging.getLogger(__name__)

COLLECT_EVERY = 100_000  # new containers: a chunk's rows form no cycles, and searching them for some cost 5 %
IDLE_WAIT_S = 1.0  # the longest sleep: hints and answers end it earlier; the watchdog must be notified


class ThreadFailure:
    """Keeps an exception that ended a thread of this process; the main loop raises it.

    This includes threads that only help: nobody would restart them, and a daemon that notices no changed file or
    answers no health check is worse than one that is restarted.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.wake: Callable[[], None] = lambda: None

    def install(self) -> None:
        threading.excepthook = self._ring

    def _ring(self, fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is not SystemExit:  # a thread may end itself this way
            self.failure = self.failure or fault.exc_value
            self.wake()


class Daemon:
    """One run of the program over one configuration, which may be reloaded.

    `load` reads the configuration again; if it raises ConfigError the old one stays.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        environ: Mapping[str, str],
        *,
        clock: SystemClock | None = None,
        once: bool = False,
        alarm: ThreadFailure | None = None,
    ) -> None:
        self.settings = settings
        self.once = once
        self._load = load
        self._clock = clock or SystemClock()
        self._alarm = alarm or ThreadFailure()
        self._notifier = Notifier.from_environ(environ)
        self._stop_requested = False
        self._reload_requested = False
        self._debug_requested = False
        self._usual_level = logging.getLogger("logship").level
        self._starting = ExitStack()  # until it is ready
        self._starting.enter_context(self._notifier.starting())
        self._state = State.open(settings.state_dir, self._clock)
        self.pipeline: Pipeline = build_pipeline(settings, self._state, self._clock, once=once)
        self._alarm.wake = self.pipeline.tailer.wake
        self._reporter = Reporter(self.pipeline, self._state, settings, self._clock, self._notifier)

    def install_signals(self) -> None:
        """SIGTERM and SIGINT drain and stop, SIGHUP reloads and ends pauses, SIGUSR1 switches debug logging."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        signal.signal(signal.SIGUSR1, self._on_debug)
        startup.let_through()

    def run(self) -> Exit:
        """Runs until a signal, with `once` until everything has arrived.

        Raises: the exception that ended a thread.
        """
        sources, state_dir = len(self.settings.sources), self.settings.state_dir
        log.info("started, %s sources=%d state_dir=%s", kernel.described(), sources, state_dir)
        gc.disable()
        is_ready = False
        try:
            while not self._stop_requested:
                if self._alarm.failure is not None:
                    raise self._alarm.failure
                if self._reload_requested:
                    self._reload()
                if self._debug_requested:
                    self._toggle_debug()
                self._state.watch()
                step = self.pipeline.step()
                if not is_ready:
                    is_ready = True
                    self._starting.close()
                    self._notifier.ready()
                    gc.freeze()  # objects of the start live as long as the process: no collection needs to search them
                    gc.set_threshold(COLLECT_EVERY)
                    gc.enable()
                    log.info("ready files=%d", self.pipeline.tailer.files_followed)
                self._reporter.report()
                if step.was_idle:
                    if self.once and self._is_done(step):
                        break
                    self._wait(step)
            return self._stop()
        finally:
            gc.enable()
            self._starting.close()
            self._reporter.close()
            self._state.close()

    def _wait(self, step: Step) -> None:
        timeout_s = IDLE_WAIT_S
        if step.due_s is not None:
            timeout_s = min(timeout_s, step.due_s - self._clock.monotonic())
        self.pipeline.tailer.wait(max(0.0, timeout_s))

    def _is_done(self, step: Step) -> bool:
        """Every receiver has everything, or refuses and waits for a person; and nothing may yet be found."""
        if self.pipeline.tailer.is_searching:
            return False
        if step.is_at_end:
            self.pipeline.flush()
            for output in self.pipeline.outputs.values():
                output.delivery.finish()
        is_over = step.is_at_end or self.pipeline.dead_letters.is_full
        return is_over and all(output.is_empty or output.needs_a_person for output in self.pipeline.outputs.values())

    def _stop(self) -> Exit:
        """Drain for at most shutdown_timeout, save what was confirmed, and log the sums."""
        self._notifier.stopping()
        tailer = self.pipeline.tailer
        unsettled = self.pipeline.close(self.settings.delivery.shutdown_timeout_s)
        problems = self._problems(unsettled)
        tailer.close()
        log.info("stopped: %s", self.pipeline.counters.total().sentence())
        for problem in problems:
            # a stopped daemon loses nothing by this, so nobody needs to act
            log.log(logging.ERROR if self.once else logging.WARNING, "%s", problem)
        return Exit.UNDELIVERED if self.once and problems else Exit.FINE

    def _problems(self, unsettled: int) -> list[str]:
        """Why not everything was delivered."""
        problems = []
        for source, pattern in self.pipeline.tailer.unmatched() if self.once else ():
            problems.append(f"{source}: no file matches {pattern}; see logship check")
        for name, output in self.pipeline.outputs.items():
            status = output.delivery.status()
            if status.state is DeliveryState.HELD:
                problems.append(f"{name} refuses: {status.last_error}; {status.hint}")
            if output.feed is not None and not output.feed.is_open:
                why = output.feed.status().problem or "it has not answered yet"
                problems.append(f"nothing is sent to {name}, its rules are not known: {why}")
        if unsettled:
            batches = "1 batch was" if unsettled == 1 else f"{unsettled} batches were"
            waiting = counted(self.pipeline.counters.total().waiting, "waiting line")
            pronoun = "it" if unsettled == 1 else "them"
            problems.append(f"{batches} not delivered; the next run sends {pronoun}, with {waiting}")
        if held := len(self.pipeline.held_files):
            files = "1 file is" if held == 1 else f"{held} files are"
            problems.append(f"{files} held: the lines fit no format; see logship preview")
        problems += [f"{file.path}: {file.problem}" for file in self.pipeline.tailer.files() if file.problem]
        if problem := self.pipeline.dead_letters.problem:
            problems.append(f"dead letters can't be written: {problem}; the next run makes them")
        if lost := self.pipeline.counters.total().lost_bytes:
            problems.append(f"at least {bytes_words(lost)} of the logs were not read and are in no file any more")
        if letters := self.pipeline.counters.total().dead_letters:
            problems.append(f"{letters} dead letter{'s' if letters > 1 else ''}; see logship dead-letters list")
        return problems

    def _reload(self) -> None:
        self._reload_requested = False
        self._notifier.reloading()
        try:
            settings = self._load()
        except ConfigError as exc:
            self.pipeline.counters.config_reload_failed += 1
            self._reporter.reload_fault = str(exc.mistakes[0])
            mistakes = " · ".join(map(str, exc.mistakes))
            log.error("the new configuration is refused, the old one stays: %s", mistakes)
        else:
            reroute(self.pipeline, self.settings, settings, self._clock, self._state)
            self.settings = settings
            self._reporter.reload_fault = ""
            self._state.was_removed = False
            self.pipeline.counters.config_reloads += 1
            log.info("reloaded sources=%d", len(settings.sources))
        for output in self.pipeline.outputs.values():
            output.resume()
        self._notifier.ready()

    def _toggle_debug(self) -> None:
        self._debug_requested = False
        level = toggle_debug(self._usual_level)
        log.log(max(level, logging.INFO), "logging from now on level=%s", logging.getLevelName(level).lower())

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_requested = True
        self.pipeline.tailer.wake()

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        self._reload_requested = True
        self.pipeline.tailer.wake()

    def _on_debug(self, number: int, frame: FrameType | None) -> None:
        self._debug_requested = True
        self.pipeline.tailer.wake()
