"""In each situation an administrator meets, every view says the same, and it is true."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.rigs.machine import require, require_root
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until
from tests.service.following import Following

NO_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")  # root reads only what it may


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver) -> Iterator[Following]:
    site = Following(tmp_path, receiver)
    with site.daemon:
        yield site


def test_idle_is_all_well(site: Following, receiver: Receiver) -> None:
    site.write(100)
    site.wait(lambda status: sum(source["lines"] for source in status["sources"]) == 100, "100 lines")
    site.wait_until_idle()
    views = site.views()
    assert (views.exit_code, views.health, views.readiness, views.advice) == (0, 200, 200, "")
    assert views.metrics["logship_lines_total{site}"] == views.sum_of_lines() == 100
    assert views.metrics["logship_lines_sent_total{site}"] == len(receiver.events) == 99
    assert views.metrics["logship_lines_dropped_total{probes,site}"] == 1
    assert views.metrics["logship_lag_bytes{site}"] == views.metrics["logship_lag_seconds{site}"] == 0
    assert views.metrics["logship_files{site,ok}"] == 1
    file = views.status["files"][0]
    assert file["position"] == file["size_bytes"] == site.log.stat().st_size
    assert (file["sent"], file["dropped"]) == (99, 1)
    assert str(site.log)[-20:] in views.printed


def test_catching_up_shows_how_far_it_is_behind(site: Following, receiver: Receiver) -> None:
    receiver.script(*["slow_read:20000"] * 1000)
    site.write(2000)
    site.wait(lambda status: status["files"] and status["files"][0]["position"] > 0, "the first batches")
    views = site.views()
    assert (views.health, views.readiness) == (200, 200)
    file = views.status["files"][0]
    assert 0 < file["position"] < file["size_bytes"] == site.log.stat().st_size
    assert file["lag_bytes"] == file["size_bytes"] - file["position"]
    assert file["lag_s"] > 0
    assert views.metrics["logship_lag_bytes{site}"] > 0
    receiver.behave()


def test_a_receiver_that_is_down_is_not_ready_but_healthy(site: Following, receiver: Receiver) -> None:
    receiver.stop()
    site.write(50)
    site.wait(lambda status: "refused" in status["receivers"][0]["last_error"], "it pauses")
    views = site.views()
    assert (views.exit_code, views.health, views.readiness) == (0, 200, 503), "it mends itself, nobody is needed"
    assert "nothing is lost" in views.advice
    assert views.metrics["logship_ready{}"] == 0
    assert views.metrics["logship_lag_bytes{site}"] > 0
    receiver.start()
    site.wait_until_idle()
    assert site.views().advice == ""
    assert len(receiver.events) == 49


def test_a_refused_application_id_needs_a_person(site: Following, receiver: Receiver) -> None:
    receiver.application_ids = {"another-id"}
    site.write(50)
    site.wait(lambda status: status["receivers"][0]["state"] == "held", "it holds")
    views = site.views()
    assert (views.exit_code, views.health, views.readiness) == (1, 200, 503)
    assert "401" in views.advice
    assert "put the right one into endpoint.application_id and reload" in views.advice
    assert "401" in views.printed
    assert "HELD" in views.printed
    name = views.status["receivers"][0]["name"]
    assert views.metrics[f"logship_receiver_held{{{name}}}"] == 1
    assert "some-id" not in views.printed + site.daemon.log()


def test_an_unreadable_file_is_named_with_the_reason(tmp_path: Path, receiver: Receiver) -> None:
    wrapper = (require("setpriv", "util-linux"), *NO_OVERRIDE[1:]) if os.geteuid() == 0 else ()
    site = Following(tmp_path, receiver, wrapper)
    site.write(10)
    site.log.chmod(0)
    with site.daemon:
        site.wait(lambda status: status["advice"], "it complains")
        views = site.views()
        assert (views.exit_code, views.health) == (1, 200)
        assert str(site.log) in views.advice
        assert "ermission denied" in views.advice
        assert f"run: setfacl -m u:{pwd.getpwuid(os.geteuid()).pw_name}:r {site.log}" in views.advice
        assert views.metrics["logship_files{site,unreadable}"] == 1
        site.log.chmod(0o644)
        site.wait(lambda status: not status["advice"] and sum(s["sent"] for s in status["sources"]) == 9, "it reads")


def test_dead_letters_need_a_look(site: Following) -> None:
    site.write(5)
    with site.log.open("a") as log:
        log.write("this fits no format\n")
    site.write(5)
    site.wait(lambda status: status["dead_letters"] == 1, "one dead letter")
    views = site.views()
    assert (views.exit_code, views.health, views.readiness) == (1, 200, 200)
    assert "dead-letters list" in views.advice
    assert views.metrics["logship_dead_letters{}"] == views.metrics["logship_lines_dead_letters_total{site}"] == 1
    assert views.metrics["logship_lines_total{site}"] == views.sum_of_lines() == 11


def test_a_refused_reload_is_shown_until_a_right_one(site: Following) -> None:
    site.write(5)
    site.wait_until_idle()
    site.write_config("combind")
    site.daemon.hang_up()
    site.wait(lambda status: status["counts"]["config_reload_failed"] == 1, "it refuses")
    site.write(5)
    site.wait_until_idle()
    answered = site.status()
    assert "reload refused" in answered["advice"][0]["text"]
    assert "combind" in answered["advice"][0]["text"]
    site.write_config()
    site.daemon.hang_up()
    site.wait(lambda status: status["counts"]["config_reloads"] == 1, "it reloads")
    views = site.views()
    assert (views.exit_code, views.advice) == (0, "")
    assert views.metrics["logship_config_reload_failed_total{}"] == 1
    assert views.metrics["logship_config_reloads_total{}"] == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk for the state."""
    require_root("a small disk is mounted")
    state = tmp_path / "disk"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(state)], check=True)
    yield state
    subprocess.run(["umount", str(state)], check=True)


