"""`logship demo`: a collector, traffic and the daemon, to look at."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType

import click

from logship.cli.options import subcommand


@subcommand(
    "logship demo",
    "logship demo --seconds 15",
)
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after so many seconds, with a summary.")
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Of the collector and its page.",
)
def command(seconds: float | None, listen: str) -> int:
    """Collector, live traffic and the daemon, with the page's address; Ctrl-C ends it all.

    Exit 1 when a line did not arrive or a part of the demo failed.
    """
    from logship.cli.collector import split_address
    from logship.demo import Demo

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    host, port = split_address(listen)
    directory = Path(tempfile.mkdtemp(prefix="logship-demo-"))
    demo = Demo(directory)
    is_fine = False
    try:
        demo.start(host, port)
        click.echo(f"page      {demo.page}")
        click.echo(f"log       {demo.log_path}, two days made up, then written by {demo.server}")
        click.echo("Ctrl-C ends the demo.\n")
        try:
            for moment in demo.moments(seconds):
                click.echo(f"lines seen {moment.lines_seen:>7,}   events confirmed {moment.events_confirmed:>7,}")
        except KeyboardInterrupt:
            click.echo()
        last = demo.finish()
        demo.stop()
        click.echo(f"\n{demo.daemon_summary()}")
        click.echo(f"lines in the log {last.lines_seen:,} = events in the collector {last.events_confirmed:,}")
        is_fine = last.lines_seen == last.events_confirmed > 0
        if not is_fine:
            click.echo(f"They differ; everything is kept in {directory}", err=True)
    except RuntimeError as exc:
        click.echo(f"logship demo: {exc}", err=True)
    except KeyboardInterrupt:
        is_fine = True
    finally:
        demo.stop()
        if is_fine:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if is_fine else 1
