"""A real PostgreSQL for tests: a cluster of its own in a temporary directory, on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rigs.machine import lacking

BINARIES = Path("/usr/lib/postgresql")
SERVICE_USER = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user


def binaries() -> Path:
    """The directory of the newest installed PostgreSQL's programs, or the test is skipped."""
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        lacking("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


def as_service(arguments: list[str]) -> list[str]:
    """The command as a user that PostgreSQL accepts."""
    return ["runuser", "-u", SERVICE_USER, "--", *arguments] if os.geteuid() == 0 else arguments


@contextmanager
def cluster(directory: Path, port: int) -> Iterator[str]:
    """A running server; gives the URL of an empty database."""
    programs = binaries()
    data = directory / "data"
    data.mkdir()
    if os.geteuid() == 0:
        directory.chmod(0o711)
        shutil.chown(data, SERVICE_USER)
    user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else SERVICE_USER
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run(as_service([f"{programs}/initdb", "-D", str(data), "-A", "trust", "--no-sync"]), **run)  # type: ignore[call-overload]
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    control = [f"{programs}/pg_ctl", "-D", str(data), "-w"]
    subprocess.run(as_service([*control, "-o", settings, "-l", f"{data}/log", "start"]), **run)  # type: ignore[call-overload]
    try:
        yield f"postgresql://{user}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(as_service([*control, "-m", "immediate", "stop"]), **run)  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, the same for all tests of a worker.

    Not in pytest's own directory: each run of pytest closes that to other users again.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="logship-postgres-") as directory, cluster(Path(directory), port) as url:
        yield url
