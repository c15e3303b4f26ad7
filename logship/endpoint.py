"""Where events go and how hard to try: a receiver, the secret that it wants, and the limits of delivery."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from logship.records import record

HIDDEN = "***"


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
class Secret:
    """Text for one header; str() and repr() never show it.

    Shapes: `file` is where it came from and may change, "" for a value given directly; `remedy` says how to
    correct a wrong one.
    """

    _value: str
    file: str = ""
    remedy: str = ""

    def reveal(self) -> str:
        return self._value

    def reread(self) -> Secret:
        """The same secret as its file has it now.

        Raises: OSError when the file can't be read.
        """
        return Secret.from_file(Path(self.file), self.remedy) if self.file else self

    @classmethod
    def from_file(cls, path: Path, remedy: str = "") -> Secret:
        """The file's text without the blanks around it.

        Raises: OSError, UnicodeDecodeError.
        """
        return cls(path.read_text(encoding="utf-8").strip(), str(path), remedy)

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __reduce__(self) -> tuple[type[Secret], tuple[str, str, str]]:
        return Secret, (self._value, self.file, self.remedy)  # workers of a backfill need it

    def __bool__(self) -> bool:
        return bool(self._value)


@record
class Endpoint:
    """One way to one receiver.

    Shapes: `url` is http(s)://host[:port][/prefix], normalised; `application_id` None sends no header; `proxy` is a
    URL, None for a direct connection. `max_event_age_s` None: events may be of any age.
    """

    url: str
    application_id: Secret | None = None
    api: Api = Api.AUTO
    compression: Compression = Compression.AUTO
    max_event_age_s: float | None = None
    timeout_s: float = 30.0  # of one whole attempt, from dialling to the last byte of the answer
    remote_config: Literal["on", "off", "auto"] = "auto"
    connection_max_age_s: float = 300.0  # then its name is resolved again
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password

    @property
    def receiver(self) -> str:
        """The key of confirmed ranges in the state."""
        return self.url

    @property
    def obeys(self) -> bool:
        """Whether the receiver is asked for its rules."""
        return self.remote_config == "on" or (self.remote_config == "auto" and is_moesif(self.url))


def is_moesif(url: str) -> bool:
    """Whether this is the hosted service."""
    return (urlsplit(url).hostname or "").endswith(".moesif.net")


@record
class DeliveryLimits:
    """How many attempts at once, how long between them, how large."""

    concurrency: int = 4
    retry_initial_s: float = 0.5
    retry_max_s: float = 60.0
    shutdown_timeout_s: float = 10.0  # a stop waits so long for answers
    max_body_bytes: int = 250_000  # decoded, brackets and commas included
