"""A line as an example: what is written into the mapping is what `logship test` then finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logship.cli import execute
from logship.config.overrides import Overrides
from logship.playground.evaluation import Evaluation
from logship.playground.example import with_example
from logship.playground.opened import MappingFile, OpenedConfig, open_playground
from logship.preview import Wishes
from tests.mapping.world import combined

LINE = combined("GET /x HTTP/1.1", agent="a 'quoted' one").decode()


def opened(folder: Path, line: str = LINE, mapping: str = "extends: default\n", fields: str = "") -> OpenedConfig:
    (folder / "a.log").write_text(f"{line}\n", encoding="utf-8")
    (folder / "m.yml").write_text(mapping, encoding="utf-8")
    wishes = Wishes(None, Overrides("", "combined", str(folder / "m.yml"), dict([fields.split("=")] if fields else [])))
    with open(os.devnull, "rb") as stdin:
        return open_playground(wishes, str(folder / "a.log"), stdin, {})


def added(folder: Path, line: str = LINE, mapping: str = "extends: default\n", fields: str = "") -> str:
    """The mapping with the example, which `logship test` has run."""
    config = opened(folder, line, mapping, fields)
    text = with_example(Evaluation(config).made("combined", mapping), mapping, "combined", line)
    (folder / "m.yml").write_text(text, encoding="utf-8")
    assert execute(["test", str(folder / "m.yml")]) == 0
    return text


def test_an_example_of_a_log_without_hosts_has_the_host_of_its_line(tmp_path: Path) -> None:
    assert 'fields: {"host": "localhost"}' in added(tmp_path)
    assert 'fields: {"host": "shop.example"}' in added(tmp_path, fields="host=shop.example")


@pytest.mark.parametrize("agent", ["😀", "\x85 😀", "\u2028", "\x7f\ufeff", "it's \\x22", "\t"])
def test_a_line_with_any_characters_is_the_same_line_in_the_mapping(agent: str, tmp_path: Path) -> None:
    line = LINE.replace("a 'quoted' one", agent)
    mapping = "extends: default\nevent: {company_id: $http_user_agent}\n"
    added(tmp_path, line, mapping)


@pytest.mark.parametrize("indent", ["", "  ", "    ", "      "])
def test_an_example_is_as_far_in_as_the_others(indent: str, tmp_path: Path) -> None:
    mapping = f"extends: default\nexamples:\n{indent}- line: '{LINE.replace(chr(39), chr(39) * 2)}'\n"
    mapping += f"{indent}  event: {{response: {{status: 200}}}}\n# after\nmax_body_bytes: 10\n"
    text = added(tmp_path, mapping=mapping)
    assert text.count(f"\n{indent}- line: ") == 2
    assert text.endswith("# after\nmax_body_bytes: 10\n") or "max_body_bytes: 10" in text


def test_a_file_keeps_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "m.yml"
    for end in ("\r\n", "\n"):
        path.write_bytes(f"extends: default{end}# mine{end}".encode())
        file = MappingFile(path, "")
        text = file.read_again()
        assert text == "extends: default\n# mine\n"
        file.save(f"{text}# more\n", over_changes=False)
        assert path.read_bytes() == f"extends: default{end}# mine{end}# more{end}".encode()
        assert file.saved == f"{text}# more\n"
