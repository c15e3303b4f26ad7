"""`python -m benchmarks.converter`: CPU microseconds a line of the converter alone, for each format and mapping.

Ratios are to the plain row of the same run: what a mapping's features, JSON, escapes and odd lines cost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from benchmarks.generator import CUSTOM_FORMAT, write_log
from benchmarks.rows import JSON_FORMAT, LANGUAGE_MAPPING, RICH_MAPPING, UNUSED_MAPPING
from logship.config.shipped import mapping_path, presets
from logship.config.yaml_door import parse
from logship.conversion import Converter, compile_mapping
from logship.event import LogFile, Window
from logship.formats import compile_format, read_spec
from logship.mapping import Constants, merge, parse_mapping
from logship.route.pipeline import CHUNK_BYTES

APACHE = f"{{apache: '{CUSTOM_FORMAT}'}}"
ROWS = (
    ("plain", "combined", "combined", "{}"),
    ("unused features", "combined", "combined", UNUSED_MAPPING),
    ("filters and a lookup", "combined", "combined", LANGUAGE_MAPPING),
    ("host given", "combined", "combined", "{defaults: {host: shop.example}}"),
    ("custom LogFormat", "custom", APACHE, "{}"),
    ("rich mapping", "custom", APACHE, RICH_MAPPING),
    ("JSON log", "json", JSON_FORMAT, "{}"),
    ("JSON log, rich mapping", "json", JSON_FORMAT, RICH_MAPPING),
    ("every line with escapes", "escaped", "combined", "{}"),
    ("hostile lines", "hostile", "combined", "{}"),
)
WINDOW = Window(oldest="2000-01-01T00:00:00.000Z")


def main() -> int:
    """Prints a row each; the best of several rounds, as other work on the machine only adds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.converter", description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", help="comma-separated names; default: all")
    options = parser.parse_args()
    wanted = options.rows.split(",") if options.rows else [row[0] for row in ROWS]
    plain_us = 0.0
    with tempfile.TemporaryDirectory() as directory:
        for name, kind, fmt, mapping in ROWS:
            if name not in wanted:
                continue
            path = Path(directory) / f"{kind}.log"
            if not path.exists():
                write_log(path, options.lines, kind)
            with path.open("rb") as data:
                stretches = list(chunks(data))
            made = converter(fmt, mapping)
            spent_s = _best(partial(_convert, made, stretches), options.rounds)
            each_us = spent_s / options.lines * 1e6
            plain_us = plain_us or each_us
            events = sum(len(made.convert(data, start, FILE, WINDOW).events) for start, data in stretches)
            print(f"{name:28} {each_us:7.2f} us/line {each_us / plain_us:6.2f}x plain {events:9,} events", flush=True)
    return 0


FILE = LogFile(1, "/var/log/access.log", "bench", 0x123_4567_89AB, "web-1")


def converter(fmt: str, mapping: str) -> Converter:
    """Of a format and what a mapping adds to the default one, both as YAML."""
    tree = merge(_tree(mapping_path("default").read_text()), _tree(mapping))
    spec = parse_mapping(tree)
    return compile_mapping(spec, compile_format(read_spec(_value(fmt)), presets()), Constants("web-1", "bench"))


def _tree(text: str) -> dict[str, object]:
    tree = _value(text)
    assert isinstance(tree, dict)
    return tree


def _value(text: str) -> object:
    document = parse(text, "benchmark.yml")
    assert not document.problems, document.problems
    return document.tree()


def chunks(log: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Whole lines as the pipeline reads them, each stretch with its position."""
    start = 0
    while block := log.read(CHUNK_BYTES):
        whole = block[: block.rfind(b"\n") + 1]
        yield start, whole
        start += len(whole)
        log.seek(start)


def _convert(made: Converter, stretches: list[tuple[int, bytes]]) -> None:
    for start, data in stretches:
        made.convert(data, start, FILE, WINDOW)


def _best(work: Callable[[], None], rounds: int) -> float:
    """CPU seconds of the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


if __name__ == "__main__":
    sys.exit(main())
