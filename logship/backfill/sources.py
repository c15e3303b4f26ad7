"""Which source a log belongs to, and what converts it: the configuration, and options that override it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from logship.backfill.converter_spec import ConverterSpec
from logship.config import Settings, SourceSettings
from logship.config.compiling import Compiler
from logship.config.overrides import Overrides, format_named, mapping_named, source_named, spec_of
from logship.config.reading import FileReader
from logship.conversion import SourceConverter, detect
from logship.errors import UsageError
from logship.formats import FormatSpec, read_spec
from logship.mapping import MappingSpec
from logship.records import record
from logship.tail.identity import owner_of


@record
class SourceChoice:
    """A log's source, what converts its lines, and what was found out about its format ("" if nothing was)."""

    source: SourceSettings
    converter_spec: ConverterSpec
    detected: str = ""
    belongs: bool = False  # the source's paths or rotated match it; else it was only lent


class NoFormatError(Exception):
    """No preset fits the first lines of a log."""


class Chooser:
    """Gives each log its source; mappings that the command line names are read once."""

    def __init__(self, settings: Settings, overrides: Overrides, environ: Mapping[str, str]) -> None:
        """Raises: UsageError for a source or a format there is none of, ConfigError for a wrong mapping."""
        self._settings = settings
        self._overrides = overrides
        self._named = source_named(settings, overrides.source) if overrides.source else None
        self._mapping = _read_mapping(overrides.mapping, environ) if overrides.mapping else None
        self._format: FormatSpec | None = None  # known with the first log: sources know formats by name

    def choose(self, path: str, samples: Sequence[bytes]) -> SourceChoice:
        """The source of the log that is (or was) at `path`, with the format of its first lines.

        Raises: NoFormatError where it had to be detected and nothing fits, UsageError where no source is clear.
        """
        sources = self._settings.sources
        source = owner_of(path, sources)
        lent = source or self._lent(path)
        converter = self._settings.compile_source(lent)
        if self._overrides.format and self._format is None:
            self._format = format_named(self._overrides.format, converter.named)
        spec = self._format or read_spec(lent.format)
        detected = ""
        if spec.kind == "auto":
            found = detect(self._kit(lent, converter, spec).opened(samples), converter.named)
            if not found:
                raise NoFormatError
            spec = FormatSpec("named", found[0].name)
            best = found[0]
            detected = best.name if best.fits == best.of else f"{best.name} ({best.fits} of {best.of} lines fit)"
        return SourceChoice(lent, self._kit(lent, converter, spec), detected, belongs=source is not None)

    def _lent(self, path: str) -> SourceSettings:
        if self._named is not None:
            return self._named
        if len(self._settings.sources) == 1:
            return self._settings.sources[0]
        names = ", ".join(source.name for source in self._settings.sources)
        raise UsageError(f"{path} fits the paths of no source; say which one it is like: --source NAME ({names})")

    def _kit(self, source: SourceSettings, converter: SourceConverter, spec: FormatSpec) -> ConverterSpec:
        constants = replace(converter.constants, fields={**converter.constants.fields, **self._overrides.fields})
        mapping = self._mapping or converter.mapping
        return ConverterSpec(
            source.name, spec, converter.named, mapping, constants, source.path_fields, source.envelope
        )


def _read_mapping(name: str, environ: Mapping[str, str]) -> MappingSpec:
    reader = FileReader(environ, is_sending=False)
    return spec_of(mapping_named(name, Compiler(reader), reader), reader)
