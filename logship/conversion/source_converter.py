"""The converter of a source: one compiled mapping for each set of constants its paths give, detection for `auto`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import Literal

from logship.conversion.compile import compile_mapping, no_zone
from logship.conversion.converter import Converter
from logship.conversion.detection import assumed, detect
from logship.conversion.envelope import Envelope, Opened
from logship.conversion.headed import HeadedLines, headed_lines
from logship.conversion.trace import LineTrace
from logship.errors import FormatError, MappingError
from logship.event import Chunk, Conversion, LogFile, Window
from logship.fields import canonical
from logship.formats import Detection, Format, FormatSpec, Misfit, compile_format
from logship.formats.directives import Heading, headed
from logship.formats.format import Assumption
from logship.formats.re2_door import Pattern, compile_pattern
from logship.kernel.program import ProgramError
from logship.mapping import Constants, MappingErrors, MappingSpec
from logship.mapping.remote_rules import RemoteRules
from logship.records import record

log = logging.getLogger(__name__)

SAMPLE_LINES = 200  # enough to distinguish presets, cheap enough to try them all
ZONE_LINES = 5  # whose times are looked at for their zone
MAX_CONVERTERS = 1_000  # sets of constants; beyond it all are compiled again when they are needed
MAX_PATHS = 20_000  # rotation brings ever new names


@record
class PathFields:
    """Fields taken from a log's path; without a pattern none."""

    pattern: Pattern | None = None

    @classmethod
    def of(cls, text: str) -> PathFields:
        """Raises: FormatError with RE2's reason, or for a pattern without a named group."""
        pattern = compile_pattern(text)
        if not pattern.groups:
            raise FormatError("no named group", text=text, hint="write (?P<host>…) around what is the field")
        return cls(pattern)

    def fields(self, path: str) -> dict[str, str]:
        """The named groups that matched something."""
        if self.pattern is None:
            return {}
        found = self.pattern.named(path.encode("utf-8", "surrogateescape")) or {}
        return {name: value.decode("utf-8", "replace") for name, value in found.items() if value}

    @property
    def names(self) -> tuple[str, ...]:
        """Every field that a path may give."""
        return tuple(self.pattern.groups) if self.pattern else ()

    def origin(self, path: str, default: str) -> str:
        """The group `origin` of the pattern, where the path gives one."""
        return self.fields(path).get("origin", default)


