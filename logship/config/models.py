"""The keys of logship.yml, their types, defaults and meanings: validation, JSON Schema and reference come from here."""

from __future__ import annotations

from typing import Any, Literal

from logship.config.values import duration, kind_of, listen_address, normalised, scalar_text, size
from logship.sections import (
    REQUIRED,
    AnyTree,
    Choice,
    Converted,
    Inner,
    ListOf,
    MapOf,
    NumberBounds,
    OrNull,
    Section,
    Text,
    UnfitError,
    ValueKind,
    Whole,
    declare,
)

MIN_BATCH_BYTES = 1_000  # below it hardly an event fits
MAX_BATCH_BYTES = 50_000_000  # the hosted service's own limit in 2024
MAX_CONCURRENCY = 256
MIN_LINE_BYTES = 1_024  # the first line that identifies a file is up to this long


def _age(value: object) -> float | str | None:
    if value is None or value == "none":
        return None
    return "auto" if value == "auto" else duration(value)


def _url(value: object) -> str:
    return normalised(scalar_text(value, "a URL"))


def _proxy(value: object) -> str:
    return normalised(scalar_text(value, "a URL"), may_hold_password=True)


def _listen(value: object) -> tuple[str, int] | None:
    return None if value is None else listen_address(value)


def _constants(value: object) -> dict[str, str]:
    """Text by text; nothing else has a place in a log's field."""
    if not isinstance(value, dict):
        raise UnfitError(f"this is {kind_of(value)}, not a map", A_MAP)
    for key, constant in value.items():
        if not isinstance(constant, str):
            raise UnfitError(f"the value of '{key}' is not text", "write  name: text")
    return {key: str(constant) for key, constant in value.items()}


A_MAP = "write  key: value  lines below it, or {key: value}"
DURATION = {"type": "string", "pattern": r"^(0|\d+(\.\d+)?\s*(ms|s|m|h|d|w)|\$\{.*)$"}
SIZE = {"type": ["integer", "string"], "pattern": r"^(\d[\d_,]*(\.\d+)?\s*([kKMGT]i?)?[bB]?|\$\{.*)$"}
TEXT_OR_NULL = {"type": ["string", "null"]}
SCALARS = {"type": ["string", "number", "boolean"]}

POSITIVE = Converted(duration, DURATION, NumberBounds(more_than=0))
NOT_NEGATIVE = Converted(duration, DURATION, NumberBounds(at_least=0))
TEXT = OrNull(Text())
NAME = OrNull(Text(is_filled=True))


def _size(at_least: int, at_most: int | None = None) -> ValueKind:
    return Converted(size, SIZE, NumberBounds(at_least=at_least, at_most=at_most))


def _texts(*, is_filled: bool = False) -> ValueKind:
    return ListOf(Text(), is_filled=is_filled, schema={"type": ["array", "string"]})


FORMAT_KINDS = {
    "apache": {"type": "string", "description": "an Apache LogFormat string, as in httpd.conf"},
    "nginx": {"type": ["string", "array"], "description": "an nginx log_format, as in nginx.conf"},
    "json": {"type": ["string", "object"], "description": "field: key, dotted keys; or auto"},
    "ltsv": {"type": ["string", "object"], "description": "field: label; or auto"},
    "w3c": {
        "type": "string",
        "description": "auto: the log's #Fields lines; or the fields of a log without them",
    },
    "regex": {"type": "string", "description": "RE2 with groups named after fields"},
}
FORMAT = {
    "anyOf": [
        {"type": "string", "description": "a preset, a name under formats:, or auto"},
        {"type": "object", "properties": FORMAT_KINDS},
        {"type": "array", "items": {"$ref": "#/$defs/Format"}, "description": "each line by the first that fits"},
    ]
}
FORMAT_TREE = AnyTree({"$ref": "#/$defs/Format"})
MAPPING_TREE = AnyTree(
    {
        "anyOf": [
            {"type": "string", "description": "a shipped mapping, or a path relative to this file"},
            {"$ref": "#/$defs/Mapping"},
        ]
    }
)

MEANT_NULLS = frozenset({"status", "listen", "max_event_age"})  # where null turns something off


class ConfigSection(Section):
    """A map of logship.yml; keys without a value are as good as left out."""

    @classmethod
    def without_left_out(cls, tree: dict[str, Any]) -> dict[str, Any]:
        return {
            key: value for key, value in tree.items() if value is not None or key in MEANT_NULLS or key not in cls.keys
        }


class EndpointModel(ConfigSection):
    """Where events go."""

    url: str | None = declare(
        OrNull(Converted(_url, {"type": "string"})), None, "base URL of the ingestion API; may hold a path prefix"
    )
    api: Literal["auto", "moesifapi", "v1"] = declare(
        Choice("auto", "moesifapi", "v1"),
        "auto",
        "the paths: /moesifapi/events, /v1/events, or whichever of them answers",
    )
    application_id: str | None = declare(
        TEXT, None, "sent as X-Moesif-Application-Id; better as ${env:NAME} or ${file:PATH} than in clear"
    )
    application_id_file: str | None = declare(TEXT, None, "a file that holds it, read again on 401")
    compression: Literal["auto", "none", "gzip"] = declare(
        Choice("auto", "none", "gzip"), "auto", "auto: gzip on v1, none on moesifapi"
    )
    max_event_age: float | Literal["auto"] | None = declare(
        Converted(_age, TEXT_OR_NULL),
        "auto",
        "older events are counted as too old; auto: 30d for *.moesif.net, else none",
    )
    timeout: float = declare(POSITIVE, 30.0, "longest time of one attempt", shown="30s")
    remote_config: Literal["on", "off", "auto"] = declare(
        Choice("on", "off", "auto"),
        "auto",
        "obey the receiver's GET /v1/config (sampling); auto: on for *.moesif.net",
    )
    connection_max_age: float = declare(
        POSITIVE, 300.0, "then a new connection is opened, so that DNS changes are followed", shown="5m"
    )
    ca_file: str | None = declare(TEXT, None, "certificates to trust instead of the system's")
    client_cert: str | None = declare(TEXT, None, "client certificate, PEM")
    client_key: str | None = declare(TEXT, None, "its key, PEM")
    proxy: str | None = declare(
        OrNull(Converted(_proxy, {"type": "string"})), None, "http://host:port; default $HTTPS_PROXY and $NO_PROXY"
    )


