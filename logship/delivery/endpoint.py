"""Where events go and how hard to try: all that delivery needs to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import StrEnum

from logship.records import record


class Api(StrEnum):
    """Which pair of paths the receiver speaks."""

    AUTO = "auto"
    MOESIFAPI = "moesifapi"
    V1 = "v1"


class Compression(StrEnum):
    """How bodies are encoded; AUTO is gzip on v1 and none on moesifapi."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"


@record
class ApiPaths:
    """One pair of paths below the base URL."""

    api: Api
    event: str  # takes one event as a bare object
    batch: str  # takes an array


MOESIFAPI = ApiPaths(Api.MOESIFAPI, "/moesifapi/events", "/moesifapi/events/batch")
V1 = ApiPaths(Api.V1, "/v1/events", "/v1/events/batch")


@record
class Endpoint:
    """One receiver.

    Shapes: `url` is http(s)://host[:port][/prefix]; files are paths, None where not given; `proxy` is a URL or None for
    a direct connection; an empty application_id sends no header.
    `reread_application_id` gives the id as it is now; it is called when the receiver refuses the one in use.
    `mend_application_id` says what a person does then.
    """

    url: str
    application_id: str = field(default="", repr=False)
    api: Api = Api.AUTO
    compression: Compression = Compression.AUTO
    timeout_s: float = 30.0  # of one whole attempt, from dialling to the answer's last byte
    connection_max_age_s: float = 300.0  # then its name is resolved anew
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    reread_application_id: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    mend_application_id: str = "put the right one in place"


@record
class DeliveryLimits:
    """How many at once, how long between tries, how large."""

    concurrency: int = 4
    retry_initial_s: float = 0.5
    retry_max_s: float = 60.0
    max_body_bytes: int = 250_000  # decoded, brackets and commas included
