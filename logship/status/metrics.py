"""The snapshot as Prometheus metrics; every name, unit and meaning is in one table.

Labels are bounded by the configuration: source, rule, receiver, state, answer. Paths are no labels: see /status.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from logship.counters import TIME_BOUNDS_S, Times
from logship.records import record
from logship.status.model import FileState, ReceiverReport, SourceReport, Status

Samples = Iterable[tuple[tuple[str, ...], float]]


@record
class Metric:
    """One metric: `samples` gives (label values, value) of a snapshot; counters end in _total."""

    name: str
    help: str
    samples: Callable[[Status], Samples]
    labels: tuple[str, ...] = ()

    @property
    def is_counter(self) -> bool:
        return self.name.endswith("_total")

    def family(self, status: Status) -> Family:
        """The metric with its samples, as prometheus_client writes it."""
        kind = CounterMetricFamily if self.is_counter else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for values, number in self.samples(status):
            family.add_metric(values, number)
        return family


@record
class Histogram:
    """How long something took, as Prometheus counts it: `times` of a snapshot."""

    name: str
    help: str
    times: Callable[[Status], Times]
    labels: tuple[str, ...] = ()

    def family(self, status: Status) -> Family:
        """The histogram, with its counts added up from bound to bound."""
        times = self.times(status)
        names = (*map(str, TIME_BOUNDS_S), "+Inf")
        family = HistogramMetricFamily(self.name, self.help)
        family.add_metric([], list(zip(names, accumulate(times.counts), strict=True)), times.sum_s)
        return family


def _one(value: Callable[[Status], float]) -> Callable[[Status], Samples]:
    return lambda status: [((), value(status))]


def _count(name: str) -> Callable[[Status], Samples]:
    return lambda status: [((), status.counts.get(name, 0))]


def _per_source(value: Callable[[SourceReport], float]) -> Callable[[Status], Samples]:
    return lambda status: [((source.name,), value(source)) for source in status.sources]


def _per_rule(counts: Callable[[SourceReport], Mapping[str, int]]) -> Callable[[Status], Samples]:
    return lambda status: [
        ((source.name, rule), number) for source in status.sources for rule, number in counts(source).items()
    ]


def _per_kind(status: Status) -> Samples:
    return [((source.name, kind), count) for source in status.sources for kind, count in source.disclosing.items()]


def _moment(status: Status, ago_s: float | None) -> float | None:
    """Seconds since 1970 of what was so long ago when the snapshot was taken; None for None."""
    return None if ago_s is None else _unix_s(status.taken_at) - ago_s


def _unix_s(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp() if iso else 0.0


def _moment_per_receiver(ago_s: Callable[[ReceiverReport], float | None]) -> Callable[[Status], Samples]:
    return lambda status: _per_receiver(lambda receiver: _moment(status, ago_s(receiver)))(status)


def _per_receiver(value: Callable[[ReceiverReport], float | None]) -> Callable[[Status], Samples]:
    def samples(status: Status) -> Iterator[tuple[tuple[str, ...], float]]:
        for receiver in status.receivers:
            number = value(receiver)
            if number is not None:
                yield (receiver.name,), number

    return samples


def _files(status: Status) -> Samples:
    counts = {(file.source, state.value): 0 for file in status.files for state in FileState}
    for file in status.files:
        counts[file.source, file.state.value] += 1
    return counts.items()


def _lag_bytes(status: Status) -> Samples:
    sums: dict[tuple[str, ...], float] = {}
    for file in status.files:
        sums[(file.source,)] = sums.get((file.source,), 0) + file.lag_bytes
    return sums.items()


def _lag_seconds(status: Status) -> Samples:
    oldest: dict[tuple[str, ...], float] = {}
    for file in status.files:
        oldest[(file.source,)] = max(oldest.get((file.source,), 0.0), file.lag_s or 0.0)
    return oldest.items()


def _memory_bytes(place: int) -> int:
    """Source: statm in proc_pid_statm(5): 0 is the whole address space, 1 what is resident."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[place]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _max_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


