"""Which events of a segment a filter wants: one answer for figures, lists and exports."""

from __future__ import annotations

import numpy as np

from logship.collector.columns import Array, Segment
from logship.collector.filters import EventFilter, FilterCondition
from logship.collector.segments import KnownSegment


def overlaps(known: KnownSegment, wanted: EventFilter) -> bool:
    """Whether any event of a segment can be in the wanted time."""
    is_too_old = wanted.since_ms is not None and known.newest_ms < wanted.since_ms
    is_too_new = wanted.until_ms is not None and known.oldest_ms >= wanted.until_ms
    return not (is_too_old or is_too_new)


def is_inside(known: KnownSegment, wanted: EventFilter) -> bool:
    """Whether all events of a segment are in the wanted time."""
    is_from = wanted.since_ms is None or known.oldest_ms >= wanted.since_ms
    return is_from and (wanted.until_ms is None or known.newest_ms < wanted.until_ms)


def matching(known: KnownSegment, wanted: EventFilter) -> Array | None:
    """Which events are wanted, as truth values; None for all of them. The text that `wanted` looks for is left out."""
    masks: list[Array] = []
    if not is_inside(known, wanted):
        times = known.columns.numbers("time_ms")
        if wanted.since_ms is not None:
            masks.append(times >= wanted.since_ms)
        if wanted.until_ms is not None:
            masks.append(times < wanted.until_ms)
    for one in wanted.conditions:
        if not _fit_all(known.columns, one):
            masks.append(_fits(known.columns, one))
    return np.logical_and.reduce(masks) if masks else None


def _fit_all(segment: Segment, condition: FilterCondition) -> bool:
    """Whether texts alone say that all events of a segment fit: there is one value, or an excluded one is missing."""
    if condition.statuses is not None or condition.is_prefix:
        return False
    if condition.is_excluded:
        return all(segment.code_of(name, condition.text) is None for name in condition.columns)
    return any(segment.texts(name) == [condition.text.encode("utf-8", "replace")] for name in condition.columns)


def _fits(segment: Segment, condition: FilterCondition) -> Array:
    if condition.statuses is not None:
        lowest, highest = condition.statuses
        statuses = segment.numbers("status")
        found = (statuses >= lowest) & (statuses <= highest)
    else:
        found = np.logical_or.reduce([_has_text(segment, name, condition) for name in condition.columns])
    return ~found if condition.is_excluded else found


def _has_text(segment: Segment, name: str, condition: FilterCondition) -> Array:
    if condition.is_prefix:
        codes = segment.numbers(name).astype(np.intp)  # else indexing converts them, three times as slowly
        found: Array = segment.begin_with(name, condition.text)[codes]
        return found
    code = segment.code_of(name, condition.text)
    if code is None:
        return np.zeros(segment.events, bool)
    is_equal: Array = np.equal(segment.numbers(name), code)
    return is_equal
