"""SIGTERM in every state the process can be in: it ends in time, with 0, and the next start loses nothing."""

from __future__ import annotations

import gzip
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.site import APPLICATION_ID, Site
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

SHUTDOWN_S = 1.0
LATITUDE_S = 4.0  # for a machine that is busy with other tests
LINES = 1_000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver) -> Iterator[Site]:
    site = Site(tmp_path, receiver.url, shutdown=f"{SHUTDOWN_S:g}s")
    yield site
    if site.daemon.is_running():
        site.daemon.kill()


def stop_in_time(site: Site) -> None:
    began_s = time.monotonic()
    assert site.daemon.terminate(SHUTDOWN_S + LATITUDE_S) == 0
    assert time.monotonic() - began_s <= SHUTDOWN_S + LATITUDE_S
    assert "Traceback" not in site.daemon.log()


def nothing_is_lost(site: Site, receiver: Receiver) -> None:
    """After a restart everything is there once, and a fresh line flows."""
    receiver.behave()
    site.start()
    site.write(1)
    site.wait_for_all(receiver)
    assert receiver.conflicts == []
    stop_in_time(site)


def test_idle(site: Site, receiver: Receiver) -> None:
    site.write(LINES)
    site.start()
    site.wait_for_all(receiver)
    stop_in_time(site)
    nothing_is_lost(site, receiver)
    assert receiver.repeats == 0


def test_in_mid_batch(site: Site, receiver: Receiver) -> None:
    receiver.script(*["slow_read:60000"] * 1_000)
    site.write(LINES)
    site.start()
    wait_until(lambda: receiver.events, what="the first batch")
    stop_in_time(site)
    assert 0 < len(receiver.events) < LINES
    nothing_is_lost(site, receiver)


