"""docs/licences.md: what logship is installed with, and under which licence each of it stands.

`python docs/licences.py` writes it, from the packages of the environment; a test fails when a dependency is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).resolve().parent / "licences.md"
LOCK = PAGE.parent.parent / "packaging" / "editor" / "package-lock.json"
EXTRAS = ("", "collector", "postgres", "cluster")  # "" is what logship always needs; tests' own packages aren't shipped
DISTRIBUTION = "logshipd"  # on the public index `logship` is another program
SHORT = 60  # a longer text is the licence itself, not its name
HEAD = """\
# Licences

Made from the installed packages by `python docs/licences.py`; a test compares. logship is GPL-3.0-or-later. All it is
installed with may be combined with that; names are as each package states them.
"""


def direct(extra: str) -> set[str]:
    """Names of what logship itself asks for, with an extra or ("") without."""
    alone = {name for name, _ in _needs(DISTRIBUTION, ())}
    return {name for name, _ in _needs(DISTRIBUTION, (extra,))} - alone if extra else alone


def closure(extra: str) -> dict[str, str]:
    """Name -> licence of everything that comes with an extra, or ("") with logship alone."""
    found: dict[str, str] = {}
    waiting = list(_needs(DISTRIBUTION, (extra,)))
    while waiting:
        name, extras = waiting.pop()
        if name not in found:
            found[name] = licence(name)
            waiting += _needs(name, extras)
    return found


def licence(name: str) -> str:
    """The licence that a package states: its SPDX expression, else its short name, else its classifiers."""
    stated = metadata.metadata(name)
    named = (stated[key] for key in ("License-Expression", "License") if key in stated)
    short = next(filter(None, named), "")
    if short and len(short) <= SHORT and "\n" not in short:
        return short
    kinds = [each for each in stated.get_all("Classifier") or () if each.startswith("License ::")]
    return ", ".join(each.rpartition(" :: ")[2] for each in kinds)


def markdown() -> str:
    """The whole page."""
    text, before = HEAD, set[str]()
    for extra in EXTRAS:
        packages = closure(extra)
        added = sorted(set(packages) - before)
        before |= set(added) if not extra else set()
        text += f"\n## With the extra `{extra}`\n" if extra else "\n## Always\n"
        text += "\n| package | licence |\n|---|---|\n"
        text += "".join(f"| {name} | {packages[name]} |\n" for name in added)
    text += "\n## In the playground's page\n\nBundled by `packaging/make-editor`.\n\n| package | licence |\n|---|---|\n"
    return text + "".join(f"| {name} {version} | {licence} |\n" for name, version, licence in bundled())


def bundled() -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of what the bundle of the playground's editor holds; the bundler is not in it."""
    for place, package in json.loads(LOCK.read_text(encoding="utf-8"))["packages"].items():
        name = place.removeprefix("node_modules/")
        if name and "esbuild" not in name:
            yield name, package["version"], package["license"]


def _needs(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in metadata.requires(name) or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield _normal(need.name), tuple(need.extras)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
