"""Nothing lies around: what no other code names is named here, with who uses it."""

from __future__ import annotations

from pathlib import Path

import vulture

ROOT = Path(__file__).parents[2]
SORTS = {"function", "method", "class", "property", "import", "unreachable_code"}
USED = {  # name -> by whom
    "format_commands": "click",
    "list_letters": "click",
    "__getattr__": "Python",
    "__init_subclass__": "Python",
    "prose": "tests/house",
    "direct": "tests/house/test_licences.py",
    "DIGEST": "a test that drops what digests are made of",
    "but": "the collector's templates",
    "chips": "the collector's templates",
    "to_all": "the collector's templates",
    "more_rows": "the collector's templates",
    "_tunnel": "http.client",
    "handle_one_request": "http.server",
    "handle_error": "http.server",
    "do_HEAD": "http.server",
    "log_message": "http.server",
    "dispatch": "watchdog",
    "OUT_OF_RANGE": "core.c: the first two counters",
    "TOO_OLD": "core.c: the first two counters",
    "EPOCH_ANY": "core.c: numbers of kinds are kept",
    "METHOD": "core.c: numbers of kinds are kept",
}


def test_what_nobody_uses_is_gone() -> None:
    scan = vulture.Vulture()
    scan.scavenge([str(ROOT / folder) for folder in ("logship", "docs", "packaging", "benchmarks")])
    unused = [item for item in scan.get_unused_code() if item.typ in SORTS or item.name.isupper()]
    found = {item.name: f"{Path(item.filename).relative_to(ROOT)}:{item.first_lineno}" for item in unused}
    assert {name: place for name, place in found.items() if name not in USED} == {}
    assert USED.keys() - found.keys() == set(), "an exception that is needed no more"
