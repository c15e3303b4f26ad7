"""What a test needs of the machine it runs on."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # Debian keeps servers out of a user's PATH


def require(program: str, package: str = "") -> str:
    """Path of `program`; without it the test is skipped, or fails where nothing may be skipped.

    Shapes: `package` is the Debian package that holds it, when its name is another.
    """
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_PATHS)))
    if found is None:
        lacking(f"{program} is not installed: apt-get install {package or program}")
    return found


def lacking(reason: str) -> NoReturn:
    """Skips the running test for `reason`; with LOGSHIP_REQUIRE_ALL=1 it fails instead."""
    if os.environ.get("LOGSHIP_REQUIRE_ALL") == "1":
        pytest.fail(f"nothing may be skipped here, and {reason}", pytrace=False)
    pytest.skip(reason)


def require_root(why: str) -> None:
    """Skips (or fails, see `lacking`) unless the tests run as root."""
    if os.geteuid() != 0:
        lacking(f"this test needs root: {why}")


def in_soak() -> bool:
    """True under `make soak`, where long runs go their full length."""
    return os.environ.get("LOGSHIP_SOAK") == "1"


def scaled(in_ci: int, in_soak_run: int) -> int:
    """How much of something a test does: `in_ci` in every run, `in_soak_run` under `make soak`."""
    return in_soak_run if in_soak() else in_ci
