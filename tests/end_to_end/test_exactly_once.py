"""Real servers, real rotation, a real daemon that is killed: every request stands in the collector once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from logship.collector import CollectorServer
from tests.end_to_end.shipping import (
    APPLICATION_ID,
    READY,
    request_ids,
    ship_through_kills,
    wait_for_ids,
    wait_for_requests,
    write_config,
)
from tests.rigs.apache import COMBINED, Apache
from tests.rigs.daemon import Daemon
from tests.rigs.load import Load
from tests.rigs.logrotate import rotate
from tests.rigs.nginx import MAIN, Nginx
from tests.rigs.waiting import wait_until

REQUESTS = 20_000
KILLS = 10
NGINX_FORMAT = "{nginx: '" + MAIN + "'}"
APACHE_FORMAT = "{apache: '" + COMBINED + "'}"


def seeded() -> random.Random:
    """A new seed each time; pytest shows it with a failure."""
    seed = random.randrange(2**32)
    print(f"seed of the moments: {seed}")  # noqa: T201
    return random.Random(seed)


def wait_for_events(collector: CollectorServer, wanted: int) -> None:
    wait_until(lambda: len(collector.events()) >= wanted, 60, f"{wanted} events")


def collector_in(directory: Path) -> CollectorServer:
    return CollectorServer(store=str(directory / "events.db"), application_ids=(APPLICATION_ID,))


def test_nginx_rotated_three_times_and_the_daemon_killed_ten_times(tmp_path: Path) -> None:
    rng = seeded()
    with collector_in(tmp_path) as collector, Nginx(tmp_path / "nginx") as nginx:
        log = nginx.log_path("access.log")
        config = write_config(tmp_path, collector.url, f"{log}", NGINX_FORMAT, "request_id")

        def rotate_thrice(part: int) -> None:
            if part in (2, 5, 7):
                rotate(log, nginx.pid)

        with Daemon(config, tmp_path) as daemon:
            ship_through_kills(daemon, nginx.port, REQUESTS, KILLS, rng, rotate_thrice)
            wait_for_ids(collector, nginx.truth_ids)
            assert daemon.terminate() == 0
        assert len(nginx.truth_ids()) >= REQUESTS
        assert request_ids(collector) == Counter(nginx.truth_ids())


def test_apache_rotated_and_the_daemon_killed(tmp_path: Path) -> None:
    rng = seeded()
    with collector_in(tmp_path) as collector, Apache(tmp_path / "apache") as apache:
        log = apache.log_path("access.log")
        config = write_config(tmp_path, collector.url, f"{log}", APACHE_FORMAT, "env_unique_id")

        def rotate_once(part: int) -> None:
            if part == 1:
                rotate(log, apache.pid)

        with Daemon(config, tmp_path) as daemon:
            ship_through_kills(daemon, apache.port, REQUESTS // 2, 3, rng, rotate_once)
            wait_for_ids(collector, apache.truth_ids)
            assert daemon.terminate() == 0
        assert request_ids(collector) == Counter(apache.truth_ids())


def test_a_receiver_that_is_down_for_the_first_half_gets_everything(tmp_path: Path) -> None:
    collector = collector_in(tmp_path)
    with collector, Nginx(tmp_path / "nginx") as nginx:
        log = nginx.log_path("access.log")
        config = write_config(tmp_path, collector.url, f"{log}", NGINX_FORMAT, "request_id")
        collector.stop()
        with Daemon(config, tmp_path) as daemon:
            daemon.wait_for_log(READY)
            load = Load(nginx.port, REQUESTS).start()
            wait_for_requests(load, REQUESTS // 4)
            rotate(log, nginx.pid)
            wait_for_requests(load, REQUESTS // 2)
            daemon.kill()
            daemon.start()
            with collector:
                load.join()
                wait_for_ids(collector, nginx.truth_ids)
                assert daemon.terminate() == 0
        assert request_ids(collector) == Counter(nginx.truth_ids())


def test_sigterm_in_mid_batch_ends_in_time_and_loses_nothing(tmp_path: Path) -> None:
    with collector_in(tmp_path) as collector, Nginx(tmp_path / "nginx") as nginx:
        log = nginx.log_path("access.log")
        config = write_config(tmp_path, collector.url, f"{log}", NGINX_FORMAT, "request_id", batch_bytes=20_000)
        daemon = Daemon(config, tmp_path)
        load = Load(nginx.port, REQUESTS // 2).start()
        for part in range(1, 4):
            with daemon:
                wait_for_events(collector, part * REQUESTS // 10)
                assert daemon.terminate(deadline_s=11) == 0
        load.join()
        with daemon:
            wait_for_ids(collector, nginx.truth_ids)
            assert daemon.terminate() == 0
        assert request_ids(collector) == Counter(nginx.truth_ids())
