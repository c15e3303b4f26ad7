"""Whether the service's user can read the logs: asked by becoming that user."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logship.check.permissions import ServiceUnit, User, obstacles, service_unit, service_user

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def logs() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own are closed, and shared with tests that run beside this one."""
    with tempfile.TemporaryDirectory(prefix="logship-logs-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def nobody(*groups: int) -> User:
    entry = pwd.getpwnam("nobody")
    return User("nobody", entry.pw_uid, entry.pw_gid, (entry.pw_gid, *groups))


@needs_root
def test_a_directory_that_cannot_be_entered_is_named_with_the_command_that_mends_it(logs: Path) -> None:
    inside = logs / "httpd"
    inside.mkdir(mode=0o700)
    (inside / "access.log").write_text("x\n")
    (obstacle,) = obstacles([str(inside / "access.log")], nobody())
    assert obstacle.message == f"{inside}: user nobody can't enter it (0700 root:root)"
    assert obstacle.hint == f"run: setfacl -m u:nobody:x {inside}"


@needs_root
def test_a_file_of_a_group_asks_for_the_group(logs: Path) -> None:
    log = logs / "access.log"
    log.write_text("x\n")
    log.chmod(0o640)
    os.chown(log, 0, 4)  # adm on Debian
    (obstacle,) = obstacles([str(log)], nobody())
    assert "can't read it (0640 root:" in obstacle.message
    assert obstacle.hint.startswith("run: usermod -aG ")
    assert obstacles([str(log)], nobody(4)) == []


@needs_root
def test_a_file_without_a_useful_group_asks_for_an_acl(logs: Path) -> None:
    log = logs / "access.log"
    log.write_text("x\n")
    log.chmod(0o600)
    (obstacle,) = obstacles([str(log)], nobody())
    assert obstacle.hint == f"run: setfacl -m u:nobody:r {log}"


@needs_root
def test_a_directory_that_cannot_be_listed_hides_new_logs(logs: Path) -> None:
    inside = logs / "nginx"
    inside.mkdir()
    inside.chmod(0o711)
    (obstacle,) = obstacles([str(inside)], nobody())
    assert obstacle.deed == "list"


@needs_root
def test_one_obstacle_of_many_logs_is_told_once(logs: Path) -> None:
    inside = logs / "httpd"
    inside.mkdir(mode=0o700)
    for number in range(20):
        (inside / f"{number}.log").write_text("x\n")
    assert len(obstacles([str(path) for path in inside.iterdir()], nobody())) == 1


def test_what_can_be_read_or_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("x\n")
    asked = [str(tmp_path), str(tmp_path / "access.log"), str(tmp_path / "gone.log")]
    assert obstacles(asked, None) == []


@needs_root
def test_asking_leaves_this_process_who_it_was(logs: Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    obstacles([str(logs)], nobody())
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@pytest.fixture(autouse=True)
def _systemd_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logship.check.permissions.BOOTED", tmp_path)


def systemctl(folder: Path, says: str, code: int = 0) -> None:
    """A `systemctl` that answers so."""
    program = folder / "systemctl"
    program.write_text(f"#!/bin/sh\necho \"$@\" >{folder}/asked\nprintf '{says}'\nexit {code}\n")
    program.chmod(0o755)


def test_the_unit_says_who_the_service_is_and_what_it_can_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    systemctl(tmp_path, "User=nobody\\nSupplementaryGroups=adm www-data\\nProtectHome=yes\\nPrivateTmp=no\\n")
    unit = service_unit()
    assert (tmp_path / "asked").read_text().split()[-1] == "logship.service"
    assert (unit.user, unit.groups) == ("nobody", ("adm", "www-data"))
    assert set(unit.hidden) == {"/home", "/root", "/run/user"}
    systemctl(tmp_path, "User=\\nSupplementaryGroups=\\nProtectHome=no\\nPrivateTmp=no\\n")
    assert service_unit() == ServiceUnit(), "there is no such unit"
    systemctl(tmp_path, "", 1)
    assert service_unit() == ServiceUnit(), "there is no systemd"
    monkeypatch.setenv("PATH", "/nowhere")
    assert service_unit() == ServiceUnit(), "there is no systemctl"


def test_where_systemd_does_not_run_it_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("logship.check.permissions.BOOTED", tmp_path / "none")
    systemctl(tmp_path, "User=nobody\\n")
    assert service_unit() == ServiceUnit()
    assert not (tmp_path / "asked").exists()


@needs_root
def test_a_group_that_the_unit_gives_counts(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{logs}:{os.environ['PATH']}")
    log = logs / "access.log"
    log.write_text("x\n")
    log.chmod(0o640)
    os.chown(log, 0, 4)
    systemctl(logs, "User=nobody\\nSupplementaryGroups=4\\nProtectHome=no\\nPrivateTmp=no\\n")
    assert obstacles([str(log)], service_user()) == []
    systemctl(logs, "User=nobody\\nSupplementaryGroups=\\nProtectHome=no\\nPrivateTmp=no\\n")
    assert len(obstacles([str(log)], service_user())) == 1


@needs_root
def test_a_log_that_the_sandbox_hides_is_told_with_the_setting(logs: Path) -> None:
    log = logs / "access.log"
    log.write_text("x\n")
    user = replace(nobody(), hidden={str(logs): "ProtectHome=no"})
    (obstacle,) = obstacles([str(logs), str(log)], user)
    assert obstacle.message == f"{logs}: the service can't see it, its unit hides {logs}"
    assert "systemctl edit logship" in obstacle.hint
    assert "ProtectHome=no" in obstacle.hint