def test_a_state_on_a_full_disk_ships_on_and_says_so(tmp_path: Path, receiver: Receiver, disk: Path) -> None:
    site = Following(tmp_path, receiver, state=disk)
    with site.daemon:
        site.write(5)
        site.wait_until_idle()
        _fill(disk / "filler")
        _it_ships_without_saving(site)
        (disk / "filler").unlink()
        _it_is_well_again(site, receiver)


def test_a_state_on_a_read_only_disk_ships_on_and_says_so(tmp_path: Path, receiver: Receiver, disk: Path) -> None:
    site = Following(tmp_path, receiver, state=disk)
    with site.daemon:
        site.write(5)
        site.wait_until_idle()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with site.daemon:
        site.wait(lambda status: status["state"] == "running", "it runs")
        _it_ships_without_saving(site)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        _it_is_well_again(site, receiver)


def _it_ships_without_saving(site: Following) -> None:
    wait_until(lambda: _write_until_full(site), 30, "the state can't be written", every_s=0.1)
    site.wait_until_idle()
    views = site.views()
    assert (views.exit_code, views.health, views.readiness) == (1, 200, 200)
    assert "positions can't be saved" in views.advice
    assert views.metrics["logship_state_writable{}"] == 0


def _it_is_well_again(site: Following, receiver: Receiver) -> None:
    site.wait(lambda status: not status["advice"], "it is well again")
    wait_until(lambda: len(receiver.events) == site.written - 1, what="all arrived")


def _fill(path: Path) -> None:
    """Takes all room that is left."""
    done = subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=4k"], capture_output=True, text=True, check=False)
    assert "No space left" in done.stderr


def _write_until_full(site: Following) -> bool:
    """More lines move the position, until its transaction finds no room."""
    site.write(20)
    return any("saved" in each["text"] for each in site.status()["advice"])


