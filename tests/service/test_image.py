"""The container image and the DaemonSet: built by the Dockerfile's own steps, and run as the node would run it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from logship.cli import logship
from logship.config import load_settings
from tests.rigs.image import Image
from tests.rigs.machine import lacking, require_root
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
CRI = "2026-10-10T13:55:36.000000000Z stdout F {}\n"
LINE = (
    '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /p/{} HTTP/1.1" 200 17 "-" "curl/8" 80 0.004 '
    "[shop-web-80] [] 10.0.0.7:80 17 0.004 200 {:032x}"
)
AS_THE_POD = ("setpriv", "--bounding-set=-all,+dac_read_search", "--inh-caps=-all", "--no-new-privs")
OLDEST_KUBERNETES = "1.28"

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The DaemonSet's file, by kind."""
    loaded = yaml.safe_load_all((CONFIGS / "kubernetes/daemonset.yml").read_text())
    return {document["kind"]: document for document in loaded}


@pytest.fixture(scope="module")
def container(documents: dict[str, Any]) -> dict[str, Any]:
    (only,) = documents["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_kubernetes_takes_it_to_the_letter(version: str, documents: dict[str, Any]) -> None:
    assert set(documents) == {"ConfigMap", "DaemonSet"}
    for document in documents.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_key_would_be_noticed(documents: dict[str, Any]) -> None:
    spec = documents["DaemonSet"]["spec"]
    wrong = {**documents["DaemonSet"], "spec": {**spec, "updateStrategie": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST_KUBERNETES, strict=True)


def test_its_parts_name_each_other(documents: dict[str, Any], container: dict[str, Any], tmp_path: Path) -> None:
    pod = documents["DaemonSet"]["spec"]["template"]["spec"]
    (tmp_path / "application_id").write_text("some-id\n")
    text = documents["ConfigMap"]["data"]["logship.yml"].replace("/etc/logship-secret", str(tmp_path))
    (tmp_path / "logship.yml").write_text(text)
    settings = load_settings(tmp_path / "logship.yml", {"NODE_NAME": "node-1", "HOME": "/"})
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    writable = {path for path, mount in mounts.items() if not mount.get("readOnly")}
    assert writable == {str(settings.state_dir), "/tmp"}  # its name
    assert {mount["name"] for mount in mounts.values()} == set(volumes)
    assert volumes[mounts[str(settings.state_dir)]["name"]]["hostPath"], "positions outlive the pod"
    assert volumes["secret"]["secret"]["secretName"] == "logship"  # a name
    assert settings.origin == "node-1"
    assert settings.status is not None
    assert [port["containerPort"] for port in container["ports"]] == [settings.status.port]
    assert settings.status.host == "0.0.0.0"  # the kubelet asks from outside
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"/healthz", "/readyz"}
    assert pod["terminationGracePeriodSeconds"] > settings.delivery.shutdown_timeout_s
    assert all(any(path.startswith(f"{mount}/") for mount in mounts) for path in settings.sources[0].paths)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]}
    logship.make_context("logship", list(container["args"]), resilient_parsing=False).close()
    command = logship.get_command(click.Context(logship), container["args"][0])
    assert command is not None
    command.make_context("run", list(container["args"][1:])).close()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Built from wheels that this machine's pip has fetched."""
    require_root("file systems are mounted")
    directory = tmp_path_factory.mktemp("image")
    wheels, source = directory / "wheels", directory / "source"
    source.mkdir()
    names = ("logship", "configs", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
    # from a copy: setuptools leaves a build/ behind
    subprocess.run(["cp", "-a", *(str(ROOT / name) for name in names), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "wheel", "-q", "-w", str(wheels), f"{source}[collector]", "setuptools", "wheel"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lacking(f"pip can't fetch what the image installs: {done.stderr[-300:]}")
    for own in wheels.glob("logshipd-*"):
        own.unlink()  # the image builds it itself
    with Image(CONFIGS / "Dockerfile", ROOT, directory, wheels=wheels) as image:
        yield image


def test_the_dockerfiles_steps_make_a_program_that_runs(image: Image) -> None:
    done = image.run(*image.final.entrypoint, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    if list(Path("/usr/include").glob("python3*/Python.h")):
        assert "kernel: native" in done.stdout
    assert image.run(*image.final.entrypoint, "formats").returncode == 0, "what configs/ ships is in it"
    assert image.run(*image.final.entrypoint, "collector", "--help").returncode == 0
    assert image.run("id", "-un").stdout.strip() == image.final.user == "logship"
    assert image.run("test", "-w", "/var/lib/logship").returncode == 0
    assert not (image.final.root / "src").exists(), "the sources stay in the stage that builds"
    assert not list(image.final.root.glob("opt/logship/bin/pip*"))


def test_its_health_check_asks_the_daemon(image: Image) -> None:
    assert image.run(*image.final.healthcheck).returncode == 1, "nobody answers"
    with running(image, {"endpoint": {"url": "http://127.0.0.1:9", "application_id": "x"}}, image.final.command):
        wait_until(lambda: image.run(*image.final.healthcheck).returncode == 0, what="it is healthy", every_s=0.3)


def test_it_ships_as_the_daemonset_runs_it(image: Image, documents: dict[str, Any], container: dict[str, Any]) -> None:
    """Root without a capability but reading, a read-only file system, logs as the kubelet lays them out."""
    root = image.final.root
    pod = root / "var/log/pods/ingress-nginx_controller-abc_0123/controller"
    pod.mkdir(parents=True)
    log = pod / "0.log"
    log.write_text("".join(CRI.format(LINE.format(number, number)) for number in range(20)))
    log.chmod(0o640)
    (root / "etc/logship-secret").mkdir()
    (root / "etc/logship-secret/application_id").write_text("some-id\n")
    config = yaml.safe_load(documents["ConfigMap"]["data"]["logship.yml"])
    port = free_port()
    os.chown(root / "var/lib/logship", 0, 0)  # a hostPath is root's
    (root / "etc/logship").mkdir(exist_ok=True)
    for place in (root / "var/lib/logship", root / "etc/logship"):
        image.mount("--bind", str(place), str(place))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
    with Receiver() as receiver:
        config["endpoint"]["url"] = receiver.url
        config["status"]["listen"] = f"0.0.0.0:{port}"
        with running(image, config, container["args"], AS_THE_POD, {"NODE_NAME": "node-1"}) as daemon:
            wait_until(lambda: len(receiver.events) == 20, 60, "the lines arrive")
            assert _get(port, "/healthz") == _get(port, "/readyz") == 200
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            (capabilities,) = re.findall(r"^CapEff:\s*(\w+)$", status, re.MULTILINE)
            assert int(capabilities, 16) == 1 << 2, "CAP_DAC_READ_SEARCH alone"
            assert image.run("touch", "/opt/logship/x").returncode != 0, "its file system is read-only"


@contextmanager
def running(
    image: Image,
    config: dict[str, Any],
    arguments: list[str],
    wrapper: tuple[str, ...] = (),
    environ: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The image's entrypoint with these arguments."""
    folder = image.final.root / "etc/logship"
    folder.mkdir(exist_ok=True)
    config = {"sources": [{"paths": ["/var/log/nothing.log"], "format": "combined"}], **config}
    (folder / "logship.yml").write_text(yaml.safe_dump(config))
    command = image.argv(*image.final.entrypoint, *arguments, wrapper=wrapper, environ=environ)
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status
