"""The command as a process among others: signals, pagers, terminals, killed workers."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.backfill.receiver import Receiver
from tests.backfill.world import SHUTDOWN_S, World, access_lines, joined, truth, write_old
from tests.rigs.waiting import wait_until

LINES = access_lines(16_000)


@pytest.fixture
def log(world: World) -> Path:
    return write_old(world.logs / "access.log.1", joined(LINES))


def children(pid: int) -> list[int]:
    """Processes that `pid` started and that are there."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def workers(pid: int) -> list[int]:
    """The spawned workers of a backfill, not multiprocessing's own resource tracker."""
    return [child for child in children(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_ctrl_c_once_finishes_what_is_under_way(world: World, receiver: Receiver, log: Path) -> None:
    process = world.start("--jobs", 1, "--rate", 4_000, log)
    wait_until(lambda: len(receiver.times) > 1_000, 60, "events")
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"stopped; the same command continues from here" in out
    sent = len(receiver.times)
    assert sent < len(LINES)
    rest = world.here(log)
    assert (rest["already_confirmed"], rest["sent"]) == (sent, len(LINES) - sent), "all that arrived was confirmed"
    assert (receiver.ids, receiver.repeats) == (truth(log, LINES), 0)


def test_a_sigterm_to_all_its_processes_ends_it_in_order(world: World, receiver: Receiver, log: Path) -> None:
    process = world.start("--jobs", 1, "--rate", 4_000, log, start_new_session=True)
    wait_until(lambda: len(receiver.times) > 1_000, 60, "events")
    os.killpg(process.pid, signal.SIGTERM)  # as systemd does
    process.communicate(timeout=60)
    assert process.returncode == 1
    sent = len(receiver.times)
    assert world.here(log)["already_confirmed"] == sent


def test_ctrl_c_twice_stops_at_once_and_leaves_no_worker(world: World, receiver: Receiver, log: Path) -> None:
    receiver.status = 503
    process = world.start("--jobs", 1, log)
    wait_until(lambda: receiver.posts > 2, 60, "posts")
    left = workers(process.pid)
    assert left
    for number in (signal.SIGINT, signal.SIGTERM):  # two of one kind that come at once are one
        process.send_signal(number)
    process.communicate(timeout=SHUTDOWN_S - 5)  # less than shutdown_timeout, which the first alone would wait for
    assert process.returncode == 1
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 10, "the workers are gone")
    receiver.status = 201
    assert world.here(log)["sent"] == len(LINES)


def test_a_closed_terminal_ends_it_in_order(world: World, receiver: Receiver, log: Path) -> None:
    driver, terminal = pty.openpty()
    world.environ |= {"PYTHONUNBUFFERED": "", "TERM": "xterm"}  # as a person's: what is buffered is left at the end
    process = world.start(
        "--jobs", 1, "--rate", 4_000, log, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    wait_until(lambda: len(receiver.times) > 1_000, 60, "events")
    assert b"in flight" in os.read(driver, 65_536), "the bar is drawn"
    os.close(driver)
    os.kill(process.pid, signal.SIGHUP)  # what the kernel sends the session's leader
    assert process.wait(60) == 1
    sent = len(receiver.times)
    assert world.here(log)["already_confirmed"] == sent


def test_a_pager_that_is_quit_does_not_stop_the_delivery(world: World, receiver: Receiver, log: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pager:
        process = world.start(log, stdout=pager)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert receiver.ids == truth(log, LINES)


def test_without_a_terminal_progress_is_lines_and_stdout_has_it_all(world: World, log: Path) -> None:
    pager = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert pager.stdin is not None
    process = world.start("--rate", 2_000, log, stdout=pager.stdin, stderr=subprocess.PIPE)
    pager.stdin.close()
    assert pager.stdout is not None
    with pager.stdout as shown:
        out = shown.read()
    pager.wait(10)
    assert (process.wait(10), process.communicate()[1]) == (0, b"")
    lines = out.decode().splitlines()
    assert "lines 16,000 = sent 16,000" in lines[-2]
    assert any("ETA 0:00:" in line and "0/1 files" in line for line in lines)
    assert "\x1b" not in out.decode()


def kill_a_worker_after(events: int, process: subprocess.Popen[bytes], receiver: Receiver) -> None:
    wait_until(lambda: len(receiver.times) > events and workers(process.pid), 60, f"{events} events")
    os.kill(workers(process.pid)[0], signal.SIGKILL)


def test_a_killed_worker_is_replaced_and_its_rest_done_again(world: World, receiver: Receiver, log: Path) -> None:
    process = world.start("--json", "--jobs", 2, "--rate", 4_000, log)
    for events in (4_000, 8_000):
        kill_a_worker_after(events, process, receiver)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert receiver.ids == truth(log, LINES)
    assert b'"sent": 16000' in out, "what the dead had sent is counted once"


def test_workers_die_with_a_killed_driver_and_hold_no_lock(world: World, receiver: Receiver, log: Path) -> None:
    process = world.start("--jobs", 2, "--rate", 4_000, log)
    wait_until(lambda: len(receiver.times) > 500, 60, "events")
    left = workers(process.pid)
    for pid in left:
        held = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
        assert not [name for name in held if str(world.directory / "state") in name]
    process.kill()
    process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 20, "the workers are gone")
