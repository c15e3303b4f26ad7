"""What preview, test and diff share: lines of files, stdin or the sources' logs, and what they become."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from logship.check.logs import newest_lines
from logship.check.newest import LogLine
from logship.config import Settings, SourceSettings, config_path, load_settings
from logship.config.compiling import Compiler
from logship.config.mapping_files import LayeredMapping
from logship.config.overrides import (
    Overrides,
    format_named,
    format_tree,
    mapping_named,
    raise_problems,
    source_named,
    spec_of,
)
from logship.config.reading import FileReader
from logship.config.shipped import SHIPPED
from logship.conversion import LineTrace, PathFields, SourceConverter, detect
from logship.conversion.detection import envelope_of, opened_lines
from logship.conversion.envelope import Envelope
from logship.conversion.headed import HeadedLines
from logship.errors import Location, MappingError, UsageError
from logship.event import LogFile
from logship.formats import Detection, Format, FormatSpec, compile_format, read_spec
from logship.mapping import Constants, MappingErrors, MappingSpec
from logship.mapping.plan import read_plan
from logship.mapping.setting import Setting
from logship.records import record
from logship.tail.archives import open_log
from logship.tail.globs import Globs
from logship.tail.identity import file_key, first_line_of, owner_of, place_of
from logship.words import counted

if TYPE_CHECKING:
    from logship.delivery.rules_feed import KnownRules

SAMPLE_LINES = 200  # for the detection of a format


@record
class Wishes:
    """What a command line says; `config` None is the default place."""

    config: Path | None = None
    overrides: Overrides = field(default_factory=Overrides)
    obeys: bool = True  # the receiver's rules, as the state knows them


@record
class Lens:
    """How the lines of one log are read."""

    file: LogFile
    converter: SourceConverter
    layered: LayeredMapping | None
    envelope: str = "none"
    detected: str = ""
    of_lines: tuple[MappingError, ...] = ()  # warnings about the lines
    rules: str = ""  # which receiver's rules apply, in words

    def trace(self, line: LogLine) -> LineTrace:
        return self.converter.trace(line.text, line.position, self.file)

    def place(self, location: Location) -> str:
        """`file:line` of a location of the mapping, "" if it has none."""
        if self.layered is None:
            return ""
        problem = self.layered.problem(MappingError("", location=location), "")
        path = Path(problem.path)
        name = path.name if path.is_relative_to(SHIPPED) else str(path)
        return f"{name}:{problem.line}" if problem.line else name

    @property
    def doubts(self) -> tuple[MappingError, ...]:
        """Warnings about this mapping with this format, as `check` gives them."""
        if self.converter.format is None:
            own = self.converter.doubts(self.file.path)
        else:
            own = self.converter.reviewed().warnings
        return (*own, *(doubt for doubt in self.of_lines if str(doubt) not in map(str, own)))

    def others(self, lines: Sequence[bytes]) -> list[Detection]:
        """Presets that fit lines that don't fit here, best first."""
        return detect(list(lines), self.converter.named)


