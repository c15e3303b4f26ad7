"""The systemd units: silent under verify, exposure at most 1.1, one sandbox for all."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs.machine import require

ROOT = Path(__file__).parents[2]
SOCKET = ROOT / "systemd/logship-collector.socket"
UNITS = sorted((ROOT / "systemd").glob("*.service"))
EXPOSURE_TENTHS = 11
PER_UNIT = {"MemoryMax"}  # the daemon is small, a backfill has several processes, a collector has a database


@pytest.fixture(params=UNITS, ids=lambda unit: unit.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with a program that exists here; verify wants to see what it starts. Templates get an instance."""
    require("systemd-analyze", "systemd")
    source: Path = request.param
    program = shutil.which("true")
    copy = tmp_path / source.name
    copy.write_text(source.read_text().replace("/usr/bin/logship", str(program)))
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_verify_has_nothing_to_say(unit: Path) -> None:
    instance = str(unit).replace("@.", "@one.")
    done = analyze("verify", "--man=no", instance)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_has_nothing_to_say_about_the_socket(tmp_path: Path) -> None:
    require("systemd-analyze", "systemd")
    for source in (SOCKET, SOCKET.with_suffix(".service")):
        (tmp_path / source.name).write_text(source.read_text().replace("/usr/bin/logship", str(shutil.which("true"))))
    done = analyze("verify", "--man=no", str(tmp_path / SOCKET.name))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_collector_listens_at_the_same_address_with_and_without_its_socket() -> None:
    (listen,) = re.findall(r"^ListenStream=(.*)$", SOCKET.read_text(), re.MULTILINE)
    assert f"\nEnvironment=LOGSHIP_COLLECTOR_LISTEN={listen}\n" in SOCKET.with_suffix(".service").read_text()


def test_exposure_is_at_most_1_1(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", str(unit))
    assert done.returncode == 0, done.stdout


def test_a_weaker_sandbox_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict\n", ""))
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", str(unit))
    assert done.returncode != 0


def sandbox(unit: Path) -> list[str]:
    """Settings from the comment about the web server on, without what may differ."""
    text = unit.read_text().partition("# The web server never suffers from this.")[2].partition("[Install]")[0]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line.partition("=")[0] not in PER_UNIT]


def test_all_units_have_the_same_sandbox() -> None:
    first, *others = [sandbox(unit) for unit in UNITS]
    assert len(first) > 30
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", ["logship.service", "logship@.service"])
def test_a_wrong_config_is_not_tried_again_and_a_stop_has_time_to_drain(name: str) -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "systemd" / name).read_text(), re.MULTILINE))
    assert "78" in settings["RestartPreventExitStatus"].split()
    assert settings["Type"] == "notify"
    assert int(settings["TimeoutStopSec"].removesuffix("s")) > 10, "longer than the default shutdown_timeout"
