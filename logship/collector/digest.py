"""What all events of a segment say together, made once with the segment: a look without a filter reads no event.

Counts by minute, so that bars of any width can be made of them, and counts by value for each text column.
"""

from __future__ import annotations

import numpy as np

from logship.collector.columns import BUCKETS, TEXTS, Array, Packed, Segment, packed_arrays
from logship.collector.summary_part import CLASS_OF_STATUS, CLASSES, Part, Values, part_of, values_of
from logship.collector.time_grid import MINUTE_S, TimeGrid

WHOLE, TIMING = "whole", "timing"  # of all events: figures and bars, durations by route
DIGEST = (WHOLE, TIMING, *(f"{name}.counts" for name in TEXTS))  # beside the columns of a segment


def packed_digest(segment: Segment) -> Packed:
    """The digest of a segment by the names of DIGEST."""
    part = part_of(segment, None, TimeGrid(MINUTE_S), "")
    minutes, classes = np.nonzero(part.bars[:, 1:])
    statuses = np.flatnonzero(part.statuses)
    counts, starts, sums = part.bars[minutes, classes + 1], part.bars[minutes, 0], np.array(part.sums, np.float64)
    timing, spread = part.routes.durations, part.routes.spread
    assert timing is not None
    assert spread is not None
    made = {
        WHOLE: packed_arrays(statuses, part.statuses[statuses], starts, classes, counts, sums),
        TIMING: packed_arrays(*timing.T, *spread.T),
    }
    weights, of_status = segment.numbers("weight").astype(np.float64), segment.numbers("status").astype(np.int64) + 1
    for name in TEXTS:
        codes = segment.numbers(name).astype(np.int64)
        values = values_of(segment.text_count(name), codes, weights, CLASS_OF_STATUS[of_status])
        made[f"{name}.counts"] = packed_arrays(*values.counts.T)
    return made


def part_of_all(segment: Segment, grid: TimeGrid, column: str) -> Part | None:
    """What all events of a segment add, by its digest; None where it has none or minutes don't fit into the bars."""
    is_other = bool(column) and column != "route"
    names = (WHOLE, TIMING, "route.counts", *((f"{column}.counts",) if is_other else ()))
    arrays = segment.arrays(*names)
    if arrays is None:
        return None
    statuses, of_status, minutes, classes, requests, sums = arrays[0]
    total, timed, longest, rows, buckets, spread = arrays[1]
    starts, places = grid.placed(minutes.astype(np.int64) * 1_000)
    if (starts % MINUTE_S).any() or grid.following(int(starts[-1])) % MINUTE_S:  # clocks before they followed Greenwich
        return None
    width = len(CLASSES)
    bars = summed(places * width + classes, requests, len(starts) * width).reshape(len(starts), width)
    has_any = bars.any(axis=1)
    cells = np.column_stack((rows, buckets, spread)).astype(np.int64)
    return Part(
        events=segment.events,
        statuses=summed(statuses, of_status, len(CLASS_OF_STATUS)),
        bars=np.column_stack((starts[has_any], bars[has_any])),
        sums=(float(sums[0]), int(sums[1]), float(sums[2])),
        buckets=summed(buckets, spread, BUCKETS),
        routes=all_values(arrays[2], np.column_stack((total, timed, longest)), cells),
        values=all_values(arrays[3]) if is_other else None,
    )


def summed(places: Array, counts: Array, size: int) -> Array:
    """Sums of counts by place."""
    made = np.zeros(size, np.int64)
    np.add.at(made, places, counts.astype(np.int64))
    return made


def all_values(columns: list[Array], durations: Array | None = None, spread: Array | None = None) -> Values:
    """The counts of every text that a column has."""
    counts = np.column_stack(columns).astype(np.int64)
    return Values(np.arange(len(counts)), counts, durations, spread)
