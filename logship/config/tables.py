"""Tables of lookups: CSV files beside the mapping that names them, read with it."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from logship.config.document import Document
from logship.config.reading import MAX_CONFIG_BYTES, FileReader
from logship.errors import Location, Problem, Severity

Row = tuple[int, list[str]]  # the line in the file that it ends on, from 1, and its cells


def with_tables(tree: Mapping[str, Any], document: Document, prefix: Location, reader: FileReader) -> dict[str, Any]:
    """The mapping with the names of table files replaced by their content; mistakes are reported."""
    lookups = tree.get("lookups")
    if not isinstance(lookups, dict):
        return dict(tree)
    filled = {}
    for name, lookup in lookups.items():
        filled[name] = lookup
        if isinstance(lookup, dict) and isinstance(lookup.get("table"), str):
            at = (*prefix, "lookups", name, "table")
            table = _Table(Path(document.path).absolute().parent / lookup["table"], reader)
            names = lookup.get("key"), lookup.get("value")
            filled[name] = lookup | {"table": table.read(document, at, names)}
    return {**tree, "lookups": filled}


class _Table:
    def __init__(self, path: Path, reader: FileReader) -> None:
        self._path = path
        self._reader = reader

    def read(self, document: Document, at: Location, names: tuple[object, object]) -> dict[str, str]:
        """Shapes: `names` are those of the two columns, both or none."""
        told = len(self._reader.problems)
        text = self._text(document, at)
        rows = list(self._rows(text)) if text is not None else []
        columns: tuple[int, int] | None = (0, 1)
        if any(names):
            columns = self._named(names, rows[0] if rows else (1, []))
            rows = rows[1:]
        table: dict[str, str] = {}
        lines: dict[str, int] = {}
        for line, cells in rows:
            if columns is None:
                break
            if len(cells) <= max(columns) or (not any(names) and len(cells) != 2):
                self._tell_columns(line, cells, None if any(names) else 2, max(columns) + 1)
                continue
            key, value = cells[columns[0]], cells[columns[1]]
            if table.setdefault(key, value) != value:
                self._tell(
                    line, f"'{key}' is in line {lines[key]} already, with another value", "remove one of the two"
                )
            lines.setdefault(key, line)
        if text is not None and columns is not None and not rows and len(self._reader.problems) == told:
            self._tell(None, "the table has no rows: it knows no key", "write key,value lines", severity="warning")
        return table

    def _text(self, document: Document, at: Location) -> str | None:
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):  # opening a named pipe would wait for its writer
                raise ValueError("is no file")
            with self._path.open("rb") as file:
                content = file.read(MAX_CONFIG_BYTES + 1)
        except (OSError, ValueError) as exc:
            said = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            problem = document.problem(at, f"table: {self._path}: {said}", hint="name a CSV file, or write a map")
            self._reader.problems.append(problem)
            return None
        self._reader.files.append(self._path)
        if len(content) > MAX_CONFIG_BYTES:
            self._tell(None, f"more than {MAX_CONFIG_BYTES:,} bytes", "shorten it")
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            self._tell(content.count(b"\n", 0, exc.start) + 1, "a byte that is not UTF-8 text", "save it as UTF-8")
            return None

    def _rows(self, text: str) -> Iterator[Row]:
        import csv  # only mappings with tables in files need it

        reader = csv.reader(StringIO(text, newline=""), strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as exc:
            self._tell(reader.line_num, f"no CSV: {exc}", "double the quotes inside of a quoted cell")

    def _named(self, names: tuple[object, object], head: Row) -> tuple[int, int] | None:
        line, cells = head
        missing = [name for name in names if name not in cells]
        if not missing:
            return cells.index(str(names[0])), cells.index(str(names[1]))
        if all(names):
            self._tell(line, f"no column '{missing[0]}'", f"the first line names {', '.join(cells) or 'none'}")
        else:
            self._tell(line, "one column is named", "give both, key: … and value: …")
        return None

    def _tell_columns(self, line: int, cells: list[str], exactly: int | None, at_least: int) -> None:
        others = next((sign for sign in (";", "\t", "|") if len(cells) == 1 and sign in cells[0]), "")
        hint = "separate the columns with commas" if others else "name the two that count: key: …, value: …"
        columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
        self._tell(line, f"{columns}, not {exactly or f'{at_least} or more'}", hint)

    def _tell(self, line: int | None, message: str, hint: str, severity: Severity = "error") -> None:
        column = 1 if line else None
        self._reader.problems.append(Problem(str(self._path), line, column, message, hint, severity=severity))
