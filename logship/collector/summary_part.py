"""What one segment adds to a summary: sums and counts as arrays, which can be added up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logship.collector.columns import BUCKETS, NO_DURATION, Array, Segment, bucket_ms
from logship.collector.time_grid import TimeGrid
from logship.records import record

PERCENTILES = (50, 95, 99)
CLASSES = ("2xx", "3xx", "4xx", "5xx", "other")
CLASS_OF_STATUS = np.array(
    [status // 100 - 2 if 200 <= status <= 599 else len(CLASSES) - 1 for status in range(-1, 1_000)], np.int64
)


@record
class Part:
    """What one segment adds. Shapes: `bars` are rows of (start_s, one count for each class)."""

    events: int
    statuses: Array
    bars: Array
    sums: tuple[float, int, float]  # duration, timed requests, longest
    buckets: Array
    routes: Values
    values: Values | None

    def size_bytes(self) -> int:
        """Of its arrays."""
        values = [self.routes] if self.values is None else [self.routes, self.values]
        arrays = [one for of in values for one in (of.codes, of.counts, of.durations, of.spread) if one is not None]
        return sum(one.nbytes for one in (self.statuses, self.bars, self.buckets, *arrays))


@record
class Values:
    """Counts of the values of a column.

    Shapes: `codes` are of the texts that occur; `counts` has a row for each: requests, 4xx, 5xx; `durations` likewise
    sum, timed, longest; `spread` has rows of (row of the text, bucket, requests); both None unless they are wanted.
    """

    codes: Array
    counts: Array
    durations: Array | None = None
    spread: Array | None = None


def status_class(status: int | None) -> int:
    """Index into CLASSES."""
    return status // 100 - 2 if status is not None and 200 <= status <= 599 else len(CLASSES) - 1


def part_of(segment: Segment, mask: Array | None, grid: TimeGrid, column: str) -> Part:
    """The counts of those events of a segment for which `mask` is true, at least one; None for all of them."""
    names = ("time_ms", "status", "weight", "duration_ms", "bucket", "route", *((column,) if column else ()))
    segment.load(*names)

    wanted_ones = None if mask is None else np.flatnonzero(mask)  # by index each further column costs what is wanted

    def numbers(name: str) -> Array:
        all_of_them = segment.numbers(name)
        return all_of_them if wanted_ones is None else all_of_them[wanted_ones]

    weights = None if are_one(segment.numbers("weight")) else numbers("weight").astype(np.float64)
    statuses = numbers("status").astype(np.int64) + 1
    classes = CLASS_OF_STATUS[statuses]
    starts, places = grid.placed(numbers("time_ms"))  # others may be thousands of years away, too many for its bars
    width = len(CLASSES)
    bars = counted(places * width + classes, weights, len(starts) * width).reshape(len(starts), width)
    has_any = bars.any(axis=1)
    routes, buckets, sums = timed_values(segment, numbers, weights, classes)
    values = None
    if column and column != "route":
        values = values_of(segment.text_count(column), numbers(column).astype(np.int64), weights, classes)
    return Part(
        events=len(statuses),
        statuses=counted(statuses, weights, len(CLASS_OF_STATUS)),
        bars=np.column_stack((starts[has_any], bars[has_any])),
        sums=sums,
        buckets=buckets,
        routes=routes,
        values=values,
    )


def values_of(size: int, codes: Array, weights: Array | None, classes: Array) -> Values:
    """Counts by the values of a column, which has `size` texts."""
    width = len(CLASSES)
    by_class = counted(codes * width + classes, weights, size * width).reshape(size, width)
    requests = by_class.sum(axis=1)
    present = np.flatnonzero(requests)
    counts = np.column_stack((requests, by_class[:, 2], by_class[:, 3]))[present]
    return Values(present, counts)


def timed_values(
    segment: Segment, numbers: Callable[[str], Array], weights: Array | None, classes: Array
) -> tuple[Values, Array, tuple[float, int, float]]:
    """Counts and durations by route, the buckets and the sums of all durations."""
    size, codes, durations = segment.text_count("route"), numbers("route").astype(np.int64), numbers("duration_ms")
    spread = counted(codes * BUCKETS + numbers("bucket"), weights, size * BUCKETS).reshape(size, BUCKETS)
    if durations.dtype.kind == "f":
        durations = np.where(np.isnan(durations), 0.0, durations)
    total = np.bincount(codes, durations if weights is None else durations * weights, size)
    longest = longest_of(codes, durations, numbers("bucket"), spread)
    buckets, timed = spread.sum(axis=0), spread[:, :NO_DURATION].sum(axis=1)
    sums = (float(total.sum()), int(timed.sum()), float(longest.max(initial=0.0)))
    counts = values_of(size, codes, weights, classes)
    spread = spread[present := np.flatnonzero(spread.any(axis=1))]
    rows, cells = np.nonzero(spread)
    timing = np.column_stack((total, timed, longest))[present]
    return (
        Values(counts.codes, counts.counts, timing, np.column_stack((rows, cells, spread[rows, cells]))),
        buckets,
        sums,
    )


def longest_of(codes: Array, durations: Array, buckets: Array, spread: Array) -> Array:
    """The longest duration of each code, 0 without any: only those in its last bucket are compared one by one."""
    timed = spread[:, :NO_DURATION] > 0
    last = np.where(timed.any(axis=1), NO_DURATION - 1 - timed[:, ::-1].argmax(axis=1), NO_DURATION).astype(np.uint8)
    chosen = np.flatnonzero(last[codes] == buckets)
    longest = np.zeros(len(spread))
    np.maximum.at(longest, codes[chosen], durations[chosen])
    return longest


def are_one(weights: Array) -> bool:
    """Whether all events stand for one request each, as far as can be seen at once."""
    return weights.strides == (0,) and bool(weights[0] == 1)


def counted(codes: Array, weights: Array | None, size: int) -> Array:
    """Sums of weights (None: 1 each) by code, as integers: exact while a segment has fewer than 2**53 requests."""
    return np.bincount(codes, weights, size).astype(np.int64)


def percentiles_of(buckets: Array, longest_ms: float) -> tuple[float | None, float | None, float | None]:
    """The durations that PERCENTILES of the timed requests stay below, none over the longest; None without any."""
    summed = np.cumsum(buckets[:NO_DURATION])
    if not summed[-1]:
        return None, None, None
    places = [int(np.searchsorted(summed, summed[-1] * one / 100)) for one in PERCENTILES]
    found = [min(bucket_ms(place), longest_ms) for place in places]
    return found[0], found[1], found[2]


def histogram_of(buckets: Array) -> tuple[tuple[float, int], ...]:
    """Requests by duration: the middle of each bucket that has any, and their number."""
    return tuple((bucket_ms(int(one)), int(buckets[one])) for one in np.flatnonzero(buckets[:NO_DURATION]))
