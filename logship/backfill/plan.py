"""The plan: the logs that the PATHs name, identified, once each, oldest first."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from logship.backfill import remote
from logship.backfill.command_line import Chooser, NoFormatError, SourceChoice
from logship.backfill.overlaps import Overlaps
from logship.backfill.paths import STDIN, Expansion, FoundPath, Remark, is_remote
from logship.backfill.reading import open_log
from logship.backfill.reports import caret_lines
from logship.backfill.run_settings import BackfillLog, converter_of
from logship.backfill.split import TimeOf, line_clock
from logship.checkpoint import Checkpoint
from logship.config import Settings
from logship.conversion.headed import headed_lines
from logship.event import LogFile
from logship.records import record
from logship.tail.archives import MAGIC_BYTES, compression_of
from logship.tail.content import Content, FromStart
from logship.tail.globs import Globs
from logship.tail.identity import FIRST_LINE_BYTES, Place, digest, file_key, first_line_of, place_of, stem_of
from logship.tail.naming import is_packed, unpacked
from logship.tail.rotation import known_as

SAMPLE_BYTES = 65_536
SAMPLE_LINES = 200
QUIET_S = 60.0  # nobody writes to a file that did not change for so long
CONTROLS = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))  # no text holds these
MAX_CONTROL_SHARE = 0.02
ALL_PATHS = Globs(("/**",))  # any name may be a log's: a rotation's suffix is stripped everywhere
NO_PATHS = Globs(())


@record
class Identity:
    """What gives a copy the ids of its original.

    Shapes: `original_dir` is where the log was written, "" for where it is; `origin` "" is the configuration's.
    `label` sends the events again under other ids.
    """

    original_dir: str = ""
    origin: str = ""
    label: str = ""


@record(frozen=False)
class BackfillPlan:
    """The logs in the order in which they begin, and the remarks about these and others.

    Shapes: `unsure` are numbers of logs that share a key with a different log, so that confirmed ranges are ambiguous.
    """

    logs: list[BackfillLog] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    clocks: dict[int, TimeOf] = field(default_factory=dict)  # by the number of the log
    unsure: frozenset[int] = frozenset()


class SkipError(Exception):
    """A log is left out; the text says why."""

    def __init__(self, message: str, *, is_failure: bool = True) -> None:
        super().__init__(message)
        self.is_failure = is_failure


class NoLogError(SkipError):
    """A file that is no access log."""


class Planner:
    """Looks at each log once; a file that can't be read or is no log becomes a remark."""

    def __init__(
        self, settings: Settings, chooser: Chooser, identity: Identity, now_s: float, known: Sequence[Checkpoint] = ()
    ) -> None:
        """`known` is what the state has; a log that is found there keeps its key, whatever its name is now."""
        self._settings = settings
        self._known = known
        self._chooser = chooser
        self._identity = identity
        self._now_s = now_s
        self._plan = BackfillPlan()
        self._overlaps = Overlaps()

    def plan(self, expansion: Expansion) -> BackfillPlan:
        """Everything that the PATHs name, oldest first.

        Raises: UsageError; MappingErrors where a mapping doesn't suit a format.
        """
        plan = self._plan
        plan.remarks += expansion.remarks
        no_logs: set[str] = set()  # paths
        for found in expansion.found:
            try:
                self._add(found)
            except SkipError as skip:
                no_logs |= {found.path} if isinstance(skip, NoLogError) else set()
                plan.remarks.append(Remark(found.path, str(skip), skip.is_failure))
            except OSError as exc:
                plan.remarks.append(Remark(found.path, f"can't be read: {exc.strerror or exc}"))
            except remote.RemoteError as exc:
                plan.remarks.append(Remark(found.path, str(exc)))
        plan.remarks += _without_logs(expansion.found, no_logs)
        resolved = self._overlaps.resolved(plan.logs)
        plan.logs = sorted(resolved.logs, key=lambda log: (log.first_time, log.number))
        plan.remarks += resolved.remarks
        plan.unsure = resolved.unsure
        return plan

    def _add(self, found: FoundPath) -> None:
        content = open_log(found.path)
        try:
            self._identify(found, content)
        finally:
            if found.path != STDIN:
                content.close()

    def _identify(self, found: FoundPath, content: Content) -> None:
        stored_bytes, mtime_s = _stored(found.path)
        sample = content.read_at(0, SAMPLE_BYTES)
        if is_packed(found.path) and not content.is_archive and len(sample) < MAGIC_BYTES:
            raise SkipError(f"ends in the middle of the archive, after {len(sample)} bytes of it")
        if content.is_cut and b"\n" not in sample:
            raise SkipError("ends in the middle of the archive, before the end of its first line")
        if not sample:
            raise SkipError("is empty", is_failure=False)
        is_final = self._is_final(found.path, content, mtime_s)
        first_line = _first_line(content, is_final=is_final)
        logical = self._logical_path(found.path)
        lines = sample.lstrip(b"\0").split(b"\n")
        samples = [line for line in (lines if len(sample) < SAMPLE_BYTES else lines[:-1]) if line][:SAMPLE_LINES]
        choice = self._choose(found, logical, sample, samples)
        place = self._place(logical, choice)
        log = self._log(found, choice, place, first_line, content)
        log = replace(log, size_bytes=stored_bytes, is_final=is_final)
        time_of = self._check(found, log, sample, samples)
        first_time = next(
            filter(None, map(time_of, headed_lines(samples) if log.converter_spec.is_headed else samples)), ""
        )
        self._plan.clocks[log.number] = time_of
        self._plan.logs.append(replace(log, first_time=first_time))
        self._overlaps.add(log.number, place, first_line)
        if choice.detected:
            self._plan.remarks.append(Remark(found.path, f"format detected: {choice.detected}", is_failure=False))

    def _choose(self, found: FoundPath, logical: str, sample: bytes, samples: list[bytes]) -> SourceChoice:
        try:
            return self._chooser.choose(logical, samples)
        except NoFormatError:
            if is_binary(sample):
                raise _binary(found) from None
            raise NoLogError("fits no preset; name its --format", is_failure=found.was_named) from None

    def _check(self, found: FoundPath, log: BackfillLog, sample: bytes, samples: list[bytes]) -> TimeOf:
        """The log's clock, if any of its first lines fits, or later ones may.

        Raises: SkipError.
        """
        compiled = converter_of(log.converter_spec)
        fmt = compiled.format
        assert fmt is not None, "its format is settled"
        compiled.compiled_for(found.path)
        opened = log.converter_spec.opened(samples)
        if not any(fmt.choose(line) is not None for line in opened):
            is_all = log.size_bytes <= SAMPLE_BYTES and not log.compression
            if is_binary(sample):
                raise _binary(found)
            if is_all or not found.was_named:
                first = samples[0] if samples else b""
                misfit = fmt.explain(opened[0] if opened else first)
                head = f"none of its {len(samples)} first lines fits the format"
                raise NoLogError("\n".join((head, *caret_lines(first, misfit))), is_failure=found.was_named)
        return line_clock(log.converter_spec, fmt)

    def _log(
        self, found: FoundPath, choice: SourceChoice, place: Place, first_line: bytes, content: Content
    ) -> BackfillLog:
        number = len(self._plan.logs)
        source = choice.source
        origin = self._identity.origin or self._settings.origin_of(source)(found.path)
        keyed = f"{origin}\0{self._identity.label}" if self._identity.label else origin
        key = file_key(keyed, place.directory, place.stem, first_line)
        if (known := self._recognised(found, choice, place, first_line, content)) is not None and known.key is not None:
            key, origin = known.key, known.origin
        return BackfillLog(
            number=number,
            path=found.path,
            file=LogFile(number, found.path, source.name, key, origin),
            converter_spec=choice.converter_spec,
            endpoint=source.endpoint,
            drops_unmatched=source.on_unmatched == "drop",
            size_bytes=0,
            compression=_compression(found.path, content),
            is_final=True,
        )

    def _recognised(
        self, found: FoundPath, choice: SourceChoice, place: Place, first_line: bytes, content: Content
    ) -> Checkpoint | None:
        if self._identity != Identity() or found.path == STDIN:
            return None  # --original-dir has precedence; stdin can't be read twice
        is_own = choice.belongs and unpacked(os.path.basename(found.path)) == place.stem
        try:
            return known_as(content, digest(first_line), place, self._known, is_own=is_own)
        except OSError:
            return None  # damaged; its worker will report it

    def _is_final(self, path: str, content: Content, mtime_s: float) -> bool:
        """Whether nobody writes to it any more."""
        return content.is_archive or is_remote(path) or self._now_s - mtime_s >= QUIET_S

    def _logical_path(self, path: str) -> str:
        """The path the log had where it was written."""
        if self._identity.original_dir and path != STDIN:
            return os.path.join(os.path.abspath(self._identity.original_dir), os.path.basename(path))
        return path

    def _place(self, logical: str, choice: SourceChoice) -> Place:
        if logical == STDIN:
            return Place(self._identity.original_dir, STDIN)
        if is_remote(logical):
            directory, name = logical.rsplit("/", 1)
            return Place(directory, stem_of(f"/{name}", ALL_PATHS))
        if choice.belongs:
            return place_of(logical, Globs(choice.source.paths), Globs(choice.source.rotated))
        return place_of(logical, ALL_PATHS, NO_PATHS)