class Bench:
    """Finds how the daemon would read each log; options have precedence over the configuration."""

    def __init__(self, wishes: Wishes, environ: Mapping[str, str]) -> None:
        """Raises: ConfigError for a wrong configuration, mapping or format."""
        self._wishes = wishes
        self._overrides = wishes.overrides
        self._environ = environ
        self.reader = FileReader(environ, is_sending=False)
        self._compiler = Compiler(self.reader)
        self.settings = self._load()
        self._given = self.mapping(self._overrides.mapping) if self._overrides.mapping else None

    def _load(self) -> Settings | None:
        path = config_path(self._wishes.config, self._environ)
        if self._wishes.config is None and "LOGSHIP_CONFIG" not in self._environ and not path.exists():
            return None
        return load_settings(self._wishes.config, self._environ, sending=False)

    @cached_property
    def watched(self) -> frozenset[Path]:
        """Files that decide what a line becomes."""
        found = {config_path(self._wishes.config, self._environ)}
        mappings = [self._given] if self._given else []
        for source in self.settings.sources if self.settings else ():
            found.add(Path(source.path))
            layered = self.layers_of(source)
            mappings += [layered] if layered else []
        for layered in mappings:
            found |= {Path(layer.document.path) for layer in layered.layers}
        return frozenset(path for path in found if path.is_file())

    # -- mappings

    def mapping(self, name: str) -> LayeredMapping:
        """A shipped mapping, or the file at a path relative to the working directory.

        Raises: ConfigError with every mistake of reading it; UsageError where there is no such mapping.
        """
        return mapping_named(name, self._compiler, self.reader)

    def spec(self, layered: LayeredMapping) -> MappingSpec:
        """Raises: ConfigError with every mistake at its place."""
        return spec_of(layered, self.reader)

    def layers_of(self, source: SourceSettings) -> LayeredMapping | None:
        """The mapping of a source with the files it comes from."""
        document = self.reader.read(Path(source.path))
        if document is None:
            return None
        location = (*source.location, "mapping")
        if isinstance(source.mapping, str):
            return self._compiler.mappings.named(source.mapping, document, location, source.name)
        return self._compiler.mappings.inline(document, location, source.mapping)  # type: ignore[arg-type]

    # -- formats

    def format_of(self, tree: object) -> Format:
        """The format that a tree, or a text of the command line, writes.

        Raises: FormatError, UsageError for text that is no YAML.
        """
        return compile_format(read_spec(format_tree(tree) if isinstance(tree, str) else tree), self._named)

    @property
    def _named(self) -> Mapping[str, FormatSpec]:
        converters = [self.settings.compile_source(source) for source in self.settings.sources] if self.settings else []
        return converters[0].named if converters else self._compiler.named

    def setting(self) -> Setting:
        """What a mapping may name: the format that is asked for, or that of the source.

        Raises: UsageError where neither is clear, or where the format is only known by its lines.
        """
        source = self._source("") if self.settings else None
        if self._overrides.format:
            fmt = self._format()
        else:
            if source is None or self.settings is None:
                raise UsageError("say which: --source NAME of a configuration, or --format F")
            fmt = self.settings.compile_source(source).format
        if fmt is None:
            raise UsageError("the format is detected from the lines: name it with --format F")
        constants = Constants("", "", {})
        spec = self.spec(self.mapping("default"))
        if source is not None and self.settings is not None:
            converter = self.settings.compile_source(source)
            given = dict.fromkeys(converter.path_fields.names, "")
            constants, spec = replace(converter.constants, fields=given | {**source.fields}), converter.mapping
        plan = read_plan(spec)
        return Setting.of(spec, fmt.members[0], constants, plan.made)

    # -- lenses

    def lens(self, path: str, samples: Sequence[bytes]) -> Lens:
        """How the log at `path` is read; its format is detected from `samples` if necessary.

        Raises: UsageError where nothing fits or no source is clear, MappingErrors as ConfigError.
        """
        source = self._source(path)
        if source is None or self.settings is None:
            return self._bare_lens(path, samples)
        converter = self.settings.compile_source(source)
        layered = self._given or self.layers_of(source)
        known = self._rules_of(source) if self._wishes.obeys else None
        if known is not None:
            converter = replace(converter, rules=known.rules)
        origin = self.settings.origin_of(source)(path)
        lens = self._lens(path, samples, converter, layered, source.envelope, origin)
        return lens if known is None else replace(lens, rules=f"{counted(known.rules.count, 'rule')} of the receiver")

    def _rules_of(self, source: SourceSettings) -> KnownRules | None:
        """The receiver's, as far as this host's state knows them."""
        if self.settings is None or not source.endpoint.obeys:
            return None
        from logship.route.stored_rules import stored_rules  # most previews need no state

        return stored_rules(self.settings.state_dir, source.endpoint)

    def _bare_lens(self, path: str, samples: Sequence[bytes]) -> Lens:
        layered = self._given or self.mapping("default")
        origin = self.settings.origin if self.settings else "localhost"
        constants = Constants(origin, "preview", {})
        converter = SourceConverter("preview", None, self.spec(layered), constants, PathFields(), self._compiler.named)
        return self._lens(path, samples, converter, layered, "none", origin)

    def _lens(
        self, path: str, samples: Sequence[bytes], base: SourceConverter, layered: LayeredMapping | None,
        envelope: str, origin: str,
    ) -> Lens:  # fmt: skip
        fields = {**base.constants.fields, **self._overrides.fields}
        converter = replace(
            base,
            format=self._format() if self._overrides.format else base.format,
            mapping=self.spec(self._given) if self._given else base.mapping,
            constants=replace(base.constants, fields=fields),
            _by_path={},
            warns_of_zone=False,
            _compiled={},
        )
        file = LogFile(0, path, base.name, self._key(path, origin), origin)
        lens = Lens(file, converter, layered, envelope)
        detected = ""
        if converter.format is None:
            lines = [line.text for line in self.opened(lens, samples)]
            found = converter.prepare(path, lines)
            if found is None:
                for one in lens.others(lines)[:1]:  # then the mapping does not suit the format
                    self._check(converter, path, layered, compile_format(FormatSpec("named", one.name), self._named))
                hint = "logship formats lists presets, logship init finds what nginx.conf or httpd.conf says"
                kind = envelope_of(samples) if envelope == "none" else None
                inner = detect(opened_lines(samples, kind), self._named) if kind else []
                if inner:
                    said = f"{kind} wraps its lines: write a source with envelope: {kind} and format: {inner[0].name}"
                    raise UsageError(f"{path}: {said}")
                raise UsageError(f"{path}: no preset fits its lines; give --format ({hint})")
            detected = f"{found.name} fits {found.fits} of {found.of} lines"
        self._check(converter, path, layered)
        if converter.is_headed(path):
            lens = replace(lens, envelope="w3c")
        return replace(lens, detected=detected, of_lines=converter.line_doubts(path, samples))

    def _key(self, path: str, origin: str) -> int:
        """The key that the daemon gives the file, so that ids agree; 0 for stdin."""
        source = self._source(path) if self.settings else None
        patterns = (source.paths, source.rotated) if source else ([path], [])
        try:
            with contextlib.closing(open_log(path)) as log:
                first_line = first_line_of(log)
        except OSError:
            return 0
        place = place_of(str(Path(path).absolute()), Globs(patterns[0]), Globs(patterns[1]))
        return file_key(origin, place.directory, place.stem, first_line) if first_line else 0

    def opened(self, lens: Lens, samples: Sequence[bytes]) -> list[LogLine]:
        """Sample lines, out of their envelope if they have one."""
        return list(unwrapped((LogLine(0, line) for line in samples), lens.envelope))

    def _format(self) -> Format | None:
        """None: to be detected."""
        spec = format_named(self._overrides.format, self._named)
        return None if spec.kind == "auto" else compile_format(spec, self._named)

    def _check(
        self, converter: SourceConverter, path: str, layered: LayeredMapping | None, detected: Format | None = None
    ) -> None:
        try:
            if detected is not None or converter.format is not None:
                converter.compiled_for(path, detected)
        except MappingErrors as exc:
            if layered is None:
                raise
            self.reader.problems += [layered.problem(error, converter.name) for error in exc.errors]
            raise_problems(self.reader)

    def _source(self, path: str) -> SourceSettings | None:
        if self.settings is None:
            if self._overrides.source:
                raise UsageError("--source: there is no configuration; give one with -c FILE")
            return None
        sources = self.settings.sources
        if self._overrides.source:
            return source_named(self.settings, self._overrides.source)
        absolute = str(Path(path).absolute())
        found = owner_of(absolute, sources)
        return found or (sources[0] if len(sources) == 1 else None)

    def newest(self, count: int) -> Iterator[tuple[Lens, list[LogLine]]]:
        """The newest lines of each source, or of the one that was asked for.

        Raises: UsageError without a configuration.
        """
        if self.settings is None:
            raise UsageError("give a FILE, or a configuration with -c FILE")
        wanted = self._overrides.source
        sources = [source_named(self.settings, wanted)] if wanted else self.settings.sources
        for source in sources:
            found = newest_lines(source)
            if found is None:
                continue
            path, lines = found[0], found[1].headed
            lens = self.lens(path, [line.text for line in lines[:SAMPLE_LINES]])
            yield lens, list(unwrapped(iter(lines), lens.envelope))[-count:]


def unwrapped(lines: Iterator[LogLine], kind: str) -> Iterator[LogLine]:
    """The lines inside of a container runtime's, or below directives; the same ones without an envelope."""
    if kind == "w3c":
        headed = HeadedLines()
        for line in lines:
            opened = headed.open(line.text + b"\n", headed.known.position)
            yield from (LogLine(line.position, one) for one in opened.lines)
        return
    if kind not in ("docker", "cri", "syslog", "auto"):
        yield from lines
        return
    envelope = Envelope(kind)  # type: ignore[arg-type]
    position = 0
    for line in lines:
        opened = envelope.open(line.text + b"\n", position)
        position += len(line.text) + 1
        for inner in opened.lines:
            yield LogLine(line.position, inner)
    for inner in envelope.finish().lines:
        yield LogLine(position, inner)


def sampled(lines: Iterator[LogLine], count: int) -> tuple[list[bytes], Iterator[LogLine]]:
    """The first lines to look at, and all lines again."""
    first = list(islice(lines, count))
    return [line.text for line in first], chain(first, lines)
