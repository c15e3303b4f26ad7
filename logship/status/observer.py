"""Makes snapshots of files, deliveries and counters, and remembers what rates and ages need."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from logship import __version__, kernel
from logship.clock import iso_time
from logship.counters import Counters, Tally, Times
from logship.process.logs import escaped
from logship.records import record
from logship.status.advice import Faults, advise
from logship.status.model import HELD, PAUSED, FileReport, FileState, ReceiverReport, SourceReport, Status
from logship.words import RECEIVER

if TYPE_CHECKING:  # `logship status` needs neither senders nor tailers
    from logship.delivery import DeliveryStatus
    from logship.delivery.rules_feed import FeedStatus
    from logship.tail.notices import FileStatus

__all__ = ["Faults", "Observer", "Receiver"]

RATE_WINDOW_S = 10.0  # a rate is the mean over at least this long, once that has passed
_NEVER = (0.0, 0)
MAX_SIZES = 256  # remembered sizes of a file that is behind; then every second one is forgotten
NO_LINES = Tally()
CAUGHT_UP_S = 5.0  # a younger lag is the normal time of batching and answer


@record
class Receiver:
    """One delivery and its sources."""

    name: str
    url: str
    sources: tuple[str, ...]
    status: DeliveryStatus
    feed: FeedStatus | None = None  # of its rules; None: they are not asked for


@record(frozen=False)
class _Past:
    """What earlier snapshots saw of a file."""

    sizes: tuple[float, ...] = ()  # moment, size, moment, size … while bytes are not confirmed; 10,000 are idle
    position: int = -1
    confirmed_at_s: float | None = None
    rate_since: tuple[float, int] = _NEVER
    rate_next: tuple[float, int] = _NEVER
    seen_s: float = 0.0


class Observer:
    """Makes snapshots; belongs to the work thread."""

    def __init__(self, *, state_dir: str, origin: str, started_s: float, started_wall_s: float) -> None:
        """Shapes: `started_s` is monotonic, `started_wall_s` seconds since 1970."""
        self.state_dir = state_dir
        self.origin = origin
        self.started_s = started_s
        self.started_at = iso_time(started_wall_s)
        self._past: dict[int, _Past] = {}
        self._moments: dict[int, tuple[float, int]] = {}  # by what was decided; of _moments_s
        self._moments_s = 0.0
        self._troubled_since: dict[str, float] = {}

    def observe(
        self,
        now_s: float,
        wall_s: float,
        files: Sequence[FileStatus],
        receivers: Sequence[Receiver],
        counters: Counters,
        *,
        dead_letters: int = 0,
        faults: Faults | None = None,
    ) -> Status:
        """The snapshot of this moment (`now_s` monotonic, `wall_s` since 1970); cost grows with the number of files."""
        faults = faults or Faults()
        ends = tuple(self._receiver(now_s, wall_s, receiver, counters) for receiver in receivers)
        held = {source for end in ends if end.state == HELD for source in end.sources}
        reports = tuple(self._file(now_s, wall_s, file, counters.files.get(file.generation), held) for file in files)
        self._forget(len(reports), now_s)
        sources = tuple(source_report(name, tally) for name, tally in counters.sources.items())
        return Status(
            state="running",
            taken_at=iso_time(wall_s),
            state_dir=self.state_dir,
            version=__version__,
            kernel=kernel.IMPLEMENTATION,
            pid=os.getpid(),
            started_at=self.started_at,
            uptime_s=now_s - self.started_s,
            origin=self.origin,
            files=reports,
            receivers=ends,
            sources=sources,
            counts=plain_counts(counters),
            answers=dict(counters.answers),
            answer_times=copy_of(counters.answer_times),
            confirmation_times=copy_of(counters.confirmation_times),
            dead_letters=dead_letters,
            is_state_writable=not faults.state,
            stuck=faults.stuck,
            advice=advise(reports, ends, sources, dead_letters, faults),
        )

    def glance(
        self,
        now_s: float,
        wall_s: float,
        files: Iterable[FileStatus],
        receivers: Sequence[Receiver],
        counters: Counters,
        *,
        dead_letters: int = 0,
    ) -> str:
        """As observe(), for one sentence: keeps nothing of 100,000 files."""
        count = lag_bytes = 0
        for file in files:
            past, _ = self._past_of(now_s, wall_s, file)
            self._rate(past, now_s, (counters.files.get(file.generation) or NO_LINES).decided)
            count += 1
            lag_bytes += file.lag_bytes
        self._forget(count, now_s)
        status = self.observe(now_s, wall_s, (), receivers, counters, dead_letters=dead_letters)
        return status.sentence(count, lag_bytes)

    def _past_of(self, now_s: float, wall_s: float, file: FileStatus) -> tuple[_Past, float]:
        """What is known of a file, and the age of its lag."""
        past = self._past.get(file.generation) or self._past.setdefault(file.generation, _Past())
        lag_s = _age_of_lag(past, now_s, file)
        if past.position >= 0 and file.position > past.position:
            past.confirmed_at_s = wall_s
        past.position = file.position
        past.seen_s = now_s
        return past, lag_s

    def _file(
        self, now_s: float, wall_s: float, file: FileStatus, tally: Tally | None, held: Collection[str]
    ) -> FileReport:
        tally = tally or NO_LINES
        past, lag_s = self._past_of(now_s, wall_s, file)
        return FileReport(
            source=file.source,
            path=escaped(file.path),
            generation=file.generation,
            state=_file_state(file, lag_s, file.source in held),
            position=file.position,
            size_bytes=file.size_bytes,
            lag_bytes=file.lag_bytes,
            lag_s=lag_s,
            rate=self._rate(past, now_s, tally.decided),
            sent=tally.sent,
            dropped=tally.dropped_total + tally.unmatched,
            sampled_out=tally.sampled_out_total,
            dead_letters=tally.dead_letters,
            lost_bytes=file.lost_bytes,
            held_bytes=file.held_bytes,
            confirmed_at="" if past.confirmed_at_s is None else iso_time(past.confirmed_at_s),
            problem=_problem(file),
            problem_for_s=now_s - file.refusal.since_s if file.refusal else None,
            tries=file.refusal.tries if file.refusal else None,
        )

    def _rate(self, past: _Past, now_s: float, decided: int) -> float | None:
        """Lines a second since 10 to 20 seconds ago; None before there is anything to compare with."""
        if past.rate_since == _NEVER:
            past.rate_since = past.rate_next = self._moment(now_s, decided)
            return None
        if now_s - past.rate_next[0] >= RATE_WINDOW_S:
            past.rate_since, past.rate_next = past.rate_next, self._moment(now_s, decided)
        since_s, before = past.rate_since
        return (decided - before) / (now_s - since_s) if now_s > since_s else None

    def _moment(self, now_s: float, decided: int) -> tuple[float, int]:
        """One tuple for all files with the same count: most are idle, and it saves memory."""
        if now_s != self._moments_s:
            self._moments_s, self._moments = now_s, {}
        return self._moments.setdefault(decided, (now_s, decided))

    def _receiver(self, now_s: float, wall_s: float, receiver: Receiver, counters: Counters) -> ReceiverReport:
        status, feed = receiver.status, receiver.feed
        known = feed.known if feed else None
        if status.state in (PAUSED, HELD):
            since_s = self._troubled_since.setdefault(receiver.name, now_s)
        else:
            since_s = now_s
            self._troubled_since.pop(receiver.name, None)
        return ReceiverReport(
            name=receiver.name,
            url=receiver.url,
            state=status.state.value,
            api=status.api,
            compression=status.compression,
            last_status=status.last_status,
            last_success_ago_s=None if status.last_success_s is None else now_s - status.last_success_s,
            trouble_for_s=now_s - since_s if receiver.name in self._troubled_since else None,
            last_error=status.last_error,
            hint=status.hint,
            next_try_s=None if status.next_try_s is None else max(0.0, status.next_try_s - now_s),
            rules=known.rules.count if known else None,
            rules_age_s=max(0.0, wall_s - known.at_s) if known else None,
            rules_problem=escaped(feed.problem) if feed else "",
            kept_share=_kept_share(counters.of_source(source) for source in receiver.sources) if known else None,
            waits_for_rules=feed is not None and not feed.is_ready,
            in_flight=status.in_flight,
            posts=status.posts,
            retries=status.retries,
            sources=receiver.sources,
        )

    def _forget(self, count: int, now_s: float) -> None:
        """Only the `count` files that were seen just now are remembered."""
        if count and len(self._past) > count:
            self._past = {generation: past for generation, past in self._past.items() if past.seen_s == now_s}


def _kept_share(tallies: Iterable[Tally]) -> float | None:
    """Which share of the events that the receiver's rules decided on is sent; None before the first."""
    sent = left_out = 0
    for tally in tallies:
        sent += tally.sent
        left_out += sum(count for name, count in tally.sampled_out.items() if name.startswith(RECEIVER))
    return sent / (sent + left_out) if sent + left_out else None


