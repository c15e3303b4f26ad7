"""What `logship check` prints for broken configs: each case is a directory with its logship.yml and expected.txt.

Every expected text was judged by one question: could a stranger mend the config without the documentation?
Written anew by: UPDATE_EXPECTED=1 pytest tests/check
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logship.cli import execute

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


def printed(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    shutil.copytree(case, tmp_path / "here", ignore=shutil.ignore_patterns("expected.txt"))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("LOGSHIP_APPLICATION_ID", "CREDENTIALS_DIRECTORY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    code = execute(["check", "-c", "logship.yml"])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"(exit {code})" in captured.out or code == 0
    return captured.out.replace(str(tmp_path / "here"), "/DIR")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_config_is_explained(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(case, tmp_path, monkeypatch, capsys)
    expected = case / "expected.txt"
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(out, encoding="utf-8")
    assert out == expected.read_text(encoding="utf-8")


def test_there_are_thirty_of_them() -> None:
    assert len(CASES) >= 30
