"""Builds a pipeline of settings: the only place that knows which part needs which key."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping

from logship.clock import SystemClock
from logship.config import Settings, SourceSettings
from logship.counters import Counters
from logship.delivery import (
    DeadLetters,
    Delivery,
)
from logship.delivery.rules_feed import KnownRules, PageSource, RulesFeed, note_name
from logship.endpoint import Endpoint
from logship.route.batcher import Batcher
from logship.route.dead_letter_writer import DeadLetterWriter
from logship.route.output import Output, Route
from logship.route.pipeline import Pipeline
from logship.state import State
from logship.tail.source import TailSource
from logship.tail.tailer import Tailer


class Wake(threading.Event):
    """An event that also wakes the work thread from its wait for files, so that it needs only one wait."""

    def __init__(self, also: Callable[[], None]) -> None:
        super().__init__()
        self._also = also

    def set(self) -> None:
        super().set()
        self._also()


def build_pipeline(settings: Settings, state: State, clock: SystemClock, *, once: bool = False) -> Pipeline:
    """The whole route for `settings`; nothing is opened or sent before its first step."""
    counters = Counters()
    for source in settings.sources:
        counters.of_source(source.name)  # so that a source without lines is shown, too
    tailer = Tailer(
        [tail_source(settings, source) for source in settings.sources],
        state,
        clock=clock,
        max_line_bytes=settings.max_line_bytes,
        held_max_bytes=settings.held_max,
        once=once,
        remedy=_remedy,
    )
    return Pipeline(
        routes_of(settings),
        outputs_of(settings, tailer, clock, counters, state),
        tailer,
        DeadLetterWriter(DeadLetters(settings.state_dir, counters=counters), counters, clock),
        counters,
        clock,
    )


def _remedy(path: str, error: OSError) -> str:
    from logship.check.permissions import remedy  # loaded only when permission is missing

    return remedy(path, error)


def reroute(pipeline: Pipeline, old: Settings, new: Settings, clock: SystemClock, state: State) -> None:
    """After a reload: routes and outputs of `new`; files that both settings read continue at their positions.

    An output whose endpoint and limits are unchanged stays, with its batches in flight. The unsettled batches of a
    changed one are sent through the new output of their source, as they are. If the source is gone they are dropped,
    and their positions do not move.
    """
    has_same_limits = (old.batch, old.delivery) == (new.batch, new.delivery)
    kept = {name: pipeline.outputs[name] for name in output_names(new).values() if name in pipeline.outputs}
    old_endpoints = {name: endpoint for endpoint, name in output_names(old).items()}
    outputs = outputs_of(new, pipeline.tailer, clock, pipeline.counters, state)
    for endpoint, name in output_names(new).items():
        if name in kept and has_same_limits and old_endpoints.get(name) == endpoint:
            outputs[name].close(0.0)
            kept[name].sources = outputs[name].sources
            outputs[name] = kept[name]
    for source in new.sources:
        pipeline.counters.of_source(source.name)
    routes = routes_of(new)
    pipeline.reroute(routes, outputs)
    pipeline.tailer.follow([tail_source(new, source) for source in new.sources])
    pipeline.reread_undecided()


def routes_of(settings: Settings) -> dict[str, Route]:
    """A route for each source, its converter compiled."""
    names = output_names(settings)
    return {
        source.name: Route(
            source.name,
            settings.compile_source(source),
            names[source.endpoint],
            drops_unmatched=source.on_unmatched == "drop",
        )
        for source in settings.sources
    }


def outputs_of(
    settings: Settings, tailer: Tailer, clock: SystemClock, counters: Counters, state: State
) -> dict[str, Output]:
    """One output for each different endpoint."""

    def keep(note: str, value: str) -> None:
        state.remember(note, value)
        state.save()

    outputs = {}
    for endpoint, name in output_names(settings).items():
        feed = feed_of(endpoint, state.note, keep, clock, tailer.wake) if endpoint.obeys else None
        delivery = Delivery(
            endpoint,
            settings.delivery,
            clock=clock,
            random=random.Random(),
            counters=counters,
            wake=Wake(tailer.wake),
            hear_etag=feed.hear if feed else lambda _: None,
        )
        batcher = Batcher(settings.batch.max_bytes, settings.batch.max_age_s, tailer.span)
        sources = frozenset(source.name for source in settings.sources if source.endpoint == endpoint)
        outputs[name] = Output(delivery, batcher, sources, endpoint.max_event_age_s, feed)
    return outputs


def feed_of(
    endpoint: Endpoint,
    note: Callable[[str], str | None],
    keep: Callable[[str, str], None],
    clock: SystemClock,
    wake: Callable[[], None],
) -> RulesFeed:
    """The feed of a receiver's rules; `note` and `keep` read and write the last good ones in the state."""
    name = note_name(endpoint.receiver, endpoint.application_id.reveal() if endpoint.application_id else "")

    def page_source() -> PageSource:
        from logship.delivery.http import PageTransport, TlsContext  # 100 ms, and only this thread needs it

        return PageTransport(endpoint, TlsContext(endpoint), clock)

    return RulesFeed(
        endpoint,
        clock,
        known=KnownRules.from_note(note(name) or ""),
        keep=lambda known: keep(name, known.to_note()),
        wake=wake,
        make_source=page_source,
    )


def output_names(settings: Settings) -> Mapping[Endpoint, str]:
    """Endpoint -> a name for people: the receiver, numbered where several endpoints share it."""
    names: dict[Endpoint, str] = {}
    for source in settings.sources:
        if source.endpoint not in names:
            same = sum(other.receiver == source.endpoint.receiver for other in names)
            names[source.endpoint] = f"{source.endpoint.receiver}#{same + 1}" if same else source.endpoint.receiver
    return names


def tail_source(settings: Settings, source: SourceSettings) -> TailSource:
    """What the tailer needs to know of a source."""
    return TailSource(
        name=source.name,
        paths=source.paths,
        receiver=source.endpoint.receiver,
        origin_of=settings.origin_of(source),
        exclude=source.exclude,
        rotated=source.rotated,
        start_at=source.start_at,
    )