def test_with_the_receiver_down(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    site.write(LINES)
    site.start()
    site.daemon.wait_for_log("refused")
    stop_in_time(site)
    receiver.start()
    nothing_is_lost(site, receiver)


def test_with_a_receiver_that_says_nothing(site: Site, receiver: Receiver) -> None:
    receiver.script(*["hang:10"] * 1_000)
    site.write(LINES)
    site.start()
    wait_until(lambda: receiver.seen, what="a request that hangs")
    stop_in_time(site)
    assert receiver.events == []
    nothing_is_lost(site, receiver)


def test_with_a_name_that_does_not_resolve(site: Site, receiver: Receiver) -> None:
    """The resolver takes its time, as one whose server is gone does; nobody can interrupt it."""
    (site.directory / "sitecustomize.py").write_text(
        "import socket, time\n"
        "def ask(*question, **options):\n"
        "    print('asked the resolver', flush=True)\n"
        "    time.sleep(60)\n"
        "    raise socket.gaierror(socket.EAI_AGAIN, 'no answer')\n"
        "socket.getaddrinfo = ask\n"
    )
    site.write_config("http://collector.invalid", shutdown=f"{SHUTDOWN_S:g}s")
    environ = site.daemon.environ
    site.daemon.environ = {**environ, "PYTHONPATH": str(site.directory)}
    site.write(LINES)
    site.start()
    site.daemon.wait_for_log("asked the resolver")
    stop_in_time(site)
    site.daemon.environ = environ
    site.write_config(receiver.url, shutdown=f"{SHUTDOWN_S:g}s")
    nothing_is_lost(site, receiver)


def test_in_a_pause_that_the_receiver_asked_for(tmp_path: Path, receiver: Receiver) -> None:
    """Long before shutdown_timeout: nothing is in flight, so there is nothing to wait for."""
    receiver.script(*["429:3000"] * 1_000)
    site = Site(tmp_path, receiver.url, shutdown="60s")
    site.write(LINES)
    site.start()
    site.daemon.wait_for_log("429")
    stop_in_time(site)
    nothing_is_lost(site, receiver)


SIGNAL_AT = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {modules}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
"""
MOMENTS = ("click", "logship.cli.run", "yaml", "logship.daemon", "watchdog.observers")


def signalled_at(site: Site, number: signal.Signals, *modules: str) -> None:
    """From now on the daemon gets the signal each time it imports one of these."""
    (site.directory / "sitecustomize.py").write_text(SIGNAL_AT.format(modules=modules, number=int(number)))
    site.daemon.environ = {**site.daemon.environ, "PYTHONPATH": str(site.directory)}


def test_a_reload_at_every_moment_of_a_start_harms_nothing(site: Site, receiver: Receiver) -> None:
    signalled_at(site, signal.SIGHUP, *MOMENTS)
    site.write(10)
    site.start()
    site.daemon.wait_for_log("reloaded sources=")
    site.wait_for_all(receiver)
    stop_in_time(site)


def test_a_start_that_ignores_sighup_takes_it_once_it_is_ready(site: Site, receiver: Receiver) -> None:
    """The interpreter takes a moment before it reads the first line of logship: README, As a service, says how."""
    (site.directory / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\n")
    site.daemon.environ = {**site.daemon.environ, "PYTHONPATH": str(site.directory)}
    site.daemon.wrapper = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    site.write(10)
    site.start()
    site.daemon.hang_up()
    site.daemon.wait_for_log("reloaded sources=")
    site.wait_for_all(receiver)
    stop_in_time(site)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_at_every_moment_of_a_start_is_one(site: Site, receiver: Receiver, moment: str) -> None:
    environ = site.daemon.environ
    signalled_at(site, signal.SIGTERM, moment)
    site.write(10)
    site.daemon.start()
    assert site.daemon.wait() == 0
    assert "Traceback" not in site.daemon.log()
    site.daemon.environ = environ
    (site.directory / "sitecustomize.py").unlink()
    nothing_is_lost(site, receiver)


def test_while_it_reads_what_only_a_gz_holds(site: Site, receiver: Receiver) -> None:
    site.write(100)
    site.start()
    site.wait_for_all(receiver)
    stop_in_time(site)
    site.write(LINES)
    rotated = site.log.with_name("access.log.1.gz")
    rotated.write_bytes(gzip.compress(site.log.read_bytes()))
    site.log.unlink()
    site.write(100)
    receiver.script(*["slow_read:60000"] * 1_000)
    site.start()
    wait_until(lambda: len(receiver.events) > 100, what="the first batch from the archive")
    stop_in_time(site)
    assert len(receiver.events) < len(site.written)
    nothing_is_lost(site, receiver)


def test_while_the_log_is_rotated(site: Site, receiver: Receiver) -> None:
    receiver.script(*["slow_read:60000"] * 1_000)
    site.write(LINES)
    site.start()
    wait_until(lambda: receiver.events, what="the first batch")
    site.log.rename(site.log.with_name("access.log.1"))
    site.write(50, site.log.with_name("access.log.1"))
    site.write(100)
    stop_in_time(site)
    site.log.with_name("access.log.1").rename(site.log.with_name("access.log.2"))
    site.log.rename(site.log.with_name("access.log.1"))
    site.write(100)
    nothing_is_lost(site, receiver)


@pytest.mark.parametrize("other", ["right", "wrong"])
def test_while_it_reloads(site: Site, receiver: Receiver, other: str) -> None:
    receiver.script(*["slow_read:60000"] * 1_000)
    site.write(LINES)
    site.start()
    wait_until(lambda: receiver.events, what="the first batch")
    write_config: Callable[..., None] = site.write_config
    if other == "right":
        write_config(receiver.url, shutdown=f"{SHUTDOWN_S:g}s", max_bytes=15_000)
    else:
        write_config("no url")
    site.daemon.hang_up()
    stop_in_time(site)
    write_config(receiver.url, shutdown=f"{SHUTDOWN_S:g}s")
    nothing_is_lost(site, receiver)


def test_sigusr1_logs_more_and_again_as_before(site: Site, receiver: Receiver) -> None:
    site.start()
    site.daemon.signal(signal.SIGUSR1)
    site.daemon.wait_for_log("level=debug")
    site.write(10)
    site.wait_for_all(receiver)
    site.daemon.wait_for_log("a batch is settled")
    site.daemon.signal(signal.SIGUSR1)
    site.daemon.wait_for_log("level=info")
    said = site.daemon.log().count("DEBUG")
    site.write(10)
    site.wait_for_all(receiver)
    assert site.daemon.log().count("DEBUG") == said
    assert APPLICATION_ID not in site.daemon.log()
    stop_in_time(site)


def test_sigusr1_at_every_moment_of_a_start_harms_nothing(site: Site, receiver: Receiver) -> None:
    signalled_at(site, signal.SIGUSR1, *MOMENTS)
    site.write(10)
    site.start()
    site.wait_for_all(receiver)
    site.daemon.wait_for_log("level=debug")
    stop_in_time(site)
