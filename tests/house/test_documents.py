"""README and docs can't go stale: every command in them is run, and prints what they show."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logship.config import load_settings
from tests.rigs.documents import console
from tests.rigs.machine import require

ROOT = Path(__file__).parents[2]

# What not everybody can type in an empty directory: (document, heading, language) -> the test that reads the block from
# the document and executes it, and why that is not done here.
EXECUTED_ELSEWHERE = {
    ("README.md", "As a service", "sh"): (
        "tests/service/test_administrator.py::test_the_steps_of_the_readme_lead_to_a_running_service",
        "they need root and systemd: a Debian is booted for them",
    ),
    ("collector.md", "The collector", "python"): (
        "tests/collector/test_sdks.py::test_the_python_sdk_posts_an_event_and_a_batch_that_appear_on_the_page",
        "the SDK is no part of logship",
    ),
    ("collector.md", "The collector", "js"): (
        "tests/collector/test_sdks.py::test_the_node_sdk_posts_an_event_and_a_batch_that_appear_on_the_page",
        "the SDK is no part of logship",
    ),
}
# Held by less than being executed, and why.
NEVER_EXECUTED = {
    ("CONTRIBUTING.md", "Working on logship", "sh"): "tests can't run themselves: `make -n` takes each line",
}
TYPED = re.compile(r"\s*([$>#]|logship|make|python3?|pip|sudo|apt|systemctl|docker|kubectl|dask) ")


def key(block: Any) -> tuple[str, str, str]:
    return (block.document, block.heading, block.language)


def all_blocks() -> Iterator[Any]:
    for path in console.DOCUMENTS:
        yield from console.blocks(path)


@pytest.mark.parametrize("document", console.DOCUMENTS, ids=lambda path: path.name)
def test_every_command_prints_what_the_document_shows(document: Path) -> None:
    if "a private nginx" in document.read_text():
        require("nginx", "nginx-light")
    for step, output in console.fresh(document.read_text()):
        assert console.is_as_shown(step, output), f"$ {step.command}\n{output}\nrun: python docs/console.py"


def test_another_number_is_noticed_and_another_moment_is_not() -> None:
    shown = "2026-10-01T10:00:00.001Z INFO    daemon: ready files=1\n0:00:01 · 3 lines/s · retries 0 · exit 0\n"
    later = "2026-10-02T11:30:00.250Z INFO    daemon: ready files=1\n0:00:09 · 1 lines/s · retries 0 · exit 0\n"
    assert console.is_as_shown(console.Step("logship run\n", shown), later)
    assert not console.is_as_shown(console.Step("logship run\n", shown), later.replace("files=1", "files=2"))
    assert not console.is_as_shown(console.Step("logship run\n", shown), later.replace("exit 0", "exit 1"))


@pytest.mark.parametrize("block", list(all_blocks()), ids=lambda block: f"{block.document}:{block.line}")
def test_every_block_is_held_by_something(block: Any, tmp_path: Path) -> None:
    held = HELD.get(block.language)
    assert held or key(block) in EXECUTED_ELSEWHERE, "make it ```console, or add the check that holds it"
    if held:
        held(block, tmp_path)


def test_what_is_executed_elsewhere_is_there_and_no_exception_is_stale() -> None:
    there = [key(block) for block in all_blocks()]
    for exception in (*EXECUTED_ELSEWHERE, *NEVER_EXECUTED):
        assert there.count(exception) == 1, exception
    for (document, heading, language), (test, _) in EXECUTED_ELSEWHERE.items():
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), test
        reading = f'block("{document}", "{heading}", "{language}")'
        assert any(reading in one.read_text() for one in (ROOT / path).parent.glob("*.py")), f"{reading} in {path}"


def test_no_other_page_holds_a_block() -> None:
    for path in (ROOT / "CHANGELOG.md", *ROOT.glob("tests/*/**/*.md"), *ROOT.glob("configs/**/*.md")):
        assert "node_modules" in path.parts or list(console.blocks(path)) == [], path


def commands_alone(block: Any, _: Path) -> None:
    """Executed by test_every_command_prints_what_the_document_shows, if it begins with a command."""
    assert block.text.startswith("$ "), "what stands before the first command is compared with nothing"


def nothing_to_type(block: Any, _: Path) -> None:
    """A drawing: nobody could take one of its lines for a command."""
    for line in block.text.splitlines():
        assert not TYPED.match(line), line


def a_configuration(block: Any, directory: Path) -> None:
    """Whole, so that it can be copied: it is loaded as the daemon does."""
    (directory / "logship.yml").write_text(block.text)
    assert load_settings(directory / "logship.yml", {"MOESIF_ID": "some-id", "HOME": str(directory)}).sources


def a_dry_run(block: Any, _: Path) -> None:
    """Commands of a shell that are not executed: what `make` would do exists."""
    if key(block) not in NEVER_EXECUTED:
        assert key(block) in EXECUTED_ELSEWHERE
        return
    for line in block.text.splitlines():
        program, *targets = shlex.split(line, comments=True)
        assert program == "make", line
        done = subprocess.run([require("make"), "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


HELD: dict[str, Callable[[Any, Path], None]] = {
    "console": commands_alone,
    "text": nothing_to_type,
    "yaml": a_configuration,
    "sh": a_dry_run,
}
