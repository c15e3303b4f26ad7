"""Where the logs that servers name are on this machine, and their newest lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path, PurePath

from logship.formats import FormatSpec
from logship.formats.directives import with_heading
from logship.records import record

SAMPLE_BYTES = 65_536  # the end of a file tells best what its server writes now
SAMPLE_LINES = 200
MOST_FILES = 20  # of a glob are looked at


@record
class Machine:
    """Where logs are looked for.

    Shapes: `known` are the paths and globs that servers' configurations name, of access logs and of error logs.
    """

    named: Mapping[str, FormatSpec]
    base: Path
    known: tuple[str, ...]

    def besides(self, path: str) -> tuple[str, ...]:
        """What a glob matches though it is another log: a name made of variables may be any name."""
        if "*" not in path:
            return ()
        others = (other for other in self.known if other != path and PurePath(other.replace("*", "x")).match(path))
        return tuple(other for other in others if "*" not in other or not PurePath(path.replace("*", "x")).match(other))

    def files(self, path: str) -> list[Path]:
        """The files of a path or glob, at most MOST_FILES."""
        besides = self.besides(path)
        found = [Path(name) for name in glob(str(self.base / path.lstrip("/")))]
        inside = {file: PurePath("/") / file.relative_to(self.base) for file in found if file.is_file()}
        return [file for file, seen in inside.items() if not any(seen.match(other) for other in besides)][:MOST_FILES]

    def newest(self, path: str) -> list[bytes]:
        return newest_lines(self.files(path))


def newest_lines(paths: Iterable[Path]) -> list[bytes]:
    """Whole lines from the end of each file, SAMPLE_LINES at most of each; of a compressed one from its beginning.

    A file that can't be read gives none: what is wrong with it, `logship check` says.
    """
    lines: list[bytes] = []
    for path in paths:
        try:
            lines += _tail(path)
        except (OSError, EOFError):
            continue
    return lines


def _tail(path: Path) -> list[bytes]:
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(SAMPLE_BYTES).split(b"\n")[:-1][-SAMPLE_LINES:]
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = file.seek(max(0, size - SAMPLE_BYTES))
        data = file.read(SAMPLE_BYTES)
        lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
        lines = (lines[1:] if start else lines)[-SAMPLE_LINES:]
        return with_heading(lines, file, start + data.rfind(b"\n") + 1 - sum(len(line) + 1 for line in lines))
