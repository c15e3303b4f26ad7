"""docs/fields.md is the vocabulary; it can't go stale. Written anew by: python docs/vocabulary.py"""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_fields_is_fresh() -> None:
    made = runpy.run_path(str(DOCS / "vocabulary.py"))["markdown"]()
    assert (DOCS / "fields.md").read_text(encoding="utf-8") == made, "run: python docs/vocabulary.py"
