"""The image for containers that is made without Docker: its root file system runs, as what loads it would run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rigs.image import instructions
from tests.rigs.machine import require_root
from tests.rigs.receiver import Receiver

ROOT = Path(__file__).parents[2]
LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /p/{} HTTP/1.1" 200 17 "-" "curl/8"\n'

pytestmark = [pytest.mark.xdist_group("systemd"), pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def archive(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("oci")
    subprocess.run([ROOT / "packaging/make-image", package, directory / "image.tar"], check=True)
    with tarfile.open(directory / "image.tar") as tar:
        tar.extractall(directory / "layout", filter="data")
    return directory / "layout"


@pytest.fixture(scope="module")
def config(archive: Path) -> dict[str, Any]:
    """Followed as a registry's client does: from the index to the manifest to the configuration."""
    (named,) = json.loads((archive / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(archive, named["digest"]).read_text())
    found: dict[str, Any] = json.loads(blob(archive, manifest["config"]["digest"]).read_text())
    return found


@pytest.fixture(scope="module")
def tree(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root file system, unpacked with its owners."""
    require_root("it is entered with chroot")
    (packed,) = json.loads((archive / "manifest.json").read_text())[0]["Layers"]
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["tar", "--same-owner", "--numeric-owner", "-xzf", archive / packed, "-C", root], check=True)
    root.chmod(0o755)
    return root


def blob(archive: Path, digest: str) -> Path:
    return archive / "blobs" / digest.replace(":", "/")


def run(tree: Path, config: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The image's entrypoint as its user, with its environment alone."""
    settings = dict(pair.split("=", 1) for pair in config["config"]["Env"])
    entrypoint = config["config"]["Entrypoint"]
    command = [str(shutil.which("chroot")), "--userspec=999:999", str(tree), *entrypoint, *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def test_every_blob_is_what_its_digest_says(archive: Path) -> None:
    for path in archive.glob("blobs/sha256/*"):
        told = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
        assert told.split()[0] == path.name


def test_it_is_run_as_the_image_of_the_dockerfile_is(config: dict[str, Any]) -> None:
    said = dict(instructions((ROOT / "configs/Dockerfile").read_text()))
    settings = config["config"]
    assert settings["Cmd"] == json.loads(said["CMD"])
    assert (settings["User"], settings["StopSignal"]) == (said["USER"], said["STOPSIGNAL"])
    assert list(settings["Volumes"]) == [said["VOLUME"]]
    assert list(settings["ExposedPorts"]) == [f"{said['EXPOSE']}/tcp"]
    assert set(settings["Env"][1:]) < set(said["ENV"].split())


def test_it_has_its_kernel_and_its_state_but_no_shell(tree: Path, config: dict[str, Any]) -> None:
    assert "kernel: native" in run(tree, config, "--version").stdout
    assert run(tree, config, "test").returncode == 0, "what is shipped is in it"
    assert (tree / "var/lib/logship").stat().st_uid == 999
    assert not any((tree / place).exists() for place in ("bin/sh", "usr/bin/sh", "usr/bin/apt"))
    assert list(tree.glob("usr/share/doc/libc6/copyright"))


def test_it_ships_a_log(tree: Path, config: dict[str, Any]) -> None:
    (tree / "var/log").mkdir(exist_ok=True)
    (tree / "var/log/access.log").write_text("".join(LINE.format(number) for number in range(20)))
    with Receiver() as receiver:
        settings = {
            "endpoint": {"url": receiver.url, "application_id": "some-id"},
            "origin": "web-1",
            "status": None,
            "sources": [{"paths": ["/var/log/access.log"], "format": "combined", "start_at": "beginning"}],
        }
        (tree / "etc/logship/logship.yml").write_text(yaml.safe_dump(settings))
        done = run(tree, config, "run", "--once")
        assert done.returncode == 0, done.stderr
        assert len(receiver.events) == 20
