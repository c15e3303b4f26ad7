"""The templates of the page: every value is escaped, a misspelt one is an error."""

from __future__ import annotations

import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from logship.collector.asked import KEPT, LISTS_SHOWN
from logship.collector.filters import ALWAYS_THERE, STATUS_CLASSES, kept_whole
from logship.collector.summary_part import CLASSES, status_class
from logship.collector.time_range import zone_name
from logship.collector.times import (
    change,
    date_time,
    day_of,
    exact_duration,
    iso_time,
    local_time,
    percentage,
    rate,
    short_count,
    short_duration,
)
from logship.collector.turning import TURNING

FILES = Path(__file__).parent / "page"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def visible(value: object) -> object:
    """A value with what would turn its letters round as escapes; what is markup already, as `| e` makes it, stays."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return TURNING.sub(lambda match: f"\\u{ord(match[0]):04x}", value)


def environment() -> Environment:
    """Templates that escape every value, draw it from left to right, and fail on a misspelt one."""
    made = Environment(
        loader=FileSystemLoader(FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    made.filters.update(
        iso=iso_time,
        clock=lambda time_ms, zone: f"{local_time(time_ms, zone):%H:%M:%S}",
        day=day_of,
        date=date_time,
        fraction=lambda time_ms: f".{time_ms % 1000:03d}",
        duration=short_duration,
        exactly=exact_duration,
        about=lambda duration_ms: "" if duration_ms is None else f"{short_duration(duration_ms)}, within 5 %",
        count=short_count,
        all=lambda number: f"{number:,}",
        rate=rate,
        status_class=lambda status: CLASSES[status_class(status)],
        zone_name=zone_name,
        spread=spread_of,
        whole=lambda value, name: kept_whole(name, value),
    )
    made.globals.update(
        percentage=percentage,
        classes=CLASSES,
        lists=LISTS_SHOWN,
        always_there=ALWAYS_THERE,
        kept=KEPT,
        change=change,
        verbs=VERBS,
        status_classes=STATUS_CLASSES,
    )
    return made


def spread_of(histogram: tuple[tuple[float, int], ...]) -> list[tuple[float, float, str]]:
    """Bars of a picture of durations: left edge and height in percent, and what each says."""
    if not histogram:
        return []
    counts: dict[int, int] = {}
    for middle_ms, requests in histogram:
        place = max(int(math.log2(max(middle_ms, 1)) * 2), 0)
        counts[place] = counts.get(place, 0) + requests
    places = range(min(counts), max(counts) + 1)
    most = max(counts.values())
    return [
        (
            100 * (place - places[0]) / len(places),
            100 * counts.get(place, 0) / most,
            f"{place_text(place)}: {counts.get(place, 0):,} request{'' if counts.get(place) == 1 else 's'}",
        )
        for place in places
    ]


def place_text(place: int) -> str:
    """What durations a bar of the picture is of; the first one has those of 0 ms, too."""
    end = short_duration(2 ** ((place + 1) / 2))
    return f"{short_duration(2 ** (place / 2))} to {end}" if place else f"at most {end}"
