"""The keys of logship.yml, their types, defaults and meanings: validation, JSON Schema and reference come from here."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from logship.config.quantities import UnfitError, duration, listen_address, scalar_text, size
from logship.config.urls import normalised

# pydantic would look through the metadata of all installed packages for plugins, for which it imports thirty modules:
# 15 ms, and 25 more in an environment of a hundred packages. None is ours.
_no_plugins = ModuleType("pydantic.plugin._loader")
_no_plugins.get_plugins = tuple  # type: ignore[attr-defined]
sys.modules.setdefault(_no_plugins.__name__, _no_plugins)

MIN_BATCH_BYTES = 1_000  # below it hardly an event fits
MAX_BATCH_BYTES = 50_000_000  # the hosted service's own limit in 2024
MAX_CONCURRENCY = 256
MIN_LINE_BYTES = 1_024  # the first line that identifies a file is up to this long


def _texts(value: object) -> object:
    """A single text is a list of one."""
    return [value] if isinstance(value, str) else value


def _age(value: object) -> float | str | None:
    if value is None or value == "none":
        return None
    return "auto" if value == "auto" else duration(value)


def _url(value: object) -> str | None:
    return None if value is None else normalised(scalar_text(value, "a URL"))


def _proxy(value: object) -> str | None:
    return None if value is None else normalised(scalar_text(value, "a URL"), may_hold_password=True)


def _listen(value: object) -> tuple[str, int] | None:
    if value is None or (isinstance(value, tuple) and len(value) == 2):
        return value
    return listen_address(value)


def _names(value: object) -> object:
    """Constants: text by text; nothing else has a place in a log's field."""
    if not isinstance(value, dict):
        return value
    for key, constant in value.items():
        if not isinstance(constant, str):
            raise UnfitError(f"the value of '{key}' is not text", "write  name: text")
    return value


DURATION = {"type": "string", "pattern": r"^(0|\d+(\.\d+)?\s*(ms|s|m|h|d|w)|\$\{.*)$"}
SIZE = {"type": ["integer", "string"], "pattern": r"^(\d[\d_,]*(\.\d+)?\s*([kKMGT]i?)?[bB]?|\$\{.*)$"}

Duration = Annotated[float, BeforeValidator(duration), WithJsonSchema(DURATION)]
Size = Annotated[int, BeforeValidator(size), WithJsonSchema(SIZE)]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema({"type": ["array", "string"], "items": {"type": "string"}}),
]
Age = Annotated[Any, BeforeValidator(_age), WithJsonSchema({"type": ["string", "null"]})]
Listen = Annotated[Any, BeforeValidator(_listen), WithJsonSchema({"type": ["string", "null"]})]
Url = Annotated[str | None, BeforeValidator(_url)]
Proxy = Annotated[str | None, BeforeValidator(_proxy)]
Constants = Annotated[
    dict[str, str],
    BeforeValidator(_names),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
]
FORMAT_KINDS = {
    "apache": {"type": "string", "description": "an Apache LogFormat string, as in httpd.conf"},
    "nginx": {"type": ["string", "array"], "description": "an nginx log_format, as in nginx.conf"},
    "json": {"type": ["string", "object"], "description": "field: key, dotted keys; or auto"},
    "ltsv": {"type": ["string", "object"], "description": "field: label; or auto"},
    "regex": {"type": "string", "description": "RE2 with groups named after fields"},
}
FORMAT = {
    "anyOf": [
        {"type": "string", "description": "a preset, a name under formats:, or auto"},
        {"type": "object", "properties": FORMAT_KINDS},
        {"type": "array", "items": {"$ref": "#/$defs/Format"}, "description": "each line by the first that fits"},
    ]
}
FormatTree = Annotated[Any, WithJsonSchema({"x-ref": "Format"})]
MappingTree = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "a shipped mapping, or a path relative to this file"},
                {"x-ref": "Mapping"},
            ]
        }
    ),
]


MEANT_NULLS = frozenset({"status", "listen", "max_event_age"})  # where null turns something off


