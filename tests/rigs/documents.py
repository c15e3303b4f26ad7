"""README and docs as tests read them: the blocks that a reader types or copies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

CONSOLE = Path(__file__).parents[2] / "docs" / "console.py"


def _load_console() -> ModuleType:
    spec = importlib.util.spec_from_file_location("logship_docs_console", CONSOLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


console = _load_console()  # a script beside the package


def block(document: str, heading: str, language: str) -> str:
    """The text of the one block of that language below that heading."""
    (path,) = (path for path in console.DOCUMENTS if path.name == document)
    (found,) = (one for one in console.blocks(path) if (one.heading, one.language) == (heading, language))
    text: str = found.text
    return text
