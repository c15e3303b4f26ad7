"""Sockets that the service manager opened, and what comes with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from logship.collector import stored_events
from logship.collector.listening import bind, host_of, inherited, url_of
from logship.collector.options import CollectorOptions
from logship.errors import UsageError
from logship.process.loopback import is_loopback
from tests.collector.sending import event, post
from tests.rigs.machine import require
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

TOKEN = "0123456789abcdef0123"


def passed(*sockets: socket.socket) -> tuple[dict[str, str], int]:
    """The variables of sd_listen_fds(3) for copies of `sockets`, and the first copy's descriptor."""
    first = max(int(name) for name in os.listdir("/proc/self/fd")) + 10
    for number, each in enumerate(sockets):
        os.dup2(each.fileno(), first + number)
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)), "HOME": "/"}, first


def test_sockets_meant_for_this_process_are_taken_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        environ, first = passed(one, two)
        taken = inherited(environ, first_fd=first)
        assert [each.getsockname() for each in taken] == [one.getsockname(), two.getsockname()]
        assert environ == {"HOME": "/"}, "a child takes them for its own otherwise"
        assert not any(each.get_inheritable() for each in taken)
        assert inherited(environ, first_fd=first) == []
        for each in taken:
            each.close()


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "x", "LISTEN_FDS": "y"}]
)
def test_sockets_of_another_process_are_left_alone(environ: dict[str, str]) -> None:
    assert inherited(environ, pid=2) == []


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_socket_that_takes_no_connections_is_told(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as odd:
        environ, first = passed(odd)
        with pytest.raises(UsageError, match="ListenStream"):
            inherited(environ, first_fd=first)


def test_a_socket_open_to_others_counts(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX) as local,
        socket.create_server(("127.0.0.1", 0)) as loopback,
        socket.create_server(("0.0.0.0", 0)) as open_to_all,  # never accepted from
    ):
        local.bind(str(tmp_path / "collector.sock"))
        assert host_of([local, loopback, open_to_all]) == "0.0.0.0"
        assert host_of([loopback, local]) == "127.0.0.1"
        assert host_of([local]) == "localhost"
        assert url_of(local, "/c") == f"unix:{tmp_path}/collector.sock"


@pytest.mark.parametrize("is_passed", [False, True])
def test_answers_do_not_wait_for_the_clients_acknowledgement(*, is_passed: bool) -> None:
    listener = bind("127.0.0.1", 0)
    if is_passed:
        with socket.create_server(("127.0.0.1", 0)) as passed_on:
            environ, first = passed(passed_on)
        listener.close()
        (listener,) = inherited(environ, first_fd=first)
    with listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@contextmanager
def activated(listen: str, store: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """`logship collector` as systemd starts it at the first connection."""
    program = require("systemd-socket-activate", "systemd")
    settings = [f"--setenv={name}={value}" for name, value in environ.items()]
    command = [sys.executable, "-m", "logship", "collector", "--store", str(store)]
    running = subprocess.Popen(
        [program, f"--listen={listen}", *settings, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        for stream in (running.stdout, running.stderr):
            assert stream is not None
            stream.close()


def test_the_first_connection_starts_it_and_is_served(tmp_path: Path) -> None:
    port = free_port()
    store = tmp_path / "events.db"
    with activated(f"127.0.0.1:{port}", store) as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), what="the port is open")
        assert running.stdout is not None
        assert running.stdout.readline() == f"listening {url}\n"
        assert post(url, [event(1)]).status_code == 201
    assert len(stored_events(store)) == 1


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path, store = tmp_path / "collector.sock", tmp_path / "events.db"
    with activated(str(path), store) as running:
        wait_until(path.exists, what="the socket is there")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(path))
            client.sendall(b"GET /health/probe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert running.stdout is not None
        assert running.stdout.readline() == f"listening unix:{path}\n"


def test_a_socket_open_to_others_needs_ids_and_a_token(tmp_path: Path) -> None:
    port = free_port()
    with activated(f"0.0.0.0:{port}", tmp_path / "events.db") as running:
        wait_until(lambda: _connects(port), what="the port is open")
        assert running.wait(30) == 2
        assert running.stderr is not None
        assert "0.0.0.0 is not loopback: anybody could post" in running.stderr.read()


def test_the_token_may_be_a_credential(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "page_token").write_text(TOKEN + "\n")
    settings = {"LOGSHIP_APPLICATION_ID": "test-application", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    with activated(f"0.0.0.0:{port}", tmp_path / "events.db", **settings):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), what="the port is open")
        assert requests.get(f"{url}/api/events", timeout=20).status_code == 401
        shown = requests.get(f"{url}/api/events", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        assert shown.status_code == 200


def test_an_empty_credential_is_none(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "page_token").write_text("\n")
    with activated(f"127.0.0.1:{port}", tmp_path / "events.db", CREDENTIALS_DIRECTORY=str(tmp_path)):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), what="the port is open")
        assert requests.get(f"{url}/api/events", timeout=20).status_code == 200


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/probe", timeout=20).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.parametrize(
    ("host", "is_alone"),
    [
        ("127.0.0.1", True), ("127.0.0.2", True), ("127.255.255.254", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("128.0.0.1", False), ("127.0.0.1.example", False), ("", False),
    ],
)  # fmt: skip
def test_all_of_127_and_no_more_is_this_machine_alone(host: str, is_alone: bool) -> None:
    assert is_loopback(host) is is_alone
    if is_alone:
        assert CollectorOptions(store="x", host=host).applications == {}
    else:
        with pytest.raises(UsageError, match="is not loopback"):
            CollectorOptions(store="x", host=host)