class Section(BaseModel):
    """A map of logship.yml; keys it doesn't know are mistakes, keys without a value are as good as left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, tree: object) -> object:
        if not isinstance(tree, dict):
            return tree
        return {
            key: value
            for key, value in tree.items()
            if value is not None or key in MEANT_NULLS or key not in cls.model_fields
        }


class EndpointModel(Section):
    """Where events go."""

    url: Url = Field(None, description="base URL of the ingestion API; may hold a path prefix")
    api: Literal["auto", "moesifapi", "v1"] = Field(
        "auto", description="the paths: /moesifapi/events, /v1/events, or whichever of them answers"
    )
    application_id: str | None = Field(
        None, description="sent as X-Moesif-Application-Id; better as ${env:NAME} or ${file:PATH} than in clear"
    )
    application_id_file: str | None = Field(None, description="a file that holds it, read again on 401")
    compression: Literal["auto", "none", "gzip"] = Field("auto", description="auto: gzip on v1, none on moesifapi")
    max_event_age: Age = Field(
        "auto", description="older events are counted as too old; auto: 30d for *.moesif.net, else none"
    )
    timeout: Duration = Field(
        30.0,
        gt=0,
        description="bounds a whole attempt",
        json_schema_extra={"default": "30s"},
    )
    remote_config: Literal["on", "off", "auto"] = Field(
        "auto", description="obey the receiver's GET /v1/config (sampling); auto: on for *.moesif.net"
    )
    connection_max_age: Duration = Field(
        300.0,
        gt=0,
        description="then a connection is opened anew, so that DNS changes are followed",
        json_schema_extra={"default": "5m"},
    )
    ca_file: str | None = Field(None, description="certificates to trust instead of the system's")
    client_cert: str | None = Field(None, description="client certificate, PEM")
    client_key: str | None = Field(None, description="its key, PEM")
    proxy: Proxy = Field(None, description="http://host:port; default $HTTPS_PROXY and $NO_PROXY")


class BatchModel(Section):
    """How events are joined to bodies."""

    max_bytes: Size = Field(
        250_000, ge=MIN_BATCH_BYTES, le=MAX_BATCH_BYTES, description="of the decoded body, brackets and commas included"
    )
    max_age: Duration = Field(
        1.0,
        ge=0,
        description="an event waits no longer than this for company",
        json_schema_extra={"default": "1s"},
    )


class DeliveryModel(Section):
    """How hard the receiver is tried."""

    concurrency: int = Field(4, ge=1, le=MAX_CONCURRENCY, description="batches in flight; 1 keeps the order of lines")
    retry_initial: Duration = Field(
        0.5,
        gt=0,
        description="first wait after a failure, then twice as long each time",
        json_schema_extra={"default": "500ms"},
    )
    retry_max: Duration = Field(
        60.0,
        gt=0,
        description="longest wait between tries",
        json_schema_extra={"default": "60s"},
    )
    shutdown_timeout: Duration = Field(
        10.0,
        ge=0,
        description="how long a stop waits for answers",
        json_schema_extra={"default": "10s"},
    )


class StatusModel(Section):
    """Where /metrics, /healthz, /readyz and /status are served."""

    listen: Listen = Field(
        ("127.0.0.1", 9640),
        description="address:port; null turns it off",
        json_schema_extra={"default": "127.0.0.1:9640"},
    )


class SourceModel(Section):
    """One log, or several of one kind."""

    name: str | None = Field(None, min_length=1, description="shown everywhere; default from the path")
    paths: Texts = Field(min_length=1, description="globs of the live logs; ** and {a,b} too")
    exclude: Texts = Field((), description="globs of what to leave alone")
    rotated: Texts = Field((), description="further globs where rotation puts old files")
    format: FormatTree = Field("combined", description="a preset, auto, a list, or {apache|nginx|json|ltsv|regex: …}")
    mapping: MappingTree = Field("default", description="a shipped name, a path relative to this file, or inline")
    fields: Constants = Field({}, description="constants, used where the log has no such field")
    path_fields: str | None = Field(None, description="RE2 with named groups: fields from the path")
    envelope: Literal["none", "docker", "cri", "syslog", "auto"] = Field("none", description="what wraps each line")
    start_at: Literal["end", "beginning"] = Field(
        "end", description="for files that stand there at the daemon's first start; later ones begin at the beginning"
    )
    timezone: str = Field(
        "UTC", description="for times without a zone: local, an IANA name or an offset such as +02:00"
    )
    on_unmatched: Literal["dead_letter", "drop"] = Field("dead_letter", description="what becomes of unfit lines")
    endpoint: EndpointModel = Field(EndpointModel.model_construct(), description="overrides keys of endpoint:")


class IncludedModel(Section):
    """A file named by include: sources only."""

    sources: tuple[SourceModel, ...] = Field((), description="further sources")


class LogshipModel(Section):
    """logship.yml."""

    endpoint: EndpointModel = Field(EndpointModel.model_construct(), description="where events go")
    batch: BatchModel = Field(BatchModel.model_construct(), description="how events are joined to bodies")
    delivery: DeliveryModel = Field(DeliveryModel.model_construct(), description="how hard the receiver is tried")
    state_dir: str | None = Field(
        None,
        min_length=1,
        description="positions and dead letters; default $STATE_DIRECTORY, else $XDG_STATE_HOME/logship",
    )
    origin: str | None = Field(None, min_length=1, description="label of this host; default: its name")
    status: StatusModel | None = Field(StatusModel.model_construct(), description="null turns it off")
    max_line_bytes: Size = Field(65_536, ge=MIN_LINE_BYTES, le=16_777_216, description="longer lines are dead letters")
    held_max: Size = Field(1_000_000_000, ge=0, description="of deleted files kept open")
    formats: dict[str, FormatTree] = Field({}, description="named formats of your own")
    include: Texts = Field((), description="globs of files with sources: only, relative to this file")
    sources: tuple[SourceModel, ...] = Field((), description="the logs")
