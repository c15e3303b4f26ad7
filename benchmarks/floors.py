"""Floors under `logship run`: the same log read and only matched, or matched and encoded, in one thread without a sink.

python -m benchmarks.floors match|encode LOG
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.converter import FILE, WINDOW, chunks, converter


def main(what: str, log: Path) -> None:
    """Goes once over the log, as whole lines of the combined format under the default mapping."""
    made = converter("combined", "{}")
    scanner = made.members[0].scanner
    with log.open("rb") as data:
        for start, chunk in chunks(data):
            if what == "match":
                scanner.scan(chunk, chunk.split(b"\n")[:-1])
            else:
                made.convert(chunk, start, FILE, WINDOW)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
