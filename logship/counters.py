"""What happened, as numbers; metrics, status and the summaries read them.

The sum that always holds, per file, per source and in all:
lines = sent + dropped by rule + sampled out + out of range + too old + dead letters + waiting

Lost bytes are no lines; they follow the sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import field

from logship.event import Conversion, LogFile
from logship.records import record
from logship.words import bytes_words

_NOTHING: dict[str, int] = {}  # shared by all that count nothing: 50,000 files


def no_counts() -> dict[str, int]:
    """Named counts before the first; with_counts() makes a new dict."""
    return _NOTHING


def with_counts(known: dict[str, int], counts: Mapping[str, int]) -> dict[str, int]:
    """Named counts with others added; changes `known` unless it is empty."""
    if not counts:
        return known
    into = known or {}
    for name, count in counts.items():
        into[name] = into.get(name, 0) + count
    return into


@record(frozen=False)
class Tally:
    """What became of the lines of one file or source.

    Shapes: all counts of lines, but nul_bytes and lost_bytes; `lines` counts at reading, everything else when decided.
    """

    lines: int = 0
    sent: int = 0
    dropped: dict[str, int] = field(default_factory=no_counts)
    sampled_out: dict[str, int] = field(default_factory=no_counts)
    out_of_range: int = 0
    too_old: int = 0
    dead_letters: int = 0
    unmatched: int = 0  # fit no format, and on_unmatched is drop
    already_confirmed: int = 0
    nul_bytes: int = 0
    lost_bytes: int = 0
    sent_bytes: int = 0
    looked_at: int = 0  # events that were searched for secrets, a small sample
    disclosing: dict[str, int] = field(default_factory=no_counts)  # of these, by what they seem to hold
    left_out: dict[str, int] = field(
        default_factory=no_counts
    )  # ids too long for the API, which their events lack, by key

    @property
    def dropped_total(self) -> int:
        return sum(self.dropped.values())

    @property
    def sampled_out_total(self) -> int:
        return sum(self.sampled_out.values())

    @property
    def decided(self) -> int:
        """Lines that were sent, dropped or set aside."""
        return (
            self.sent
            + self.dropped_total
            + self.sampled_out_total
            + self.out_of_range
            + self.too_old
            + self.dead_letters
            + self.unmatched
        )

    @property
    def waiting(self) -> int:
        """Lines read and not decided yet: batched or in flight."""
        return self.lines - self.decided

    def add_conversion(self, conversion: Conversion) -> None:
        """Count what the converter decided; events count when they are confirmed."""
        self.dropped = with_counts(self.dropped, conversion.dropped)
        self.sampled_out = with_counts(self.sampled_out, conversion.sampled_out)
        self.unmatched += conversion.dropped_unmatched
        self.left_out = with_counts(self.left_out, conversion.left_out)
        self.too_old += conversion.too_old
        self.out_of_range += conversion.out_of_range

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.dropped = with_counts(self.dropped, other.dropped)
        self.sampled_out = with_counts(self.sampled_out, other.sampled_out)
        self.left_out = with_counts(self.left_out, other.left_out)
        for name in PLAIN_COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def sentence(self) -> str:
        """The sum in words, the same everywhere."""
        parts = [
            f"lines {self.lines:,} = sent {self.sent:,}",
            f"dropped by rule {self.dropped_total:,}",
            f"sampled out {self.sampled_out_total:,}",
            f"out of range {self.out_of_range:,}",
            f"too old {self.too_old:,}",
            f"dead letters {self.dead_letters:,}",
        ]
        if self.unmatched:
            parts.append(f"dropped unmatched {self.unmatched:,}")
        if self.waiting:
            parts.append(f"waiting {self.waiting:,}")
        beside = [f"LOST {bytes_words(self.lost_bytes)}"] if self.lost_bytes else []
        if self.already_confirmed:
            beside.append(f"already confirmed, skipped {self.already_confirmed:,}")
        if self.nul_bytes:
            beside.append(f"NUL bytes skipped {self.nul_bytes:,}")
        beside += [f"{key} left out of {count:,}" for key, count in self.left_out.items()]
        return " · ".join([" + ".join(parts), *beside])


PLAIN_COUNTS = (
    "lines",
    "sent",
    "out_of_range",
    "too_old",
    "dead_letters",
    "unmatched",
    "already_confirmed",
    "nul_bytes",
    "lost_bytes",
    "sent_bytes",
)


def total(tallies: Iterable[Tally]) -> Tally:
    """One tally over many."""
    result = Tally()
    for tally in tallies:
        result.add(tally)
    return result


TIME_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@record(frozen=False)
class Times:
    """How long something took.

    Shapes: `counts` has a number for each bound of TIME_BOUNDS_S (at most so long, and longer than the bound before)
    and one for all that took longer; `sum_s` is all of it together.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(TIME_BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(TIME_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


@record(frozen=False)
class Counters:
    """All numbers of one process.

    Shapes: `sources` by source name; `files` by file_id, while the file is followed; the rest are plain totals.
    Only the work thread writes `sources` and `files`; each sender writes its own fields under the delivery's lock.
    """

    sources: dict[str, Tally] = field(default_factory=dict)
    files: dict[int, Tally] = field(default_factory=dict)
    batches: int = 0
    body_bytes: int = 0
    posts: int = 0
    retries: int = 0
    answers: dict[str, int] = field(default_factory=dict)  # by status or kind of failure ("201", "timeout")
    answer_times: Times = field(default_factory=Times)  # from an attempt's start to its answer
    confirmation_times: Times = field(default_factory=Times)  # of batches: from reading the first line to the answer
    rotations: int = 0
    truncations: int = 0
    config_reloads: int = 0
    config_reload_failed: int = 0
    state_errors: int = 0
    dead_letters_overflow: int = 0

    def of_source(self, name: str) -> Tally:
        return self.sources.get(name) or self.sources.setdefault(name, Tally())

    def of_file(self, file_id: int) -> Tally:
        return self.files.get(file_id) or self.files.setdefault(file_id, Tally())

    def of(self, file: LogFile) -> tuple[Tally, Tally]:
        """The two tallies of a log: its source's and its own."""
        return self.of_source(file.source), self.of_file(file.file_id)

    def total(self) -> Tally:
        return total(self.sources.values())
