"""What a playground was opened with: a log's lines, their format, a mapping and the one file it may be saved to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from logship.check.logs import newest_lines
from logship.check.newest import NewestLines, lines_of, newest_given, newest_of
from logship.config import Settings, SourceSettings, config_path, load_settings
from logship.config.document import Document
from logship.config.overrides import source_named
from logship.config.reading import FileReader
from logship.config.shipped import mapping_names, presets
from logship.config.yaml_door import parse
from logship.conversion import detect
from logship.errors import LogshipError, UsageError
from logship.mapping import Constants
from logship.preview import Wishes
from logship.process.whole_file import write_whole
from logship.records import record
from logship.tail.identity import owner_of

NEWEST_LINES = 10_000  # what a change is measured over
NEWEST_BYTES = 8_000_000  # looked at for them
DETECT_LINES = 200
NEW_MAPPING = "extends: default\n"


class MappingChangedError(LogshipError):
    """Somebody else wrote the file since it was read."""


@record(frozen=False)
class MappingFile:
    """The file of the mapping, if there is one to save to.

    Shapes: `path` is also where an unsaved mapping would stand, so that what it extends and its tables are found;
    `saved` is the text as it was read or written last, its lines ending with a newline whatever the file has; `note`
    says why it can't be saved ("" where it can).
    """

    path: Path
    saved: str
    note: str = ""
    _digest: str = field(init=False, repr=False)
    _line_end: str = "\n"

    def __post_init__(self) -> None:
        self._digest = self._on_disk()

    def _on_disk(self) -> str:
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError:
            return ""

    @property
    def is_changed(self) -> bool:
        """Whether the file is no longer what was read or saved here."""
        return not self.note and self._on_disk() != self._digest

    def read_again(self) -> str:
        """Raises: UsageError where it can't be read."""
        try:
            text = self.path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{self.path}: {getattr(exc, 'strerror', None) or exc}") from exc
        self._digest = self._on_disk()
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        self.saved = text.replace("\r\n", "\n")
        return self.saved

    def save(self, text: str, *, over_changes: bool) -> None:
        """Replaces the file at once, with the permissions that it has.

        Raises: UsageError where it can't be written, MappingChangedError where somebody else wrote it meanwhile.
        """
        if self.note:
            raise UsageError(self.note)
        if self.is_changed and not over_changes:
            raise MappingChangedError(f"{self.path} was changed by somebody else since it was opened here")
        try:
            write_whole(self.path, text.replace("\n", self._line_end))
        except (OSError, UnicodeEncodeError) as exc:
            raise UsageError(f"{self.path}: {getattr(exc, 'strerror', None) or exc}") from exc
        self.saved = text
        self._digest = self._on_disk()


@record
class OpenedConfig:
    """Shapes: `newest` are the last lines of the log, at most NEWEST_LINES; `source` is the config's, None without one;
    `format` is a text as --format takes it; `document` is the config, or an empty one.
    """

    log: str
    newest: NewestLines
    source: SourceSettings | None
    origin: str
    fields: Mapping[str, str]
    format: str
    mapping: MappingFile
    document: Document
    formats: Mapping[str, object]

    @property
    def constants(self) -> Constants:
        if self.source is None:
            return Constants(self.origin, "preview", dict(self.fields))
        return Constants(self.origin, self.source.name, {**self.source.fields, **self.fields}, self.source.timezone)


