"""Loads Settings from a path and reports every mistake of every file at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logship.config.document import Document
from logship.config.endpoints import EndpointBuilder, hide_application_ids
from logship.config.host import free_name, host_name, is_no_name, name_from_path, state_dir
from logship.config.models import EndpointModel, LogshipModel, SourceModel
from logship.config.reading import FileReader, SourceTree
from logship.config.settings import (
    BatchSettings,
    Settings,
    SourceSettings,
    StatusSettings,
)
from logship.config.validation import validate
from logship.endpoint import DeliveryLimits, Endpoint
from logship.errors import ConfigError, Location, Problem, Severity
from logship.records import record

if TYPE_CHECKING:
    from logship.config.compiling import Recipe
    from logship.conversion import SourceConverter

DEFAULT_PATH = Path("/etc/logship/logship.yml")


def config_path(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The file to read: what was named, else $LOGSHIP_CONFIG, else /etc/logship/logship.yml."""
    if path is not None:
        return path
    return Path(environ["LOGSHIP_CONFIG"]) if environ.get("LOGSHIP_CONFIG") else DEFAULT_PATH


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    sending: bool = True,
    proving: bool = False,
    converting: bool = True,
) -> Settings:
    """The settings of a logship.yml with all it includes; formats and mappings are compiled.

    Shapes: with `sending` false an endpoint needs no URL or application id (preview, status, trace); with `proving` the
    examples of mappings are run; with `converting` false formats and mappings are not read, and the settings have no
    converters (status, dead-letters).
    Raises: ConfigError with every Problem of all files, in the order of the files.
    """
    loaded = examine(path, environ, sending=sending, proving=proving, converting=converting)
    if loaded.settings is None or loaded.has_errors:
        raise ConfigError(loaded.problems)
    return replace(loaded.settings, problems=loaded.problems)


def examine(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    sending: bool = True,
    proving: bool = False,
    converting: bool = True,
) -> Loaded:
    """Like load_settings, but gives the correct parts together with the mistakes."""
    return Loader(config_path(path, environ), environ, sending, proving, converting).load()


@record
class Loaded:
    """What one load found: all mistakes, and the parts that have none.

    Shapes: `settings` is None if a key outside the sources is wrong; `names` are those of all sources in the order of
    the files, `sources` the ones with a converter; `files` are all YAML files, `secret_files` those of ${file:PATH}.
    """

    problems: tuple[Problem, ...]
    settings: Settings | None
    sources: tuple[SourceSettings, ...]
    converters: Mapping[str, SourceConverter]
    names: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    secret_files: tuple[Path, ...] = ()

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


@record
class Entry:
    """One source while it is loaded; `model` is None if its keys are wrong."""

    name: str
    tree: SourceTree
    model: SourceModel | None

    def recipe(self, origin: str) -> Recipe:
        """What the compiler needs, also if other keys are wrong, so that the format's mistakes are reported, too."""
        from logship.config.compiling import Recipe
        from logship.config.values import zone_of
        from logship.mapping import Constants

        keys = self.tree.tree
        fields = given if isinstance(given := keys.get("fields"), dict) else {}
        constants = {key: value for key, value in fields.items() if isinstance(value, str)}
        timezone, pattern = keys.get("timezone"), keys.get("path_fields")
        return Recipe(
            self.name,
            self.tree.document,
            self.tree.location,
            "combined" if keys.get("format") is None else keys["format"],
            "default" if keys.get("mapping") is None else keys["mapping"],
            Constants(origin, self.name, constants, zone_of(timezone) if isinstance(timezone, str) else ""),
            pattern if isinstance(pattern, str) else None,
            self.model.envelope if self.model else "none",
        )


