"""The values of logship.yml, checked and typed.

Shapes: durations are seconds, sizes bytes, paths absolute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from logship.endpoint import DeliveryLimits, Endpoint
from logship.errors import Location, Problem
from logship.records import record

if TYPE_CHECKING:
    from logship.conversion import SourceConverter


@record
class BatchSettings:
    max_bytes: int
    max_age_s: float


@record
class StatusSettings:
    host: str
    port: int


@record
class SourceSettings:
    """One entry of sources:.

    Shapes: paths, exclude and rotated are absolute globs; format and mapping are trees as the file has them, references
    expanded; `path` and `location` are the entry's place, for messages.
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
    endpoint: Endpoint
    path: str = ""
    location: Location = ()


@record
class Settings:
    """A whole configuration; `problems` are its warnings."""

    path: Path
    endpoint: Endpoint
    batch: BatchSettings
    delivery: DeliveryLimits
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
