"""What logship.yml says, checked and typed: the values the rest of the program is built from.

Shapes: durations are seconds, sizes bytes, paths absolute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from logship.config.secret import Secret
from logship.errors import Location, Problem
from logship.records import record

if TYPE_CHECKING:
    from logship.conversion import SourceConverter


@record
class EndpointSettings:
    """One way to one receiver.

    Shapes: `receiver` is the normalised base URL: the key of confirmed ranges in the state. `application_id` is None
    only where the settings were loaded without the wish to send. `max_event_age_s` None = no limit.
    """

    url: str
    receiver: str
    api: Literal["auto", "moesifapi", "v1"]
    application_id: Secret | None
    compression: Literal["auto", "none", "gzip"]
    max_event_age_s: float | None
    timeout_s: float
    remote_config: Literal["on", "off", "auto"] = "auto"
    connection_max_age_s: float = 300.0
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password

    @property
    def obeys(self) -> bool:
        """Whether the receiver's rules are asked for."""
        return self.remote_config == "on" or (self.remote_config == "auto" and is_moesif(self.url))


def is_moesif(url: str) -> bool:
    """Whether the hosted service is meant."""
    return (urlsplit(url).hostname or "").endswith(".moesif.net")


@record
class BatchSettings:
    max_bytes: int
    max_age_s: float


@record
class DeliverySettings:
    concurrency: int
    retry_initial_s: float
    retry_max_s: float
    shutdown_timeout_s: float


@record
class StatusSettings:
    host: str
    port: int


@record
class SourceSettings:
    """One entry of sources:.

    Shapes: paths, exclude and rotated are absolute globs; format and mapping are trees as the file has them, references
    expanded; `path` and `location` say where the entry stands, for messages.
    """

    name: str
    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    rotated: tuple[str, ...]
    format: object
    mapping: object = field(repr=False)  # may hold the key of redaction
    fields: Mapping[str, str]
    path_fields: str | None
    envelope: Literal["none", "docker", "cri", "syslog", "auto"]
    start_at: Literal["end", "beginning"]
    timezone: str
    on_unmatched: Literal["dead_letter", "drop"]
    endpoint: EndpointSettings
    path: str = ""
    location: Location = ()


@record
class Settings:
    """A whole configuration; `problems` are its warnings."""

    path: Path
    endpoint: EndpointSettings
    batch: BatchSettings
    delivery: DeliverySettings
    state_dir: Path
    origin: str
    status: StatusSettings | None
    max_line_bytes: int
    held_max: int
    sources: tuple[SourceSettings, ...]
    converters: Mapping[str, SourceConverter] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()

    def compile_source(self, source: SourceSettings) -> SourceConverter:
        """The converter of a source of these settings; compiled while they were loaded."""
        return self.converters[source.name]

    def origin_of(self, source: SourceSettings) -> Callable[[str], str]:
        """A function from a log's path to its origin: the group `origin` of path_fields, else this host's."""
        path_fields = self.converters[source.name].path_fields
        return lambda path: path_fields.origin(path, self.origin)
