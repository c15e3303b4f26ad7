"""Real nginx and Apache under load, rotated by the real logrotate, against their never-rotated truth log."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rigs.apache import Apache
from tests.rigs.load import Load
from tests.rigs.logrotate import rotate
from tests.rigs.nginx import Nginx
from tests.rigs.servers import WebServer
from tests.rigs.waiting import wait_until
from tests.tail.driver import RealClock, Rig, source

REQUESTS = 3_000
ROTATIONS = 3
LOSSLESS = [
    "create",
    "create compress",
    "create compress delaycompress",
    "create dateext dateformat -%Y%m%d-%s",
    "create dateext dateformat -%Y%m%d-%s compress",
]


def ids(lines: list[bytes]) -> list[str]:
    """The unique id that ends each line, in quotes."""
    return [line.decode("latin-1").rsplit('"', 2)[1] for line in lines]


def serve(server: WebServer, rig: Rig, options: str, *, with_restarts: bool) -> None:
    """Load, rotations in between, the daemon reading all the while; at last everything that was answered is read."""
    load = Load(server.port, REQUESTS).start()
    log = server.log_path("access.log")
    for number in range(1, ROTATIONS + 1):
        share = REQUESTS * number // (ROTATIONS + 1)
        wait_until(lambda share=share: rig.step() and load.answered >= share, 60, f"{share} requests")  # type: ignore[misc]
        second = int(time.time())
        wait_until(lambda second=second: int(time.time()) > second, what="a date of its own")  # type: ignore[misc]
        if with_restarts:
            rig.kill()
        rotate(log, server.pid, options)
        if with_restarts:
            rig.start()
    wait_until(lambda: rig.step() and load.answered >= REQUESTS, 60, "all requests")
    load.join()


SERVERS = pytest.mark.parametrize("make", [Nginx, Apache], ids=["nginx", "apache"])


@SERVERS
@pytest.mark.parametrize("options", LOSSLESS)
def test_every_logged_request_arrives_once_through_rotation(
    tmp_path: Path, make: Callable[[Path], WebServer], options: str
) -> None:
    with make(tmp_path / "server") as server:
        rig = Rig(tmp_path / "state", source(server.log_path("access.log")), clock=RealClock(), **LIVE)
        serve(server, rig, options, with_restarts=False)
    truth = sorted(server.truth_ids())
    wait_until(lambda: len(rig.step()) >= len(truth), 15, f"{len(truth)} lines of {len(rig.receiver.by_id)}")
    rig.stop()
    assert sorted(ids(rig.receiver.lines)) == truth


@SERVERS
@pytest.mark.parametrize("options", ["create compress delaycompress", "create dateext dateformat -%Y%m%d-%s"])
def test_every_logged_request_arrives_once_though_the_daemon_is_killed_at_every_rotation(
    tmp_path: Path, make: Callable[[Path], WebServer], options: str
) -> None:
    with make(tmp_path / "server") as server:
        rig = Rig(tmp_path / "state", source(f"{server.log_path('access.log')}*"), clock=RealClock(), **LIVE)
        serve(server, rig, options, with_restarts=True)
    truth = sorted(server.truth_ids())
    wait_until(lambda: len(rig.step()) >= len(truth), 15, f"{len(truth)} lines of {len(rig.receiver.by_id)}")
    rig.stop()
    assert sorted(ids(rig.receiver.lines)) == truth


@SERVERS
@pytest.mark.parametrize("options", ["copytruncate", "copytruncate compress"])
def test_with_copytruncate_everything_that_a_file_holds_arrives(
    tmp_path: Path, make: Callable[[Path], WebServer], options: str
) -> None:
    with make(tmp_path / "server") as server:
        log = server.log_path("access.log")
        rig = Rig(tmp_path / "state", source(log), clock=RealClock(), **LIVE)
        serve(server, rig, options, with_restarts=False)
    held = [
        line
        for path in log.parent.glob("access.log*")
        for line in (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines()
    ]
    wait_until(lambda: set(rig.step()) >= set(held), 15, "what the files hold")
    rig.stop()
    assert set(ids(rig.receiver.lines)) <= set(server.truth_ids())


LIVE: dict[str, object] = {"use_hints": True, "full_look_s": None}
