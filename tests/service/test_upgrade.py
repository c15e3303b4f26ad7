"""From the first release to this one, and then to another Debian: what waits is shipped, nothing is shipped again."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.container import Container, rootfs
from tests.rigs.machine import lacking
from tests.rigs.waiting import wait_until
from tests.service.conftest import CACHE, ROOT, made_package
from tests.service.shop import APPLICATION_ID, CONFIG, Shop

FIRST_RELEASE = "8c907e2"  # 0.1.0: its package needed the machine's Python to stay as it was

pytestmark = [pytest.mark.xdist_group("systemd"), pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def first_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the first release, built from this repository's history, once."""
    kept = CACHE / f"logship-{FIRST_RELEASE}.deb"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            tree = tmp_path_factory.mktemp("first")
            archive = subprocess.run(["git", "archive", FIRST_RELEASE], cwd=ROOT, capture_output=True, check=False)
            if archive.returncode:
                lacking(f"this clone has no history: {archive.stderr.decode()[-200:]}")
            subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
            made = made_package(tree, tree / "dist")
            shutil.copy(made, f"{kept}.new")
            os.replace(f"{kept}.new", kept)
    return kept


@pytest.fixture(scope="module")
def shop(package: Path, first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A machine on which the first release has shipped what there was, with its collector and state."""
    debs = {package: "/logship.deb", first_release: "/first.deb"}
    machine = Container(rootfs(CACHE), tmp_path_factory.mktemp("veteran"), read_only=debs)
    with machine:
        shop = Shop(machine)
        shop.serve()
        machine.run("dpkg", "-i", "/first.deb")
        machine.write("/etc/logship/application_id", APPLICATION_ID, 0o600)
        shop.configure()
        shop.visit(30)
        shop.wait_for_everything()
        yield shop


def test_an_upgrade_ships_what_the_first_release_left_and_nothing_again(shop: Shop) -> None:
    shop.machine.run("systemctl", "stop", "logship-collector")
    shop.visit(20)
    shop.machine.run("logrotate", "--force", "/etc/logrotate.d/nginx")
    shop.visit(20)
    pid = shop.pid
    shop.machine.run("dpkg", "-i", "/logship.deb")
    wait_until(lambda: shop.is_active() and shop.pid not in (0, pid), 40, "what ran is restarted")
    shop.machine.run("systemctl", "start", "logship-collector")
    shop.wait_for_everything()
    assert shop.machine.shell("cat /etc/logship/logship.yml") == CONFIG
    wait_until(lambda: shop.status()["advice"] == [], what="nothing needs a person")


def test_nothing_of_the_first_release_is_left_beside_the_new_files(shop: Shop) -> None:
    there = set(shop.machine.shell("find /usr/lib/logship").split("\n"))
    owned = set(shop.machine.run("dpkg", "-L", "logship").stdout.split("\n"))
    assert there - owned == set()


def test_the_machine_may_lose_its_python(shop: Shop) -> None:
    """As at an upgrade of the distribution; dpkg would refuse if logship asked for it."""
    pythons = shop.machine.shell("dpkg-query -W -f '${Package}\\n' '*python3*'").split()
    shop.machine.run("dpkg", "--purge", *pythons)
    assert shop.machine.shell("command -v python3 || true; ls -d /usr/lib/python3* 2>/dev/null || true") == ""
    shop.machine.run("systemctl", "restart", "logship", "logship-collector")
    shop.visit(20)
    shop.wait_for_everything()
    assert shop.is_active()
    assert "kernel: native" in shop.machine.run("logship", "--version").stdout
    shop.machine.reboot()
    shop.machine.run("systemctl", "start", "nginx")
    shop.visit(20)
    shop.wait_for_everything()


def test_another_python_in_its_place_changes_nothing(shop: Shop) -> None:
    shop.machine.write("/usr/bin/python3", "#!/bin/sh\nexit 127\n", 0o755)
    shop.machine.shell(
        "mkdir -p /usr/lib/python3/dist-packages; echo 'raise SystemExit(9)' >/usr/lib/python3/dist-packages/yaml.py"
    )
    assert shop.machine.run("logship", "check").returncode == 0
    shop.machine.run("systemctl", "restart", "logship")
    shop.visit(10)
    shop.wait_for_everything()


def test_the_upgraded_package_goes_as_it_came(shop: Shop) -> None:
    shop.machine.run("dpkg", "--purge", "logship")
    assert not shop.is_active()
    assert shop.machine.shell("ls -d /usr/lib/logship /etc/logship /var/lib/logship 2>/dev/null || true") == ""
