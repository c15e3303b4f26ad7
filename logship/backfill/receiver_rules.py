"""The rules of the receivers that a backfill or a retry sends to: asked for before it begins, then each minute."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from logship.backfill.paths import Remark
from logship.backfill.run_settings import BackfillLog, LogPiece
from logship.clock import SystemClock
from logship.delivery.rules_feed import KnownRules, RulesFeed
from logship.endpoint import Endpoint
from logship.errors import RefusedError
from logship.mapping.remote_rules import RemoteRules
from logship.route.assembly import feed_of
from logship.route.stored_rules import stored_rules
from logship.state import State
from logship.words import counted, duration_words

GIVE_UP_S = 120.0  # a receiver that gives no rules for so long is down


class ReceiverRules:
    """One feed for each receiver that is obeyed; used from one thread, but for the feeds' own."""

    def __init__(self, endpoints: Iterable[Endpoint], folder: Path, clock: SystemClock) -> None:
        self._folder = folder
        self._clock = clock
        self._news = threading.Event()
        self._feeds: dict[Endpoint, RulesFeed] = {}
        self._stored: dict[Endpoint, KnownRules] = {}
        for endpoint in dict.fromkeys(endpoints):
            if endpoint.obeys and endpoint.application_id is None:  # a dry run asks nobody
                known = stored_rules(folder, endpoint)
                self._stored |= {endpoint: known} if known else {}
            elif endpoint.obeys:
                self._feeds[endpoint] = feed_of(endpoint, self._note, self._keep, clock, self._news.set)

    def begin(self) -> list[Remark]:
        """Asks, and says which rules hold.

        Raises: RefusedError where they can't be had and were never known: the receiver may exclude somebody.
        """
        until_s = self._clock.monotonic() + GIVE_UP_S
        for endpoint, feed in self._feeds.items():
            feed.start()
            while not feed.status().is_ready:
                status = feed.status()
                left_s = until_s - self._clock.monotonic()
                if status.is_refused or left_s <= 0:
                    raise RefusedError(
                        f"nothing is sent, the rules of {endpoint.receiver} are not known: {status.problem};"
                        " try again later, or set endpoint.remote_config: off"
                    )
                self._news.clear()
                if not feed.status().is_ready and not feed.status().is_refused:
                    self._clock.wait(self._news, left_s)
            feed.take()
        asked = [(endpoint.receiver, feed.adopted, feed.status().problem) for endpoint, feed in self._feeds.items()]
        stored = [(endpoint.receiver, known, "a dry run does not ask") for endpoint, known in self._stored.items()]
        return [self._remark(*one) for one in (*asked, *stored)]

    def obeying(self, piece: LogPiece) -> LogPiece:
        """The piece with the rules of now."""
        return replace(piece, log=self._with_rules(piece.log))

    def close(self) -> None:
        for feed in self._feeds.values():
            feed.close()

    def of(self, endpoint: Endpoint) -> RemoteRules | None:
        """The rules of now, None where there are none."""
        feed = self._feeds.get(endpoint)
        if feed is not None:
            feed.take()
        known = feed.adopted if feed is not None else self._stored.get(endpoint)
        return known.rules if known else None

    def _with_rules(self, log: BackfillLog) -> BackfillLog:
        rules = self.of(log.endpoint)
        return log if rules is None else replace(log, converter_spec=replace(log.converter_spec, rules=rules.text))

    def _remark(self, receiver: str, known: KnownRules | None, problem: str) -> Remark:
        if known is None:
            return Remark(receiver, "has no rules: every event is sent", is_failure=False)
        count, age = counted(known.rules.count, "rule"), duration_words(max(0.0, self._clock.time() - known.at_s))
        head = f"obeying {count} of the receiver, {age} old"
        lines = [head + (f" ({problem})" if problem else ""), *known.rules.described(), *known.rules.warnings]
        return Remark(receiver, "\n".join(lines), is_failure=False)

    def _note(self, name: str) -> str | None:
        state = State.open(self._folder, self._clock, daemon=False)
        try:
            return state.note(name)
        finally:
            state.close()

    def _keep(self, name: str, value: str) -> None:
        state = State.open(self._folder, self._clock, daemon=False)
        try:
            state.remember(name, value)
        finally:
            state.close()
