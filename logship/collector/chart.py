"""The chart of requests over time as shapes with numbers; the template writes them as SVG."""

from __future__ import annotations

from datetime import datetime, tzinfo

from logship.collector.summary import Bar, Summary
from logship.collector.summary_part import CLASSES
from logship.collector.time_grid import DAY_S, TimeGrid
from logship.collector.times import EPOCH, iso_time, local_time
from logship.records import record

WIDTH = 1_000.0
HEIGHT = 150.0
GAP = 0.22  # of a bar's room
LABELS = 6  # at most
EDGE = 0.03  # of the width, where a label would be cut off
LABEL_STEPS_S = (60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800)


@record
class Block:
    """One status class of one bar; units of the SVG's view box."""

    kind: str
    y: float
    height: float


@record
class Column:
    """One bar: where it is, what it says, and its time (ISO 8601)."""

    x: float
    width: float
    blocks: tuple[Block, ...]
    text: str
    since: str
    until: str


@record
class Chart:
    """Shapes: `labels` are (percent of the width, text); `top` is the count at the upper edge.

    `edges` are the starts of all bars and the end of the last one, in seconds since 1970, `end` is that end in words;
    `totals` are the requests of each bar.
    """

    columns: tuple[Column, ...]
    labels: tuple[tuple[float, str], ...]
    top: int
    step_text: str
    edges: tuple[int, ...]
    totals: tuple[int, ...]
    end: str


def draw(summary: Summary, zone: tzinfo | None = None) -> Chart:
    """The chart of a summary, its times as a zone's clocks show them."""
    bars = summary.bars
    top = round_up(max((bar.total for bar in bars), default=0))
    room = WIDTH / max(len(bars), 1)
    starts = [bar.start_s for bar in bars]
    edges = (*starts, TimeGrid(summary.step_s, zone).following(starts[-1])) if starts else ()
    columns = tuple(
        Column(
            x=round(index * room + room * GAP / 2, 2),
            width=round(room * (1 - GAP), 2),
            blocks=blocks(bar, top),
            text=bar_text(bar, summary.step_s, zone),
            since=iso_time(edges[index] * 1000),
            until=iso_time(edges[index + 1] * 1000),
        )
        for index, bar in enumerate(bars)
    )
    every_s = label_step(len(bars), summary.step_s)
    clocks = [local_time(start_s * 1000, zone) for start_s in starts]
    labels = tuple(
        (round(100 * (index + 0.5) / len(bars), 2), tick(clock, summary.step_s, every_s))
        for index, clock in enumerate(clocks)
        if clock_s(clock) % every_s < min(summary.step_s, DAY_S) and EDGE <= (index + 0.5) / len(bars) <= 1 - EDGE
    )
    end = time_text(edges[-1], summary.step_s, zone) if edges else ""
    return Chart(columns, labels, top, step_text(summary.step_s), edges, tuple(bar.total for bar in bars), end)


def clock_s(clock: datetime) -> int:
    """Seconds since 1970 on the clock that a reader looks at."""
    return int((clock.replace(tzinfo=None) - EPOCH.replace(tzinfo=None)).total_seconds())


def label_step(bars: int, step_s: int) -> int:
    """Seconds from label to label: a round number of them, so that they stand at whole hours and days."""
    fitting = (every_s for every_s in LABEL_STEPS_S if every_s % step_s == 0 and every_s * LABELS >= bars * step_s)
    return next(fitting, -(-bars // LABELS) * step_s)


def blocks(bar: Bar, top: int) -> tuple[Block, ...]:
    """The classes of a bar on top of one another, 5xx uppermost; what is there at all shows at least as a line."""
    made: list[Block] = []
    floor = HEIGHT
    order = sorted(range(len(CLASSES)), key=lambda index: (CLASSES[index] == "5xx", CLASSES[index] == "4xx"))
    for index in order:
        if not bar.requests[index]:
            continue
        height = max(round(HEIGHT * bar.requests[index] / top, 2), 1.5)
        floor -= height
        made.append(Block(CLASSES[index], round(floor, 2), height))
    return tuple(made)


def bar_text(bar: Bar, step_s: int, zone: tzinfo | None) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in zip(CLASSES, bar.requests, strict=True) if count)
    when = time_text(bar.start_s, step_s, zone)
    if not bar.total:
        return f"{when}: no requests"
    return f"{when}: {bar.total:,} request{'' if bar.total == 1 else 's'} ({counts})"


def time_text(start_s: int, step_s: int, zone: tzinfo | None) -> str:
    """A time as exact as bars of `step_s` need it."""
    return local_time(start_s * 1000, zone).strftime("%d %b %Y" if step_s >= DAY_S else "%d %b %Y %H:%M")


def tick(start: datetime, step_s: int, every_s: int) -> str:
    """A time as short as it can be for bars of `step_s` with a label every `every_s`."""
    if step_s >= DAY_S:
        return start.strftime("%d %b %Y")
    if every_s % DAY_S == 0:
        return start.strftime("%d %b")
    return start.strftime("%H:%M" if step_s < 3_600 else "%d %b %H:%M")


def step_text(step_s: int) -> str:
    """The width of a bar in words: 5 minutes, 2 hours, day."""
    for unit_s, name in ((DAY_S, "day"), (3_600, "hour"), (60, "minute")):
        if step_s >= unit_s:
            number = step_s // unit_s
            return name if number == 1 else f"{number:,} {name}s"
    return f"{step_s} s"


def round_up(value: int) -> int:
    """The next number that reads well at an axis: 1, 2, 4, 6, 8 times a power of ten, and its half is whole."""
    if value <= 4:
        return 4
    scale = 1
    while True:
        for factor in (1, 2, 4, 6, 8):
            if factor * scale >= value and factor * scale % 2 == 0:
                return factor * scale
        scale *= 10
