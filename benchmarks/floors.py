"""The floor under `logship run`: the same log read and converted in one thread, without batches, state or receiver.

python -m benchmarks.floors LOG
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.converter import FILE, WINDOW, chunks, converter


def main(log: Path) -> None:
    """Goes once over the log, as whole lines of the combined format under the default mapping."""
    made = converter("combined", "{}")
    with log.open("rb") as data:
        for start, chunk in chunks(data):
            made.convert(chunk, start, FILE, WINDOW)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
