"""Works at one piece: read -> convert -> batch -> send, and reports what is decided."""

from __future__ import annotations

import uuid
from copy import deepcopy

from logship.backfill.executors import Channel
from logship.backfill.piece_sender import LOOK_S, DryRunCounter, PieceSender, StoppedError
from logship.backfill.reading import LogReading, Passage, anchor_within
from logship.backfill.remote import RemoteError
from logship.backfill.reports import Confirmed, Ending, Report, Sample, misfit_text
from logship.backfill.run_settings import LogPiece, RunPurpose, RunSettings, converter_of
from logship.backfill.split import PieceRange, stretches
from logship.backfill.watermark import UndecidedRange, Watermark
from logship.clock import SystemClock
from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.errors import RefusedError
from logship.event import ANCHOR_BYTES, Chunk, Conversion
from logship.formats.directives import headed
from logship.route.unmatched import Settled, UnmatchedRun

READ_BYTES = 262_144  # half of what `run` reads at once: twice as much took 10 MiB more, of jobs that are many
LINE_BYTES = 256  # roughly; so that little is read at a time where the rate is low
READS_A_SECOND = 4  # with a --rate: what is read is sent at once
SMALLEST_READ_BYTES = 16_384
DEAD_LETTERS_SHOWN = 5  # of a piece, in a dry run
MIXED_LINES = 32  # a chunk that is partly out of range is cut down to so many lines


def work(channel: Channel, run_settings: RunSettings, piece: LogPiece) -> Report:
    """One attempt at a piece; whatever ends it is in the report's `ending`.

    Raises: only mistakes in the program, and MemoryError.
    """
    attempt = PieceAttempt(channel, run_settings, piece)
    try:
        attempt.run()
        ending, message = Ending.DONE, ""
    except StoppedError:
        ending, message = Ending.STOPPED, ""
    except RefusedError as exc:
        ending, message = Ending.REFUSED, str(exc)
    except MisfitError as exc:
        ending, message = Ending.MISFIT, str(exc)
    except DamageError as exc:
        ending, message = Ending.DAMAGED, str(exc)
    except RemoteError as exc:
        ending, message = Ending.UNREADABLE, str(exc)
    except OSError as exc:
        is_damage = exc.errno is None  # the system's own errors have a number
        ending, message = Ending.DAMAGED if is_damage else Ending.UNREADABLE, exc.strerror or str(exc)
    return attempt.close(ending, message)


class MisfitError(Exception):
    """The lines fit no format; the text says where."""


class DamageError(Exception):
    """The log ends before its end."""