def _age_of_lag(past: _Past, now_s: float, file: FileStatus) -> float:
    """How long ago the first byte that is not confirmed was first seen."""
    sizes = past.sizes
    if file.position >= file.size_bytes or (sizes and sizes[-1] > file.size_bytes):  # confirmed, or truncated
        sizes = ()
    if file.position < file.size_bytes and (not sizes or sizes[-1] < file.size_bytes):
        sizes = (*sizes, now_s, file.size_bytes)
    begun = next((at for at in range(0, len(sizes), 2) if sizes[at + 1] > file.position), len(sizes))
    sizes = sizes[begun:]
    if len(sizes) > 2 * MAX_SIZES:
        sizes = tuple(one for at in range(0, len(sizes), 4) for one in sizes[at : at + 2])
    past.sizes = sizes
    return now_s - sizes[0] if sizes else 0.0


def _problem(file: FileStatus) -> str:
    if file.is_held and not file.problem:
        return f"its lines fit no format since byte {file.position:,}"
    return escaped(file.problem)


def _file_state(file: FileStatus, lag_s: float, is_receiver_held: bool) -> FileState:
    if file.problem:
        return FileState.UNREADABLE
    if file.is_held or (is_receiver_held and file.lag_bytes):
        return FileState.HELD
    if file.is_deleted:
        return FileState.DELETED
    return FileState.CATCHING_UP if lag_s > CAUGHT_UP_S else FileState.OK


def source_report(name: str, tally: Tally) -> SourceReport:
    """A copy of a source's tally that no thread changes."""
    return SourceReport(
        name=name,
        lines=tally.lines,
        sent=tally.sent,
        dropped=dict(tally.dropped),
        sampled_out=dict(tally.sampled_out),
        out_of_range=tally.out_of_range,
        too_old=tally.too_old,
        dead_letters=tally.dead_letters,
        unmatched=tally.unmatched,
        looked_at=tally.looked_at,
        disclosing=dict(tally.disclosing),
        waiting=tally.waiting,
        already_confirmed=tally.already_confirmed,
        nul_bytes=tally.nul_bytes,
        lost_bytes=tally.lost_bytes,
    )


def copy_of(times: Times) -> Times:
    """The times as they are now."""
    return Times(list(times.counts), times.sum_s)


def plain_counts(counters: Counters) -> Mapping[str, int]:
    """The counters that are single numbers, by name."""
    return {field.name: value for field in fields(counters) if isinstance(value := getattr(counters, field.name), int)}