METRICS = (
    Metric(
        "logship_build_info",
        "Version of the daemon, and what converts lines (native or python); always 1.",
        lambda status: [((status.version, status.kernel), 1)],
        ("version", "kernel"),
    ),
    Metric(
        "logship_ready",
        "1 while events are delivered, 0 while something prevents it.",
        _one(lambda status: not status.obstacle),
    ),
    Metric(
        "logship_needs_person",
        "1 when somebody must act: see logship status.",
        _one(lambda status: status.needs_a_person),
    ),
    Metric("logship_files", "Followed files by state.", _files, ("source", "state")),
    Metric("logship_lag_bytes", "Log bytes not confirmed by the receiver.", _lag_bytes, ("source",)),
    Metric(
        "logship_lag_seconds",
        "Age of the oldest log line not confirmed, as far as the daemon has seen it grow.",
        _lag_seconds,
        ("source",),
    ),
    Metric(
        "logship_deleted_open_bytes",
        "Disk space of deleted logs kept open until they are read.",
        _one(lambda status: sum(file.held_bytes for file in status.files)),
    ),
    Metric(
        "logship_lines_total",
        "Lines read. All of the following kinds add up to it.",
        _per_source(lambda source: source.lines),
        ("source",),
    ),
    Metric(
        "logship_lines_sent_total",
        "Lines whose event the receiver confirmed.",
        _per_source(lambda source: source.sent),
        ("source",),
    ),
    Metric(
        "logship_lines_dropped_total",
        "Lines dropped by a rule of the mapping.",
        _per_rule(lambda source: source.dropped),
        ("source", "rule"),
    ),
    Metric(
        "logship_lines_sampled_out_total",
        "Lines left out by a sampling rule; names of the receiver's rules begin with receiver's.",
        _per_rule(lambda source: source.sampled_out),
        ("source", "rule"),
    ),
    Metric(
        "logship_lines_too_old_total",
        "Lines older than endpoint.max_event_age.",
        _per_source(lambda source: source.too_old),
        ("source",),
    ),
    Metric(
        "logship_lines_dead_letters_total",
        "Lines set aside as dead letters.",
        _per_source(lambda source: source.dead_letters),
        ("source",),
    ),
    Metric(
        "logship_lines_unmatched_total",
        "Lines dropped because they fit no format (on_unmatched: drop).",
        _per_source(lambda source: source.unmatched),
        ("source",),
    ),
    Metric(
        "logship_sampled_events_total",
        "Events that were searched for secrets and personal data: a small sample.",
        _per_source(lambda source: source.looked_at),
        ("source",),
    ),
    Metric(
        "logship_sampled_events_disclosing_total",
        "Of these, events that seem to hold a secret or personal data.",
        _per_kind,
        ("source", "kind"),
    ),
    Metric(
        "logship_lines_waiting",
        "Lines read and not yet confirmed or set aside.",
        _per_source(lambda source: source.waiting),
        ("source",),
    ),
    Metric(
        "logship_lost_bytes_total",
        "Log bytes that were not read and are in no file any more (copytruncate, deleted files over held_max).",
        _per_source(lambda source: source.lost_bytes),
        ("source",),
    ),
    Metric(
        "logship_nul_bytes_total",
        "NUL bytes skipped (holes after a truncation).",
        _per_source(lambda source: source.nul_bytes),
        ("source",),
    ),
    Metric("logship_dead_letters", "Dead letters in the store now.", _one(lambda status: status.dead_letters)),
    Metric(
        "logship_dead_letters_overflow_total",
        "Dead letters not kept because the store was full.",
        _count("dead_letters_overflow"),
    ),
    Metric(
        "logship_receiver_up",
        "1 unless the receiver's last answer was a failure.",
        _per_receiver(lambda receiver: receiver.state in ("ok", "starting")),
        ("receiver",),
    ),
    Metric(
        "logship_receiver_held",
        "1 when the receiver refuses and somebody must act.",
        _per_receiver(lambda receiver: receiver.state == "held"),
        ("receiver",),
    ),
    Metric(
        "logship_receiver_last_success_timestamp_seconds",
        "When the receiver last confirmed a batch.",
        _moment_per_receiver(lambda receiver: receiver.last_success_ago_s),
        ("receiver",),
    ),
    Metric(
        "logship_receiver_trouble_start_timestamp_seconds",
        "When the receiver began to fail or refuse; absent while it takes events.",
        _moment_per_receiver(lambda receiver: receiver.trouble_for_s),
        ("receiver",),
    ),
    Metric(
        "logship_remote_rules",
        "Sampling rules of the receiver that are obeyed.",
        _per_receiver(lambda receiver: receiver.rules),
        ("receiver",),
    ),
    Metric(
        "logship_remote_rules_last_success_timestamp_seconds",
        "When the receiver last confirmed its rules.",
        _moment_per_receiver(lambda receiver: receiver.rules_age_s),
        ("receiver",),
    ),
    Metric(
        "logship_remote_rules_failing",
        "1 while the receiver doesn't give its rules; the last good ones stay.",
        _per_receiver(lambda receiver: bool(receiver.rules_problem)),
        ("receiver",),
    ),
    Metric(
        "logship_batches_in_flight",
        "Batches in flight now.",
        _per_receiver(lambda receiver: receiver.in_flight),
        ("receiver",),
    ),
    Metric(
        "logship_posts_total",
        "Requests sent to the receiver.",
        _per_receiver(lambda receiver: receiver.posts),
        ("receiver",),
    ),
    Metric(
        "logship_retries_total",
        "Requests that were retries.",
        _per_receiver(lambda receiver: receiver.retries),
        ("receiver",),
    ),
    Metric(
        "logship_answers_total",
        "Answers of all receivers, by HTTP status or kind of failure.",
        lambda status: [((answer,), number) for answer, number in status.answers.items()],
        ("answer",),
    ),
    Histogram(
        "logship_answer_duration_seconds",
        "From the start of a request to its answer, failures too.",
        lambda status: status.answer_times,
    ),
    Histogram(
        "logship_confirmation_duration_seconds",
        "From reading the first line of a batch to the receiver's confirmation of the batch.",
        lambda status: status.confirmation_times,
    ),
    Metric("logship_batches_total", "Batches confirmed.", _count("batches")),
    Metric("logship_body_bytes_total", "Bytes of confirmed bodies, before compression.", _count("body_bytes")),
    Metric("logship_rotations_total", "Rotations seen.", _count("rotations")),
    Metric("logship_truncations_total", "Truncations seen (copytruncate).", _count("truncations")),
    Metric("logship_config_reloads_total", "Successful reloads.", _count("config_reloads")),
    Metric(
        "logship_config_reload_failed_total",
        "Reloads refused because the new config is wrong; the old one stays.",
        _count("config_reload_failed"),
    ),
    Metric(
        "logship_state_writable",
        "1 while positions can be saved; otherwise a restart sends again what was not saved.",
        _one(lambda status: status.is_state_writable),
    ),
)


# prometheus_client offers these too, but not where /proc shows only processes (ProcSubset=pid).
PROCESS = (
    Metric(
        "process_cpu_seconds_total",
        "CPU time of the daemon, user and system.",
        lambda _: [((), sum(os.times()[:2]))],
    ),
    Metric("process_resident_memory_bytes", "Memory of the daemon.", lambda _: [((), _memory_bytes(1))]),
    Metric("process_start_time_seconds", "When the daemon started.", lambda status: [((), _unix_s(status.started_at))]),
    Metric("process_virtual_memory_bytes", "Address space of the daemon.", lambda _: [((), _memory_bytes(0))]),
    Metric("process_max_fds", "Descriptors that the daemon may have open.", lambda _: [((), _max_files())]),
    Metric("process_open_fds", "Open descriptors of the daemon.", lambda _: [((), _open_files())]),
)


class _Snapshot(Collector):
    """One snapshot as prometheus_client collects it."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Family]:
        for metric in (*METRICS, *PROCESS):
            yield metric.family(self.status)


def render(status: Status) -> tuple[str, bytes]:
    """Content type and text of /metrics for a snapshot, with the process's own CPU, memory and descriptors."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(status))
    return CONTENT_TYPE_LATEST, generate_latest(registry)
