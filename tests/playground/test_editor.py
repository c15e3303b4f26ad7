"""The editor's bundle is what its sources make, byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.rigs.machine import require

REPOSITORY = Path(__file__).parents[2]


def test_the_bundle_is_made_of_the_versions_that_the_lock_names(tmp_path: Path) -> None:
    require("npm")
    made = tmp_path / "editor.js"
    subprocess.run([REPOSITORY / "packaging/make-editor", made], check=True, capture_output=True)
    assert made.read_bytes() == (REPOSITORY / "logship/playground/page/editor.js").read_bytes()
