"""`logship test`: the examples of mapping files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import complete_mappings, config_option, json_option, subcommand
from logship.config.document import Document, Mark
from logship.errors import ConfigError, Exit, Location
from logship.process.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.cli.terminal import Terminal
    from logship.config.mapping_files import LayeredMapping
    from logship.conversion.examples import ExampleResult
    from logship.mapping import MappingSpec
    from logship.preview import Bench


@subcommand(
    "logship test",
    "logship test tenant.yml",
    "logship test --update tenant.yml",
)
@click.argument("mappings", nargs=-1, metavar="[MAPPING]...", shell_complete=complete_mappings)
@config_option(may_lack=True)
@click.option("--update", is_flag=True, help="Update the examples with the current results.")
@json_option("One object an example, for machines.")
def command(mappings: tuple[str, ...], config: Path | None, update: bool, as_json: bool) -> int:
    """Run the examples of mappings: of those named, else of the config's, else of the shipped ones.

    An example's `event:` is a subset that must hold; `dropped`, `sampled out` or `unmatched` mean no event.
    Exit 1 if one fails.
    """
    from logship.cli.preview import quiet_pipe
    from logship.cli.terminal import Terminal
    from logship.preview import Bench, Wishes

    bench = Bench(Wishes(config), os.environ)
    failed = 0
    with quiet_pipe():
        for name, layered in _chosen(bench, mappings):
            spec = bench.spec(layered)
            results = list(_run(bench, spec))
            changed = _update(layered, spec, results) if update else frozenset()
            for result in results:
                is_updated = result.index in changed
                failed += not (result.holds or is_updated)
                if as_json:
                    _print_json(name, result)
                else:
                    _print(Terminal(), name, result, is_updated=is_updated)
            if not results and not as_json:
                Terminal().line(f"{name}: no examples")
    return Exit.UNDELIVERED if failed else Exit.FINE


def _chosen(bench: Bench, names: Sequence[str]) -> list[tuple[str, LayeredMapping]]:
    from logship.config.shipped import mapping_names

    if names:
        return [(name, bench.mapping(name)) for name in names]
    found: dict[str, LayeredMapping] = {}
    for source in bench.settings.sources if bench.settings else ():
        layered = bench.layers_of(source)
        if layered is not None:
            found.setdefault(source.mapping if isinstance(source.mapping, str) else source.name, layered)
    return list(found.items()) or [(name, bench.mapping(name)) for name in mapping_names()]


def _run(bench: Bench, spec: MappingSpec) -> list[ExampleResult]:
    from logship.conversion.examples import run_examples

    return list(run_examples(spec, bench.format_of))


def _print(terminal: Terminal, name: str, result: ExampleResult, *, is_updated: bool) -> None:
    from logship.cli.terminal import Styled

    if result.holds:
        terminal.line(Styled("ok    ", "ok"), f"{name}: {result.name}")
        return
    word = Styled("new   ", "warn") if is_updated else Styled("FAIL  ", "error")
    terminal.line(word, f"{name}: {result.name}")
    if result.error:
        terminal.line(f"      {result.error}")
    for difference in result.differences:
        terminal.line(
            Styled(f"      {difference.path}", "bold"),
            f": expected {_spelled(difference.expected)}, is {_spelled(difference.found)}",
        )
    misfit = result.trace.error if result.trace else None
    if misfit is not None and result.trace is not None:
        terminal.line(f"      {result.trace.line.decode('utf-8', 'replace')}")
        terminal.line(f"      expected at byte {misfit.at}: {misfit.expected}")
    if result.trace is not None and result.trace.dropped_by:
        terminal.line(f"      dropped by rule '{result.trace.dropped_by}'")


def _print_json(name: str, result: ExampleResult) -> None:
    differences = [{"path": one.path, "expected": one.expected, "found": one.found} for one in result.differences]
    record = {
        "mapping": name, "example": result.name, "holds": result.holds, "outcome": result.outcome,
        "differences": differences, "error": result.error or None,
    }  # fmt: skip
    click.echo(json.dumps(record))


def _spelled(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _update(layered: LayeredMapping, spec: MappingSpec, results: Sequence[ExampleResult]) -> frozenset[int]:
    """Rewrites `event:` of every example that doesn't hold; gives their indexes.

    Raises: ConfigError for examples that stand in the program's own files.
    """
    from logship.cli.test import rewrite_examples
    from logship.config.shipped import SHIPPED
    from logship.conversion.examples import updated

    stale = {result.index: updated(spec.examples[result.index], result) for result in results if not result.holds}
    stale = {index: event for index, event in stale.items() if not results[index].error}
    if not stale:
        return frozenset()
    document = layered.layers[-1].document
    if Path(document.path).is_relative_to(SHIPPED):
        problem = document.problem(("examples",), "a shipped mapping is not rewritten", hint="copy it first")
        raise ConfigError((problem,))
    rewrite_examples(document, layered.layers[-1].prefix, stale)
    return frozenset(stale)


def rewrite_examples(document: Document, prefix: Location, events: Mapping[int, object]) -> None:
    """Writes new `event:` values into the examples of a mapping file; all else, comments too, stays as it is.

    Raises: OSError as the system gives it.
    """
    path = Path(document.path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for index in sorted(events, reverse=True):  # from the end: places before it stay right
        location = (*prefix, "examples", index)
        text = json.dumps(events[index], ensure_ascii=False)
        node = document.node((*location, "event"))
        if node is not None:
            _replace(lines, node.mark, text)
        else:
            line = document.node((*location, "line"))
            assert line is not None, "every example has a line"
            _insert_key(lines, line.mark, text)
    write_whole(path, "".join(lines))


def _replace(lines: list[str], mark: Mark, text: str) -> None:
    """`text` in the place of a value; comments and blank lines behind a block stay."""
    first, last = mark.line - 1, mark.end_line - 1
    start, end = mark.column - 1, mark.end_column - 1
    if last >= len(lines) or (last > first and not lines[last][:end].strip()):
        last -= 1
        while last > first and (not lines[last].strip() or lines[last].lstrip().startswith("#")):
            last -= 1
        end = len(lines[last].rstrip("\n"))
    before, after = lines[first][:start], lines[last][end:]
    if not before.strip():  # a block below its key: the value moves up beside it
        before = lines[first - 1].rstrip("\n").split(" #")[0].rstrip() + " "
        first -= 1
    lines[first : last + 1] = [before + text + after]


def _insert_key(lines: list[str], mark: Mark, text: str) -> None:
    """An `event:` key beside an example's `line:`."""
    head = lines[mark.line - 1]
    indent = head.index("line")
    if "{" in head[:indent]:
        lines[mark.line - 1] = f"{head[: mark.end_column - 1]}, event: {text}{head[mark.end_column - 1 :]}"
    else:
        lines.insert(mark.end_line, f"{' ' * indent}event: {text}\n")
