"""What a sentence of README and docs tells a reader to type or open is there, under that name."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from logship.cli import COMMANDS, logship
from tests.rigs.documents import console

ROOT = Path(__file__).parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
UNITS = {path.name for path in (ROOT / "systemd").iterdir()}
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
SOURCES = [*ROOT.glob("logship/**/*.py"), *ROOT.glob("systemd/*")]
SHELL = ("apt", "cat", "cd", "curl", "dask", "docker", "export", "kubectl", "mkdir", "sed", "sqlite3", "sudo")
FOLDERS = ("benchmarks", "configs", "docs", "logship", "packaging", "systemd", "tests")


def spans(path: Path) -> Iterator[str]:
    """What stands between backticks in the sentences and tables of a document."""
    for span in re.findall(r"`([^`]+)`", console.prose(path)):
        yield " ".join(span.split()).replace("\\|", "|")


def options(command: click.Command) -> set[str]:
    given = (one for one in command.params if isinstance(one, click.Option))
    return {name for one in given for name in (*one.opts, *one.secondary_opts)}


def command_named(name: str) -> click.Command:
    command = logship.get_command(click.Context(logship), name)
    assert command is not None, f"logship {name}"
    return command


OPTIONS = {option for name in COMMANDS for option in options(command_named(name))}


def a_command(words: list[str]) -> None:
    """`logship NAME`, with options that it has."""
    command = command_named(words[0])
    given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    assert given <= options(command) | {"-h", "--help"}, given


def a_target(words: list[str]) -> None:
    assert {word for word in words if "=" not in word} <= set(TARGETS), words


def a_program(words: list[str]) -> None:
    """`python FILE` or `python -m MODULE`."""
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]), words[1]
    else:
        assert (ROOT / words[0]).is_file(), words[0]


def extras(words: list[str]) -> None:
    """`pip install '.[…]'`: an unreleased version is in no index."""
    verb, wanted = words
    assert verb == "install"
    assert wanted.startswith(".["), wanted
    assert set(wanted[2:-1].split(",")) <= set(SETUP["options.extras_require"]), wanted


def a_unit(words: list[str]) -> None:
    for word in words[1:]:
        assert word.startswith("-") or word in UNITS or f"{word}.service" in UNITS, word


TYPED: dict[str, Callable[[list[str]], None]] = {
    "logship": a_command,
    "make": a_target,
    "python": a_program,
    "pip": extras,
    "systemctl": a_unit,
}


@pytest.mark.parametrize("document", console.DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_sentence_can_be_typed(document: Path) -> None:
    shown = [step.command.strip() for step in console.all_steps(document.read_text())]
    for span in spans(document):
        program, *rest = span.split()
        if program in TYPED and rest:
            TYPED[program](shlex.split(span)[1:])
        elif program in SHELL and rest:
            assert any(span in command for command in shown), f"`{span}` is typed in no ```console block"


@pytest.mark.parametrize("document", console.DOCUMENTS, ids=lambda path: path.name)
def test_every_option_in_a_sentence_exists(document: Path) -> None:
    shown = " ".join(step.command for step in console.all_steps(document.read_text()))
    shown += " ".join((ROOT / name).read_text() for name in re.findall(r"benchmarks/\w+\.py", document.read_text()))
    for span in spans(document):
        option = re.match(r"--?[a-z][a-z-]*(?=$|[ =])", span)
        assert not option or option.group() in OPTIONS or option.group() in shown, span


@pytest.mark.parametrize("document", console.DOCUMENTS, ids=lambda path: path.name)
def test_every_file_unit_variable_and_link_exists(document: Path) -> None:
    source = "".join(path.read_text() for path in SOURCES)
    for span in (one.partition("::")[0] for one in spans(document)):
        if span.split("/")[0] in FOLDERS or re.fullmatch(r"[\w/]+\.py", span):
            assert any(list(ROOT.glob(above + span.rstrip("/"))) for above in ("", "logship/", "logship/*/")), span
        if re.fullmatch(r"[\w@-]+\.(service|socket)", span):
            assert span in UNITS
        if variable := re.match(r"\$(LOGSHIP_\w+)", span):
            assert variable.group(1) in source, span
    for link in re.findall(r"\]\(([^)#]+)\)", console.prose(document)):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_every_command_stands_in_readme_or_docs() -> None:
    written = "\n".join(path.read_text() for path in console.DOCUMENTS)
    assert {name for name in COMMANDS if not re.search(rf"\blogship {name}\b", written)} == set()


def test_the_house_drawn_for_contributors_is_the_one_that_lint_imports_checks() -> None:
    (path,) = (one for one in console.DOCUMENTS if one.name == "CONTRIBUTING.md")
    (drawing,) = (one for one in console.blocks(path) if one.heading == "The house")
    drawn = [set(re.findall(r"\w+", line.split("  ")[0])) for line in drawing.text.splitlines()]
    checked = SETUP["importlinter:contract:floors"]["layers"].split("\n")
    assert drawn == [set(re.findall(r"\w+", line)) for line in checked if line]


WALK = re.compile(r"^(\d+)\. `([\w/]+\.py)` `([\w.]+)`", re.MULTILINE)
MOST_STOPS = [10, 20, 12, 5]  # a line, a mapping, a piece, a body: what one can follow in a sitting


def test_the_walks_for_contributors_lead_through_files_and_functions_that_exist() -> None:
    (path,) = (one for one in console.DOCUMENTS if one.name == "CONTRIBUTING.md")
    stops = WALK.findall(console.prose(path))
    assert len(stops) == len(re.findall(r"^\d+\. ", console.prose(path), re.MULTILINE)), "a stop without its function"
    ends = [at for at, (number, _, _) in enumerate(stops) if number == "1"] + [len(stops)]
    lengths = [end - begin for begin, end in pairwise(ends)]
    assert len(lengths) == len(MOST_STOPS)
    assert all(length <= most for length, most in zip(lengths, MOST_STOPS, strict=True)), lengths
    for _, file, function in stops:
        here = ast.parse((ROOT / "logship" / file).read_text())
        for name in function.split("."):
            named = [one for one in here.body if getattr(one, "name", None) == name]
            assert named, (file, function)
            (here,) = named


def test_a_third_party_library_is_imported_behind_its_door_alone() -> None:
    (path,) = (one for one in console.DOCUMENTS if one.name == "CONTRIBUTING.md")
    doors = re.findall(r"`(\w+)` in\s`([\w/.]+)`", console.prose(path))
    assert len(doors) > 5
    for library, door in doors:
        importing = re.compile(rf"^ *(import|from) {library}\b", re.MULTILINE)
        found = [one for one in ROOT.glob("logship/**/*.py") if importing.search(one.read_text())]
        assert found, library
        assert all(str(one.relative_to(ROOT / "logship")).startswith(door) for one in found), (library, found)


def test_nothing_to_type_stands_outside_of_a_block() -> None:
    """A line that is indented by four after an empty one is code to a reader, and to nobody else."""
    for path in console.DOCUMENTS:
        assert not re.search(r"^\n {4,}\S", console.prose(path), re.MULTILINE), path.name
