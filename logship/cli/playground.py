"""`logship playground`: a format and a mapping in the browser, beside their events."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from logship.cli.collector import needing_extra, split_address


@click.command()
@click.argument("file", required=False, type=click.Path(), metavar="[FILE or -]")
@click.option("-c", "--config", type=click.Path(path_type=Path), help="The logship.yml to use.")
@click.option("--source", default="", help="See FILE as a log of this source.")
@click.option("--format", "format_", default="", help="A preset, a format of the config, or {nginx: '…'}.")
@click.option("--mapping", default="", help="The file to edit; made when it is saved if there is none.")
@click.option("--field", "fields", multiple=True, metavar="K=V", help="A constant of the source; may be repeated.")
@click.option("--listen", default="127.0.0.1:9650", show_default=True, metavar="ADDRESS:PORT", help="0: a free port")
def command(
    file: str | None, config: Path | None, source: str, format_: str, mapping: str, fields: tuple[str, ...], listen: str
) -> None:
    """Write a mapping in the browser and see what it makes of real lines. Sends nothing.

    FILE may be compressed; without it the newest log of the source is taken. `-` is stdin. Saves only when told to, and
    only the mapping's own file. The address that is printed is good once, on this machine.

    \b
      logship playground access.log
      logship playground --mapping tenant.yml access.log
      logship playground -c logship.yml --source shop
    """
    with needing_extra("collector"):
        from logship.playground.server import serve
    from logship.cli.terminal import standard_input
    from logship.config.overrides import Overrides, fields_of
    from logship.playground.opened import open_playground
    from logship.preview import Wishes

    host, port = split_address(listen)
    stdin = standard_input().read().splitlines() if file == "-" else []
    wishes = Wishes(config, Overrides(source, format_, mapping, fields_of(fields)))
    opened = open_playground(wishes, file, stdin, os.environ)

    def announce(url: str, is_loopback: bool) -> None:
        click.echo(f"playground  {url}")
        click.echo(f"log         {opened.log}: the newest {len(opened.lines):,} lines")
        click.echo(f"mapping     {opened.mapping.note or opened.mapping.path}")
        if not is_loopback:
            click.echo("! whoever reads the address can read the log; it is not encrypted", err=True)
        click.echo("Ctrl-C ends it.")
        sys.stdout.flush()

    serve(opened, host, port, announce)
