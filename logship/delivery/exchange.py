"""One attempt as the API wants it: which paths, which encoding, which application id."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from isal import isal_zlib

from logship import __version__
from logship.delivery.answer import Answer, Decision, Failure, FailureKind, Verdict, decide, is_wrong_path
from logship.endpoint import MOESIFAPI, V1, Api, ApiPaths, Compression, Endpoint, Secret
from logship.event import Parts
from logship.records import record

GZIP_LEVEL = 1  # of isal's 0 to 3: 250 kB of events in under a millisecond, to a tenth
GZIP_WBITS = 31  # a gzip header around deflate
ID_HEADER = "X-Moesif-Application-Id"


class Transport(Protocol):
    """What one sender posts with: http.HttpTransport, or a test's own, which needs no begin()."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Send and wait for the answer."""

    @property
    def can_begin(self) -> bool:
        """Whether begin() can work, so that preparing a body pays."""
        return False

    def begin(self, path: str, body: Parts, headers: Mapping[str, str]) -> bool:
        """Start an attempt without waiting; False where that is impossible. Then progress() or finish()."""
        return False

    def progress(self) -> Answer | None:
        """The answer to what was begun, if it has come; never waits."""
        return None

    def finish(self) -> Answer | Failure:
        """Wait for the answer to what was begun."""
        return Failure(FailureKind.SETTING, "nothing was begun")

    def cut(self) -> None:
        """End the attempt in progress; called from another thread."""

    def close(self) -> None:
        """Close the connection."""


log = logging.getLogger(__name__)


@record
class AttemptTarget:
    """Where an attempt goes, and as whom."""

    paths: ApiPaths
    application_id: str

    def path(self, is_single: bool) -> str:
        """Where one event goes, or several."""
        return self.paths.event if is_single else self.paths.batch


@record
class Reply:
    """The result of an attempt; `posted` are all its answers, several where another path or id was tried."""

    answer: Answer | Failure
    decision: Decision
    posted: tuple[Answer | Failure, ...]


