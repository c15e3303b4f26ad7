"""Writing outcomes into the examples of a mapping file, for `logship test --update`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from logship.config.document import Document, Mark
from logship.errors import Location


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
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.chmod(path.stat().st_mode & 0o777)
    fresh.replace(path)


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