def open_playground(wishes: Wishes, log: str | None, stdin: BinaryIO, environ: Mapping[str, str]) -> OpenedConfig:
    """What the command line asks for: `log` a file, `-` for the lines of stdin, None for the newest of a source.

    A mapping that is wrong, or not there yet, is no mistake here: to write it is what the playground is for.
    Raises: ConfigError, UsageError.
    """
    overrides = wishes.overrides
    settings = _settings(wishes, environ)
    reader = FileReader(environ, is_sending=False)
    document = reader.read(settings.path) if settings else None
    tree = reader.expand(document) if document else {}
    formats = tree.get("formats") if isinstance(tree, dict) else None
    source = source_named(settings, overrides.source) if settings and overrides.source else None
    if log == "-":
        path, newest = "stdin", newest_given(lines_of(stdin), NEWEST_LINES)
    else:
        path = log if log is not None else _newest_log(settings, source)
        newest = _newest_of(path)
    if not newest.lines:
        raise UsageError(f"{path}: no lines")
    if source is None and settings is not None:
        sources = settings.sources
        source = owner_of(str(Path(path).absolute()), sources) or (sources[0] if len(sources) == 1 else None)
    origin = settings.origin_of(source)(path) if settings and source else settings.origin if settings else "localhost"
    named = formats if isinstance(formats, dict) else {}
    mapping = _given_mapping(overrides.mapping) or _source_mapping(source, reader)
    text = overrides.format or _format_text(source, [line.text for line in newest.headed])
    return OpenedConfig(
        path, newest, source, origin, overrides.fields, text, mapping, document or parse("", "playground"), named
    )  # fmt: skip


def _settings(wishes: Wishes, environ: Mapping[str, str]) -> Settings | None:
    if wishes.config is None and "LOGSHIP_CONFIG" not in environ and not config_path(None, environ).exists():
        if wishes.overrides.source:
            raise UsageError("--source: there is no configuration; give one with -c FILE")
        return None
    return load_settings(wishes.config, environ, sending=False, converting=False)


def _given_mapping(name: str) -> MappingFile | None:
    if not name:
        return None
    path = Path(name)
    if not path.exists() and name in mapping_names():
        note = f"'{name}' is a shipped mapping: give a file, --mapping my.yml"
        return _unsaved(Path.cwd(), f"extends: {name}\n", note)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--mapping {name}: no file, and none can be made there")
    found = MappingFile(path.absolute(), NEW_MAPPING)
    if path.exists():
        found.read_again()
    return found


def _unsaved(directory: Path, text: str, note: str) -> MappingFile:
    return MappingFile(directory / "unsaved mapping.yml", text, note)


def _source_mapping(source: SourceSettings | None, reader: FileReader) -> MappingFile:
    """The mapping of the log's source; it has a file of its own only if the person wrote one."""
    if source is None:
        return _unsaved(Path.cwd(), NEW_MAPPING, "no mapping was named to save to: start with --mapping my.yml")
    directory = Path(source.path).absolute().parent
    if isinstance(source.mapping, str):
        path = directory / source.mapping
        if source.mapping in mapping_names() or not path.is_file():
            note = f"{source.name} uses a shipped mapping: start with --mapping my.yml, then name it in the source"
            return _unsaved(directory, f"extends: {source.mapping}\n", note)
        found = MappingFile(path, "")
        found.read_again()
        return found
    document = reader.read(Path(source.path))
    node = document.node((*source.location, "mapping")) if document else None
    text = json.dumps(node.tree() if node else {}, indent=2, ensure_ascii=False) + "\n"
    return _unsaved(directory, text, f"the mapping of {source.name} is in {Path(source.path).name}: copy it there")


def _newest_log(settings: Settings | None, source: SourceSettings | None) -> str:
    if settings is None:
        raise UsageError("give a FILE, or a configuration with -c FILE")
    for one in [source] if source else settings.sources:
        found = newest_lines(one)
        if found is not None:
            return found[0]
    raise UsageError("no source has a line yet; give a FILE")


def _newest_of(path: str) -> NewestLines:
    """Raises: UsageError for a file that can't be read."""
    try:
        if Path(path).is_dir():
            raise UsageError(f"{path} is a directory; give a log in it")
        return newest_of(path, NEWEST_LINES, NEWEST_BYTES, has_end=False)
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror or exc}") from exc


def _format_text(source: SourceSettings | None, lines: Sequence[bytes]) -> str:
    if source is not None and source.format != "auto":
        return source.format if isinstance(source.format, str) else json.dumps(source.format, ensure_ascii=False)
    found = detect(list(lines[-DETECT_LINES:]), presets())
    return found[0].name if found else "combined"