@record(frozen=False)
class SourceConverter:
    """Bytes of a source into events.

    Shapes: `format` None means `auto`: each file's format is detected from the first lines seen of it, and again when
    later lines stop fitting altogether.
    """

    name: str
    format: Format | None
    mapping: MappingSpec
    constants: Constants
    path_fields: PathFields
    named: Mapping[str, FormatSpec]
    envelope: Literal["none", "docker", "cri", "syslog", "auto"] = "none"
    rules: RemoteRules | None = None  # the receiver's
    warns_of_zone: bool = True  # logs it, once, where times have none
    _envelopes: dict[int, Envelope] = field(default_factory=dict, repr=False)  # by file_id: what a cut line lacks
    _headings: dict[int, HeadedLines] = field(default_factory=dict, repr=False)  # by file_id
    _fallback: Format | None = field(default=None, repr=False)
    _detected: dict[str, Format] = field(default_factory=dict, repr=False)
    _by_path: dict[str, Converter] = field(default_factory=dict, repr=False)
    _compiled: dict[tuple[object, ...], Converter] = field(default_factory=dict, repr=False)

    def convert(
        self, data: bytes, start: int, file: LogFile, window: Window | None = None, heading: bytes = b""
    ) -> Conversion:  # fmt: skip
        """The events of whole lines; see Converter.convert. `heading` is what heading_unknown() asked for."""
        if self.envelope != "none":
            return self._convert_opened(self._envelope_of(file).open(data, start), file, window)
        if not heading and file.file_id in self._headings:
            heading = self._headings[file.file_id].text_at(start)
        converter = self._converter_of(file.path) or self._new(file.path, heading + data)
        conversion = self._converted(converter, data, start, file, window, heading)
        if converter and self.format is None and len(conversion.unmatched) == conversion.lines:
            fresh = self._new(file.path, heading + data)
            if fresh is not None and fresh is not converter:
                return self._converted(fresh, data, start, file, window, heading)
        return conversion

    def is_headed(self, path: str) -> bool:
        """Whether the lines of the file at `path` mean something below their directives only."""
        fmt = self.format or self._detected.get(path)
        return self.envelope == "none" and fmt is not None and fmt.is_headed

    @property
    def may_be_headed(self) -> bool:
        """Whether any of its files may have directives."""
        return self.envelope == "none" and (self.format is None or self.format.is_headed)

    def heading_unknown(self, start: int, file: LogFile) -> Heading | None:
        """The last known heading above a position, where the one in force there has to be looked for; else None."""
        fmt = self.format or self._detected.get(file.path)
        if self.envelope != "none" or (fmt is not None and not fmt.is_headed):
            return None
        return self._headed_of(file).unknown_since(start)

    def pass_over(self, chunk: Chunk) -> None:
        """A chunk without lines to convert: what it says of the lines below it, if it is a directive, holds there."""
        known = self._headings.get(chunk.file.file_id)
        if known is not None and not chunk.already_confirmed:
            known.pass_over(chunk.data, chunk.start, chunk.end)

    def _converted(
        self, converter: Converter | None, data: bytes, start: int, file: LogFile, window: Window | None, heading: bytes
    ) -> Conversion:  # fmt: skip
        if converter is not None and not converter.is_headed:
            return converter.convert(data, start, file, window)
        opened = self._headed_of(file).open(data, start, heading)
        if not opened.lines:
            return Conversion(b"", (), (), opened.starts)
        if converter is None:
            return _nothing_fits(data, start)
        conversion = converter.convert_lines(opened.lines, opened.outer, opened.starts, file, window)
        conversion.outer_lines = opened.lines  # a dead letter is of use with its heading only
        return conversion

    def obey(self, rules: RemoteRules | None) -> None:
        """From the next line on, the receiver's rules are these; converters are compiled again when they are needed.

        Raises: ProgramError where they make the program too large: then the old ones hold on.
        """
        if rules == self.rules:
            return
        before, compiled = self.rules, self._compiled
        self.rules, self._compiled = rules, {}
        try:
            for path in islice(self._by_path, 1):  # what fits for one path fits for all
                self.compiled_for(path, self._detected.get(path))
        except ProgramError:
            self.rules, self._compiled = before, compiled
            raise
        self._by_path = {}

    def explain(self, line: bytes, path: str) -> Misfit | None:
        """Where a line of the file at `path` stops fitting; None: it fits."""
        return (self.format or self._detected.get(path) or self.fallback()).explain(line)

    def trace(self, line: bytes, position: int, file: LogFile) -> LineTrace:
        """What becomes of one line and why; see Converter.trace."""
        if self.envelope != "none":
            return self._trace_opened(line, position, file)
        heading, alone = headed(line.removesuffix(b"\n"))
        if heading:
            return self.trace_inner(alone, heading + alone, position, file)
        converter = self._converter_of(file.path) or self._new(file.path, line + b"\n")
        return (converter or self.compiled_for(file.path, self.fallback())).trace(line, position, file)

    def _convert_opened(self, opened: Opened, file: LogFile, window: Window | None) -> Conversion:
        several = set(opened.several)
        single = [number for number in range(len(opened.lines)) if number not in several]
        lines = [opened.lines[number] for number in single]
        converter = self._converter_of(file.path) or self._new(file.path, b"\n".join(lines) + b"\n")
        if converter is None:
            return Conversion(b"", (), (), opened.starts, range(len(opened.lines)), outer_lines=opened.outer)
        outer = [opened.outer[number] for number in single]
        starts = [*(opened.starts[number] for number in single), opened.end]
        conversion = converter.convert_lines(lines, outer, starts, file, window)
        if several:
            conversion.event_lines = [single[line] for line in conversion.event_lines]
            conversion.unmatched = sorted([*opened.several, *(single[line] for line in conversion.unmatched)])
            conversion.line_starts = opened.starts
        conversion.outer_lines = opened.outer
        return conversion

    def _trace_opened(self, line: bytes, position: int, file: LogFile) -> LineTrace:
        assert self.envelope != "none"
        opened = Envelope(self.envelope).open(line + b"\n", position)
        return self.trace_inner(line, opened.lines[0] if opened.lines else line, position, file)

    def trace_inner(self, outer: bytes, inner: bytes, position: int, file: LogFile) -> LineTrace:
        """The same for the line that was taken out of an envelope: `outer` is its first outer line."""
        converter = self._converter_of(file.path) or self._new(file.path, inner + b"\n")
        traced = (converter or self.compiled_for(file.path, self.fallback())).trace(inner, position, file, outer)
        return replace(traced, line=outer)

    def _envelope_of(self, file: LogFile) -> Envelope:
        assert self.envelope != "none"
        envelope = self._envelopes.get(file.file_id)
        if envelope is None:
            if len(self._envelopes) >= MAX_PATHS:
                self._envelopes = {key: kept for key, kept in self._envelopes.items() if kept.is_holding}
            envelope = self._envelopes[file.file_id] = Envelope(self.envelope)
        return envelope

    def _headed_of(self, file: LogFile) -> HeadedLines:
        if len(self._headings) >= MAX_PATHS and file.file_id not in self._headings:
            self._headings.clear()  # they are looked for in their logs
        return self._headings.setdefault(file.file_id, HeadedLines())

    def prepare(self, path: str, samples: Iterable[bytes]) -> Detection | None:
        """Settles the format of a file from its first lines; what was found, None if nothing fits or none is sought."""
        if self.format is not None:
            return None
        found = detect(list(islice(samples, SAMPLE_LINES)), self.named)
        if not found:
            return None
        fmt = compile_format(FormatSpec("named", found[0].name), self.named)
        try:
            converter = self.compiled_for(path, fmt)
        except MappingErrors as exc:
            log.error("the mapping does not go with the format path=%s format=%s error=%s", path, found[0].name, exc)
            return None
        self._remember(path, converter)
        self._detected[path] = fmt
        log.info("format detected path=%s format=%s fits=%d/%d", path, found[0].name, found[0].fits, found[0].of)
        return found[0]

    def compiled_for(self, path: str, fmt: Format | None = None) -> Converter:
        """The converter with the constants that `path` gives.

        Raises: MappingErrors when mapping and format don't go together.
        """
        unknown = {name: "" for name in self.path_fields.names if canonical(name) is None}
        return self._compile(fmt or self.format or self.fallback(), unknown | self.path_fields.fields(path))

    def reviewed(self, fmt: Format | None = None) -> Converter:
        """The converter of a path that gives every field: its warnings and errors hold for all paths.

        Raises: MappingErrors.
        """
        return self._compile(fmt or self.format or self.fallback(), dict.fromkeys(self.path_fields.names, "given"))

    def doubts(self, path: str) -> tuple[MappingError, ...]:
        """What is to be said of the mapping with the format that was detected for `path`; () where none was."""
        fmt = self._detected.get(path)
        return self.reviewed(fmt).warnings if fmt else ()

    def line_doubts(self, path: str, samples: Iterable[bytes]) -> tuple[MappingError, ...]:
        """What is to be said of what these lines of the file at `path` leave open: a time's zone, a number's unit."""
        fmt = self.format or self._detected.get(path)
        if fmt is None:
            return ()
        lines = list(samples)
        if self.envelope != "none":
            lines = Envelope(self.envelope).open(b"".join(line + b"\n" for line in lines), 0).lines
        elif fmt.is_headed:
            lines = headed_lines(lines)
        given = {*self.constants.fields, *self.path_fields.names}
        doubts = tuple(
            MappingError(one.said, hint=one.hint, severity="warning")
            for one in (*(assumed(fmt) if self.format is None else ()), *_assumptions(fmt, lines))
            if one.field not in given
        )
        lacks_zone = not self.constants.timezone and any(map(fmt.lacks_zone, lines))
        return (*doubts, no_zone(fmt.name)) if lacks_zone else doubts

    def _compile(self, fmt: Format, given: dict[str, str]) -> Converter:
        key = (id(fmt), *sorted(given.items()))
        if key not in self._compiled:
            if len(self._compiled) >= MAX_CONVERTERS:
                self._compiled.clear()
            origin = given.get("origin") or self.constants.origin
            own = {name: value for name, value in given.items() if name != "origin"}
            missing = {name: "" for name, value in own.items() if not value}
            texts = {**missing, **self.constants.fields, **{name: value for name, value in own.items() if value}}
            constants = replace(self.constants, origin=origin, fields=texts)
            self._compiled[key] = compile_mapping(self.mapping, fmt, constants, self.rules)
        return self._compiled[key]

    def _converter_of(self, path: str) -> Converter | None:
        """The converter of a path whose format is known; None where lines have to show it first."""
        known = self._by_path.get(path)
        if known is None and self.format is None and path in self._detected:
            known = self.compiled_for(path, self._detected[path])
            self._remember(path, known)
        return known

    def _new(self, path: str, data: bytes) -> Converter | None:
        lines = data.split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
        samples = [line.removesuffix(b"\r") for line in lines if line]
        if self.format is None:
            self.prepare(path, samples)
        else:
            self._remember(path, self.compiled_for(path))
        if self.warns_of_zone:
            for doubt in self.line_doubts(path, samples[:ZONE_LINES]):
                self.warns_of_zone = False
                log.warning("%s; %s source=%s path=%s", doubt.message, doubt.hint, self.name, path)
        return self._by_path.get(path)

    def _remember(self, path: str, converter: Converter) -> None:
        if len(self._by_path) >= MAX_PATHS:
            self._by_path.clear()
            self._detected.clear()
        self._by_path[path] = converter

    def fallback(self) -> Format:
        """What lines that fit nothing are explained with."""
        if self._fallback is None:
            self._fallback = compile_format(FormatSpec("named", "combined"), self.named)
        return self._fallback


def _assumptions(fmt: Format, lines: Sequence[bytes]) -> list[Assumption]:
    """What the newest line lacks, and what is assumed of any line's values."""
    each = {one.said: one for line in lines for one in fmt.assumes(line) if one.is_of_value}
    newest = fmt.assumes(lines[-1]) if lines else ()
    return [*(one for one in newest if not one.is_of_value), *each.values()]


def _nothing_fits(data: bytes, start: int) -> Conversion:
    starts = [start]
    at = data.find(b"\n") + 1
    while at:  # splitlines() would also split at \r
        starts.append(start + at)
        at = data.find(b"\n", at) + 1
    return Conversion(b"", (), (), starts, range(len(starts) - 1))
