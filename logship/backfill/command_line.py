"""What the command line says of a backfill: its configuration and receiver, its times, the source of each log."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from logship.backfill.run_settings import ConverterSpec
from logship.clock import iso_text
from logship.config import Settings, SourceSettings, config_path, load_settings
from logship.config.compiling import Compiler
from logship.config.endpoints import MOESIF_MAX_AGE_S
from logship.config.overrides import Overrides, format_named, mapping_named, source_named, spec_of
from logship.config.reading import FileReader
from logship.config.values import duration, normalised
from logship.conversion import SourceConverter, detect
from logship.endpoint import Endpoint, Secret, is_moesif
from logship.errors import ConfigError, UsageError
from logship.formats import FormatSpec, read_spec
from logship.mapping import MappingSpec
from logship.records import record
from logship.sections import UnfitError
from logship.tail.identity import owner_of

NO_FILE = "the command line"
ID_VARIABLES = ("LOGSHIP_APPLICATION_ID", "CREDENTIALS_DIRECTORY")  # an id may come from there, see endpoints.py
AGO = re.compile(r"[\d.]+\s*[a-zA-Z]+")


@record
class Target:
    """Where to send, as the command line says it; "" and None leave it to the configuration."""

    url: str = ""
    application_id_file: Path | None = None


def load(config: Path | None, target: Target, environ: Mapping[str, str], *, sending: bool) -> Settings:
    """The settings of the configuration, its receiver replaced by the target where that says so.

    Without any configuration a source takes every log, detects its format and maps it as `default` does.
    Raises: ConfigError, UsageError.
    """
    url, secret = _url(target.url), _secret(target.application_id_file)
    path = config_path(config, environ)
    if config is None and not environ.get("LOGSHIP_CONFIG") and not path.exists():
        if sending and not url:
            raise UsageError(f"there is no {path}; say where events go: --url URL, or -c FILE, or only look: --dry-run")
        if sending and not (secret or any(map(environ.get, ID_VARIABLES))):
            raise UsageError("no application id; give --application-id-file FILE, or set $LOGSHIP_APPLICATION_ID")
        return _bare(target, environ, sending=sending)
    needs_receiver = sending and not (url and secret)
    settings = load_settings(path, environ, sending=needs_receiver)
    if not (url or secret):
        return settings
    sources = tuple(replace(one, endpoint=_aimed(one.endpoint, url, secret)) for one in settings.sources)
    return replace(settings, endpoint=_aimed(settings.endpoint, url, secret), sources=sources)


def _bare(target: Target, environ: Mapping[str, str], *, sending: bool) -> Settings:
    """As a logship.yml with two entries would give them."""
    endpoint: dict[str, str] = {"url": target.url} if target.url else {}
    if target.application_id_file is not None:
        endpoint["application_id_file"] = str(target.application_id_file.absolute())
    source = {"name": "backfill", "paths": ["/**"], "format": "auto", "mapping": "default"}
    with tempfile.NamedTemporaryFile(suffix=".yml") as file:
        file.write(orjson.dumps({"endpoint": endpoint, "sources": [source]}))  # JSON is YAML
        file.flush()
        try:
            settings = load_settings(Path(file.name), environ, sending=sending)
        except ConfigError as exc:
            errors = (one for one in exc.problems if one.severity == "error")
            raise ConfigError(tuple(replace(one, path=NO_FILE, line=None, excerpt="") for one in errors)) from exc
    return replace(settings, problems=())


def _aimed(endpoint: Endpoint, url: str, secret: Secret | None) -> Endpoint:
    """The endpoint with another receiver: what belongs to the old one (age limit) goes with it."""
    if url:
        age_s = MOESIF_MAX_AGE_S if is_moesif(url) else None
        endpoint = replace(endpoint, url=url, max_event_age_s=age_s)
    return replace(endpoint, application_id=secret) if secret else endpoint


def _url(text: str) -> str:
    try:
        return normalised(text) if text else ""
    except UnfitError as exc:
        raise UsageError(f"--url: {exc.message}; {exc.hint}") from exc


def _secret(path: Path | None) -> Secret | None:
    if path is None:
        return None
    try:
        secret = Secret.from_file(path.absolute())
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--application-id-file: {path}: {getattr(exc, 'strerror', 'is no UTF-8 text')}") from exc
    if not secret or any(not "!" <= char <= "~" for char in secret.reveal()):
        raise UsageError(f"--application-id-file: {path}: holds no application id")
    return secret


def moment(text: str, now_s: float, option: str = "--since") -> str:
    """What --since and --until mean, as 'YYYY-MM-DDTHH:MM:SS.mmmZ', the form of event times.

    Shapes: `text` is ISO 8601 (a date is its first instant; without a zone it is UTC), or `7d`, `24h`, `90m`: that long
    before `now_s` (seconds since the epoch).
    Raises: UsageError with valid examples.
    """
    try:
        if AGO.fullmatch(text.strip()):
            return iso_text(datetime.fromtimestamp(now_s, UTC) - timedelta(seconds=duration(text)))
        when = datetime.fromisoformat(text.strip())
        return iso_text(when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC))
    except (ValueError, OverflowError) as exc:
        message = f"{option}: '{text}' is no time; give 2026-10-01, 2026-10-01T13:55:00Z, 7d or 24h"
        raise UsageError(message) from exc


def shifted(text: str, by_s: float) -> str:
    """A moment (as `moment` gives it) moved by so many seconds; a year that can't be written leaves it unchanged."""
    try:
        return iso_text(datetime.fromisoformat(text) + timedelta(seconds=by_s))
    except OverflowError:
        return text


@record
class SourceChoice:
    """A log's source, what converts its lines, and the format that was detected ("" if it was named)."""

    source: SourceSettings
    converter_spec: ConverterSpec
    detected: str = ""
    belongs: bool = False  # the source's paths or rotated match it; else another source was lent to it


class NoFormatError(Exception):
    """No preset fits the first lines of a log."""


class Chooser:
    """Gives each log its source; mappings that the command line names are read once."""

    def __init__(self, settings: Settings, overrides: Overrides, environ: Mapping[str, str]) -> None:
        """Raises: UsageError for an unknown source or format, ConfigError for a wrong mapping."""
        self._settings = settings
        self._overrides = overrides
        self._named = source_named(settings, overrides.source) if overrides.source else None
        self._mapping = _read_mapping(overrides.mapping, environ) if overrides.mapping else None
        self._format: FormatSpec | None = None  # read with the first log: names are defined by its source

    def choose(self, path: str, samples: Sequence[bytes]) -> SourceChoice:
        """The source of the log that is (or was) at `path`, with the format of its first lines.

        Raises: NoFormatError where none can be detected, UsageError where it is unclear which source is meant.
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
        raise UsageError(f"{path} fits the paths of no source; name the source to use: --source NAME ({names})")

    def _kit(self, source: SourceSettings, converter: SourceConverter, spec: FormatSpec) -> ConverterSpec:
        constants = replace(converter.constants, fields={**converter.constants.fields, **self._overrides.fields})
        mapping = self._mapping or converter.mapping
        return ConverterSpec(
            source.name, spec, converter.named, mapping, constants, source.path_fields, source.envelope
        )


def _read_mapping(name: str, environ: Mapping[str, str]) -> MappingSpec:
    reader = FileReader(environ, is_sending=False)
    return spec_of(mapping_named(name, Compiler(reader), reader), reader)