@record(frozen=False)
class Loader:
    """One load: the files read, the mistakes found."""

    path: Path
    environ: Mapping[str, str]
    is_sending: bool
    is_proving: bool = False
    is_converting: bool = True
    reader: FileReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = FileReader(self.environ, self.is_sending)

    @property
    def problems(self) -> list[Problem]:
        return self.reader.problems

    def load(self) -> Loaded:
        document = self.reader.read(self.path, is_first=True)
        tree = self.reader.expand(document) if document else None
        if document is None or not isinstance(tree, dict):
            if document is not None and not document.problems:
                message = "the file is empty" if tree is None else "this is no map of keys"
                self.problems.append(document.problem((), message, hint="begin with  endpoint:  and  sources:"))
            return Loaded(self.reader.in_order(), None, (), {})
        return self._loaded(document, tree)

    def _loaded(self, document: Document, tree: dict[str, Any]) -> Loaded:
        model, problems = validate(LogshipModel, tree, document)
        self.problems.extend(problems)
        hide_application_ids(tree, document.path, self.environ, self.reader.cloak)
        trees = [*self.reader.source_trees(document, tree), *self.reader.included(tree, document)]
        if not trees and isinstance(tree.get("sources"), list | None):
            hint = "add  sources: [{paths: [/var/log/nginx/access.log]}]"
            self.problems.append(document.problem(("sources",), "no sources", hint=hint))
        common = model.endpoint if model else validate(EndpointModel, tree.get("endpoint") or {}, document)[0]
        endpoint = None
        if common is not None:
            endpoint = self._endpoint(common, document, ("endpoint",), self._uses_common_endpoint(trees))
        origin = self._origin(tree.get("origin"), document)
        entries = self._entries(trees, model.sources if model else ())
        converters = self._converters(document, tree, entries, origin)
        sources = tuple(self._source(entry, common or EndpointModel(), endpoint) for entry in entries if entry.model)
        settings = self._build(model, endpoint, origin, sources, converters) if model and endpoint else None
        good = tuple(source for source in sources if source.name in converters)
        names = tuple(entry.name for entry in entries)
        files, secret_files = tuple(self.reader.files), tuple(self.reader.secret_files)
        return Loaded(self.reader.in_order(), settings, good, converters, names, files, secret_files)

    def _build(
        self,
        model: LogshipModel,
        endpoint: Endpoint,
        origin: str,
        sources: tuple[SourceSettings, ...],
        converters: Mapping[str, SourceConverter],
    ) -> Settings:
        delivery = model.delivery
        return Settings(
            path=self.path,
            endpoint=endpoint,
            batch=BatchSettings(model.batch.max_bytes, model.batch.max_age),
            delivery=DeliveryLimits(
                delivery.concurrency,
                delivery.retry_initial,
                delivery.retry_max,
                delivery.shutdown_timeout,
                model.batch.max_bytes,
            ),
            state_dir=state_dir(model.state_dir, self.path.absolute().parent, self.environ),
            origin=origin,
            status=_status(model),
            max_line_bytes=model.max_line_bytes,
            held_max=model.held_max,
            sources=sources,
            converters=converters,
        )

    def _uses_common_endpoint(self, trees: list[SourceTree]) -> bool:
        """Whether the endpoint: at the top is used at all: each source may have its own."""
        own = [tree.tree.get("endpoint") for tree in trees]
        is_complete = all(
            isinstance(keys, dict) and "url" in keys and {"application_id", "application_id_file"} & set(keys)
            for keys in own
        )
        return self.is_sending and not (own and is_complete)

    def _origin(self, value: object, document: Document) -> str:
        name = value if isinstance(value, str) and value else host_name()
        if name != value and is_no_name(name):
            message = f"origin: the host name '{name}' is not unique and may change"
            hint = "add  origin: a-name-of-its-own  (ids of events depend on it)"
            self.problems.append(document.problem((), message, hint=hint, severity="warning"))
        return name

    def _endpoint(
        self, model: EndpointModel, document: Document, location: Location, is_sending: bool, source: str = ""
    ) -> Endpoint:
        def report(key: str, message: str, hint: str, severity: Severity) -> None:
            self.problems.append(
                document.problem((*location, key), message, hint=hint, severity=severity, source=source)
            )

        directory = Path(document.path).absolute().parent
        builder = EndpointBuilder(self.environ, directory, self.reader.cloak, is_sending, self._credential())
        return builder.build(model, report)

    def _credential(self) -> str:
        """Name of the credential that is this config's application id.

        Commands by hand look in the directory of the configs, where each instance NAME.yml of logship@.service has its
        own; systemd passes it to the instance under the common name.
        """
        is_by_hand = self.environ.get("CREDENTIALS_DIRECTORY") == str(self.path.absolute().parent)
        is_instance = is_by_hand and self.path.name != DEFAULT_PATH.name
        return f"{self.path.stem}.application_id" if is_instance else "application_id"

    def _entries(self, trees: list[SourceTree], models: Sequence[SourceModel]) -> list[Entry]:
        """Every source with its name; reports names used twice. `models` are the first of them, already validated."""
        entries: dict[str, Entry] = {}
        for tree, known in zip_longest(trees, models):
            model = known or validate(SourceModel, tree.tree, tree.document)[0]  # reported when its file was validated
            name = self._name(tree, entries)
            if name in entries:
                first = entries[name].tree.problem("name", "").place()
                hint = f"the other is {first}"
                self.problems.append(tree.problem("name", f"two sources are named '{name}'", hint=hint))
                name = free_name(name, entries)
            entries[name] = Entry(name, tree, model)
        return list(entries.values())

    @staticmethod
    def _name(tree: SourceTree, taken: Mapping[str, Entry]) -> str:
        name, paths = tree.tree.get("name"), tree.tree.get("paths")
        if isinstance(name, str) and name:
            return name
        first = paths[0] if isinstance(paths, list) and paths else paths
        return free_name(name_from_path(str(tree.directory / first)) if isinstance(first, str) else "source", taken)

    def _converters(
        self, document: Document, tree: dict[str, Any], entries: list[Entry], origin: str
    ) -> dict[str, SourceConverter]:
        if not self.is_converting:
            return {}
        from logship.config.compiling import Compiler  # `status` doesn't need it

        compiler = Compiler(self.reader, self.is_proving)
        formats = tree.get("formats")
        if isinstance(formats, dict):
            compiler.add_formats(document, formats)
        converters = {}
        for entry in entries:
            converter = compiler.compile(entry.recipe(origin))
            if converter is not None:
                converters[entry.name] = converter
        return converters

    def _endpoint_of(
        self, entry: Entry, own: EndpointModel, common: EndpointModel, endpoint: Endpoint | None
    ) -> Endpoint:
        if endpoint is not None and not own.given:
            return endpoint
        merged = _merged_endpoint(common, own)
        is_sending = self.is_sending and endpoint is not None
        location = (*entry.tree.location, "endpoint")
        return self._endpoint(merged, entry.tree.document, location, is_sending, entry.name)

    def _source(self, entry: Entry, common: EndpointModel, endpoint: Endpoint | None) -> SourceSettings:
        model, tree = entry.model, entry.tree
        assert model is not None

        def absolute(globs: list[str]) -> tuple[str, ...]:
            return tuple(str(tree.directory / pattern) for pattern in globs)

        return SourceSettings(
            name=entry.name,
            paths=absolute(model.paths),
            exclude=absolute(model.exclude),
            rotated=absolute(model.rotated),
            format=model.format,
            mapping=model.mapping,
            fields=model.fields,
            path_fields=model.path_fields,
            envelope=model.envelope,
            start_at=model.start_at,
            timezone=model.timezone,
            on_unmatched=model.on_unmatched,
            endpoint=self._endpoint_of(entry, model.endpoint, common, endpoint),
            path=tree.document.path,
            location=tree.location,
        )


def _merged_endpoint(base: EndpointModel, own: EndpointModel) -> EndpointModel:
    """The source's keys over the common ones; an id of its own, given either way, replaces the common one."""
    values = {key: getattr(base, key) for key in base.given}
    if {"application_id", "application_id_file"} & own.given:
        values.pop("application_id", None)
        values.pop("application_id_file", None)
    return EndpointModel(**values | {key: getattr(own, key) for key in own.given})


def _status(model: LogshipModel) -> StatusSettings | None:
    if model.status is None or model.status.listen is None:
        return None
    return StatusSettings(*model.status.listen)