class Exchange:
    """What the senders of one receiver have learned: which paths it has, which id is valid. Thread-safe."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        secret = endpoint.application_id
        self._application_id = secret.reveal() if secret else ""
        self.paths = V1 if endpoint.api is Api.V1 else MOESIFAPI
        self._is_logged = endpoint.api is not Api.AUTO

    def compression(self, paths: ApiPaths) -> Compression:
        """How bodies for these paths are encoded: NONE or GZIP."""
        if self._endpoint.compression is Compression.AUTO:
            return Compression.GZIP if paths is V1 else Compression.NONE
        return self._endpoint.compression

    def begin(self, transport: Transport, body: Parts, *, is_single: bool) -> AttemptTarget | None:
        """Start to post `body` without waiting for its answer; None where that is impossible."""
        target = AttemptTarget(self.paths, self._application_id)
        if not self._is_logged or not transport.can_begin:
            return None
        if self.compression(target.paths) is Compression.GZIP:
            path, compressed, headers = self._request(target, b"".join(body), is_single)
            body = (compressed,)
        else:
            path, headers = target.path(is_single), headers_as(target.application_id)
        return target if transport.begin(path, body, headers) else None

    def confirmation(self, transport: Transport, target: AttemptTarget) -> Reply | None:
        """The reply to what was begun, if it has come and is a plain confirmation; any other is for perform()."""
        answer = transport.progress()
        if answer is None:
            return None
        decision = self._decide(answer, target.paths)
        return Reply(answer, decision, (answer,)) if decision.verdict is Verdict.CONFIRMED else None

    def perform(
        self, transport: Transport, body: bytes, *, is_single: bool, begun: AttemptTarget | None = None
    ) -> Reply:
        """Post `body`, or wait for what was begun; if the id is refused, once more with the id now in its file."""
        target = begun or AttemptTarget(self.paths, self._application_id)
        first = transport.finish() if begun else transport.post(*self._request(target, body, is_single))
        reply = self._perform(first, transport, target, body, is_single)
        if not isinstance(reply.answer, Answer) or reply.answer.status not in (401, 403):
            return reply
        fresh = self._reread(target.application_id)
        if fresh == target.application_id:
            return reply
        target = AttemptTarget(self.paths, fresh)
        second = transport.post(*self._request(target, body, is_single))
        again = self._perform(second, transport, target, body, is_single)
        return Reply(again.answer, again.decision, (*reply.posted, *again.posted))

    def _perform(
        self, first: Answer | Failure, transport: Transport, target: AttemptTarget, body: bytes, is_single: bool
    ) -> Reply:
        """The reply for a first answer; with `api: auto` and a wrong path the other paths are tried."""
        api, paths = self._endpoint.api, target.paths
        decision = self._decide(first, paths)
        if decision.verdict is Verdict.CONFIRMED:
            self._learn(paths)
        if api is not Api.AUTO or not is_wrong_path(first):
            return Reply(first, decision, (first,))
        other = V1 if paths is MOESIFAPI else MOESIFAPI
        second = transport.post(*self._request(AttemptTarget(other, target.application_id), body, is_single))
        other_decision = self._decide(second, other)
        if isinstance(second, Answer) and second.status == 201:
            self._learn(other)
        elif other_decision.verdict is Verdict.CONFIRMED or not _knows_the_api(second, other_decision):
            return Reply(first, decision, (first, second))
        return Reply(second, other_decision, (first, second))

    def _decide(self, answer: Answer | Failure, paths: ApiPaths) -> Decision:
        """What the answer means; the remedy for a refused id depends on where the id comes from."""
        decision = decide(answer, paths, self._endpoint.api)
        if isinstance(answer, Answer) and answer.status == 401:
            secret = self._endpoint.application_id
            remedy = secret.remedy if secret else "give endpoint.application_id"
            return replace(decision, hint=f"{decision.hint}; {remedy}")
        return decision

    def _request(self, target: AttemptTarget, body: bytes, is_single: bool) -> tuple[str, bytes, Mapping[str, str]]:
        """Path, encoded body and headers."""
        is_gzip = self.compression(target.paths) is Compression.GZIP
        if is_gzip:
            body = isal_zlib.compress(body, GZIP_LEVEL, GZIP_WBITS)
        return target.path(is_single), body, headers_as(target.application_id, is_gzip=is_gzip)

    def _learn(self, paths: ApiPaths) -> None:
        """These paths took events: from now on they are used."""
        if self._is_logged and paths is self.paths:
            return
        with self._lock:
            self.paths = paths
            self._is_logged = True
        log.info("receiver accepts api=%s url=%s", paths.api, self._endpoint.url)

    def _reread(self, used: str) -> str:
        """The application id as it is now; the one in use where it can't be read."""
        secret = self._endpoint.application_id
        if secret is None:
            return used
        with self._lock:
            self._application_id = reread(secret, self._application_id)
            return self._application_id


@lru_cache(16)
def headers_as(application_id: str, *, is_gzip: bool = False) -> Mapping[str, str]:
    """The headers of a request, "" for one without an application id; the same object for every body of a kind."""
    headers = {
        "User-Agent": f"logship/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if application_id:
        headers[ID_HEADER] = application_id
    if is_gzip:
        headers["Content-Encoding"] = "gzip"
    return headers


def reread(secret: Secret, used: str) -> str:
    """The secret as its file has it now; the one in use where that can't be read."""
    try:
        return secret.reread().reveal()
    except (OSError, ValueError) as exc:
        log.warning("the application id can't be read again error=%s", exc)
        return used


def _knows_the_api(answer: Answer | Failure, decision: Decision) -> bool:
    """Whether the second path's answer says more than the first one's wrong path."""
    if decision.verdict is Verdict.HOLD:
        return isinstance(answer, Answer) and answer.status in (401, 402, 403)
    return True
