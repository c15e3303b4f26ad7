"""A machine that is not as it should be: one clear sentence, and shipping where that is possible."""

from __future__ import annotations

import glob
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.daemon import Daemon
from tests.rigs.machine import require
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until
from tests.service.following import Following


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_a_taken_status_port_is_a_warning_and_the_daemon_ships(tmp_path: Path, receiver: Receiver) -> None:
    site = Following(tmp_path, receiver)
    with socket.create_server(("127.0.0.1", site.port)), site.daemon:
        site.write(10)
        wait_until(lambda: len(receiver.events) == 9, what="the lines arrive")
        assert f"port={site.port}" in site.daemon.log()
        assert "WARNING" in site.daemon.log()


def test_a_second_daemon_on_the_same_state_ends_with_78(tmp_path: Path, receiver: Receiver) -> None:
    site = Following(tmp_path, receiver)
    with site.daemon:
        site.wait(lambda status: status["state"] == "running", "it runs")
        folder = tmp_path / "second"
        folder.mkdir()
        second = Daemon(site.config, folder)
        second.start()
        assert second.wait() == 78
        assert str(site.state) in second.log()
        assert site.daemon.is_running()


@pytest.mark.parametrize(
    ("form", "begins"),
    [("journald", "<3>run: not started: "), ("json", '{"time":'), ("text", "{directory}/logship.yml:")],
)
def test_why_it_did_not_start_stands_in_its_log_as_everything_else_does(
    form: str, begins: str, tmp_path: Path, receiver: Receiver
) -> None:
    site = Following(tmp_path, receiver)
    site.write_config("combind")
    daemon = Daemon(site.config, tmp_path, arguments=("--log-format", form))
    daemon.start()
    assert daemon.wait() == 78
    first = daemon.log().splitlines()[0]
    assert first.startswith(begins.replace("{directory}", str(tmp_path)))
    assert "no preset 'combind'; did you mean 'combined'?" in first
    assert site.config.name in first


def test_an_empty_credential_is_told_with_the_file_to_fill_and_no_warning_beside_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    site = Following(tmp_path, receiver)
    site.config.write_text(site.config.read_text().replace(", application_id: some-id", ""))
    (tmp_path / "application_id").write_text("\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    daemon = Daemon(site.config, tmp_path, arguments=("--log-format", "journald"), environ=environ)
    daemon.start()
    assert daemon.wait() == 78
    (line,) = daemon.log().splitlines()
    assert f"no application id: {tmp_path}/application_id is empty; put it there" in line


def test_a_state_directory_that_can_not_be_written_is_said_and_lines_are_shipped(
    tmp_path: Path, receiver: Receiver
) -> None:
    drop = "-dac_override,-dac_read_search,-fowner,-chown"
    wrapper = (require("setpriv", "util-linux"), "--bounding-set", drop) if os.geteuid() == 0 else ()
    site = Following(tmp_path, receiver, wrapper)
    site.state.mkdir(mode=0o500)
    with site.daemon:
        site.write(10)
        wait_until(lambda: len(receiver.events) == 9, what="the lines arrive")
        site.wait(lambda status: status["advice"], "it complains")
        assert "positions can't be saved" in site.status()["advice"][0]["text"]
        assert site.command().returncode == 1


def test_an_unknown_receiver_is_tried_for_ever_and_a_stop_is_in_time(tmp_path: Path, receiver: Receiver) -> None:
    site = Following(tmp_path, receiver)
    site.config.write_text(site.config.read_text().replace(receiver.url, "http://no-such-host.invalid"))
    with site.daemon:
        site.write(10)
        site.wait(lambda status: status["receivers"][0]["state"] == "paused", "it pauses")
        assert "no-such-host.invalid" in site.status()["advice"][0]["text"]
        assert site.daemon.terminate() == 0
    assert "1 batch was not delivered; the next run sends it" in site.daemon.log()
    assert "ERROR" not in site.daemon.log(), "nothing is lost, nobody is needed"


def test_a_low_limit_of_descriptors_is_worked_with(tmp_path: Path, receiver: Receiver) -> None:
    prlimit = require("prlimit", "util-linux")
    site = Following(tmp_path, receiver, (prlimit, "--nofile=128:128"))
    site.config.write_text(site.config.read_text().replace(str(site.log), str(site.log.parent / "*.log")))
    for number in range(200):
        with site.log.with_name(f"site-{number}.log").open("w") as log:
            log.write(f'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x/{number} HTTP/1.1" 200 17 "-" "curl/8"\n')
    with site.daemon:
        wait_until(lambda: len(receiver.events) == 200, 60, "every log arrives")
        assert "Traceback" not in site.daemon.log()


def test_memory_of_128_mb_is_plenty(tmp_path: Path, receiver: Receiver) -> None:
    """A hard bound on the address space would refuse what is never touched; what counts is what is resident."""
    site = Following(tmp_path, receiver)
    site.write(200_000)
    with site.daemon:
        wait_until(lambda: len(receiver.ids) == 199_999, 120, "the backlog arrives")
        peak = Path(f"/proc/{site.daemon.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
        assert int(peak) * 1024 < 100_000_000


def test_a_clock_in_1970_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    require("faketime")
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    # not `faketime` itself: it stays as the parent, the signals that are for the daemon would reach it alone
    site = Following(tmp_path, receiver, ("env", f"LD_PRELOAD={library}", "FAKETIME=@1970-01-01 00:10:00"))
    site.write(10)
    with site.daemon:
        wait_until(lambda: len(receiver.events) == 9, what="the lines arrive")
    assert site.daemon.log().startswith("1970-01-01T00:1")
    site.daemon.wrapper = ()
    site.write(10)
    with site.daemon:
        wait_until(lambda: len(receiver.events) == 19, what="the lines arrive after the clock was set")
        assert site.daemon.is_running(), "it is this daemon that has sent them"
    assert receiver.repeats == 0
