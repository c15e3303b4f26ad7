"""Debian's Chromium, driven by playwright; and the packages of npm that tests need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.rigs.machine import lacking, require

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NODE_MODULES = Path(os.environ.get("LOGSHIP_NODE_MODULES", Path(__file__).parent / "node_modules"))
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; skips the test where Chromium is missing."""
    program = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


def node_package(name: str) -> Path:
    """The directory of an npm package, or the test is skipped."""
    found = NODE_MODULES / name
    if not found.is_dir():
        lacking(f"{name} is not installed: npm install --no-save --prefix tests/collector {name}")
    return found


def axe_complaints(page: Page) -> list[list[str]]:
    """What axe-core finds serious or critical: rule, impact, elements; the page's context must bypass its policy."""
    page.add_script_tag(path=node_package("axe-core") / "axe.min.js")
    found: list[list[str]] = page.evaluate(
        "tags => axe.run({runOnly: tags}).then(r => r.violations.map(v => "
        "[v.id, v.impact, v.nodes.map(n => n.html + n.failureSummary).join(' ').slice(0, 600)]))",
        AXE_TAGS,
    )
    return [one for one in found if one[1] in ("serious", "critical")]


def shoot(page: Page, name: str) -> None:
    """Keeps a picture of the page for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"collector-{name}.png")
