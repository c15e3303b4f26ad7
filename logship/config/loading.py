"""From a path to Settings; every mistake of every file at once."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from logship.config.document import Document
from logship.config.endpoints import EndpointBuilder
from logship.config.models import EndpointModel, LogshipModel, SourceModel
from logship.config.naming import free_name, name_from_path
from logship.config.reading import FileReader, SourceTree
from logship.config.settings import (
    BatchSettings,
    DeliverySettings,
    EndpointSettings,
    Settings,
    SourceSettings,
    StatusSettings,
)
from logship.config.validation import validate
from logship.errors import ConfigError, Location, Problem, Severity

DEFAULT_PATH = Path("/etc/logship/logship.yml")
NO_NAMES = re.compile(r"localhost(\..*)?|debian|ubuntu|raspberrypi|[0-9a-f]{12}|\(none\)|")  # images, containers


def config_path(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The file to read: what was named, else $LOGSHIP_CONFIG, else /etc/logship/logship.yml."""
    if path is not None:
        return path
    return Path(environ["LOGSHIP_CONFIG"]) if environ.get("LOGSHIP_CONFIG") else DEFAULT_PATH


def load_settings(path: Path | None, environ: Mapping[str, str], *, sending: bool = True) -> Settings:
    """The settings of a logship.yml with all it includes; formats and mappings compile.

    Shapes: with `sending` false an endpoint without URL or application id is no mistake (preview, status, trace).
    Raises: ConfigError with every Problem of all files, in the order of the files.
    """
    return Loader(config_path(path, environ), environ, sending).load()


