"""What came back from one attempt: an answer of the receiver, or the failure to get one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from logship.records import record

EXCERPT_CHARACTERS = 300  # of an answer's body, enough to hold an API's complaint


@record
class Answer:
    """A complete answer.

    Shapes: `retry_after` is the header as it came, None without one; `excerpt` is the beginning of the body as text,
    control bytes included: whoever prints it escapes them. `config_etag` names the receiver's rules of now.
    """

    status: int
    is_html: bool = False
    retry_after: str | None = None
    excerpt: str = ""
    config_etag: str | None = None

    @property
    def name(self) -> str:
        """How counters call it."""
        return str(self.status)

    def __str__(self) -> str:
        return f"{self.status} {self.excerpt}".rstrip()


@record
class RulesPage:
    """A complete answer that is read for its content; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "").lower()


class FailureKind(StrEnum):
    """Why there is no answer."""

    TIMEOUT = "timeout"  # the attempt as a whole took too long
    DNS = "dns"
    CONNECT = "connect"  # refused, unreachable
    PROXY = "proxy"
    TLS = "tls"
    LOST = "lost"  # the connection broke before the answer was complete
    GARBAGE = "garbage"  # what came is not HTTP
    SETTING = "setting"  # a value or a file of the endpoint can't be used: nothing was sent


@record
class Failure:
    """No complete answer; whether the events were stored is unknown."""

    kind: FailureKind
    detail: str

    @property
    def name(self) -> str:
        return self.kind.value

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
