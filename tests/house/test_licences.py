"""docs/licences.md names what logship is installed with. Written anew by: python docs/licences.py"""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LISTS = runpy.run_path(str(DOCS / "licences.py"))
ROW = re.compile(r"^\| ([a-z0-9-]+) \| (.+) \|$", re.MULTILINE)
WITH_GPL_3 = {  # what may be in one work with GPL-3.0-or-later, by the names that packages use
    "MIT", "MIT License", "BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Unlicense", "Zlib",
    "Apache-2.0", "Apache 2.0", "Apache Software License", "PSF-2.0", "Python Software Foundation License", "CC0-1.0",
    "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)", "LGPL-3.0-only", "LGPL-3.0-or-later", "GPLv3+",
    "GPL-3.0-or-later",
}  # fmt: skip


@pytest.mark.parametrize("extra", LISTS["EXTRAS"])
def test_what_is_asked_for_is_listed_as_installed(extra: str) -> None:
    """What those ask for in turn changes with their releases, and is not compared."""
    listed = dict(ROW.findall((DOCS / "licences.md").read_text(encoding="utf-8")))
    asked = {name: LISTS["licence"](name) for name in LISTS["direct"](extra)}
    assert asked, "no dependencies at all"
    assert asked.items() <= listed.items(), "run: python docs/licences.py"


@pytest.mark.parametrize("extra", LISTS["EXTRAS"])
def test_all_that_comes_along_may_stand_beside_the_gpl(extra: str) -> None:
    strange = {
        name: stated
        for name, stated in LISTS["closure"](extra).items()
        if stated not in WITH_GPL_3
        and any(part.strip(" ()") not in WITH_GPL_3 for part in re.split(r" AND | OR |, ", stated))
    }
    assert not strange