@dataclass(slots=True)
class Loader:
    """One load: the files read, the mistakes found."""

    path: Path
    environ: Mapping[str, str]
    is_sending: bool
    reader: FileReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = FileReader(self.environ, self.is_sending)

    @property
    def problems(self) -> list[Problem]:
        return self.reader.problems

    def load(self) -> Settings:
        document = self.reader.read(self.path, is_first=True)
        settings = self._settings(document) if document else None
        problems = self.reader.in_order()
        if settings is None or any(problem.severity == "error" for problem in problems):
            raise ConfigError(problems)
        return replace(settings, problems=problems)

    def _settings(self, document: Document) -> Settings | None:
        tree = self.reader.expand(document)
        if not isinstance(tree, dict):
            if not document.problems:
                message = "the file is empty" if tree is None else "this is no map of keys"
                self.problems.append(document.problem((), message, hint="begin with  endpoint:  and  sources:"))
            return None
        model, problems = validate(LogshipModel, tree, document)
        self.problems.extend(problems)
        trees = [*self.reader.source_trees(document, tree), *self.reader.included(tree, document)]
        if not trees and isinstance(tree.get("sources"), list | None):
            hint = "add  sources: [{paths: [/var/log/nginx/access.log]}]"
            self.problems.append(document.problem(("sources",), "no sources", hint=hint))
        common = model.endpoint if model else validate(EndpointModel, tree.get("endpoint") or {}, document)[0]
        endpoint = None
        if common is not None:
            is_sending = self._uses_common_endpoint(trees)
            endpoint = self._endpoint(common, document, ("endpoint",), is_sending)
        sources = self._sources(common or EndpointModel.model_construct(), endpoint, trees)
        if model is None or endpoint is None:
            return None
        return self._build(model, document, endpoint, sources)

    def _build(
        self, model: LogshipModel, document: Document, endpoint: EndpointSettings, sources: tuple[SourceSettings, ...]
    ) -> Settings:
        delivery = model.delivery
        return Settings(
            path=self.path,
            endpoint=endpoint,
            batch=BatchSettings(model.batch.max_bytes, model.batch.max_age),
            delivery=DeliverySettings(
                delivery.concurrency, delivery.retry_initial, delivery.retry_max, delivery.shutdown_timeout
            ),
            state_dir=self._state_dir(model.state_dir),
            origin=self._origin(model.origin, document),
            status=_status(model),
            max_line_bytes=model.max_line_bytes,
            held_max=model.held_max,
            sources=sources,
        )

    def _uses_common_endpoint(self, trees: list[SourceTree]) -> bool:
        """Whether the endpoint: at the top is used at all: sources may each bring their own."""
        own = [tree.tree.get("endpoint") for tree in trees]
        is_complete = all(
            isinstance(keys, dict) and "url" in keys and {"application_id", "application_id_file"} & set(keys)
            for keys in own
        )
        return self.is_sending and not (own and is_complete)

    def _endpoint(
        self, model: EndpointModel, document: Document, location: Location, is_sending: bool, source: str = ""
    ) -> EndpointSettings:
        def tell(key: str, message: str, hint: str, severity: Severity) -> None:
            self.problems.append(
                document.problem((*location, key), message, hint=hint, severity=severity, source=source)
            )

        directory = Path(document.path).absolute().parent
        return EndpointBuilder(self.environ, directory, self.reader.cloak, is_sending).build(model, tell)

    def _sources(
        self, common: EndpointModel, endpoint: EndpointSettings | None, trees: list[SourceTree]
    ) -> tuple[SourceSettings, ...]:
        names: dict[str, SourceTree] = {}
        sources: list[SourceSettings] = []
        for tree in trees:
            entry, problems = validate(SourceModel, tree.tree, tree.document)
            if problems or entry is None:
                continue  # told when its file was validated
            name = entry.name or free_name(name_from_path(str(tree.directory / entry.paths[0])), names)
            if name in names:
                first = names[name].document.problem((*names[name].location, "name"), "").place()
                self.problems.append(
                    tree.document.problem(
                        (*tree.location, "name"), f"two sources are named '{name}'", hint=f"the other is {first}"
                    )
                )
            names.setdefault(name, tree)
            sources.append(self._source(name, entry, tree, self._endpoint_of(name, entry, tree, common, endpoint)))
        return tuple(sources)

    def _endpoint_of(
        self,
        name: str,
        entry: SourceModel,
        tree: SourceTree,
        common: EndpointModel,
        endpoint: EndpointSettings | None,
    ) -> EndpointSettings:
        if endpoint is not None and not entry.endpoint.model_fields_set:
            return endpoint
        merged = _merged_endpoint(common, entry.endpoint)
        is_sending = self.is_sending and endpoint is not None
        return self._endpoint(merged, tree.document, (*tree.location, "endpoint"), is_sending, name)

    def _source(self, name: str, entry: SourceModel, tree: SourceTree, endpoint: EndpointSettings) -> SourceSettings:
        def absolute(globs: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(str(tree.directory / pattern) for pattern in globs)

        return SourceSettings(
            name=name,
            paths=absolute(entry.paths),
            exclude=absolute(entry.exclude),
            rotated=absolute(entry.rotated),
            format=entry.format,
            mapping=entry.mapping,
            fields=entry.fields,
            path_fields=entry.path_fields,
            envelope=entry.envelope,
            start_at=entry.start_at,
            timezone=entry.timezone,
            on_unmatched=entry.on_unmatched,
            endpoint=endpoint,
            path=tree.document.path,
            location=tree.location,
        )

    def _state_dir(self, value: str | None) -> Path:
        if value is not None:
            return self.path.absolute().parent / value
        if systemd := self.environ.get("STATE_DIRECTORY"):
            return Path(systemd.split(":")[0])
        home = self.environ.get("XDG_STATE_HOME") or str(Path(self.environ.get("HOME", "/root")) / ".local/state")
        return Path(home) / "logship"

    def _origin(self, value: str | None, document: Document) -> str:
        if value is not None:
            return value
        host = socket.gethostname()
        if NO_NAMES.fullmatch(host):
            self.problems.append(
                document.problem(
                    (),
                    f"origin: this host is named '{host}', which tells it from no other and may change",
                    hint="add  origin: a-name-of-its-own  (ids of events depend on it)",
                    severity="warning",
                )
            )
        return host or "localhost"


def _merged_endpoint(base: EndpointModel, own: EndpointModel) -> EndpointModel:
    """The source's keys over the common ones; an id of its own, given either way, replaces the common one."""
    values = {key: getattr(base, key) for key in base.model_fields_set}
    if {"application_id", "application_id_file"} & own.model_fields_set:
        values.pop("application_id", None)
        values.pop("application_id_file", None)
    values |= {key: getattr(own, key) for key in own.model_fields_set}
    return EndpointModel.model_construct(_fields_set=set(values), **values)


def _status(model: LogshipModel) -> StatusSettings | None:
    if model.status is None or model.status.listen is None:
        return None
    return StatusSettings(*model.status.listen)

