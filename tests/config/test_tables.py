"""Tables of lookups: what a CSV file says, and each way in which it is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logship.config.mapping_files import MappingFiles
from logship.config.reading import FileReader


def read(folder: Path, lookup: str = "table: t.csv") -> tuple[object, list[str]]:
    """The table that a mapping's only lookup has, and what is said of it."""
    (folder / "m.yml").write_text(f"extends: default\nlookups: {{a: {{from: $host, {lookup}}}}}\n")
    reader = FileReader({}, False)
    layered = MappingFiles(reader).file(folder / "m.yml")
    assert layered is not None
    return layered.tree["lookups"]["a"]["table"], [str(problem) for problem in reader.problems]


@pytest.mark.parametrize(
    "text",
    ["k1,acme\nk2,globex\n", 'k1, "acme"\n"k2" , globex\n'.replace('"k2" ', '"k2"'), "k1 ,acme\r\n\r\nk2,globex",
     "\ufeffk1,acme\nk2,globex\nk1,acme\n"],
)  # fmt: skip
def test_a_table_is_what_spreadsheets_and_people_write(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    assert read(tmp_path) == ({"k1": "acme", "k2": "globex"}, [])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("k1,a\nk1,b\n", ":2:1", "'k1' is in line 1 already, with another value"),
        ("k1;a\n", ":1:1", "1 column, not 2; separate the columns with commas"),
        ("k1\ta\n", ":1:1", "separate the columns with commas"),
        ("k1,a,b\n", ":1:1", "3 columns, not 2; name the two that count"),
        ('k1,"a\n', ":1:1", "no CSV: unexpected end of data"),
        ("", "", "the table has no rows"),
        ("\n\n", "", "the table has no rows"),
    ],
)
def test_what_is_no_table_is_told_with_its_line(text: str, line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    (problem,) = read(tmp_path)[1]
    assert problem.startswith(f"{tmp_path}/t.csv{line}: ")
    assert said in problem


def test_a_table_of_nothing_but_names_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("key,company\n")
    (problem,) = read(tmp_path, "table: t.csv, key: key, value: company")[1]
    assert "warning: the table has no rows" in problem


def test_a_pipe_or_a_directory_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    assert "t.csv: is no file; name a CSV file" in "".join(read(tmp_path)[1])
    assert "is no file" in "".join(read(tmp_path, "table: .")[1])
    assert "is no file" in "".join(read(tmp_path, "table: /dev/zero")[1])
