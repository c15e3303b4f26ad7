"""What is installed brings its own Python: another one on the machine, or none, changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rigs.machine import lacking

ROOT = Path(__file__).resolve().parents[2]
PLACES = """
import argparse, asyncio, bz2, ctypes, decimal, hashlib, json, lzma
import multiprocessing, sqlite3, ssl, sys, uuid, zlib, zoneinfo
print(json.dumps([sys.base_prefix, *(m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None))]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with its interpreter inside; this Python's, or the system's where this one is shared."""
    pythons = [python for python in (sys.executable, "/usr/bin/python3") if not is_shared(python)]
    if not pythons:
        lacking("every Python here has its interpreter in a shared library")
    place = tmp_path_factory.mktemp("installed") / "with a blank"
    assert installed(pythons[0], place) == ""
    return place


def is_shared(python: str) -> bool:
    """Whether the interpreter is a library of the system, which can't come along."""
    told = subprocess.run(
        [python, "-c", "print(open('/proc/self/maps').read())"], capture_output=True, text=True, check=True
    )
    return "libpython" in told.stdout


def installed(python: str, place: Path) -> str:
    """Makes the environment; what was said of it."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(place)], check=True)
    command = [str(place / "bin/python"), "-I", str(ROOT / "packaging/make-runtime"), "/", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_all_that_is_loaded_is_in_the_environment(environment: Path) -> None:
    done = subprocess.run(
        [str(environment / "bin/python"), "-I", "-c", PLACES], capture_output=True, text=True, check=True
    )
    outside = [place for place in json.loads(done.stdout) if not Path(place).is_relative_to(environment)]
    assert outside == []


def test_the_interpreter_is_a_file_of_the_environment_under_all_its_names(environment: Path) -> None:
    names = [path.name for path in (environment / "bin").glob("python*")]
    assert {"python", "python3"} < set(names)
    assert all((environment / "bin" / name).resolve().is_relative_to(environment) for name in names)


def test_what_only_developing_needs_stays_behind(environment: Path) -> None:
    modules = {path.name for path in next((environment / "runtime/lib").glob("python3*")).iterdir()}
    assert {"json", "ssl.py", "lib-dynload"} <= modules
    assert not {"test", "idlelib", "ensurepip", "site-packages", "dist-packages"} & modules


def test_an_interpreter_in_a_shared_library_is_left_where_it_is_and_that_is_said(tmp_path: Path) -> None:
    if is_shared(sys.executable):
        assert "needs that Python to stay" in installed(sys.executable, tmp_path / "venv")
        assert not (tmp_path / "venv/runtime").exists()


def test_the_package_asks_for_no_python() -> None:
    control = (ROOT / "packaging/deb/control").read_text()
    (depends,) = [line for line in control.splitlines() if line.startswith("Depends:")]
    assert "python" not in depends
    assert "@LIBRARIES@" in depends, "but for the libraries that its interpreter is linked with"