class BatchModel(ConfigSection):
    """How events are joined to bodies."""

    max_bytes: int = declare(
        _size(MIN_BATCH_BYTES, MAX_BATCH_BYTES), 250_000, "of the decoded body, brackets and commas included"
    )
    max_age: float = declare(NOT_NEGATIVE, 1.0, "longest time an event waits for its batch to fill", shown="1s")


class DeliveryModel(ConfigSection):
    """Concurrency and retries."""

    concurrency: int = declare(Whole(1, MAX_CONCURRENCY), 4, "batches in flight; 1 keeps the order of lines")
    retry_initial: float = declare(
        POSITIVE, 0.5, "first wait after a failure, then twice as long each time", shown="500ms"
    )
    retry_max: float = declare(POSITIVE, 60.0, "longest wait between attempts", shown="60s")
    shutdown_timeout: float = declare(NOT_NEGATIVE, 10.0, "how long a stop waits for answers", shown="10s")


class StatusModel(ConfigSection):
    """Where /metrics, /healthz, /readyz and /status are served."""

    listen: tuple[str, int] | None = declare(
        Converted(_listen, TEXT_OR_NULL), ("127.0.0.1", 9640), "address:port; null turns it off", shown="127.0.0.1:9640"
    )


class SourceModel(ConfigSection):
    """One log, or several of one kind."""

    name: str | None = declare(NAME, None, "shown everywhere; default from the path")
    paths: list[str] = declare(_texts(is_filled=True), REQUIRED, "globs of the live logs, also with ** and {a,b}")
    exclude: list[str] = declare(_texts(), [], "globs of files not to read")
    rotated: list[str] = declare(_texts(), [], "globs of rotated files, if rotation moves them elsewhere")
    format: Any = declare(FORMAT_TREE, "combined", "a preset, auto, a list, or {apache|nginx|json|ltsv|w3c|regex: …}")
    mapping: Any = declare(MAPPING_TREE, "default", "a shipped name, a path relative to this file, or inline")
    fields: dict[str, str] = declare(
        Converted(_constants, {"type": "object", "additionalProperties": SCALARS}),
        {},
        "constants, used where the log has no such field",
    )
    path_fields: str | None = declare(TEXT, None, "RE2 with named groups: fields from the path")
    envelope: Literal["none", "docker", "cri", "syslog", "auto"] = declare(
        Choice("none", "docker", "cri", "syslog", "auto"), "none", "what wraps each line"
    )
    start_at: Literal["end", "beginning"] = declare(
        Choice("end", "beginning"),
        "end",
        "for files that exist at the daemon's first start; later files are read from the beginning",
    )
    timezone: str = declare(Text(), "UTC", "for times without a zone: local, an IANA name or an offset such as +02:00")
    on_unmatched: Literal["dead_letter", "drop"] = declare(
        Choice("dead_letter", "drop"), "dead_letter", "what becomes of unmatched lines"
    )
    endpoint: EndpointModel = declare(Inner(EndpointModel), EndpointModel(), "overrides keys of endpoint:")


SOURCES = ListOf(Inner(SourceModel))


class IncludedModel(ConfigSection):
    """A file named by include: sources only."""

    sources: list[SourceModel] = declare(SOURCES, [], "further sources")


class LogshipModel(ConfigSection):
    """logship.yml."""

    endpoint: EndpointModel = declare(Inner(EndpointModel), EndpointModel(), "where events go")
    batch: BatchModel = declare(Inner(BatchModel), BatchModel(), "how events are joined to bodies")
    delivery: DeliveryModel = declare(Inner(DeliveryModel), DeliveryModel(), "concurrency and retries")
    state_dir: str | None = declare(
        NAME, None, "positions and dead letters; default $STATE_DIRECTORY, else $XDG_STATE_HOME/logship"
    )
    origin: str | None = declare(NAME, None, "label of this host; default: its name")
    status: StatusModel | None = declare(OrNull(Inner(StatusModel)), StatusModel(), "null turns it off")
    max_line_bytes: int = declare(_size(MIN_LINE_BYTES, 16_777_216), 65_536, "longer lines are dead letters")
    held_max: int = declare(_size(0), 1_000_000_000, "most bytes of deleted files kept open until they are read")
    formats: dict[str, Any] = declare(MapOf(FORMAT_TREE), {}, "named formats of your own")
    include: list[str] = declare(_texts(), [], "globs of files with sources: only, relative to this file")
    sources: list[SourceModel] = declare(SOURCES, [], "the logs")