def test_a_rotation_shows_both_generations_while_the_old_one_is_behind(site: Following, receiver: Receiver) -> None:
    site.write(10)
    site.wait_until_idle()
    receiver.stop()
    site.write(30)
    site.wait(lambda status: "refused" in status["receivers"][0]["last_error"], "it pauses")
    site.log.rename(site.log.with_name("access.log.1"))
    site.write(20)
    site.wait(lambda status: len(status["files"]) == 2, "both generations")
    views = site.views()
    assert sum(file["lag_bytes"] for file in views.status["files"]) == views.metrics["logship_lag_bytes{site}"] > 0
    assert {Path(file["path"]).name for file in views.status["files"]} == {"access.log", "access.log.1"}
    receiver.start()
    site.wait_until_idle()
    assert len(receiver.events) == 59
    assert site.views().metrics["logship_rotations_total{}"] == 1


def test_a_stopped_daemon_is_shown_from_its_state(site: Following) -> None:
    site.write(10)
    site.wait_until_idle()
    assert site.daemon.terminate() == 0
    site.write(5)
    shown, tree = site.command(), site.command("--json")
    assert (shown.returncode, tree.returncode) == (1, 1)
    assert "STOPPED" in shown.stdout
    assert "no daemon answers on 127.0.0.1" in shown.stdout
    assert '"state":"stopped"' in tree.stdout
    (file,) = json.loads(tree.stdout)["files"]
    assert (file["sent"], file["dropped"], file["sampled_out"], file["rate"]) == (None, None, None, None), "not kept"
    assert shown.stdout.splitlines()[2].split()[-4:] == ["-"] * 4
    lag = site.log.stat().st_size * 5 // 15
    assert abs(int(tree.stdout.partition('"lag_bytes":')[2].partition(",")[0]) - lag) < 20


def test_a_daemon_whose_status_port_is_taken_is_not_called_stopped(tmp_path: Path, receiver: Receiver) -> None:
    site = Following(tmp_path, receiver)
    with socket.create_server(("127.0.0.1", site.port)), site.daemon:
        site.write(10)
        wait_until(lambda: len(receiver.events) == 9, what="the lines arrive")
        site.daemon.wait_for_log("status is off")
    # a port that nobody answers at any more, as after the other program has ended
    with site.daemon:
        site.wait(lambda status: status["state"] == "running", "it runs")
        site.config.write_text(site.config.read_text().replace(f":{site.port}", f":{free_port()}"))
        shown = site.command()
        assert shown.returncode == 1
        assert shown.stdout.startswith("NO ANSWER")
        assert f"the daemon runs as process {site.daemon.pid} but does not answer" in shown.stdout
        assert "stopped" not in shown.stdout
    assert site.command().stdout.startswith("STOPPED")


def test_another_program_on_the_port_is_no_daemon(tmp_path: Path) -> None:
    site = Following(tmp_path, Receiver())
    with ThreadingHTTPServer(("127.0.0.1", site.port), SimpleHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        shown = site.command()
        other.shutdown()
        thread.join()
    assert shown.returncode == 1
    assert f"(no daemon answers on 127.0.0.1:{site.port}: another program does, HTTP 404" in shown.stdout
    assert "<" not in shown.stdout


def test_a_daemon_that_is_not_to_be_asked_needs_nobody(tmp_path: Path, receiver: Receiver) -> None:
    site = Following(tmp_path, receiver)
    site.config.write_text(site.config.read_text().replace(f'{{listen: "127.0.0.1:{site.port}"}}', "null"))
    site.write(10)
    with site.daemon:
        wait_until(lambda: len(receiver.events) == 9, what="the lines arrive")
        shown = site.command()
        assert (shown.returncode, shown.stdout.split(" · ")[0]) == (0, "NO ANSWER")
        assert "status is null" in shown.stdout
    assert site.command().returncode == 1, "now it is stopped"


def test_watch_shows_it_anew_until_interrupted(site: Following) -> None:
    script = require("script", "bsdutils")
    timeout = require("timeout", "coreutils")
    site.wait(lambda status: status["state"] == "running", "it runs")
    shown = subprocess.run(
        [script, "-qec", f"{timeout} -s INT 5 {_quoted(site)}", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert shown.stdout.count("running") >= 2, shown.stdout
    assert "Traceback" not in shown.stdout


def _quoted(site: Following) -> str:
    return shlex.join([sys.executable, "-m", "logship", "status", "--watch", "-c", str(site.config)])
