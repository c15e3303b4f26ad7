"""`logship backfill`: ships old logs once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import (
    complete_files,
    config_option,
    field_option,
    format_option,
    json_option,
    mapping_option,
    source_option,
    subcommand,
)

if TYPE_CHECKING:
    from logship.backfill.service import Backfill, Options


@subcommand(
    "logship backfill /var/log/nginx/access.log*",
    "logship backfill --dry-run --since 30d old/*.gz",
    "logship backfill -c logship.yml --source shop --original-dir /var/log/nginx copies/",
)
@config_option("The configuration; without any, see --url.", may_lack=True)
@source_option("Treat logs that match no source as logs of this one.")
@format_option()
@mapping_option()
@field_option()
@click.option("--url", default="", metavar="URL", help="The receiver, instead of the configuration's.")
@click.option("--application-id-file", type=click.Path(path_type=Path), metavar="FILE", help="File that holds the id.")
@click.option("--since", default="", metavar="TIME", help="Only later events: 2026-10-01, 2026-10-01T13:55Z, 7d.")
@click.option("--until", default="", metavar="TIME", help="Only events before then.")
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes; default half the cores.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="At most so many events a second.")
@click.option("--dry-run", is_flag=True, help="Count what would be sent, show what doesn't fit, send nothing.")
@click.option("--restart", is_flag=True, help="Start over: send what was confirmed again, under the same ids.")
@click.option("--skip-old", is_flag=True, help="Leave out events too old for the receiver.")
@click.option("--send-old", is_flag=True, help="Send events too old for the receiver anyway.")
@click.option("--original-dir", default="", metavar="DIRECTORY", help="Directory the copies originally lived in.")
@click.option("--origin", default="", metavar="NAME", help="`origin` of the host that wrote them.")
@click.option("--new-ids", "label", default="", metavar="LABEL", help="Send again under other ids (a wrong mapping).")
@json_option("The summary as JSON.")
@click.option("--cluster", default="", metavar="tcp://HOST:PORT", help="Work on this Dask cluster.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_files)
def command(config: Path | None, url: str, application_id_file: Path | None, as_json: bool, **given: object) -> int:
    """Ship old logs: plain, .gz, .bz2, .xz, .zst, globs, directories, s3://..., or - for stdin.

    If it is stopped or killed, run the same command again: it continues after what the receiver has confirmed. What the
    daemon shipped is not sent again. Ctrl-C finishes what is in flight, a second one stops at once. Exit 0 only if
    everything was delivered.
    """
    import logging
    import os
    import sys

    from logship.backfill.command_line import Target, load
    from logship.backfill.service import Backfill
    from logship.cli.backfill_view import JsonView, View
    from logship.cli.terminal import Terminal
    from logship.clock import SystemClock
    from logship.process.logs import setup_logging

    setup_logging("text", level=logging.WARNING)
    clock = SystemClock()
    options = _options(given, clock.time())
    settings = load(config, Target(url, application_id_file), os.environ, sending=not options.is_dry)
    view = JsonView(sys.stdout) if as_json else View(Terminal(sys.stdout), Terminal(sys.stderr), clock)
    backfill = Backfill(settings, options, os.environ, clock)
    _catch_signals(backfill)
    plan = backfill.plan()
    view.planned(plan)
    with view.progress() as show:
        summary = backfill.run(plan, show)
    view.summary(summary)
    return summary.exit_code


def _options(given: dict[str, object], now_s: float) -> Options:
    from logship.backfill.command_line import moment
    from logship.backfill.plan import Identity
    from logship.backfill.service import Options, default_jobs
    from logship.cli.terminal import standard_input
    from logship.config.overrides import Overrides, fields_of
    from logship.errors import UsageError

    text = {key: value for key, value in given.items() if isinstance(value, str)}
    pairs, paths, jobs, rate = given["fields"], given["paths"], given["jobs"], given["rate"]
    assert isinstance(pairs, tuple)
    assert isinstance(paths, tuple)
    if "-" in paths:
        standard_input()
    if given["skip_old"] and given["send_old"]:
        raise UsageError("--skip-old and --send-old contradict each other; give one")
    since, until = text["since"], text["until"]
    begin, end = (moment(text, now_s, name) if text else "" for text, name in ((since, "--since"), (until, "--until")))
    if begin and end and begin >= end:
        raise UsageError(f"--since {since} is not before --until {until}: no event is between them")
    return Options(
        paths=paths,
        jobs=jobs if isinstance(jobs, int) else default_jobs(),
        overrides=Overrides(text["source"], text["format_"], text["mapping"], fields_of(pairs)),
        identity=Identity(text["original_dir"], text["origin"], text["label"]),
        since=begin,
        until=end,
        rate=rate if isinstance(rate, float) else 0.0,
        cluster=text["cluster"],
        old_events="skip" if given["skip_old"] else "send" if given["send_old"] else "refuse",
        is_dry=bool(given["dry_run"]),
        is_restart=bool(given["restart"]),
    )


def _catch_signals(backfill: Backfill) -> None:
    """The first one drains, the second stops at once; a closed terminal (SIGHUP) drains."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: backfill.stop())
