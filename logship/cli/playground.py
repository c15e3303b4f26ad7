"""`logship playground`: a format and a mapping in the browser, next to their events."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from logship.cli.collector import needing_extra, split_address
from logship.cli.options import config_option, field_option, format_option, mapping_option, source_option, subcommand


@subcommand(
    "logship playground access.log",
    "logship playground --mapping tenant.yml access.log",
    "logship playground -c logship.yml --source shop",
)
@click.argument("file", required=False, type=click.Path(), metavar="[FILE or -]")
@config_option(may_lack=True)
@source_option("Treat FILE as a log of this source.")
@format_option()
@mapping_option("The file to edit; made when it is saved if there is none.")
@field_option()
@click.option("--listen", default="127.0.0.1:9650", show_default=True, metavar="ADDRESS:PORT", help="0: a free port")
def command(
    file: str | None, config: Path | None, source: str, format_: str, mapping: str, fields: tuple[str, ...], listen: str
) -> None:
    """Write a mapping in the browser and see what it makes of real lines. Sends nothing.

    FILE may be compressed; without it the newest log of the source is taken. `-` is stdin. Saves only when told to, and
    only the mapping's own file. The address that is printed is good once, on this machine.
    """
    with needing_extra("collector"):
        from logship.playground.server import serve
    from logship.cli.terminal import standard_input
    from logship.config.overrides import Overrides, fields_of
    from logship.playground.opened import open_playground
    from logship.preview import Wishes

    host, port = split_address(listen)
    wishes = Wishes(config, Overrides(source, format_, mapping, fields_of(fields)))
    opened = open_playground(wishes, file, standard_input(), os.environ)

    def announce(url: str, is_loopback: bool) -> None:
        click.echo(f"playground  {url}")
        click.echo(f"log         {opened.log}: the newest {len(opened.newest.lines):,} lines")
        if opened.newest.damage:
            click.echo(f"! {opened.log} {opened.newest.damage}", err=True)
        click.echo(f"mapping     {opened.mapping.note or opened.mapping.path}")
        if not is_loopback:
            click.echo("! whoever reads the address can read the log; it is not encrypted", err=True)
        click.echo("Ctrl-C ends it.")
        sys.stdout.flush()

    serve(opened, host, port, announce)
