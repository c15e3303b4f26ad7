"""`logship trace`: what became of lines."""

from __future__ import annotations

from pathlib import Path

import click

from logship.cli.options import config_option, json_option, subcommand


@subcommand(
    "logship trace /login",
    "logship trace -c logship.yml 203.0.113.9",
)
@click.argument("text")
@config_option()
@json_option("One object a line.")
def command(text: str, config: Path | None, as_json: bool) -> int:
    """Find lines with TEXT in current and rotated files and say what became of each.

    confirmed, waiting, dropped by rule, sampled out, dead letter, fits no format, before the start; each with its
    transaction_id. Exit 1 when no line has TEXT.
    """
    import os

    import orjson

    from logship.cli.terminal import Terminal, clean
    from logship.config import load_settings
    from logship.errors import UsageError
    from logship.trace import trace

    if not text or "\n" in text:
        raise UsageError("TEXT must be part of one line; give a request id, an address, a path")
    settings = load_settings(config, os.environ, sending=False)
    terminal = Terminal()
    count = 0
    for found in trace(settings, os.fsencode(text)):
        count += 1
        line = found.line.decode("utf-8", "replace")
        if as_json:
            record = {
                "source": found.source,
                "path": found.path,
                "position": found.position,
                "transaction_id": found.transaction_id,
                "fate": found.fate.value,
                "detail": found.detail,
                "line": line,
            }
            click.echo(orjson.dumps(record).decode())
        else:
            detail = f": {found.detail}" if found.detail else ""
            terminal.line(f"{found.fate.value}{detail}   {found.transaction_id}   {found.path}:{found.position}")
            terminal.line(f"    {clean(line)}")
    if not count and not as_json:
        terminal.line(f"no line with '{clean(text)}' in any file of the sources")
    return 0 if count else 1
