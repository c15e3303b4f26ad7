"""`logship formats`: the presets, and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from logship.cli.options import complete_formats, json_option, subcommand
from logship.cli.terminal import Styled, Terminal
from logship.errors import UsageError

if TYPE_CHECKING:
    from logship.formats import FormatSpec


@subcommand(
    "logship formats",
    "logship formats combined",
)
@click.argument("name", default="", shell_complete=complete_formats)
@json_option("One JSON array, for machines.")
def command(name: str, as_json: bool) -> int:
    """List the format presets; with NAME show its format string, its fields and an example line taken apart."""
    from logship.config.shipped import presets

    known = presets()
    if name and name not in known:
        from logship.fields import closest

        near = closest(name, known)
        raise UsageError(f"no preset '{name}'; " + (f"did you mean '{near}'?" if near else "see `logship formats`"))
    chosen = {name: known[name]} if name else known
    if as_json:
        _print_json(chosen)
    elif name:
        _show(name, known)
    else:
        rows = [(preset, spec.kind, spec.meaning) for preset, spec in chosen.items()]
        Terminal().table(("FORMAT", "KIND", "MEANING"), [*rows, ("auto", "", "whichever preset fits the first lines")])
    return 0


def _show(name: str, known: Mapping[str, FormatSpec]) -> None:
    from logship.formats import compile_format

    terminal, spec = Terminal(), known[name]
    fmt = compile_format(spec, known, name)
    terminal.line(Styled(name, "bold"), f"  {spec.meaning}")
    if spec.text:
        terminal.line(f"{spec.kind}: {spec.text}")
    for line in spec.examples[:1]:
        values = fmt.parse(line.encode())
        assert values is not None, "the examples of presets fit; a test says so"
        terminal.line(Styled(line, "dim"))
        rows = [
            (slot.field, slot.spelled, str(slot.kind), str(value))
            for slot, value in zip(fmt.slots, values, strict=True)
            if spec.kind != "json" or value != ""
        ]
        terminal.table(("FIELD", "WRITTEN AS", "TYPE", "IN THE EXAMPLE"), rows)


def _print_json(chosen: Mapping[str, FormatSpec]) -> None:
    import json

    entries = [
        {
            "name": name,
            "kind": spec.kind,
            "meaning": spec.meaning,
            "format": spec.text or {field: key.key for field, key in (spec.keys or {}).items()} or "auto",
            "examples": list(spec.examples),
        }
        for name, spec in chosen.items()
    ]
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
