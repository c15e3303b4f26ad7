"""`python -m benchmarks`: CPU seconds per million lines, speed and memory, beside other shippers in the same run."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.rows import CONVERSIONS, FEWER, ROWS, START, WITHOUT_KERNEL, Bench, Result
from benchmarks.sink import build
from benchmarks.table import replaced, table

FLOORS = {
    "cat (floor)": ["cat"],
    "wc -l (floor)": ["wc", "-l"],
    "convert only (floor)": [sys.executable, "-m", "benchmarks.floors"],
}
STARTS = 3


def main() -> int:
    """Prints the table; with --markdown and --write it is written too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rows", help="comma-separated names; default: all")
    parser.add_argument("--rounds", type=int, default=1, help="each row is the run with the least CPU of so many")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--directory", type=Path, default=Path("bench-data"))
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--write", type=Path, nargs="*", default=(), help="put the table into these documents")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.directory.resolve(), build(options.directory.resolve()), options.lines)
    rounds = [one_round(bench, options.rows, with_peers=not options.no_peers) for _ in range(options.rounds)]
    results, peers = ([cheapest(same) for same in zip(*group, strict=True)] for group in zip(*rounds, strict=True))
    start = cheapest([bench.ship(START) for _ in range(STARTS)])
    text = table(results, peers, start)
    text += f"\n\nA start and an end alone: {start.run.cpu_s:.2f} CPU s."
    text += "".join(f"\n{said}" for said in executors(bench, options.rows))
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    head = f"{options.lines:,} lines, {machine}, {rounds_of(options.rounds)}"
    print(f"\n{head}\n\n{text}")
    if options.markdown:
        options.markdown.write_text(f"{head}\n\n{text}\n")
    for document in options.write:
        document.write_text(replaced(document.read_text(), head, text))
    return 0


def executors(bench: Bench, rows: str | None) -> list[str]:
    """Whether the kernel and Python make the same events of each log, as sentences.

    Raises: RuntimeError where they differ.
    """
    wanted = names(rows) if rows else [row.name for row in CONVERSIONS]
    said = []
    for row in (replace(row, lines=FEWER) for row in CONVERSIONS):
        if row.name in wanted:
            native, python = bench.digest(row), bench.digest(replace(row, environ=WITHOUT_KERNEL))
            if native != python:
                raise RuntimeError(f"{row.name}: the kernel's events have the digest {native}, Python's {python}")
            said.append(f"{row.name}: the same events with and without the kernel ({native}).")
    return said


def one_round(bench: Bench, rows: str | None, *, with_peers: bool) -> tuple[list[Result], list[Result]]:
    """logship's rows and, unless only some are wanted, the floors; beside them the peers that are installed."""
    wanted = names(rows) if rows else [row.name for row in ROWS]
    results = [_said(bench.ship(row)) for row in ROWS if row.name in wanted]
    peers: list[Result] = []
    for peer in PEERS if with_peers else ():
        if peer.path():
            peers.append(_said(bench.peer(peer)))
        else:
            print(f"{peer.name}: not installed (Debian: {peer.package})", file=sys.stderr)
    if not rows:
        results += [bench.floor(name, command) for name, command in FLOORS.items()]
    return results, peers


def names(rows: str) -> list[str]:
    """Those of a list; a comma before a space is a name's own."""
    return re.split(",(?! )", rows)


def cheapest(same: Sequence[Result]) -> Result:
    """The run of one row with the least CPU: whoever else uses the machine only ever adds to it."""
    return min(same, key=lambda result: result.cpu_s_per_million)


def rounds_of(number: int) -> str:
    return "one run" if number == 1 else f"the best of {number} rounds"


def _said(result: Result) -> Result:
    print(
        f"{result.name}: {result.cpu_s_per_million:.2f} CPU s/M lines, {result.events:,} events, "
        f"{result.posts:,} POSTs, {result.run.peak_mib:.0f} MiB",
        file=sys.stderr,
        flush=True,
    )
    return result


if __name__ == "__main__":
    sys.exit(main())
