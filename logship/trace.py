"""What became of lines in current and rotated files, according to the state, the rules and the dead letters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from enum import StrEnum
from functools import cached_property

from logship.checkpoint import Checkpoint
from logship.clock import SystemClock
from logship.config import Settings, SourceSettings
from logship.conversion import Envelope, LineTrace, Opened
from logship.conversion.envelope import EnvelopeKind
from logship.conversion.headed import HeadedLines
from logship.counters import Counters
from logship.delivery import DeadLetters
from logship.endpoint import Endpoint
from logship.errors import LogshipError
from logship.event import LogFile
from logship.records import record
from logship.route.assembly import tail_source
from logship.route.stored_rules import last_rules, stored_rules
from logship.state import State
from logship.tail.archives import open_log
from logship.tail.content import open_content
from logship.tail.discovery import Discovery
from logship.tail.identity import Place, digest, file_key, first_line_of, place_of
from logship.tail.naming import unpacked
from logship.tail.rotation import known_as

READ_BYTES = 1_048_576
NO_LONGER_OBEYED = "sent, or left out by the receiver's rules while they were obeyed (remote_config is off now)"
SHOWN_BYTES = 65_536  # of a line without an end


class Fate(StrEnum):
    """What became of a line."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    DROPPED = "dropped by rule"
    SAMPLED_OUT = "sampled out"
    DEAD_LETTER = "dead letter"
    UNFIT = "fits no format"
    BEFORE_START = "before the start"


@record
class FoundLog:
    """One line with the wanted text.

    Shapes: `position` is the line's start in the decompressed file; `detail` names the rule or the reason.
    """

    source: str
    path: str
    position: int
    line: bytes
    transaction_id: str
    fate: Fate
    detail: str = ""


def trace(settings: Settings, text: bytes) -> Iterator[FoundLog]:
    """Every line with `text` in the files of every source, oldest file first as far as names tell.

    Raises: LogshipError when a file or the state can't be read.
    """
    clock = SystemClock()
    state = State.open(settings.state_dir, clock, daemon=False)
    try:
        judge = _Judge(settings, state)
        discovery = Discovery([tail_source(settings, source) for source in settings.sources])
        sources = {source.name: source for source in settings.sources}
        seen: set[str] = set()
        for path, watched in discovery.names().items():
            place = place_of(path, watched.paths, watched.rotated)
            siblings = discovery.siblings(watched, place.directory, place.stem)
            for name in [*reversed(siblings), path]:
                if name not in seen:
                    seen.add(name)
                    source = sources[watched.source.name]
                    home = place_of(name, watched.paths, watched.rotated)
                    yield from judge.lines_of(source, name, home.directory, home.stem, text)
    finally:
        state.close()


