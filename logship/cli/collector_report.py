"""`logship collector-report`: one view of the collector's page as a file to keep, print or send."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from logship.cli.collector import needing_extra
from logship.cli.options import subcommand
from logship.errors import Exit, UsageError
from logship.process.whole_file import write_whole

FILTERS = {
    "range": "24h (the default), 7d, today, 2026-11-27, 2026-11-20..2026-11-27, all",
    "since": "from this time on: ISO 8601 or a date",
    "until": "before this time",
    "tz": "the time zone of times, such as Europe/Berlin; default UTC",
    "q": "text anywhere in an event",
}
FIELDS = {
    "verb": "GET, POST, …",
    "status": "404, 5xx, or none for no response",
    "route": "a path with its ids replaced",
    "path": "a path; ending in * for all that begin so",
    "user": "user_id",
    "company": "company_id",
    "client": "address of the client",
    "source": "what the events name as their source",
    "host": "host of the URI",
    "agent": "program of the User-Agent",
    "referrer": "host of the Referer",
}


def with_filters(function: Callable[..., int]) -> Callable[..., int]:
    """The filters of the page as options."""
    texts = FILTERS | FIELDS | {f"not-{name}": f"all but this {name}" for name in FIELDS}
    for name, text in reversed(texts.items()):
        function = click.option(f"--{name}", metavar="VALUE", help=text)(function)
    return function


@subcommand(
    "logship collector-report --store events.db --range 30d -o report.html",
    "logship collector-report --range yesterday --status 5xx -o - > errors.html",
)
@click.option(
    "--store", default="collector.db", show_default=True, metavar="FILE or URL", help="SQLite file or postgresql://…"
)
@click.option("--application-id", metavar="[NAME=]ID", help="whose events, where the store holds several applications'")
@click.option(
    "-o", "--output", default="report.html", show_default=True, metavar="FILE", help="what to write; - for stdout"
)
@with_filters
def command(store: str, application_id: str | None, output: str, **given: str | None) -> int:
    """Write a view of the page as one HTML file: figures, chart, lists, the newest events.

    It holds no script, needs no network, and prints. Works beside a running collector.
    """
    with needing_extra("collector"):
        from logship.collector.applications import application_ids, applications, named_ids
        from logship.collector.overview import Overviews
        from logship.collector.refusal import RefusalError
        from logship.collector.report import report_of
        from logship.collector.server import open_existing

    database = open_existing(store)
    try:
        names = named_ids([application_id]) if application_id else {}
        known, stored = applications(database, names), application_ids(database)
        known = [one for one in known if one.id in stored and (not names or one.id in names or one.label in names)]
        if not known:
            what = "this application has no events" if application_id else "no event is stored"
            raise UsageError(f"--store {store}: {what}")
        if len(known) > 1:
            raise UsageError(f"--store {store}: {len(known)} applications; give --application-id")
        asked = {name.replace("_", "-"): value for name, value in given.items() if value}
        try:
            text = report_of(Overviews(database), asked, known[0], time.time_ns() // 1_000_000)
        except RefusalError as exc:
            raise UsageError(f"--{exc.message}") from exc
    finally:
        database.close()
    write(text, output)
    return Exit.FINE


def write(text: str, output: str) -> None:
    """Writes the file as a whole or not at all.

    Raises: UsageError where it can't be written.
    """
    if output == "-":
        click.echo(text)
        return
    try:
        write_whole(Path(output), text, 0o600)  # it shows what people did: not for everybody on this machine
    except OSError as exc:
        raise UsageError(f"{output} can't be written: {exc.strerror}") from exc
    click.echo(f"wrote {output}", err=True)
