"""What systemd is told: that the daemon lives, as long as every thread of it moves."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logship.clock import SystemClock
from logship.config import load_settings
from logship.delivery import Delivery
from logship.process.sdnotify import Notifier
from logship.route.assembly import build_pipeline
from logship.state import State
from logship.status.reporting import Reporter
from logship.status.server import Answers
from tests.delivery.plugs import HandClock

CONFIG = """
endpoint: {{url: "http://127.0.0.1:9", application_id: some-id}}
state_dir: {here}/state
status: {{listen: "127.0.0.1:0"}}
sources: [{{paths: ["{here}/access.log"], format: combined}}]
"""


LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0200] "GET / HTTP/1.1" 200 5 "-" "curl/8"\n'


class Clock(HandClock, SystemClock):
    """Moved by hand, and as good as the real one."""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


@pytest.fixture
def reporter(tmp_path: Path, systemd: socket.socket) -> Iterator[Reporter]:
    (tmp_path / "logship.yml").write_text(CONFIG.format(here=tmp_path))
    settings = load_settings(tmp_path / "logship.yml", {"HOME": "/"})
    clock = Clock()
    state = State.open(settings.state_dir, clock)
    pipeline = build_pipeline(settings, state, clock)
    notifier = Notifier(str(tmp_path / "notify"), watchdog_s=30.0)
    reporter = Reporter(pipeline, state, replace(settings), clock, notifier)
    yield reporter
    reporter.close()
    pipeline.close(0.0)
    pipeline.tailer.close()
    state.close()


def test_who_asks_late_is_told_how_long_it_has_lasted(tmp_path: Path) -> None:
    """Without a systemd that makes the daemon look every few seconds."""
    (tmp_path / "logship.yml").write_text(
        CONFIG.format(here=tmp_path).replace("combined}", "combined, start_at: beginning}")
    )
    (tmp_path / "access.log").write_text(LINE)
    settings = load_settings(tmp_path / "logship.yml", {"HOME": "/"})
    clock = Clock()
    state = State.open(settings.state_dir, clock)
    pipeline = build_pipeline(settings, state, clock)
    reporter = Reporter(pipeline, state, settings, clock, Notifier(""))
    try:
        pipeline.tailer.look(clock.monotonic())
        for _ in range(100):  # nobody asks for 100 s
            reporter.report()
            clock.now_s += 1.0
        file = reporter.observe().files[0]
        assert file.lag_bytes == len(LINE)
        assert file.lag_s is not None
        assert 90.0 <= file.lag_s <= 100.0
    finally:
        reporter.close()
        pipeline.close(0.0)
        pipeline.tailer.close()
        state.close()


def test_a_daemon_that_moves_feeds_the_watchdog(reporter: Reporter, systemd: socket.socket) -> None:
    reporter.report()
    said = systemd.recv(1_000).decode()
    assert said.startswith("WATCHDOG=1\nSTATUS=0 files, 0 B behind")
    reporter.report()
    with pytest.raises(BlockingIOError):  # not on every pass
        systemd.recv(1_000)


def test_looks_that_take_long_are_far_apart_and_the_watchdog_is_fed_between(
    reporter: Reporter, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, looks = reporter._clock, []

    def look(of: Reporter) -> str:
        looks.append(clock.monotonic())
        sentence = glance(of)
        clock.now_s += 0.1  # type: ignore[attr-defined]
        return sentence

    glance = Reporter._glance
    monkeypatch.setattr(Reporter, "_glance", look)
    signs = 0
    for _ in range(100):
        reporter.report()
        clock.now_s += 1.0  # type: ignore[attr-defined]
        with contextlib.suppress(BlockingIOError):
            signs += systemd.recv(1_000).startswith(b"WATCHDOG=1")
    assert len(looks) == 5, "20 s apart: half a percent"
    assert signs >= 16, "every 6 s at most"


def test_a_stuck_thread_starves_it_and_shows_everywhere(
    reporter: Reporter, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Delivery, "stuck", lambda delivery: "sender-1 has been in one attempt for 331 s")
    reporter.report()
    said = systemd.recv(1_000).decode()
    assert "WATCHDOG" not in said
    assert "the service manager will restart the service: sender-1" in caplog.text
    status = reporter.observe()
    assert status.needs_a_person
    assert "sender-1 has been in one attempt for 331 s; nothing is lost" in str(status.advice[0])
    reporter._board._wake = lambda: reporter._board.post(status)
    health = Answers(reporter._board, lambda _: ("", b""))("/healthz")
    assert (health.status, health.body) == (503, b"sender-1 has been in one attempt for 331 s\n")
