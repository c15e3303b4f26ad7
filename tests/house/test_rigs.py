"""The rigs themselves: what they promise to the tests that stand on them."""

from __future__ import annotations

import errno
import gzip
import re
import socket
from pathlib import Path

import pytest

from tests.rigs.apache import COMBINED, Apache
from tests.rigs.load import Load
from tests.rigs.logrotate import rotate
from tests.rigs.nginx import MAIN, Nginx
from tests.rigs.servers import AccessLog, WebServer
from tests.rigs.waiting import wait_until

REQUESTS = 400


def ids_of(server: WebServer, name: str) -> list[str]:
    """Ids in all generations of a log: the last quoted field of each line."""
    lines: list[str] = []
    for path in server.log_dir.glob(f"{name}*"):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines += data.decode("latin-1").splitlines()
    return sorted(re.findall(r'"([^"]*)"$', "\n".join(lines), re.MULTILINE))


@pytest.mark.parametrize("options", ["create", "create compress delaycompress", "create dateext dateformat -%Y%m%d-%s"])
def test_nginx_logs_every_request_once_over_rotations(tmp_path: Path, options: str) -> None:
    with Nginx(tmp_path / "nginx", [AccessLog("access.log", MAIN), AccessLog("plain.log", "combined")]) as nginx:
        load = Load(nginx.port, REQUESTS).start()
        wait_until(lambda: load.answered > 10, what="requests flow")
        rotate(nginx.log_path("access.log"), nginx.pid, options)
        load.join()
        assert nginx.get("/status/404") == 404
    truth = nginx.truth_ids()
    assert len(truth) == len(set(truth)) == REQUESTS + 1
    assert ids_of(nginx, "access.log") == sorted(truth)
    assert nginx.log_path("plain.log").read_bytes().count(b"\n") == REQUESTS + 1


def test_apache_logs_every_request_once_over_rotations(tmp_path: Path) -> None:
    with Apache(tmp_path / "apache", [AccessLog("access.log", COMBINED)]) as apache:
        load = Load(apache.port, REQUESTS).start()
        wait_until(lambda: load.answered > 10, what="requests flow")
        rotate(apache.log_path("access.log"), apache.pid)
        load.join()
        assert apache.get("/status/404") == 404
    truth = apache.truth_ids()
    assert len(truth) == len(set(truth)) >= REQUESTS + 1
    assert ids_of(apache, "access.log") == sorted(truth)


def test_copytruncate_leaves_the_same_file_and_a_copy(tmp_path: Path) -> None:
    with Nginx(tmp_path / "nginx") as nginx:
        log = nginx.log_path("access.log")
        nginx.get("/one")
        wait_until(lambda: log.stat().st_size > 0, what="the request is logged")
        inode = log.stat().st_ino
        rotate(log, nginx.pid, "copytruncate")
        assert log.stat().st_ino == inode
        assert log.stat().st_size == 0
        assert b"/one" in log.with_name("access.log.1").read_bytes()


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_a_test_cannot_leave_this_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(OSError, match="tests stay on loopback") as refused:
        sock.connect(address)
    assert refused.value.errno == errno.ENETUNREACH


def test_a_test_cannot_look_up_a_name() -> None:
    with pytest.raises(socket.gaierror, match=r"not api\.example\.com"):
        socket.create_connection(("api.example.com", 443))
