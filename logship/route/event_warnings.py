"""Warnings in the log while events are made: values that were left out, and what looks like a secret."""

from __future__ import annotations

import logging

import orjson

from logship.clock import Clock
from logship.counters import Counters, with_counts
from logship.event import Chunk, Conversion
from logship.mapping.event_keys import MAX_ID_CHARS

log = logging.getLogger(__name__)

DISCLOSED_EVERY_S = 10.0  # how often the first events of a chunk are searched for secrets: it takes 0.1 ms each
DISCLOSED_EVENTS = 5
MAX_WARNED = 50  # kinds and places: clients choose the names of parameters


class EventWarnings:
    """The first of a kind and place is logged, the others are counted."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock
        self._warned_keys: set[str] = set()  # of ids that were too long for the API
        self._warned_disclosures: set[tuple[str, str, str]] = set()
        self._disclosed_due_s = clock.monotonic() + DISCLOSED_EVERY_S

    def look(self, chunk: Chunk, conversion: Conversion) -> None:
        """Looks at a chunk's events, and searches a few of them for secrets now and then."""
        for key in conversion.left_out.keys() - self._warned_keys:
            self._warned_keys.add(key)
            why = f"more than {MAX_ID_CHARS} characters, the API takes no more"
            if key.endswith(".body"):
                why = "longer than max_body_bytes, or nothing that redact.body can look through"
            log.warning("left out of an event key=%s why=%s path=%s", key, why, chunk.file.path)
        if conversion.ends and self._clock.monotonic() >= self._disclosed_due_s:
            self._look_for_secrets(chunk.file.source, conversion)
            self._disclosed_due_s = self._clock.monotonic() + DISCLOSED_EVERY_S

    def _look_for_secrets(self, source: str, conversion: Conversion) -> None:
        from logship.mapping.disclosure import disclosures  # its patterns take a while to compile

        tally = self._counters.of_source(source)
        for index in range(min(DISCLOSED_EVENTS, len(conversion.ends))):
            found = disclosures(orjson.loads(conversion.event(index)))
            tally.looked_at += 1
            tally.disclosing = with_counts(tally.disclosing, dict.fromkeys((one.kind for one in found), 1))
            for one in found:
                known = self._warned_disclosures
                if (source, one.kind, one.place) not in known and len(known) < MAX_WARNED:
                    self._warned_disclosures.add((source, one.kind, one.place))
                    log.warning(
                        "events seem to hold a secret source=%s kind=%s place=%s remedy=%s",
                        source, one.kind, one.place, f"redact: {{{one.remedy}}}" if one.remedy else "leave it out",
                    )  # fmt: skip
