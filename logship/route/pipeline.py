"""The route of a chunk: read -> convert -> batch -> send -> confirm -> checkpoint, one pass at a time.

`Pipeline.step()` does one pass and returns what it did; the daemon loops it, `--once` loops it to the end, tests call
it by hand. Nothing here sleeps.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache

from logship.clock import Clock, iso_time
from logship.counters import Counters
from logship.event import Batch, Chunk, Conversion, Span, Window
from logship.records import record
from logship.route.dead_letter_writer import DeadLetterWriter
from logship.route.event_warnings import EventWarnings
from logship.route.output import Output, Route, SettledBatch
from logship.route.unmatched import Settled, UnmatchedRun
from logship.tail.notices import Look, What
from logship.tail.tailer import Tailer

log = logging.getLogger(__name__)

CHUNK_BYTES = 524_288  # one read, 2,000 lines: 262,144 took 9 % more CPU behind the kernel
CLOSE_WAIT_S = 0.05
ROTATED_EVERY_S = 10.0  # how often the ends of rotated files are looked at


@record(frozen=False)
class Step:
    """What one pass did.

    Shapes: read_bytes of logs; submitted batches; confirmed batches; `due_s` is the moment at which waiting events are
    old enough to go, None without any; `is_at_end` says that every file was read to its end, but for those whose
    receiver waits for a person.
    """

    read_bytes: int = 0
    submitted: int = 0
    confirmed: int = 0
    due_s: float | None = None
    is_at_end: bool = False

    @property
    def was_idle(self) -> bool:
        return not (self.read_bytes or self.submitted or self.confirmed)


class Pipeline:
    """Tailer, converters, outputs and dead letters, and the state between them."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        outputs: Mapping[str, Output],
        tailer: Tailer,
        dead_letters: DeadLetterWriter,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self.routes = dict(routes)
        self.outputs = dict(outputs)
        self.tailer = tailer
        self.counters = counters
        self.dead_letters = dead_letters
        self._clock = clock
        self._runs: dict[int, UnmatchedRun] = {}
        self._confirmed: list[Span] = []
        self._warnings = EventWarnings(counters, clock)
        self._rotated_due_s = float("-inf")
        for output in self.outputs.values():
            output.obey_as_before(self.routes)

    def step(self) -> Step:
        """One pass: take answers, checkpoint what they confirm, look at the files, read and send what has room."""
        step = Step()
        now_s = self._clock.monotonic()
        for output in self.outputs.values():
            output.obey(self.routes)
        self._collect(step)
        self._checkpoint(now_s)
        self._notice(self.tailer.look(now_s))
        self._settle_rotated(now_s)
        self._submit(step)
        self._read(now_s, step)
        self._flush_due(now_s)
        self._submit(step)
        if step.was_idle:
            self._rest()
        due = [output.batcher.due_s for output in self.outputs.values()]
        step.due_s = min((moment for moment in due if moment is not None), default=None)
        return step

    def flush(self) -> None:
        """Undecided unmatched lines become dead letters, and waiting events become batches that are not full."""
        for status in self.tailer.files():
            run = self._runs.get(status.generation)
            if run and run.unmatched and not run.is_held:
                self._finish_run(run, status.read_to)
        for output in self.outputs.values():
            output.flush()

    def close(self, within_s: float) -> int:
        """Send what is converted for at most so many seconds and checkpoint what was confirmed.

        Gives the number of batches left unsettled: their positions did not move, the next run makes them again.
        """
        deadline_s = self._clock.monotonic() + within_s
        for output in self.outputs.values():
            output.flush()
        while not self.is_empty and self._clock.monotonic() < deadline_s and not self.is_blocked:
            step = Step()
            self._submit(step)
            self._collect(step)
            if step.was_idle:
                self._rest()
                self.tailer.wait(min(CLOSE_WAIT_S, max(0.0, deadline_s - self._clock.monotonic())))
        for output in self.outputs.values():
            output.close(max(0.0, deadline_s - self._clock.monotonic()))
        self._collect(Step())
        self._checkpoint(self._clock.monotonic(), at_once=True)
        self.dead_letters.close()
        return sum(len(output.ready) + output.unsettled for output in self.outputs.values())

    @property
    def is_blocked(self) -> bool:
        """No output that has work can deliver anything now."""
        return not any(
            output.delivery.is_draining() or (output.ready and output.delivery.room())
            for output in self.outputs.values()
        )

    @property
    def is_empty(self) -> bool:
        """Nothing waits, is ready or in flight."""
        return all(output.is_empty for output in self.outputs.values())

    @property
    def held_files(self) -> dict[int, int]:
        """Files whose lines stopped fitting, with the position they are held at."""
        return {file_id: run.start for file_id, run in self._runs.items() if run.is_held}

    def reroute(self, routes: Mapping[str, Route], outputs: Mapping[str, Output]) -> None:
        """Routes and outputs after a reload; what is unsettled in outputs that go away moves to their successors."""
        leaving = [output for output in self.outputs.values() if all(output is not stays for stays in outputs.values())]
        orphans: list[Batch] = []
        for output in leaving:
            output.flush()
            orphans += [*output.close(0.0), *output.ready]
        self._collect(Step())
        self.routes, self.outputs = dict(routes), dict(outputs)
        for output in self.outputs.values():
            output.obey_as_before(self.routes)
        for batch in orphans:
            route = self.routes.get(batch.pieces[0].chunk.file.source)
            if route is not None:
                self.outputs[route.output].ready.append(batch)

    def reread_undecided(self) -> None:
        """After a change of format or mapping: what was read and not decided is read again."""
        for status in self.tailer.files():
            run = self._runs.get(status.generation)
            if run and run.start < status.read_to:
                self.tailer.release(status.generation, run.release())

    def _read(self, now_s: float, step: Step) -> None:
        if self.dead_letters.is_full:
            return
        wants = {name: output.wants_more for name, output in self.outputs.items()}
        sources = [self.outputs[name].sources for name, wants_more in wants.items() if wants_more]
        chunk = self.tailer.read(CHUNK_BYTES, frozenset[str]().union(*sources)) if sources else None
        if chunk is None:
            step.is_at_end = all(more or self.outputs[name].needs_a_person for name, more in wants.items())
            return
        log.debug("a chunk is read path=%s start=%d end=%d", chunk.file.path, chunk.start, chunk.end)
        step.read_bytes += chunk.end - chunk.start
        self._route(chunk, now_s)

    def _route(self, chunk: Chunk, now_s: float) -> None:
        route = self.routes[chunk.file.source]
        output = self.outputs[route.output]
        run = self._runs.get(chunk.file.file_id) or UnmatchedRun(chunk.start)
        conversion = Conversion(b"", (), (), (chunk.start,))
        for tally in self.counters.of(chunk.file):
            tally.nul_bytes += chunk.skipped_nul
            tally.already_confirmed += chunk.already_confirmed
        if chunk.has_lines:
            heading = self._heading(chunk, route)
            conversion = route.converter.convert(chunk.data, chunk.start, chunk.file, self._window(output), heading)
            if route.drops_unmatched:
                conversion.drop_unmatched()
        else:
            route.converter.pass_over(chunk)
        settled = run.settle(chunk, conversion)
        self._keep(chunk, run)
        if settled.newly_held:
            log.error(
                "lines stopped fitting the format, the file is held path=%s position=%s", chunk.file.path, run.start
            )
        if settled.rewind_to is not None:
            log.info("a line fits again, continuing path=%s position=%s", chunk.file.path, settled.rewind_to)
            self.tailer.release(chunk.file.file_id, settled.rewind_to)
        if settled.end == settled.start:
            return
        self._count(chunk, conversion, settled)
        self._warnings.look(chunk, conversion)
        cut = output.add(chunk, conversion, settled.start, settled.end, now_s)
        self.dead_letters.add((*settled.letters, *cut.too_large))
        self._confirmed += cut.settled

    def _heading(self, chunk: Chunk, route: Route) -> bytes:
        known = route.converter.heading_unknown(chunk.start, chunk.file)
        return b"" if known is None else self.tailer.heading(chunk, known)

    def _keep(self, chunk: Chunk, run: UnmatchedRun) -> None:
        """A run is kept only while it says more than its position: there may be 10,000 logs."""
        if run.is_over_at(chunk.end):
            self._runs.pop(chunk.file.file_id, None)
        else:
            self._runs[chunk.file.file_id] = run

    def _settle_rotated(self, now_s: float) -> None:
        """Unmatched lines at the end of a rotated file are dead letters: no later line can decide otherwise."""
        if now_s < self._rotated_due_s:  # asked at each step: with 10,000 logs, all of them can't be looked through
            return
        self._rotated_due_s = now_s + ROTATED_EVERY_S
        if not any(run.unmatched and not run.is_held for run in self._runs.values()):
            return
        for status in self.tailer.files():
            run = self._runs.get(status.generation)
            is_over = not status.is_live and status.read_to >= status.size_bytes
            if is_over and run and run.unmatched and not run.is_held:
                self._finish_run(run, status.read_to)

    def _finish_run(self, run: UnmatchedRun, read_to: int) -> None:
        file = run.letters[-1].file
        settled = run.finish(read_to)
        chunk = Chunk(file, settled.start, settled.end, b"")
        self._count(chunk, Conversion(b"", (), (), (settled.start,)), settled)
        self.dead_letters.add(settled.letters)
        self._confirmed.append(Span(file, settled.start, settled.end, b""))  # the tailer knows the anchor

    def _window(self, output: Output) -> Window | None:
        if output.max_event_age_s is None:
            return None
        return _window_from(int(self._clock.time() - output.max_event_age_s))

    def _submit(self, step: Step) -> None:
        for output in self.outputs.values():
            while output.send_next() is not None:
                step.submitted += 1

    def _rest(self) -> None:
        """There is nothing to do now: the caller of step() may wait."""
        for output in self.outputs.values():
            output.delivery.rest()

    def _flush_due(self, now_s: float) -> None:
        for output in self.outputs.values():
            due_s = output.batcher.due_s
            if due_s is not None and due_s <= now_s:
                output.flush()

    def _collect(self, step: Step) -> None:
        for output in self.outputs.values():
            for settled in output.settled():
                step.confirmed += 1
                self._settle(settled)

    def _settle(self, settled: SettledBatch) -> None:
        batch, letters = settled.batch, settled.letters.values()
        log.debug(
            "a batch is settled, its events are confirmed or dead letters files=%d refused=%d",
            len(batch.pieces), len(letters),
        )  # fmt: skip
        for piece in batch.pieces:
            sent = piece.last - piece.first
            for tally in self.counters.of(piece.chunk.file):
                tally.sent += sent
        if batch.read_s is not None:
            self.counters.confirmation_times.add(self._clock.monotonic() - batch.read_s)
        for letter in letters:
            for tally in self.counters.of(letter.file):
                tally.sent -= 1
        self.dead_letters.add(letters)
        self._confirmed += batch.spans

    def _checkpoint(self, now_s: float, *, at_once: bool = False) -> None:
        """Dead letters first, then positions: a crash in between repeats a letter and loses none."""
        if not self.dead_letters.write(at_once=at_once):
            return
        if self._confirmed:
            self.tailer.confirm(self._confirmed)
            self._confirmed = []
        self.tailer.save(now_s)

    def _count(self, chunk: Chunk, conversion: Conversion, settled: Settled) -> None:
        for tally in self.counters.of(chunk.file):
            tally.lines += settled.lines
            tally.add_conversion(conversion)

    def _notice(self, look: Look) -> None:
        for notice in look.notices:
            if notice.what is What.LOST:
                self.counters.of_source(notice.source).lost_bytes += notice.size_bytes
            elif notice.what is What.ROTATED:
                self.counters.rotations += 1
            elif notice.what is What.TRUNCATED:
                self.counters.truncations += 1
        if any(notice.what is What.GONE for notice in look.notices):
            self._forget_gone()

    def _forget_gone(self) -> None:
        """No line follows the unmatched ones at the end of a deleted file; events of it in flight are still counted."""
        for file_id in [each for each in self._runs if self.tailer.is_gone(each)]:
            run = self._runs.pop(file_id)
            if run.unmatched and not run.is_held:
                self._finish_run(run, self.tailer.read_to(file_id))
        for file_id in [each for each in self.counters.files if self.tailer.is_gone(each)]:
            if not self.counters.files[file_id].waiting:
                del self.counters.files[file_id]


@lru_cache(16)
def _window_from(epoch_s: int) -> Window:
    """Events from a whole second on: many chunks are read within one."""
    return Window(oldest=iso_time(epoch_s))
