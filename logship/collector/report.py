"""A report: one view of the page as one file that needs no network and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from logship.collector.applications import Application
from logship.collector.asked import LISTS_SHOWN, AskedOnce, Shown
from logship.collector.overview import Overview, Overviews
from logship.collector.summary import ValueCount
from logship.collector.templates import FILES, environment
from logship.collector.time_range import AHEAD_MS
from logship.collector.times import date_time

REPORT_ROWS = 20  # of each list


def report_of(overviews: Overviews, given: Mapping[str, str], application: Application, now: int) -> str:
    """The HTML of a report of an application's events.

    Shapes: `given` is the page's query string; `now` is in milliseconds since 1970.
    Raises: RefusalError 400 for a question that can't be.
    """
    first = Shown(rows=REPORT_ROWS)
    others = [name for name in LISTS_SHOWN if name != first.name]
    found = overviews.of(AskedOnce("", given), application.id, now, first, search_s=None, further=others)
    lists: dict[str, tuple[int, list[ValueCount]]] = {}
    for name in LISTS_SHOWN:
        summary = found.further.get(name, found.summary)
        if any(one.value for one in summary.values):
            lists[name] = summary.values_in_all, first.listed(summary.values)
    style = (FILES / "style.css").read_text(encoding="utf-8")
    values = {
        **found.names(),
        "application": application,
        "value_lists": lists,
        "span": span_words(found),
        "style": style,
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    }
    return environment().get_template("report.html").render(values)


def span_words(found: Overview) -> str:
    """The time that an overview is of, in words."""
    since_ms, until_ms = found.wanted.since_ms, found.wanted.until_ms
    if since_ms is None and until_ms is None:
        return "all times"  # an event of the year 1970 or 2037 is among them, too
    if until_ms is None or 0 <= until_ms - found.now <= AHEAD_MS:  # the last hours end now, for whoever reads it
        until_ms = found.now
    end = date_time(until_ms // 60_000 * 60_000, found.zone)
    return f"before {end}" if since_ms is None else f"{date_time(since_ms // 60_000 * 60_000, found.zone)} to {end}"