class PieceAttempt:
    """One attempt at one piece."""

    def __init__(self, channel: Channel, run_settings: RunSettings, piece: LogPiece) -> None:
        self.id = str(uuid.uuid4())
        self._channel, self._run_settings, self._piece = channel, run_settings, piece
        self._clock = SystemClock()
        self._watermark = Watermark(piece.start)
        self._carrier: PieceSender | DryRunCounter
        if run_settings.purpose is RunPurpose.SEND:
            self._carrier = PieceSender(run_settings, piece.log, self._watermark, self._clock, self._idle)
        else:
            self._carrier = DryRunCounter(self._watermark, run_settings.settings.batch.max_bytes)
        self._converter = converter_of(piece.log.converter_spec)
        self._reading: LogReading | None = None
        self._unmatched = UnmatchedRun(piece.start)
        self._tally = Tally()
        self._nul_bytes = 0  # skipped, and not in the tally of a range yet
        self._confirmed: list[Confirmed] = []
        self._letters: list[DeadLetter] = []
        self._shown: list[DeadLetter] = []  # in a dry run
        self._reports = 0
        self._reported_s = self._clock.monotonic()

    def run(self) -> None:
        """The whole piece.

        Raises: StoppedError, RefusedError, MisfitError, DamageError, OSError, RemoteError.
        """
        reading = LogReading(self._piece.log, self._piece.start, self._run_settings.settings.max_line_bytes)
        self._reading = reading
        for stretch in stretches(self._piece.start, self._piece.end, self._piece.confirmed):
            self._idle()
            if not (stretch.is_confirmed and self._skip(reading, stretch)):
                self._convert(reading, stretch.end)
        self._carrier.finish()

    def close(self, ending: Ending, message: str) -> Report:
        """Takes the answers to what is in flight; gives the last report.

        Where the log itself ends the piece early, what was read before is still sent.
        """
        if ending in {Ending.DAMAGED, Ending.UNREADABLE, Ending.MISFIT}:
            try:
                self._carrier.finish()
            except StoppedError:
                pass  # the ending stays: the next run meets it again
            except RefusedError as exc:
                ending, message = Ending.REFUSED, str(exc)
        try:
            self._carrier.close(
                0.0 if ending is Ending.REFUSED else self._run_settings.settings.delivery.shutdown_timeout_s
            )
        except RefusedError as exc:
            ending, message = Ending.REFUSED, str(exc)
        if self._reading is not None:
            self._reading.close()
        return self._report(ending, message)

    # the route of a chunk

    def _skip(self, reading: LogReading, stretch: PieceRange) -> bool:
        """Skips what is confirmed; False where the range turns out to be another log's, and so is not confirmed."""
        assert stretch.end is not None
        lines = reading.lines_to(stretch.end)
        if reading.position < stretch.end or not reading.has_anchor(stretch.anchor):
            reading.go_to(stretch.start)
            return False
        self._watermark.issue(
            UndecidedRange(stretch.start, stretch.end, b"", Tally(already_confirmed=lines), confirms=False)
        )
        self._watermark.settle([(stretch.start, stretch.end)])
        self._unmatched = UnmatchedRun(stretch.end)
        return True

    def _convert(self, reading: LogReading, end: int | None) -> None:
        damage: OSError | RemoteError | None = None
        while True:
            self._idle()
            try:
                passage = reading.passage(self._read_bytes(), None if self._unmatched.is_held else end)
            except (OSError, RemoteError) as exc:
                damage, passage = exc, None
            if passage is None:
                break
            self._route(passage)
        if self._unmatched.is_held:
            self._give_up_format()
        settled = self._unmatched.finish(reading.position)
        if settled.end > settled.start:
            self._issue_letters(settled, reading.anchor(settled.end))
        if damage is not None:
            raise damage
        if end is not None and reading.has_shrunk(end):
            raise DamageError(f"was truncated while it was read; {reading.position:,} bytes of it are left")
        if end is None and reading.damage:
            raise DamageError(reading.damage)

    def _route(self, passage: Passage) -> None:
        chunk = passage.chunk
        conversion = Conversion(b"", (), (), (chunk.start,))
        self._nul_bytes += chunk.skipped_nul
        if chunk.has_lines:
            heading = self._heading(chunk)
            conversion = self._converter.convert(chunk.data, chunk.start, chunk.file, self._piece.log.window, heading)
            is_mixed = 0 < conversion.out_of_range < conversion.lines and conversion.lines > MIXED_LINES
            if is_mixed and conversion.outer_lines is None:
                self._route_halves(chunk, conversion)
                return
            if self._piece.log.drops_unmatched:
                conversion.drop_unmatched()
        else:
            self._converter.pass_over(chunk)
        settled = self._unmatched.settle(chunk, conversion)
        if settled.rewind_to is not None:
            assert self._reading is not None
            self._reading.go_to(settled.rewind_to)
        if settled.end > settled.start:
            self._take(passage, conversion, settled)

    def _heading(self, chunk: Chunk) -> bytes:
        known = self._converter.heading_unknown(chunk.start, chunk.file)
        if known is None:
            return b""
        assert self._reading is not None
        given = self._piece.heading
        return self._reading.heading(chunk.start, given if known.position <= given.position <= chunk.start else known)

    def _route_halves(self, chunk: Chunk, conversion: Conversion) -> None:
        """Some lines are out of range, others not: the smaller the parts, the less stays unconfirmed."""
        middle = conversion.line_starts[conversion.lines // 2]
        at = middle - chunk.start
        first = Chunk(chunk.file, chunk.start, middle, chunk.data[:at], chunk.before)
        second = Chunk(chunk.file, middle, chunk.end, chunk.data[at:], (chunk.before + chunk.data[:at])[-ANCHOR_BYTES:])
        for half in (first, second):
            self._route(Passage(half, anchor_within(half, half.end)))

    def _take(self, passage: Passage, conversion: Conversion, settled: Settled) -> None:
        chunk = passage.chunk
        is_whole = settled.end == chunk.end
        tally = Tally(settled.lines, len(conversion.ends), nul_bytes=self._nul_bytes)
        tally.dead_letters = len(settled.letters)
        tally.add_conversion(conversion)
        self._nul_bytes = 0
        self._watermark.issue(
            UndecidedRange(
                settled.start,
                settled.end,
                passage.anchor if is_whole else self._anchor(chunk, settled.end),
                tally,
                settled.letters,
                confirms=not conversion.out_of_range,
            )
        )
        self._carrier.add(chunk, conversion, settled.start, settled.end)

    def _anchor(self, chunk: Chunk, position: int) -> bytes:
        """The anchor of a position in the chunk, or before it where a container's line is continued in this chunk."""
        if position >= chunk.start:
            return anchor_within(chunk, position)
        assert self._reading is not None
        return self._reading.anchor(position)

    def _issue_letters(self, settled: Settled, anchor: bytes) -> None:
        tally = Tally(settled.lines, dead_letters=len(settled.letters), nul_bytes=self._nul_bytes)
        self._nul_bytes = 0
        self._watermark.issue(UndecidedRange(settled.start, settled.end, anchor, tally, settled.letters))
        self._watermark.settle([(settled.start, settled.end)])

    def _give_up_format(self) -> None:
        """Raises: MisfitError, with the first line that did not fit."""
        assert self._reading is not None
        position = self._unmatched.start
        self._reading.go_to(position)
        passage = self._reading.passage(SMALLEST_READ_BYTES, None)
        lines = [*self._heading(passage.chunk).splitlines(), passage.chunk.data.split(b"\n")[0]] if passage else []
        opened = self._piece.log.converter_spec.opened(lines)
        line = opened[0] if opened else b""
        misfit = self._converter.explain(line, self._piece.log.path)
        raise MisfitError(misfit_text(headed(line)[1], position, misfit))

    def _read_bytes(self) -> int:
        if not self._run_settings.rate:
            return READ_BYTES
        return min(READ_BYTES, max(SMALLEST_READ_BYTES, int(self._run_settings.rate * LINE_BYTES / READS_A_SECOND)))

    # what the driver is sent

    def _idle(self) -> None:
        """Called often: reports how far it is.

        Raises: StoppedError.
        """
        now_s = self._clock.monotonic()
        if now_s - self._reported_s >= LOOK_S:
            self._reported_s = now_s
            self._channel.send(self._report())
        if self._channel.is_stopping():
            raise StoppedError

    def _report(self, ending: Ending | None = None, message: str = "") -> Report:
        for step in self._watermark.advance():
            self._tally.add(step.tally)
            self._letters += step.letters
            if step.confirms:
                self._confirm(step)
        is_sending = self._run_settings.purpose is RunPurpose.SEND
        letters, self._letters = self._letters, []
        confirmed, self._confirmed = self._confirmed, []
        if not is_sending:
            self._shown = [*self._shown, *letters][:DEAD_LETTERS_SHOWN]
        self._reports += 1
        carrier = self._carrier
        return Report(
            piece=self._piece.number,
            attempt=self.id,
            number=self._reports,
            decided_to=self._watermark.decided_to,
            tally=deepcopy(self._tally),
            confirmed=tuple(confirmed) if is_sending else (),
            letters=tuple(letters) if is_sending else (),
            sample=Sample(dict(carrier.months), tuple(self._shown), carrier.found)
            if isinstance(carrier, DryRunCounter)
            else Sample(),
            read_bytes=self._read_stored(),
            in_flight=carrier.in_flight,
            retries=carrier.retries,
            trouble=carrier.trouble,
            ending=ending,
            message=message,
        )

    def _read_stored(self) -> int:
        if self._reading is None:
            return 0
        before = self._piece.start if self._piece.log.is_plain else 0
        return max(0, self._reading.stored_bytes - before)

    def _confirm(self, step: UndecidedRange) -> None:
        last = self._confirmed[-1] if self._confirmed else None
        if last and last.end == step.start:
            self._confirmed[-1] = Confirmed(last.start, step.end, step.anchor)
        else:
            self._confirmed.append(Confirmed(step.start, step.end, step.anchor))
