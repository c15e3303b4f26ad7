"""The distribution is `logshipd`: `logship` on the public index is another program, which nobody is told to install."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

import logship

ROOT = Path(__file__).resolve().parents[2]
STRANGER = re.compile(
    r"""\b(?:pipx?|uv|uvx|poetry)\b[^\n]*\b(?:install|add|run|tool)\b[^\n]*?[\s'"`]logship(?=[\s'"`\[=]|$)"""
)


def test_the_installed_distribution_is_logshipd_with_the_command_logship() -> None:
    installed = metadata.distribution("logshipd")
    assert installed.version == logship.__version__
    assert {(one.name, one.value) for one in installed.entry_points} == {("logship", "logship.cli:main")}


def test_no_text_tells_to_install_the_strangers_program() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in tracked.split("\0")[:-1]:
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            text = path.read_text(encoding="utf-8", errors="replace")
            found = [match.group() for match in STRANGER.finditer(text) if "uninstall" not in match.group()]
            assert not found, f"{name}: {found}"


def test_the_search_knows_how_people_write_it() -> None:
    bad = (
        "pip install logship",
        "run: pip install 'logship[cluster]'",
        "pipx install logship==1",
        "uv tool install logship",
    )
    good = ("pip install 'logshipd[cluster]'", "pip install '.[collector]'")
    assert [bool(STRANGER.search(text)) for text in (*bad, *good)] == [True] * 4 + [False] * 2
