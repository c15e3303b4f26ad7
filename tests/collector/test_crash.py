"""SIGKILL and SIGTERM of a real process while clients post."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from logship.collector import stored_events
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import many, post
from tests.rigs.machine import require, scaled
from tests.rigs.waiting import wait_until

CLIENTS = 8
EVENTS = 40  # of a batch


@contextmanager
def process(store: Path, *arguments: str, wrapper: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`logship collector` as its users start it, and the URL its first line names."""
    command = [*wrapper, sys.executable, "-m", "logship", "collector", "--listen", "127.0.0.1:0", "--store", str(store)]
    running = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        word, url = running.stdout.readline().split()
        assert word == "listening"
        yield running, url
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def post_until_it_ends(url: str, client: int, answered: list[int], is_warm: threading.Event) -> None:
    """Posts batches with numbers of this client's own; notes the first number of each that was answered 201."""
    session = requests.Session()
    first = client * 1_000_000
    while True:
        try:
            answer = session.post(
                f"{url}/v1/events/batch",
                json=many(EVENTS, first=first),
                headers={"X-Moesif-Application-Id": APPLICATION_ID},
                timeout=20,
            )
        except requests.RequestException:
            return
        if answer.status_code == 201:
            answered.append(first)
            first += EVENTS
            if len(answered) >= 3:
                is_warm.set()


def post_and_end(store: Path, how: signal.Signals) -> set[str]:
    """Ids that were answered 201 before the process ended in the middle of eight clients' posts."""
    answered: list[list[int]] = [[] for _ in range(CLIENTS)]
    warm = [threading.Event() for _ in range(CLIENTS)]
    with process(store) as (running, url):
        threads = [
            threading.Thread(target=post_until_it_ends, args=(url, client, answered[client], warm[client]))
            for client in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        assert all(event.wait(60) for event in warm)
        running.send_signal(how)
        code = running.wait(30)
        for thread in threads:
            thread.join()
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    firsts = [first for client in answered for first in client]
    return {one["transaction_id"] for first in firsts for one in many(EVENTS, first=first)}


def test_every_event_answered_201_is_there_once_after_sigkill(tmp_path: Path) -> None:
    store = tmp_path / "events.db"
    promised: set[str] = set()
    for _ in range(scaled(2, 30)):
        promised |= post_and_end(store, signal.SIGKILL)
        with process(store) as (_, url):
            again = many(EVENTS, first=0)
            assert post(url, again).status_code == 201
        stored = [one["transaction_id"] for one in stored_events(store)]
        assert promised <= set(stored)
        assert len(stored) == len(set(stored))


def test_sigterm_answers_what_was_accepted_and_ends_with_exit_0(tmp_path: Path) -> None:
    store = tmp_path / "events.db"
    promised = post_and_end(store, signal.SIGTERM)
    assert promised <= {one["transaction_id"] for one in stored_events(store)}


def test_a_201_is_written_only_after_the_log_was_fsynced(tmp_path: Path) -> None:
    """What the kernel saw: between the last page that was written and the answer stands an fsync of the same file."""
    store, trace = tmp_path / "events.db", tmp_path / "trace"
    strace = (require("strace"), "-D", "-f", "-y", "-o", str(trace), "-e", "trace=pwrite64,fdatasync,sendto")
    with process(store, wrapper=strace) as (_, url):
        for first in range(0, 2_000, 400):
            assert post(url, many(400, first=first)).status_code == 201
            user = {"user_id": "ann", "metadata": {"first": first}}
            assert post(url, user, path="/v1/users").status_code == 201
            action = {"action_name": "Clicked", "request": {"uri": "/"}}
            assert post(url, [action], path="/v1/actions/batch").status_code == 201
    wait_until(lambda: "+++ killed by SIGKILL" in trace.read_text(), what="the end of the trace")
    answers, unsynced = 0, False
    syncing: dict[str, bool] = {}
    for line in trace.read_text().splitlines():
        thread, _, call = line.partition(" ")
        if "pwrite64(" in call and f"{store}-wal" in call:
            unsynced, syncing = True, {}
        elif "fdatasync(" in call and f"{store}-wal" in call:
            syncing[thread] = True
            unsynced &= "unfinished" in call
        elif "fdatasync resumed" in call and syncing.get(thread):
            unsynced = False
        elif "sendto(" in call and "HTTP/1.1 201" in call:
            answers += 1
            assert not unsynced, line
    assert answers == 15
