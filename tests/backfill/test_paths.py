"""What the PATHs of the command line stand for."""

from __future__ import annotations

import os
from pathlib import Path

from logship.backfill.paths import STDIN, expand


def found(*arguments: object) -> list[str]:
    return [one.path for one in expand(str(argument) for argument in arguments).found]


def failures(*arguments: object) -> list[str]:
    return [one.message for one in expand(str(argument) for argument in arguments).remarks if one.is_failure]


def write(path: Path, text: str = "line\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_globs_braces_and_stdin_are_found(tmp_path: Path) -> None:
    first, second, deep = write(tmp_path / "a.log"), write(tmp_path / "b.log"), write(tmp_path / "x/y/c.log")
    assert found(first, STDIN) == [str(first), STDIN]
    assert found(tmp_path / "*.log") == [str(first), str(second)]
    assert found(tmp_path / "{b,a}.log") == [str(first), str(second)]
    assert found(tmp_path / "**/*.log") == [str(first), str(second), str(deep)]


def test_a_name_with_magic_characters_that_exists_is_a_name(tmp_path: Path) -> None:
    odd = write(tmp_path / "access[1].log")
    assert found(odd) == [str(odd)]


def test_a_directory_is_searched_to_its_depth_without_hidden_files(tmp_path: Path) -> None:
    inside, below = write(tmp_path / "logs/a.log"), write(tmp_path / "logs/old/b.log.gz")
    write(tmp_path / "logs/.hidden")
    write(tmp_path / "logs/.git/c.log")
    expansion = expand([str(tmp_path / "logs")])
    assert [(one.path, one.was_named) for one in expansion.found] == [(str(inside), False), (str(below), False)]


def test_a_file_given_twice_under_any_name_is_read_once(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log")
    (tmp_path / "link.log").symlink_to(log)
    os.link(log, tmp_path / "hard.log")
    expansion = expand([str(log), str(tmp_path / "*.log"), str(tmp_path / "./a.log")])
    assert [one.path for one in expansion.found] == [str(log)]
    assert {remark.message for remark in expansion.remarks} == {f"is the same file as {log}; read once"}
    assert not any(remark.is_failure for remark in expansion.remarks)


def test_what_can_not_be_a_log_is_said_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    assert failures(tmp_path / "fifo")[0].startswith("is a pipe, not a file")
    assert failures(tmp_path / "empty") == ["is a directory without logs"]
    assert failures(tmp_path / "none.log") == ["can't be read: No such file or directory"]
    assert failures(tmp_path / "*.none") == ["matches no file"]
    assert failures("/dev/null") == ["is no regular file"]


def test_a_url_of_an_unknown_store_is_said() -> None:
    assert "not known" in failures("nosuchstore://bucket/key")[0]
