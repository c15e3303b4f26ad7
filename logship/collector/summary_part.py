"""What one segment adds to a summary: sums and counts as arrays, which can be added up."""

from __future__ import annotations

import numpy as np

from logship.collector.columns import BUCKETS, Array, Segment
from logship.collector.filters import EventFilter
from logship.collector.matching import matching
from logship.collector.segments import Known
from logship.collector.time_grid import TimeGrid
from logship.records import record

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


@record
class Values:
    """Counts of the values of a column.

    Shapes: `counts` has a row for each text: requests, 4xx, 5xx; `durations` likewise sum, timed, longest; `spread` has
    rows of (index of the text, bucket, requests); both None unless durations are wanted.
    """

    texts: list[bytes]
    counts: Array
    durations: Array | None = None
    spread: Array | None = None


def status_class(status: int | None) -> int:
    """Index into CLASSES."""
    return status // 100 - 2 if status is not None and 200 <= status <= 599 else len(CLASSES) - 1


def part_of(known: Known, wanted: EventFilter, grid: TimeGrid, column: str) -> Part | None:
    """The counts of the wanted events of a segment, None when there are none."""
    segment = known.columns
    mask = matching(known, wanted)
    if mask is not None and not mask.any():
        return None
    names = ("time_ms", "status", "weight", "duration_ms", "bucket", "route", *((column,) if column else ()))
    segment.load(*names)

    def numbers(name: str) -> Array:
        all_of_them = segment.numbers(name)
        return all_of_them if mask is None else all_of_them[mask]

    weights, durations = numbers("weight"), numbers("duration_ms")
    statuses, buckets = numbers("status").astype(np.int64), numbers("bucket").astype(np.int64)
    classes = CLASS_OF_STATUS[statuses + 1]
    width = len(CLASSES)
    used, places = np.unique(grid.starts_of(numbers("time_ms")), return_inverse=True)  # hostile times are far apart
    bars = weighted(places * width + classes, weights, len(used) * width).reshape(len(used), width)
    measured = np.nan_to_num(durations)
    timed = np.where(np.isnan(durations), 0, weights)
    sums = (float((measured * weights).sum()), int(timed.sum()), float(measured.max(initial=0.0)))

    def values(name: str, timing: tuple[Array, Array, Array] | None) -> Values:
        return values_of(segment, name, numbers(name).astype(np.int64), weights, classes, timing)

    return Part(
        events=len(weights),
        statuses=weighted(statuses + 1, weights, len(CLASS_OF_STATUS)),
        bars=np.column_stack((used, bars)),
        sums=sums,
        buckets=weighted(buckets, weights, BUCKETS),
        routes=values("route", (measured, timed, buckets)),
        values=values(column, None) if column and column != "route" else None,
    )


def values_of(
    segment: Segment,
    name: str,
    codes: Array,
    weights: Array,
    classes: Array,
    timing: tuple[Array, Array, Array] | None,
) -> Values:
    """Counts by the values of a column; `timing` are durations, the requests they were measured of, their buckets."""
    present = np.flatnonzero(np.bincount(codes))
    size = int(present[-1]) + 1
    width = len(CLASSES)
    by_class = weighted(codes * width + classes, weights, size * width).reshape(size, width)[present]
    counts = np.column_stack((by_class.sum(axis=1), by_class[:, 2], by_class[:, 3]))
    texts = segment.texts(name)
    found = [texts[code] for code in present.tolist()]
    if timing is None:
        return Values(found, counts)
    measured, timed, buckets = timing
    longest = np.zeros(size)
    np.maximum.at(longest, codes, measured)
    total = np.bincount(codes, measured * weights, size)
    durations = np.column_stack((total[present], np.bincount(codes, timed, size)[present], longest[present]))
    spread = weighted(codes * BUCKETS + buckets, weights, size * BUCKETS)
    cells = np.flatnonzero(spread)
    places = np.searchsorted(present, cells // BUCKETS)
    return Values(found, counts, durations, np.column_stack((places, cells % BUCKETS, spread[cells])))


def weighted(codes: Array, weights: Array, size: int) -> Array:
    """Sums of weights by code, as integers: exact, as long as a segment has fewer than 2**53 requests."""
    return np.bincount(codes, weights, size).astype(np.int64)
