"""Results as a table, for the terminal and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.rows import Result

BEGIN, END = "<!-- benchmark", "<!-- /benchmark -->"
PLACE = re.compile(rf"{BEGIN}(?:: (?P<rows>[^\n]*))? -->\n.*?{END}\n", re.DOTALL)
HEAD = ("", "CPU s/M lines", "less a start", "lines/s", "MB/s", "peak MiB", "of plain")


def table(results: Sequence[Result], peers: Sequence[Result], start: Result | None = None) -> str:
    """GitHub's Markdown; every ratio is of this one run. `start` is logship's start and end alone."""
    plain = next((result for result in results if result.name == "plain"), None)
    head = [*HEAD, *(f"of {peer.name}" for peer in peers)]
    lines = [row(head), row(["---", *("---:" for _ in head[1:])])]
    for result in [*results, *peers]:
        ratios = [_ratio(result, other) for other in ([plain] if plain else []) + list(peers)]
        lines.append(
            row(
                [
                    result.name,
                    f"{result.cpu_s_per_million:.2f}",
                    "-" if start is None or result in peers else f"{_less(result, start):.2f}",
                    f"{result.lines_per_s:,.0f}",
                    f"{result.mb_per_s:,.0f}",
                    f"{result.run.peak_mib:.0f}",
                    *ratios,
                ]
            )
        )
    return "\n".join(lines)


def replaced(document: str, head: str, full: str) -> str:
    """A document with the newest table of measurements where it has one.

    The place is what is between `<!-- benchmark -->` and `<!-- /benchmark -->`; `<!-- benchmark: plain, rsyslog -->`
    takes these rows alone. `head` says what was measured, `full` is a whole table and what follows it.
    Raises: ValueError where the document has no such place.
    """

    def place(found: re.Match[str]) -> str:
        wanted = [name.strip() for name in found["rows"].split(",")] if found["rows"] else None
        lines, text = full.splitlines(), full
        if wanted is not None:
            shown = [line for line in lines[2:] if line.startswith("| ") and line.split("|")[1].strip() in wanted]
            text = "\n".join([*lines[:2], *shown])
        begin = found[0].partition("\n")[0]
        return f"{begin}\n{head}\n\n{text}\n{END}\n"

    made, count = PLACE.subn(place, document)
    if not count:
        raise ValueError(f"no {BEGIN} --> … {END} in it")
    return made


def _less(result: Result, start: Result) -> float:
    return (result.run.cpu_s - start.run.cpu_s) / result.lines * 1e6


def _ratio(result: Result, other: Result) -> str:
    return f"{result.cpu_s_per_million / other.cpu_s_per_million:.2f}"


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
