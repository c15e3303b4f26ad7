"""Asks a receiver for its rules, GET /v1/config: each minute, and when an answer to events names other rules.

A valid answer replaces the known rules; any other changes nothing. Nothing is shipped before the first answer of a run,
or before it is known which rules there are: the receiver may have excluded somebody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol

import orjson

from logship.clock import WaitingClock
from logship.delivery.answer import Failure, FailureKind, RulesPage, retry_after_s
from logship.delivery.exchange import headers_as, reread
from logship.endpoint import Endpoint
from logship.mapping.remote_rules import MAX_CONFIG_BYTES, RemoteRules, RemoteRulesError
from logship.patterns import deferred
from logship.records import record

log = logging.getLogger(__name__)

PATH = "/v1/config"
ETAG_HEADER = "x-moesif-config-etag"
ETAG = deferred(r"[\x21-\x7e]{1,200}\Z")  # any other is not sent back
POLL_EVERY_S = 60.0
RETRY_INITIAL_S = 1.0  # while nothing is known; then twice as long each time
HEAR_EVERY_S = 1.0  # however often answers name a new ETag
HAS_NONE = (404, 405, 501)  # answers of receivers without such a page
SAYS_NOTHING = f"the answer to GET {PATH} says nothing of rates, so it takes none back"
TRANSIENT = (408, 425, 429)
JOIN_S = 0.5


class PageSource(Protocol):
    """Where pages come from: http.PageTransport, or a test's own."""

    def get(self, path: str, headers: dict[str, str], most_bytes: int) -> RulesPage | Failure: ...

    def cut(self) -> None: ...


