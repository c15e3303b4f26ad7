"""Real nginx and Apache under load, rotated by the real logrotate, against their never-rotated truth log."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.tail.notices import Look, What
from logship.tail.source import TailSource
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
    "create olddir=old createolddir",
    "create olddir=old createolddir compress delaycompress",
]
COPYING = ["copytruncate", "copytruncate compress", "copytruncate dateext dateformat -%Y%m%d-%s"]


def ids(lines: list[bytes]) -> list[str]:
    """The unique id that ends each line, in quotes."""
    return [line.decode("latin-1").rsplit('"', 2)[1] for line in lines]


def source_of(server: WebServer) -> TailSource:
    log = server.log_path("access.log")
    return source(log, rotated=[f"{log.parent}/old/access.log*"])


def serve(
    server: WebServer, rig: Rig, options: str, *, with_restarts: bool = False, keep: int = 100, lags: bool = False
) -> None:
    """Load, rotations in between, the daemon reading all the while; at last everything that was answered is read.

    Shapes: where it `lags`, what was logged last before a rotation is seen and not read.
    """
    load = Load(server.port, REQUESTS).start()
    log = server.log_path("access.log")
    for number in range(1, ROTATIONS + 1):
        share = REQUESTS * number // (ROTATIONS + 1)
        wait_until(lambda share=share: rig.step() and load.answered >= share, 60, f"{share} requests")  # type: ignore[misc]
        second = int(time.time())
        wait_until(lambda second=second: int(time.time()) > second, what="a date of its own")  # type: ignore[misc]
        if with_restarts:
            rig.kill()
        if lags:
            answered = load.answered
            wait_until(lambda answered=answered: load.answered >= min(answered + 100, REQUESTS), 60)  # type: ignore[misc]
            rig.look()
        rotate(log, server.pid, options, keep)
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
        rig = Rig(tmp_path / "state", source_of(server), clock=RealClock(), **LIVE)
        serve(server, rig, options)
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


class Witness(Rig):
    """A rig that keeps how large each generation was when it was seen last."""

    def start(self) -> None:
        super().start()
        self.seen: dict[int, int] = {}

    def look(self) -> Look:
        look = super().look()
        for status in self.tail.files():
            self.seen[status.generation] = max(self.seen.get(status.generation, 0), status.size_bytes)
        return look

    def undelivered_bytes(self) -> int:
        """What was seen and did not arrive."""
        arrived: Counter[int] = Counter()
        for arrival in self.receiver.arrivals:
            arrived[arrival.generation] += len(arrival.line) + 1
        return sum(size - arrived[generation] for generation, size in self.seen.items())


@SERVERS
@pytest.mark.parametrize(("options", "keep"), [*((each, 100) for each in COPYING), ("copytruncate", 0)])
def test_with_copytruncate_everything_that_a_file_holds_arrives_and_what_none_holds_is_counted(
    tmp_path: Path, make: Callable[[Path], WebServer], options: str, keep: int
) -> None:
    with make(tmp_path / "server") as server:
        log = server.log_path("access.log")
        rig = Witness(tmp_path / "state", source(log), clock=RealClock(), **LIVE)
        serve(server, rig, options, keep=keep, lags=True)
    held = [
        line
        for path in log.parent.glob("access.log*")
        for line in (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines()
    ]
    wait_until(lambda: set(rig.step()) >= set(held), 15, "what the files hold")
    for _ in range(3):
        rig.clock.pass_s(11)
        rig.step()
    undelivered_bytes = rig.undelivered_bytes()
    rig.stop()
    assert set(ids(rig.receiver.lines)) <= set(server.truth_ids())
    counted_bytes = sum(notice.size_bytes for notice in rig.told(What.LOST))
    assert counted_bytes >= undelivered_bytes
    assert (undelivered_bytes > 0) == (keep == 0), "only what no copy holds is lost"


LIVE: dict[str, object] = {"use_hints": True, "full_look_s": None}
