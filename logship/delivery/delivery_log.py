"""What delivery logs: holds and their end, an outage at most once a minute, never content."""

from __future__ import annotations

import logging

from logship.delivery.answer import Answer, Failure
from logship.delivery.decision import Verdict
from logship.delivery.exchange import Reply
from logship.delivery.scheduler import Scheduler

log = logging.getLogger(__name__)

REPEAT_S = 60.0  # a repeated warning comes once in so long, with its count


class DeliveryLog:
    """Logs changes. A WARNING needs no action, an ERROR needs a person; nothing is lost in either."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_held = False
        self._failures = 0  # attempts since the last success
        self._unreported = 0
        self._hint = ""  # of the newest failure
        self._reported_s: float | None = None

    def report(self, scheduler: Scheduler, reply: Reply, now_s: float, limit_before: int) -> None:
        """One attempt was settled; `limit_before` is the body limit before it."""
        if reply.decision.verdict is Verdict.SMALLER and scheduler.limit.bytes < limit_before:
            log.info("the receiver takes smaller bodies only url=%s max_bytes=%d", self._url, scheduler.limit.bytes)
        self._report_hold(scheduler)
        if reply.decision.verdict is Verdict.RETRY:
            self._report_failure(reply.answer, scheduler.hint, now_s)
        elif reply.decision.verdict is Verdict.CONFIRMED and self._failures:
            if self._unreported < self._failures:  # trouble that nobody heard of ends in silence too
                log.info("delivery continues url=%s after_failed_attempts=%d", self._url, self._failures)
            self._failures = 0

    def _report_hold(self, scheduler: Scheduler) -> None:
        is_held = scheduler.pace.hold is not None
        if is_held and not self._is_held:
            log.error(
                "delivery is held, nothing is lost, tried again every minute url=%s answer=%s hint=%s",
                self._url,
                _named(scheduler.last_error),
                scheduler.hint,
            )
        elif self._is_held and not is_held:
            log.info("delivery is no longer held url=%s", self._url)
        self._is_held = is_held

    def _report_failure(self, answer: Answer | Failure, hint: str, now_s: float) -> None:
        self._failures += 1
        self._unreported += 1
        is_news = bool(hint) and not self._hint
        self._hint = hint
        if self._reported_s is not None and now_s < self._reported_s + REPEAT_S and not is_news:
            return
        said = f" hint={hint}" if hint else ""
        why = _named(answer)
        log.warning("delivery fails and is retried url=%s why=%s attempts=%d%s", self._url, why, self._unreported, said)
        self._reported_s, self._unreported = now_s, 0


def _named(answer: Answer | Failure | None) -> str:
    """Without the answer's body: it may quote events."""
    return str(answer) if isinstance(answer, Failure) else answer.name if answer else ""
