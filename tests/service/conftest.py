"""One machine for all tests of the service: the package is built, a Debian is booted, both once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.container import Container, rootfs
from tests.rigs.machine import lacking, require, require_root
from tests.service.shop import Shop

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("LOGSHIP_TEST_CACHE") or Path.home() / ".cache/logship-tests")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make deb`, without the compression that only matters to downloads."""
    require("dpkg-deb", "dpkg")
    require_root("the package is installed in a container")
    if not (CACHE / "rootfs-bookworm/.made").exists() and "LOGSHIP_REQUIRE_ALL" not in os.environ:
        lacking("a Debian for the container has to be downloaded first: LOGSHIP_REQUIRE_ALL=1 make test")
    return made_package(ROOT, tmp_path_factory.mktemp("dist"))


def made_package(tree: Path, into: Path) -> Path:
    """The package that a tree's own `make deb` builds."""
    done = subprocess.run(
        ["packaging/make-deb"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COMPRESSION": "none", "DIST": str(into)},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Path(done.stdout.split()[-1])


@pytest.fixture(scope="session")
def shop(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The machine with a web server, and logship installed and started as its postinst says."""
    machine = Container(rootfs(CACHE), tmp_path_factory.mktemp("machine"), read_only={package: "/logship.deb"})
    with machine:
        shop = Shop(machine)
        shop.serve()
        shop.install()
        yield shop
