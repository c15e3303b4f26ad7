"""Results as a table, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rows import Result

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


def _less(result: Result, start: Result) -> float:
    return (result.run.cpu_s - start.run.cpu_s) / result.lines * 1e6


def _ratio(result: Result, other: Result) -> str:
    return f"{result.cpu_s_per_million / other.cpu_s_per_million:.2f}"


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
