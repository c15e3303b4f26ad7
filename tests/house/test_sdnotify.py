"""What the service manager hears."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from logship.process import sdnotify
from logship.process.sdnotify import Notifier
from tests.rigs.waiting import wait_until


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.settimeout(5)
    return sock


def test_each_step_is_told_in_one_message(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname(), monotonic=lambda: 1.5)
    notifier.ready("following 3 files")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping("draining\n2 batches")
    assert [manager.recv(500) for _ in range(4)] == [
        b"READY=1\nSTATUS=following 3 files",
        b"RELOADING=1\nMONOTONIC_USEC=1500000",
        b"WATCHDOG=1",
        b"STOPPING=1\nSTATUS=draining 2 batches",
    ]


def test_a_start_is_extended_while_it_works_and_not_when_it_hangs(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = iter([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])  # asked twice for each extension; then it works no more
    monkeypatch.setattr("time.process_time", lambda: next(spent, 2.0))
    monkeypatch.setattr(sdnotify, "EXTENDED_S", 0.03)
    with Notifier(manager.getsockname()).starting():
        wait_until(lambda: all(thread.name != "starting" for thread in threading.enumerate()), 10)
    assert [manager.recv(500) for _ in range(3)] == [b"EXTEND_TIMEOUT_USEC=30000"] * 3
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(500)


def test_a_start_that_is_over_is_not_extended(manager: socket.socket) -> None:
    with Notifier(manager.getsockname()).starting():
        assert manager.recv(500) == b"EXTEND_TIMEOUT_USEC=30000000"
    assert all(thread.name != "starting" for thread in threading.enumerate())


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")  # the kernel picks an abstract name
        name = manager.getsockname()
        Notifier("@" + name[1:].decode()).status("fine")
        assert manager.recv(500) == b"STATUS=fine"


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}, 30.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "17"}, 30.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "18"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
    ],
)
def test_the_watchdog_counts_only_when_it_is_meant_for_us(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert Notifier.from_environ(environ, pid=17).watchdog_s == watchdog_s


def test_without_a_manager_nothing_is_said() -> None:
    notifier = Notifier.from_environ({})
    assert notifier.address == ""
    notifier.ready("nobody hears")


def test_a_manager_that_is_gone_does_no_harm(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    manager.close()
    Path(notifier.address).unlink()
    notifier.watchdog()