class _Judge:
    """What is confirmed and what was set aside."""

    def __init__(self, settings: Settings, state: State) -> None:
        self.settings = settings
        self.state = state
        self._once_obeyed: dict[Endpoint, bool] = {}

    @cached_property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return self.state.load()

    @cached_property
    def letters(self) -> dict[str, str]:
        """Reason by transaction_id."""
        store = DeadLetters(self.settings.state_dir, counters=Counters())
        return {letter.id: letter.reason for letter in store}

    def lines_of(self, source: SourceSettings, path: str, directory: str, stem: str, text: bytes) -> Iterator[FoundLog]:
        try:
            with open_log(path) as log:
                first_line = first_line_of(log)
            if first_line is None:
                return
            origin = self.settings.origin_of(source)(path)
            file = LogFile(0, path, source.name, file_key(origin, directory, stem, first_line), origin)
            checkpoint = self._checkpoint(digest(first_line), directory, stem, file.key)
            if checkpoint is None:
                checkpoint = self._known_elsewhere(path, digest(first_line), Place(directory, stem))
            if checkpoint is not None:
                file = LogFile(0, path, source.name, checkpoint.key or file.key, checkpoint.origin)
            for traced, position in self._traced(source, file, text):
                yield self._judge(source, file, checkpoint, position, traced)
        except OSError as exc:
            raise LogshipError(f"{path}: {exc.strerror}; run this as a user who may read it") from exc

    def _traced(self, source: SourceSettings, file: LogFile, text: bytes) -> Iterator[tuple[LineTrace, int]]:
        """Every line of the file with `text`, and its position."""
        converter = self.settings.compile_source(source)
        if (known := stored_rules(self.settings.state_dir, source.endpoint)) is not None:
            converter.obey(known.rules)
        if source.envelope != "none":
            for position, outer, inner in opened_with(file.path, text, source.envelope):
                yield converter.trace_inner(outer, inner, position, file), position
        elif converter.may_be_headed:
            for position, line in headed_with(file.path, text):
                yield converter.trace(line, position, file), position
        else:
            for position, line in lines_with(file.path, text):
                yield converter.trace(line, position, file), position

    def _checkpoint(self, first_line: bytes, directory: str, stem: str, key: int) -> Checkpoint | None:
        candidates = [
            known
            for known in self.checkpoints
            if known.first_line == first_line and (known.directory, known.stem) == (directory, stem)
        ]
        return next((known for known in candidates if known.key == key), candidates[-1] if candidates else None)

    def _known_elsewhere(self, path: str, first_line: bytes, place: Place) -> Checkpoint | None:
        """The checkpoint of another log that this content is of, under a name that is not its log's."""
        with closing(open_content(path)) as content:
            is_own = unpacked(os.path.basename(path)) == place.stem
            return known_as(content, first_line, place, self.checkpoints, is_own=is_own)

    def _judge(
        self, source: SourceSettings, file: LogFile, checkpoint: Checkpoint | None, position: int, traced: LineTrace
    ) -> FoundLog:
        def found(fate: Fate, detail: str = "") -> FoundLog:
            return FoundLog(source.name, file.path, position, traced.line, traced.transaction_id, fate, detail)

        if reason := self.letters.get(traced.transaction_id):
            return found(Fate.DEAD_LETTER, reason)
        if checkpoint is not None and position < checkpoint.range_start:
            if not self._is_in_ranges(source, file, position):
                return found(Fate.BEFORE_START, "start_at: end; send it with logship backfill")
        elif not self._is_confirmed(source, file, checkpoint, position):
            return found(Fate.WAITING)
        if traced.error is not None:
            return found(Fate.UNFIT, f"expected {traced.error.expected} at byte {traced.error.at}")
        if traced.dropped_by is not None:
            return found(Fate.DROPPED, traced.dropped_by)
        if traced.sampled_out_by is not None:
            return found(Fate.SAMPLED_OUT, traced.sampled_out_by)
        return found(Fate.CONFIRMED, NO_LONGER_OBEYED if self._was_obeyed(source) else "")

    def _was_obeyed(self, source: SourceSettings) -> bool:
        """Whether lines may have been left out by rules that hold no longer: which, nobody knows any more."""
        endpoint = source.endpoint
        if endpoint not in self._once_obeyed:
            known = None if endpoint.obeys else last_rules(self.settings.state_dir, endpoint)
            self._once_obeyed[endpoint] = known is not None and known.rules.count > 0
        return self._once_obeyed[endpoint]

    def _is_confirmed(
        self, source: SourceSettings, file: LogFile, checkpoint: Checkpoint | None, position: int
    ) -> bool:
        in_checkpoint = checkpoint is not None and checkpoint.range_start <= position < checkpoint.position
        return in_checkpoint or self._is_in_ranges(source, file, position)

    def _is_in_ranges(self, source: SourceSettings, file: LogFile, position: int) -> bool:
        ranges = self.state.ranges(source.endpoint.receiver, file.key)
        return any(confirmed.start <= position < confirmed.end for confirmed in ranges)


def lines_with(path: str, text: bytes) -> Iterator[tuple[int, bytes]]:
    """(position, line without its newline) of every line with `text`; a line without an end is cut."""
    for start, block in _blocks(path):
        yield from _in_block(block, start, text)


def headed_with(path: str, text: bytes) -> Iterator[tuple[int, bytes]]:
    """(position, headed line) of every line with `text`, of a log that may have directives."""
    headed = HeadedLines()
    for start, block in _blocks(path):
        opened = headed.open(block if block.endswith(b"\n") else block + b"\n", start)
        for position, outer, line in zip(opened.starts, opened.outer, opened.lines, strict=False):
            if text in outer:
                yield position, line[: len(line) - len(outer) + SHOWN_BYTES]


def opened_with(path: str, text: bytes, kind: EnvelopeKind) -> Iterator[tuple[int, bytes, bytes]]:
    """(position, first outer line, inner line) of every line of a container log with `text` in either.

    Pieces are joined; a line whose rest is not written yet comes as far as it goes.
    """
    envelope = Envelope(kind)
    for start, block in _blocks(path):
        yield from _in_opened(envelope.open(block if block.endswith(b"\n") else block + b"\n", start), text)
    yield from _in_opened(envelope.finish(), text)


def _in_opened(opened: Opened, text: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    for position, outer, inner in zip(opened.starts, opened.outer, opened.lines, strict=False):  # starts has one more
        if text in inner or text in outer:
            yield position, outer[:SHOWN_BYTES], inner


def _blocks(path: str) -> Iterator[tuple[int, bytes]]:
    """(position, whole lines) of a log, one after the other; the last one may lack its line end."""
    position, rest = 0, b""
    with open_log(path) as log, suppress(EOFError):
        while True:
            data = log.read(READ_BYTES)
            block = rest + data
            end = block.rfind(b"\n") + 1 if data else len(block)
            if end:
                yield position, block[:end]
            position += end
            rest = block[end:]
            if not data:
                return


def _in_block(block: bytes, start: int, text: bytes) -> Iterator[tuple[int, bytes]]:
    at = block.find(text)
    while at >= 0:
        first = block.rfind(b"\n", 0, at) + 1
        last = block.find(b"\n", at)
        last = len(block) if last < 0 else last
        yield start + first, block[first : min(last, first + SHOWN_BYTES)]
        at = block.find(text, last + 1) if last < len(block) else -1
