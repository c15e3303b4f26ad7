"""How the daemon reports: snapshots on request, the watchdog and status line of systemd, the HTTP endpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from logship.clock import SystemClock
from logship.config import Settings
from logship.process.sdnotify import Notifier
from logship.route.pipeline import Pipeline
from logship.state import State
from logship.status.model import StatusBoard

if TYPE_CHECKING:
    from logship.status.model import Status
    from logship.status.observer import Observer, Receiver
    from logship.status.server import StatusServer
    from logship.tail.notices import FileStatus

log = logging.getLogger(__name__)

OBSERVE_EVERY_S = 5.0  # for `systemctl status`; also the precision of when a lag or trouble began
LOOK_PAUSE = 200  # times what a look costs (1 ms for 100 files, 100 ms for 10,000): at most half a percent of a core
WATCHDOG_PARTS = 3  # notifications in one watchdog interval


class Reporter:
    """Used by the work thread, which calls report() on each pass."""

    def __init__(
        self, pipeline: Pipeline, state: State, settings: Settings, clock: SystemClock, notifier: Notifier
    ) -> None:
        self.reload_fault = ""
        self._pipeline = pipeline
        self._state = state
        self._clock = clock
        self._notifier = notifier
        self._interval_s = min(OBSERVE_EVERY_S, (notifier.watchdog_s or float("inf")) / WATCHDOG_PARTS)
        self._state_dir = str(settings.state_dir)
        self._origin = settings.origin
        self._started_s = clock.monotonic()
        self._started_wall_s = clock.time()
        self._board = StatusBoard(wake=pipeline.tailer.wake)
        self._server = self._serve(settings)
        # systemd is notified at once; without it, nothing is looked at while the daemon starts
        self._due_s = self._started_s + (0.0 if notifier.address else self._interval_s)
        self._look_due_s = self._due_s
        self._sentence = ""

    def report(self) -> None:
        """Answer requests, notify systemd, and look regularly even if nobody asks.

        So the first request, an hour into an outage, reports an hour: lag and trouble count from when they were seen.
        """
        if self._board.is_asked():
            self._board.post(self.observe())
        now_s = self._clock.monotonic()
        if not (self._notifier.address or self._server) or now_s < self._due_s:
            return
        self._due_s = now_s + self._interval_s
        if now_s >= self._look_due_s:
            self._sentence = self._glance()
            taken_s = self._clock.monotonic() - now_s
            self._look_due_s = now_s + max(self._interval_s, taken_s * LOOK_PAUSE)
        if self._notifier.address:
            self._tell_systemd()

    def _tell_systemd(self) -> None:
        """Notify the watchdog while no thread is stuck; systemd restarts a stuck daemon, which leaves a traceback."""
        if stuck := self._stuck():
            log.error("thread stuck, the service manager will restart the service: %s", stuck)
            self._notifier.status(self._glance())
        else:
            self._notifier.watchdog(self._sentence)

    def _stuck(self) -> str:
        if self._server and not self._server.is_alive:
            return "the status endpoint's thread has ended"
        return next(filter(None, (output.delivery.stuck() for output in self._pipeline.outputs.values())), "")

    def observe(self) -> Status:
        """The snapshot of this moment."""
        from logship.status.observer import Faults  # who starts needs no snapshot: 20 ms less

        pipeline = self._pipeline
        return self._observer.observe(
            self._clock.monotonic(),
            self._clock.time(),
            sorted(self._files(), key=lambda each: (each.source, each.path, each.generation)),
            self._receivers(),
            pipeline.counters,
            dead_letters=pipeline.dead_letters.kept(),
            faults=Faults(
                reload=self.reload_fault,
                state=self._state.problem,
                state_removed=self._state_dir if self._state.was_removed else "",
                dead_letters=pipeline.dead_letters.problem,
                stuck=self._stuck(),
            ),
        )

    def _glance(self) -> str:
        """The snapshot in one sentence."""
        pipeline = self._pipeline
        moment = self._clock.monotonic(), self._clock.time()
        dead_letters = pipeline.dead_letters.kept()
        return self._observer.glance(
            *moment, self._files(), self._receivers(), pipeline.counters, dead_letters=dead_letters
        )

    def _files(self) -> Iterator[FileStatus]:
        held = self._pipeline.held_files
        for file in self._pipeline.tailer.each_file():
            yield replace(file, is_held=True) if file.generation in held else file

    def _receivers(self) -> list[Receiver]:
        from logship.status.observer import Receiver  # as in observe()

        return [
            Receiver(
                name,
                name,
                tuple(sorted(output.sources)),
                output.delivery.status(),
                output.feed.status() if output.feed else None,
            )
            for name, output in self._pipeline.outputs.items()
        ]

    @cached_property
    def _observer(self) -> Observer:
        """Made at the first request."""
        from logship.status.observer import Observer  # as in observe()

        return Observer(
            state_dir=self._state_dir,
            origin=self._origin,
            started_s=self._started_s,
            started_wall_s=self._started_wall_s,
        )

    def close(self) -> None:
        """Stop answering."""
        if self._server:
            self._server.close()

    def _serve(self, settings: Settings) -> StatusServer | None:
        if settings.status is None:
            return None
        from logship.status.server import StatusServer  # http.server only where status is on

        host, port = settings.status.host, settings.status.port
        try:
            return StatusServer(self._board, host, port, metrics=_metrics)
        except OSError as exc:
            log.warning(
                "status is off, its address is not available; give status.listen another one host=%s port=%d error=%s",
                host, port, exc.strerror,
            )  # fmt: skip
            return None


def _metrics(status: Status) -> tuple[str, bytes]:
    """Content type and text; the library (3 MiB) is loaded at the first request."""
    from logship.status.metrics import render

    return render(status)
