"""One attempt as the contract asks for it: which paths, which encoding, which application id."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from isal import isal_zlib

from logship import __version__
from logship.delivery.answer import Answer, Failure
from logship.delivery.decision import Decision, Verdict, decide, is_wrong_path
from logship.delivery.endpoint import MOESIFAPI, V1, Api, ApiPaths, Compression, Endpoint
from logship.delivery.transport import Transport
from logship.records import record

log = logging.getLogger(__name__)

GZIP_LEVEL = 1  # of isal's 0 to 3: 250 kB of events in under a millisecond, to a tenth
GZIP_WBITS = 31  # a gzip header around deflate
ID_HEADER = "X-Moesif-Application-Id"


@record
class AttemptTarget:
    """Where an attempt goes, and as whom."""

    paths: ApiPaths
    application_id: str


@record
class Reply:
    """What an attempt came to; `posted` are all its answers, more than one where another path or id was tried."""

    answer: Answer | Failure
    decision: Decision
    posted: tuple[Answer | Failure, ...]


class Exchange:
    """What the senders of one receiver have learned about its door. Thread-safe."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._application_id = endpoint.application_id
        self.paths = V1 if endpoint.api is Api.V1 else MOESIFAPI
        self._is_logged = endpoint.api is not Api.AUTO

    def compression(self, paths: ApiPaths) -> Compression:
        """How bodies for these paths are encoded: NONE or GZIP."""
        if self._endpoint.compression is Compression.AUTO:
            return Compression.GZIP if paths is V1 else Compression.NONE
        return self._endpoint.compression

    def begin(self, transport: Transport, body: bytes, *, is_single: bool) -> AttemptTarget | None:
        """Start to post `body` without waiting for its answer; None where that can't be."""
        door = AttemptTarget(self.paths, self._application_id)
        if not self._is_logged or not transport.can_begin:
            return None
        return door if transport.begin(*self._request(door, body, is_single)) else None

    def confirmation(self, transport: Transport, door: AttemptTarget) -> Reply | None:
        """The reply to what was begun, if it has come and is the usual one; any other is for perform()."""
        answer = transport.progress()
        if answer is None:
            return None
        decision = self._decide(answer, door.paths)
        return Reply(answer, decision, (answer,)) if decision.verdict is Verdict.CONFIRMED else None

    def perform(
        self, transport: Transport, body: bytes, *, is_single: bool, begun: AttemptTarget | None = None
    ) -> Reply:
        """Post `body`, or wait for what was begun; on a refused id once more with the one that is in its file now."""
        door = begun or AttemptTarget(self.paths, self._application_id)
        first = transport.finish() if begun else transport.post(*self._request(door, body, is_single))
        reply = self._perform(first, transport, door, body, is_single)
        if not isinstance(reply.answer, Answer) or reply.answer.status not in (401, 403):
            return reply
        fresh = self._reread(door.application_id)
        if fresh == door.application_id:
            return reply
        door = AttemptTarget(self.paths, fresh)
        again = self._perform(transport.post(*self._request(door, body, is_single)), transport, door, body, is_single)
        return Reply(again.answer, again.decision, (*reply.posted, *again.posted))

    def _perform(
        self, first: Answer | Failure, transport: Transport, door: AttemptTarget, body: bytes, is_single: bool
    ) -> Reply:
        """What the first answer comes to; with `api: auto` and a wrong path the others are tried, too."""
        api, paths = self._endpoint.api, door.paths
        decision = self._decide(first, paths)
        if decision.verdict is Verdict.CONFIRMED:
            self._learn(paths)
        if api is not Api.AUTO or not is_wrong_path(first):
            return Reply(first, decision, (first,))
        other = V1 if paths is MOESIFAPI else MOESIFAPI
        second = transport.post(*self._request(AttemptTarget(other, door.application_id), body, is_single))
        other_decision = self._decide(second, other)
        if isinstance(second, Answer) and second.status == 201:
            self._learn(other)
        elif other_decision.verdict is Verdict.CONFIRMED or not _knows_the_api(second, other_decision):
            return Reply(first, decision, (first, second))
        return Reply(second, other_decision, (first, second))

    def _decide(self, answer: Answer | Failure, paths: ApiPaths) -> Decision:
        """What the answer means; what to do about a refused id depends on where it is kept."""
        decision = decide(answer, paths, self._endpoint.api)
        if isinstance(answer, Answer) and answer.status == 401:
            return replace(decision, hint=f"{decision.hint}; {self._endpoint.mend_application_id}")
        return decision

    def _request(self, door: AttemptTarget, body: bytes, is_single: bool) -> tuple[str, bytes, dict[str, str]]:
        """Path, body as it is sent, and headers."""
        headers = self._headers(door.application_id)
        if self.compression(door.paths) is Compression.GZIP:
            headers["Content-Encoding"] = "gzip"
            body = isal_zlib.compress(body, GZIP_LEVEL, GZIP_WBITS)
        return door.paths.event if is_single else door.paths.batch, body, headers

    @staticmethod
    def _headers(application_id: str) -> dict[str, str]:
        headers = {
            "User-Agent": f"logship/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        if application_id:
            headers[ID_HEADER] = application_id
        return headers

    def _learn(self, paths: ApiPaths) -> None:
        """These paths took events: they are the ones in use."""
        if self._is_logged and paths is self.paths:
            return
        with self._lock:
            self.paths = paths
            self._is_logged = True
        log.info("receiver accepts api=%s url=%s", paths.api, self._endpoint.url)

    def _reread(self, used: str) -> str:
        """The application id as it is now; the one in use where it can't be read."""
        if self._endpoint.reread_application_id is None:
            return used
        with self._lock:
            try:
                self._application_id = self._endpoint.reread_application_id()
            except (OSError, ValueError) as exc:
                log.warning("the application id can't be read again error=%s", exc)
            return self._application_id


def _knows_the_api(answer: Answer | Failure, decision: Decision) -> bool:
    """Whether an answer of the second path tells more than the wrong path of the first."""
    if decision.verdict is Verdict.HOLD:
        return isinstance(answer, Answer) and answer.status in (401, 402, 403)
    return True
