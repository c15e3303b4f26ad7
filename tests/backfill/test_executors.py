"""The local pool: processes that report, drain, are replaced when they break, and die with their driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import pytest

from logship.backfill.executors import Channel
from logship.backfill.local import LocalPool
from logship.backfill.reports import Ending, Report
from logship.counters import Tally
from tests.rigs.waiting import wait_until


def count_to(channel: Channel, piece: int, last: int) -> Report:
    """A task: reports 1..last, then is done."""
    for number in range(1, last):
        channel.send(Report(piece, str(os.getpid()), number, number, Tally(lines=number)))
    return Report(piece, str(os.getpid()), last, last, Tally(lines=last), ending=Ending.DONE)


def wait_for_stop(channel: Channel, piece: int) -> Report:
    """A task that ends when it is told to, and not before."""
    channel.send(Report(piece, str(os.getpid()), 1, 0, Tally()))
    while not channel.is_stopping():
        time.sleep(0.001)
    return Report(piece, str(os.getpid()), 2, 0, Tally(), ending=Ending.STOPPED)


def niceness(channel: Channel, piece: int) -> Report:
    """A task that tells its priority, and whether a terminal's signals reach it."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGHUP)
    return Report(piece, str(os.nice(0)), 1, 0, Tally(), ending=Ending.DONE)


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    pool = LocalPool(2)
    yield pool
    pool.close(at_once=True)


def drained(pool: LocalPool) -> list[Report]:
    reports = []
    while not pool.reports.empty():
        report = pool.reports.get()
        assert report is not None
        reports.append(report)
    return reports


def pid_of(pool: LocalPool) -> int:
    report = pool.reports.get(timeout=20)
    assert report is not None
    return int(report.attempt)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_report_is_there_after_close_in_the_order_of_its_task(pool: LocalPool) -> None:
    futures = [pool.submit(count_to, piece, 40) for piece in range(5)]
    assert [future.result(120).decided_to for future in futures] == [40] * 5
    pool.close()
    reports = drained(pool)
    for piece in range(5):
        assert [report.number for report in reports if report.piece == piece] == list(range(1, 40))


def test_draining_ends_tasks_by_their_own_hand(pool: LocalPool) -> None:
    future = pool.submit(wait_for_stop, 0)
    pid_of(pool)
    pool.drain()
    assert future.result(120).ending is Ending.STOPPED


def test_a_killed_worker_breaks_the_pool_and_a_replaced_pool_works(pool: LocalPool) -> None:
    future = pool.submit(wait_for_stop, 0)
    os.kill(pid_of(pool), signal.SIGKILL)
    with pytest.raises(BrokenExecutor):
        future.result(120)
    pool.replace()
    again: Future[Report] = pool.submit(count_to, 1, 3)
    assert again.result(20).decided_to == 3


def test_closing_at_once_does_not_wait_for_tasks(pool: LocalPool) -> None:
    future = pool.submit(wait_for_stop, 0)
    pid = pid_of(pool)
    pool.close(at_once=True)
    assert not is_alive(pid)
    assert isinstance(future.exception(20), BrokenExecutor)


def test_workers_are_niced_and_leave_a_terminals_signals_to_the_driver(pool: LocalPool) -> None:
    assert int(pool.submit(niceness, 0).result(20).attempt) >= 10


DRIVER = """
import sys
from logship.backfill.local import LocalPool
from tests.backfill.test_executors import wait_for_stop
if __name__ == "__main__":
    pool = LocalPool(2)
    futures = [pool.submit(wait_for_stop, piece) for piece in range(2)]
    print(*(pool.reports.get().attempt for _ in futures), flush=True)
    futures[0].result()
"""


def test_workers_die_with_a_killed_driver(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environ)
    assert driver.stdout is not None
    workers = [int(pid) for pid in driver.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(is_alive, workers))
    driver.kill()
    driver.wait()
    driver.stdout.close()
    wait_until(lambda: not any(map(is_alive, workers)), 20, "the workers are gone")