def _binary(found: FoundPath) -> SkipError:
    """The error for a file that holds no text."""
    if is_packed(found.path):
        return SkipError("is damaged: its name is an archive's, its content is no archive and no text")
    return NoLogError("is binary, not a log", is_failure=found.was_named)


def is_binary(sample: bytes) -> bool:
    """Whether bytes are no text, in any encoding: text holds almost no control bytes."""
    sample = sample.lstrip(b"\0")
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    return controls > MAX_CONTROL_SHARE * len(sample)


def _without_logs(found: Sequence[FoundPath], no_logs: set[str]) -> Iterator[Remark]:
    """Directories in which no file is a log; probably another one was meant."""
    for directory in dict.fromkeys(one.searched for one in found if one.searched):
        paths = [one.path for one in found if one.searched == directory]
        if no_logs.issuperset(paths):
            some = "its only file is none" if len(paths) == 1 else f"none of its {len(paths):,} files is one"
            yield Remark(directory, f"is a directory without logs: {some}")


def _stored(path: str) -> tuple[int, float]:
    """Bytes as stored, and when they last changed; 0 where it is unknown."""
    if path == STDIN:
        return 0, 0.0
    if is_remote(path):
        return remote.size(path), 0.0
    status = os.stat(path)
    return (status.st_size if stat.S_ISREG(status.st_mode) else 0), status.st_mtime


def _first_line(content: Content, *, is_final: bool) -> bytes:
    """Raises: SkipError while it is not complete."""
    first_line = first_line_of(FromStart(content))
    if first_line is not None:
        return first_line
    head = content.read_at(0, FIRST_LINE_BYTES).lstrip(b"\0")
    if not head or not is_final:
        raise SkipError("has no whole line yet", is_failure=False)
    return head


def _compression(path: str, content: Content) -> str:
    if not content.is_archive:
        return ""
    if path == STDIN or is_remote(path):
        return "stream"
    with open(path, "rb") as file:
        found = compression_of(file.read(MAGIC_BYTES))
    return found.name if found else "stream"
