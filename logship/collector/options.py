"""What a person can set about a collector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from logship.errors import UsageError
from logship.process.loopback import is_loopback
from logship.records import record

MAX_BYTES = 256_000  # the API documents "250kb"; shippers stay below 250,000, so both readings of kb work
MAX_BYTES_V1 = 50_000_000  # the hosted service's limit since 2024
MAX_AGE_DAYS = 30
RETRY_AFTER_S = 2


@record(kw_only=True)
class CollectorOptions:
    """One collector.

    Shapes: `store` is a SQLite file's path or a `postgresql://` URL; port 0 takes a free one; `application_ids` empty
    takes any id (loopback only); `max_bytes` bounds a decoded body under /moesifapi, `max_bytes_v1` one under /v1;
    `config` is a JSON file with what GET /v1/config answers, None keeps everything; `path_prefix` is "" or
    "/collector"; `max_age_days` and `max_store_bytes` are None for no limit.
    Raises: UsageError for a combination that would open the events to strangers.
    """

    store: str
    host: str = "127.0.0.1"
    port: int = 8080
    application_ids: tuple[str, ...] = ()
    application_names: Mapping[str, str] = field(default_factory=dict)  # by id; an id may have none
    max_bytes: int = MAX_BYTES
    max_bytes_v1: int = MAX_BYTES_V1
    config: Path | None = None
    page_token: str | None = None
    path_prefix: str = ""
    max_age_days: float | None = MAX_AGE_DAYS
    max_store_bytes: int | None = None
    body_timeout_s: float = 20.0  # from the first byte of a request to the last of its body
    head_timeout_s: float = 10.0
    max_connections: int = 512
    in_flight_bytes: int = 64_000_000  # bodies being read or waiting for their commit, all together

    def __post_init__(self) -> None:
        if self.path_prefix and (not self.path_prefix.startswith("/") or self.path_prefix.endswith("/")):
            raise UsageError(f"path prefix {self.path_prefix!r} must begin with / and not end with /; give /collector")
        if is_loopback(self.host):
            return
        if not self.application_ids:
            raise UsageError(f"{self.host} is not loopback: anybody could post; give --application-id ID")
        if not self.page_token:
            advice = "give --page-token-file FILE (the service has /etc/logship/page_token)"
            raise UsageError(f"{self.host} is not loopback: anybody could read; {advice}")

    @property
    def applications(self) -> dict[str, str]:
        """The names of the applications by their ids, "" for none."""
        return {one: self.application_names.get(one, "") for one in self.application_ids}