@record
class KnownRules:
    """Rules with their ETag ('' for none); `at_s` is when the receiver last said so, in seconds since 1970."""

    rules: RemoteRules
    etag: str = ""
    at_s: float = 0.0

    def to_note(self) -> str:
        """As the state stores it."""
        return orjson.dumps({"etag": self.etag, "at_s": self.at_s, "config": self.rules.text.decode()}).decode()

    @classmethod
    def from_note(cls, text: str) -> KnownRules | None:
        """What to_note() wrote; None for anything else."""
        try:
            tree = orjson.loads(text)
            return cls(RemoteRules.of(tree["config"].encode()), str(tree["etag"]), float(tree["at_s"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def note_name(receiver: str, application_id: str) -> str:
    """The name under which the state stores an application's rules; the id itself is a secret."""
    return f"{note_prefix(receiver)}{blake2b(application_id.encode(), digest_size=8).hexdigest()}"


def note_prefix(receiver: str) -> str:
    """How the names of a receiver's notes begin, of all applications."""
    return f"rules of {receiver} "


def newest(notes: Iterable[str]) -> KnownRules | None:
    """The newest rules of some notes, for commands that have no application id."""
    found = [known for known in map(KnownRules.from_note, notes) if known is not None]
    return max(found, key=lambda known: known.at_s, default=None)


@record
class FeedStatus:
    """The feed as others see it.

    Shapes: `known` None: not yet; `problem` is why the newest attempt failed, '' where it didn't; `is_ready`: lines may
    be shipped; `is_refused`: not before somebody acts.
    """

    known: KnownRules | None
    problem: str = ""
    is_ready: bool = False
    is_refused: bool = False


class RulesFeed:
    """The rules of one receiver: a thread asks for them, the work thread takes them.

    `wake` is called when the status changes; `keep` stores new rules for a restart before they are used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        clock: WaitingClock,
        *,
        known: KnownRules | None,
        keep: Callable[[KnownRules], None],
        wake: Callable[[], None],
        make_source: Callable[[], PageSource],
    ) -> None:
        self.adopted = known  # the rules that the work thread applies
        self.is_open = False  # whether lines may be shipped; known with the first take() after an answer
        self._endpoint = endpoint
        self._clock = clock
        self._keep = keep
        self._wake = wake
        self._make_source = make_source
        self._status = FeedStatus(known)
        self._failures = 0
        self._heard = ""  # ETag that an answer to events named last
        self._asked_s = float("-inf")
        self._asked_for_s = 0.0  # the pause that the receiver's newest answer asks for
        self._bell = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._source: PageSource | None = None

    # called by the work thread

    def start(self) -> None:
        """Begin to ask; calling it again does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rules", daemon=True)
            self._thread.start()

    def take(self) -> KnownRules | None:
        """New rules, already stored; None where there are none."""
        status = self._status
        known, self.is_open = status.known, status.is_ready
        if known is None or known is self.adopted:
            return None
        before, self.adopted = self.adopted, known
        if before is not None and before.rules == known.rules and before.etag == known.etag:
            return None  # the same, said again
        self._keep(known)
        return known

    def hear(self, etag: str) -> None:
        """An answer to events named the current rules' ETag; from any thread."""
        known = self._status.known
        if etag != self._heard and (known is None or etag != known.etag):
            self._bell.set()
        self._heard = etag

    def resume(self) -> None:
        """Ask at once."""
        self._bell.set()

    def status(self) -> FeedStatus:
        return self._status

    def close(self) -> None:
        """No further attempt; one in progress is cut."""
        self._is_over = True
        self._bell.set()
        if self._source is not None:
            self._source.cut()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    # called by its own thread

    def _run(self) -> None:
        self._source = self._make_source()
        while not self._is_over:
            self.step(self._source)
            if not self._is_over:
                self._clock.wait(self._bell, self.pause_s())
                self._bell.clear()
                early_s = self._asked_s + HEAR_EVERY_S - self._clock.monotonic()
                if early_s > 0 and not self._is_over:
                    self._clock.wait(self._bell, early_s)

    def pause_s(self) -> float:
        """How long until the next attempt, unless an answer names new rules before."""
        if self._status.is_ready or not self._failures:
            return max(POLL_EVERY_S, self._asked_for_s)
        return max(float(min(POLL_EVERY_S, RETRY_INITIAL_S * 2 ** (self._failures - 1))), self._asked_for_s)

    def step(self, source: PageSource) -> None:
        """One attempt."""
        self._asked_s = self._clock.monotonic()
        known = self._status.known
        headers = self._headers(known.etag if known else "")
        page = source.get(PATH, headers, MAX_CONFIG_BYTES + 1)
        patience = page.headers.get("retry-after") if isinstance(page, RulesPage) and page.status >= 400 else None
        self._asked_for_s = retry_after_s(patience, self._clock.time()) or 0.0
        if self._is_over:
            return
        if isinstance(page, RulesPage) and page.status == 304 and known is not None and known.etag:
            self._is_well(replace(known, at_s=self._clock.time()))
            return
        if isinstance(page, RulesPage) and page.status == 200:
            try:
                read = self._read(page)
            except RemoteRulesError as exc:
                self._is_broken(f"the answer to GET {PATH} is no configuration: {exc}", is_refused=True)
                return
            if not read.rules.is_silent:
                self._is_well(read)
                return
            problem, is_refused, has_none = SAYS_NOTHING, False, True
        else:
            problem, is_refused = _problem(page)
            has_none = isinstance(page, RulesPage) and page.status in HAS_NONE
        if has_none and (known is None or not known.rules.count):
            self._has_none(known)
        else:
            self._is_broken(problem, is_refused=is_refused)

    def _read(self, page: RulesPage) -> KnownRules:
        """Raises: RemoteRulesError."""
        if page.is_html:
            raise RemoteRulesError("it is a web page")
        rules = RemoteRules.of(page.body)
        etag = page.headers.get(ETAG_HEADER, page.headers.get("etag", ""))
        return KnownRules(rules, etag if ETAG.match(etag) else "", self._clock.time())

    def _headers(self, etag: str) -> dict[str, str]:
        secret = self._endpoint.application_id
        headers = dict(headers_as(reread(secret, secret.reveal()) if secret else ""))
        return {**headers, "If-None-Match": etag} if etag else headers

    def _is_well(self, known: KnownRules) -> None:
        before = self._status.known
        if self._status.problem:
            log.info("the receiver gives rules again url=%s", self._endpoint.url)
        is_new = before is None or before.rules != known.rules
        if is_new or not self._status.is_ready:
            url, count = self._endpoint.url, known.rules.count
            how = "new" if is_new else "as before"
            log.info("the receiver's rules are %s url=%s rules=%d etag=%s", how, url, count, known.etag or "-")
            for warning in known.rules.warnings:
                log.warning("%s url=%s", warning, url)
        self._failures = 0
        self._set(FeedStatus(known, is_ready=True))

    def _has_none(self, known: KnownRules | None) -> None:
        """The receiver has no rules, nor had any before."""
        if not self._status.is_ready or self._status.problem:
            log.info("the receiver has no rules url=%s", self._endpoint.url)
        self._failures = 0
        self._set(FeedStatus(known, is_ready=True))

    def _is_broken(self, problem: str, *, is_refused: bool) -> None:
        """The rules stay as they are; logged once until an attempt succeeds."""
        self._failures += 1
        is_ready = self._status.is_ready or self._status.known is not None
        if not self._status.problem:
            goes = "the last good ones stay" if is_ready else "nothing is shipped until they are known"
            level = logging.ERROR if is_refused and not is_ready else logging.WARNING
            log.log(level, "can't get the receiver's rules, %s url=%s error=%s", goes, self._endpoint.url, problem)
        is_refused = is_refused and not is_ready
        self._set(replace(self._status, problem=problem, is_ready=is_ready, is_refused=is_refused))

    def _set(self, status: FeedStatus) -> None:
        self._status = status
        self._wake()


def _problem(page: RulesPage | Failure) -> tuple[str, bool]:
    """Why an answer gives no rules, and whether somebody must act."""
    if isinstance(page, Failure):
        return str(page), page.kind is FailureKind.SETTING
    is_transient = page.status >= 500 or page.status in TRANSIENT or page.status < 200
    where = ", as by a receiver that has no rules, though it had some" if page.status in HAS_NONE else ""
    return f"GET {PATH} is answered with {page.status}{where}", not is_transient
