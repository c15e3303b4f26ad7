"""A machine that fails beneath the files: a full disk, a broken one, too few descriptors, too few watches, power cuts.

Each ends with every line at the receiver under one id. What was sent twice (an unsaved position, a kill between
delivery and save) has the same id, and the receiver keeps the first.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from logship.clock import SystemClock
from logship.state import State
from tests.end_to_end.site import READY, Site
from tests.rigs.daemon import Daemon
from tests.rigs.fork import ForkedDaemon
from tests.rigs.machine import lacking, require, require_root, scaled
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

LOGS = '{{name: site, paths: ["{here}/**/*.log"], format: combined, start_at: beginning, mapping: default}}'
NOT_SAVED = "the state can't be written"
KILLS = scaled(50, 200)  # beside the thirteen under real servers in test_exactly_once.py
LINES_A_KILL = 400
START_UP_BYTES = 50_000  # what a forked daemon reads until it ships


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@contextmanager
def disk_of_small_blocks(at: Path) -> Iterator[None]:
    """4 MB in blocks of 1 KiB at `at`: a page of a mapped file may have no block though the file is long enough."""
    require_root("a small disk is mounted")
    at.mkdir()
    image = at.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(4_000_000)
    subprocess.run([require("mkfs.ext4", "e2fsprogs"), "-q", "-b", "1024", str(image)], check=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        lacking(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(at: Path) -> Path:
    """A file that takes all the room that is left."""
    rest = at / "rest"
    with rest.open("wb", 0) as file, suppress(OSError):
        while file.write(b"x" * 1024):
            pass
    return rest


@contextmanager
def disk_of(size: str, at: Path) -> Iterator[None]:
    """A disk of its own at `at`; skips where none may be mounted."""
    require_root("a small disk is mounted")
    at.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lacking(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def rotate(log: Path, *, compresses: bool = False) -> None:
    """`log` becomes `log.1` and so on, and a new one takes its place; delaycompress: the one before it is packed."""
    for number in range(len(list(log.parent.glob(f"{log.name}.*"))), 0, -1):
        for ending in ("", ".gz"):
            old = log.with_name(f"{log.name}.{number}{ending}")
            if old.exists():
                old.rename(log.with_name(f"{log.name}.{number + 1}{ending}"))
    second = log.with_name(f"{log.name}.2")
    if compresses and second.exists():
        subprocess.run([require("gzip"), str(second)], check=True)
    log.rename(log.with_name(f"{log.name}.1"))
    log.touch()


def test_a_disk_too_small_for_the_state_loses_nothing_through_rotation_and_a_kill(
    tmp_path: Path, receiver: Receiver
) -> None:
    with disk_of("200k", tmp_path / "state"):
        site = Site(tmp_path, receiver.url)
        with site.daemon:
            site.daemon.wait_for_log(READY)  # rotated files that nobody saw before are not the daemon's
            fill(tmp_path / "state")
            for _ in range(3):
                site.write(300)
                rotate(site.log)
            site.wait_for_all(receiver)
            site.daemon.wait_for_log(NOT_SAVED)
            site.daemon.kill()
            site.write(300)
            site.start()
            site.wait_for_all(receiver)
        assert "Traceback" not in site.daemon.log()
    assert receiver.conflicts == []


def test_a_read_only_state_loses_nothing_through_rotation_and_a_kill_and_is_written_when_it_can_be(
    tmp_path: Path, receiver: Receiver
) -> None:
    with disk_of("4m", tmp_path / "state"):
        site = Site(tmp_path, receiver.url)
        with site.daemon:
            site.daemon.wait_for_log(READY)
            site.write(100)
            site.wait_for_all(receiver)
            site.daemon.kill()
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "state")], check=True)
            site.start()
            for _ in range(2):
                site.write(100)
                rotate(site.log)
            site.wait_for_all(receiver)
            site.daemon.wait_for_log(NOT_SAVED)
            site.daemon.kill()
            site.write(100)
            site.start()
            site.wait_for_all(receiver)
            subprocess.run(["mount", "-o", "remount,rw", str(tmp_path / "state")], check=True)
            site.daemon.wait_for_log("the state can be written again")
            assert site.daemon.terminate() == 0
        repeats = receiver.repeats
        with site.daemon:
            site.write(1)
            site.wait_for_all(receiver)
            assert site.daemon.terminate() == 0
    assert receiver.repeats == repeats
    assert receiver.conflicts == []
    assert "Traceback" not in site.daemon.log()


def test_a_disk_that_is_full_after_a_kill_ends_no_command_and_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    with disk_of_small_blocks(tmp_path / "state"):
        site = Site(tmp_path, receiver.url)
        with site.daemon:
            site.daemon.wait_for_log(READY)
            site.write(100)
            site.wait_for_all(receiver)
            site.daemon.kill()
            rest = fill(tmp_path / "state")
            assert site.run("status").returncode == 1
            site.write(100)
            site.start()
            site.wait_for_all(receiver)
            site.daemon.wait_for_log(NOT_SAVED)
            assert site.run("trace", "no such line").returncode == 1
            rest.unlink()
            site.daemon.wait_for_log("the state can be written again")
            assert site.daemon.terminate() == 0
        repeats = receiver.repeats
        with site.daemon:
            site.write(1)
            site.wait_for_all(receiver)
            assert site.daemon.terminate() == 0
    assert receiver.repeats == repeats
    assert receiver.conflicts == []


def test_a_state_directory_removed_while_running_needs_a_person_and_loses_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    site = Site(tmp_path, receiver.url)
    site.write_config(receiver.url, status=f'{{listen: "127.0.0.1:{free_port()}"}}')
    with site.daemon:
        site.daemon.wait_for_log(READY)
        site.write(100)
        site.wait_for_all(receiver)
        assert site.run("status").returncode == 0
        shutil.rmtree(tmp_path / "state")
        site.daemon.wait_for_log("removed or replaced")
        status = site.run("status")
        assert status.returncode == 1
        assert "was removed or replaced" in status.stdout
        site.daemon.hang_up()
        site.daemon.wait_for_log("reloaded")
        assert site.run("status").returncode == 0
        site.write(100)
        site.wait_for_all(receiver)
        site.daemon.kill()
        site.write(100)
        site.start()
        site.wait_for_all(receiver)
        assert site.daemon.terminate() == 0
    assert receiver.conflicts == []


def is_all_saved(site: Site) -> bool:
    """Whether the state has every log of the site confirmed to its end."""
    state = State.open(site.directory / "state", SystemClock(), daemon=False)
    rows = state.load()
    state.close()
    ends = {row.path: row.position for row in rows}
    return ends.get(str(site.log)) == site.log.stat().st_size and all(row.position == row.size_bytes for row in rows)


def test_a_disk_that_fails_at_fsync_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    site = Site(tmp_path, receiver.url)
    database = tmp_path / "state/state.db"
    on_database = [option for suffix in ("", "-wal") for option in ("-P", f"{database}{suffix}")]
    broken = "inject=fsync,fdatasync:error=EIO:when=2+"
    trace = tmp_path / "strace.log"
    only = ("--seccomp-bpf", "-e", "trace=fsync,fdatasync")  # or each system call of the daemon stops it twice
    site.daemon.wrapper = (require("strace"), "-D", "-f", *only, "-o", str(trace), *on_database, "-e", broken)
    with site.daemon:
        for _ in range(3):
            site.write(200)
            site.wait_for_all(receiver)
            rotate(site.log)
        site.daemon.wait_for_log(NOT_SAVED)
        site.daemon.kill()
        assert "EIO" in trace.read_text()
        site.daemon.wrapper = ()
        site.write(200)
        site.start()
        site.wait_for_all(receiver)
        # the daemon may be stopped on a busy machine before the last answers have come: those are sent again
        wait_until(lambda: is_all_saved(site), 30, "every position in the state")
        assert site.daemon.terminate() == 0
    repeats = receiver.repeats
    with site.daemon:
        site.write(1)
        site.wait_for_all(receiver)
    assert receiver.repeats == repeats  # the positions are saved again
    assert receiver.conflicts == []


def test_64_descriptors_are_enough_for_500_rotating_logs(tmp_path: Path, receiver: Receiver) -> None:
    site = Site(tmp_path, receiver.url, sources=(LOGS,))
    logs = [tmp_path / f"site-{number}.log" for number in range(500)]
    site.daemon.wrapper = (require("prlimit", "util-linux"), "--nofile=64:64")
    for log in logs:
        site.write(1, log)
    with site.daemon:
        site.wait_for_all(receiver)
        for log in logs[::2]:
            rotate(log)
        for log in logs:
            site.write(1, log)
        site.wait_for_all(receiver)
        assert "Traceback" not in site.daemon.log()
        assert site.daemon.log().count("more logs than descriptors") == 1
    assert receiver.repeats == 0


def test_three_inotify_watches_are_enough_for_logs_in_ten_directories(tmp_path: Path, receiver: Receiver) -> None:
    limited = 'echo 3 >/proc/sys/user/max_inotify_watches && exec "$@"'
    wrapper = (require("unshare", "util-linux"), "-Ur", "sh", "-c", limited, "sh")
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        lacking(f"watches can't be limited here: {tried.stderr.strip()}")
    site = Site(tmp_path, receiver.url, sources=(LOGS,))
    logs = [tmp_path / f"vhost-{number}/access.log" for number in range(10)]
    for log in logs:
        log.parent.mkdir()
        site.write(1, log)
    site.daemon.wrapper = wrapper
    with site.daemon:
        site.wait_for_all(receiver)
        for log in logs:
            site.write(2, log)
            rotate(log)
            site.write(1, log)
        site.wait_for_all(receiver)
        assert site.daemon.log().count("WARNING") == 1
    assert receiver.repeats == 0


@pytest.mark.timeout(scaled(240, 1_800))
def test_kills_at_random_points_of_a_run_with_rotation_lose_nothing(tmp_path: Path, receiver: Receiver) -> None:
    seed = random.randrange(2**32)
    print(f"seed of the moments: {seed}")  # noqa: T201
    rng = random.Random(seed)
    site = Site(tmp_path, receiver.url)
    with ForkedDaemon(site.config, tmp_path) as daemon:
        daemon.wait_for_log(READY)  # rotated files that nobody saw before are not the daemon's
        for _ in range(KILLS):
            site.write(rng.randrange(LINES_A_KILL))
            if rng.random() < 0.4:
                rotate(site.log, compresses=rng.random() < 0.5)
            site.write(rng.randrange(1, LINES_A_KILL))
            _wait_for_a_moment(site, daemon, receiver, rng)
            daemon.kill()
            daemon.start()
        daemon.kill()
    starts = site.daemon.log().count(READY)
    with site.daemon:
        site.daemon.wait_for_log(READY, times=starts + 1)
        site.wait_for_all(receiver)
        assert site.daemon.terminate() == 0
    assert receiver.conflicts == []


def _wait_for_a_moment(site: Site, daemon: Daemon, receiver: Receiver, rng: random.Random) -> None:
    """Somewhere in the start, which is measured by what the process has read, or among the arrivals."""
    missing = len(site.written) - len(receiver.events)
    arrivals = len(receiver.events) + rng.randrange(missing + 1)
    counters = Path(f"/proc/{daemon.pid}/io")
    read_bytes = rng.randrange(START_UP_BYTES) if rng.random() < 0.4 else START_UP_BYTES * 1_000

    def has_come() -> bool:
        read = int(counters.read_text().partition("rchar: ")[2].split()[0])
        return len(receiver.events) >= arrivals or read >= read_bytes

    wait_until(has_come, 30, f"{arrivals} events", every_s=0.001)
