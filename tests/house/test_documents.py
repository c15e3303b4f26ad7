"""README and docs can't go stale: every command in them is run, and prints what they show."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CONSOLE = Path(__file__).parent.parent.parent / "docs" / "console.py"


def load_console() -> ModuleType:
    spec = importlib.util.spec_from_file_location("logship_docs_console", CONSOLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


console = load_console()


@pytest.mark.parametrize("document", console.DOCUMENTS, ids=lambda path: path.name)
def test_every_command_prints_what_the_document_shows(document: Path) -> None:
    for step, output in console.fresh(document.read_text()):
        assert console.alike(output) == console.alike(step.shown), f"$ {step.command}\nrun: python docs/console.py"
