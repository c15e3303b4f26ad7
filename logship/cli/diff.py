"""`logship diff`: which events differ between two mappings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import (
    complete_mappings,
    config_option,
    field_option,
    format_option,
    json_option,
    source_option,
    subcommand,
)
from logship.errors import Exit
from logship.records import record

if TYPE_CHECKING:
    from logship.check.newest import LogLine
    from logship.preview import Lens

BLOCK_LINES = 1_000  # converted at once
SHOWN = 5
MISSING = "(none)"


@subcommand(
    "logship diff default privacy access.log",
    "logship diff tenant.yml new.yml -c logship.yml --source shop -n 3 access.log",
)
@click.argument("old", shell_complete=complete_mappings)
@click.argument("new", shell_complete=complete_mappings)
@click.argument("file", type=click.Path(), metavar="FILE or -")
@config_option(may_lack=True)
@source_option("Treat FILE as a log of this source.")
@format_option()
@field_option()
@click.option("-n", "--show", type=click.IntRange(min=0), default=SHOWN, show_default=True, help="Changes to show.")
@json_option("One JSON object, for machines.")
def command(
    old: str,
    new: str,
    file: str,
    config: Path | None,
    source: str,
    format_: str,
    fields: tuple[str, ...],
    show: int,
    as_json: bool,
) -> int:
    """Show how the events of FILE differ between the mappings OLD and NEW: counts, and the first few side by side.

    Sends nothing. Sent events can't be corrected; `backfill --new-ids` sends them again under other ids.
    """
    from logship.check.newest import lines_of
    from logship.cli.preview import opened_stream, quiet_pipe
    from logship.config.overrides import Overrides, fields_of
    from logship.preview import SAMPLE_LINES, Bench, Wishes, sampled, unwrapped

    given = Overrides(source, format_, fields=fields_of(fields))
    benches = [
        Bench(Wishes(config, replace(given, mapping=mapping), obeys=False), os.environ) for mapping in (old, new)
    ]
    with quiet_pipe(), opened_stream(file) as stream:
        samples, lines = sampled(lines_of(stream), SAMPLE_LINES)
        changes = Changes(show)
        if samples:
            first, second = (bench.lens("stdin" if file == "-" else file, samples) for bench in benches)
            changes.compare(first, second, unwrapped(lines, first.envelope))
        (changes.print_json if as_json else changes.print)()
    return Exit.FINE


@record
class EventChange:
    """One line whose event changed: (path, old value, new value) of each difference."""

    position: int
    line: bytes
    values: tuple[tuple[str, str, str], ...]


@record(frozen=False)
class Changes:
    """What comparing found.

    Shapes: `same`, `changed`, `gone` (no event any more), `added` and `none` (no event by either) add up to the lines.
    """

    show: int
    same: int = 0
    changed: int = 0
    gone: int = 0
    added: int = 0
    none: int = 0
    paths: dict[str, int] = field(default_factory=dict)  # how many events differ there
    first: list[EventChange] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return self.same + self.changed + self.gone + self.added + self.none

    def compare(self, old: Lens, new: Lens, lines: Iterator[LogLine]) -> None:
        """Converts all lines both ways, block by block."""
        while block := list(islice(lines, BLOCK_LINES)):
            before, after = _events(old, block), _events(new, block)
            for number, line in enumerate(block):
                self._add(line, before.get(number), after.get(number))

    def _add(self, line: LogLine, before: str | None, after: str | None) -> None:
        if before is None and after is None:
            self.none += 1
            return
        if before == after:
            self.same += 1
            return
        values = tuple(_differences(before, after))
        if before is not None and after is not None:
            self.changed += 1
            for path, _, _ in values:
                self.paths[path] = self.paths.get(path, 0) + 1
        elif after is None:
            self.gone += 1
        else:
            self.added += 1
        if len(self.first) < self.show:
            self.first.append(EventChange(line.position, line.text, values))

    def print(self) -> None:
        """The first changes side by side, then the counts."""
        from logship.cli.terminal import Styled, Terminal

        terminal = Terminal()
        for change in self.first:
            terminal.line(Styled(change.line.decode("utf-8", "replace")[:400], "dim"))
            rows: list[list[str | Styled]] = [
                [Styled(f"  {path}", "bold"), Styled(before, "error"), "→", Styled(after, "ok")]
                for path, before, after in change.values
            ]
            terminal.table(["  EVENT", "OLD", "", "NEW"], rows)
            terminal.line()
        terminal.line(
            f"{self.lines:,} lines: {self.same:,} events the same, {self.changed:,} changed, {self.gone:,} gone, "
            f"{self.added:,} new, {self.none:,} lines without event by either"
        )
        for path, count in sorted(self.paths.items(), key=lambda pair: -pair[1]):
            terminal.line(f"  {count:>9,}  {path}")

    def print_json(self) -> None:
        """The same for machines."""
        record = {
            "lines": self.lines, "same": self.same, "changed": self.changed, "gone": self.gone, "new": self.added,
            "without_event": self.none, "paths": self.paths,
            "first": [
                {"position": change.position, "line": change.line.decode("utf-8", "replace"),
                 "values": [{"path": path, "old": old, "new": new} for path, old, new in change.values]}
                for change in self.first
            ],
        }  # fmt: skip
        click.echo(json.dumps(record))


def _events(lens: Lens, block: list[LogLine]) -> dict[int, str]:
    """Events by the number of their line; the block is converted as if its lines followed each other."""
    data = b"".join(line.text + b"\n" for line in block)
    conversion = lens.converter.convert(data, block[0].position, lens.file)
    return dict(zip(conversion.event_lines, conversion.events, strict=True))


def _differences(before: str | None, after: str | None) -> Iterator[tuple[str, str, str]]:
    """(path, old, new) wherever two events differ; a whole event against none."""
    from logship.cli.line_view import flattened

    old = dict(flattened(json.loads(before))) if before else {}
    new = dict(flattened(json.loads(after))) if after else {}
    if not before or not after:
        gone = str((old or new).get("request.uri", ""))
        yield "event", gone if before else MISSING, gone if after else MISSING
        return
    for path in [*old, *(path for path in new if path not in old)]:
        if path not in old or path not in new or old[path] != new[path]:
            yield path, _spelled(old, path), _spelled(new, path)


def _spelled(event: dict[str, object], path: str) -> str:
    if path not in event:
        return MISSING
    value = event[path]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
