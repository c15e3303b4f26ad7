"""Whole applications under the public SDKs, unmodified, with their default settings and bodies of 20 kB."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logship.collector import CollectorServer
from tests.collector.browsing import node_package
from tests.collector.sdks.driving import COMPANY, body_of
from tests.collector.sdks.recording import Exchange, recording
from tests.collector.test_profiles import exported
from tests.rigs.machine import lacking, require
from tests.rigs.waiting import wait_until

ID = "an-application-id-as-long-as-the-real-ones-are-" + "0" * 20  # moesif-nodejs refuses less than 50 characters
COUNT = 60
ROOT = Path(__file__).resolve().parents[2]
ANN = {"user_id": "ann", "company_id": "acme", "metadata": {"plan": "gold", "seats": {"paid": 1}}}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorServer]:
    with CollectorServer(store=str(tmp_path / "e.db"), application_ids=(ID,)) as server:
        yield server


@contextmanager
def shop(command: list[str], url: str, **environ: str) -> Iterator[None]:
    """A program that has made its COUNT calls and sent its profiles; it ends by itself afterwards."""
    with subprocess.Popen(
        [*command, url, ID, str(COUNT)],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert any(line.strip() == "sent" for line in running.stdout), "it ended early"
        yield
        running.communicate(timeout=60)
        assert running.returncode == 0


def python_shop(name: str) -> list[str]:
    if importlib.util.find_spec(f"moesif{name}") is None:
        lacking(f"moesif{name} is not installed: pip install -e '.[dev]'")
    return [sys.executable, "-m", f"tests.collector.sdks.{name}_shop"]


def assert_stored_once(events: list[dict[str, Any]], name: str) -> None:
    paths = Counter(one["request"]["uri"].partition(f"/{name}/")[2] for one in events)
    assert paths == Counter({str(number): 1 for number in range(COUNT)})
    bodies = {one["request"]["body"]["number"]: one["request"]["body"] for one in events}
    assert bodies[7] == {**body_of(7), "text": bodies[7]["text"]}
    assert all(len(one["request"]["body"]["text"]) > 3_000 for one in events)
    assert all(one["response"]["body"]["number"] == one["request"]["body"]["number"] for one in events)


def assert_profiles(collector: CollectorServer, *others: str) -> None:
    """Merged over several updates, some of which said null or nothing of what they did not set."""
    users: dict[str, Any] = {one["user_id"]: one for one in exported(collector.url, "users")}
    assert {key: value for key, value in users["ann"].items() if value} == ANN
    assert set(users) == {"ann", "bob", "eve", *others}
    companies = {one["company_id"]: one for one in exported(collector.url, "companies")}
    assert {key: value for key, value in companies["acme"].items() if value} == COMPANY
    assert set(companies) == {"acme", "other"}


def assert_all_fine(exchanges: list[Exchange]) -> None:
    assert {one.status for one in exchanges} <= {200, 201, 304}
    assert {one.path for one in exchanges if one.status == 200} >= {"/v1/config"}
    assert max(one.body_bytes for one in exchanges) > 1_000


@pytest.mark.parametrize("name", ["wsgi", "asgi", "django"])
def test_a_python_shop_is_stored_once_with_its_profiles(collector: CollectorServer, name: str) -> None:
    with recording(collector.url) as recorder:
        with shop(python_shop(name), recorder.url):
            wait_until(lambda: len(collector.events()) >= COUNT, 60, "its events are stored", every_s=0.2)
        assert_all_fine(recorder.exchanges)
    assert_stored_once(collector.events(), name)
    assert_profiles(collector)
    if name == "wsgi":
        assert Counter(one["user_id"] for one in collector.events()) == {"42": COUNT // 5, "ann": COUNT - COUNT // 5}


def test_a_node_shop_is_stored_once_with_profiles_subscriptions_and_actions(collector: CollectorServer) -> None:
    modules = str(node_package("moesif-nodejs").parent)
    command = [require("node", "nodejs"), "tests/collector/sdks/node_shop.js"]
    with recording(collector.url) as recorder:
        with shop(command, recorder.url, NODE_PATH=modules):
            wait_until(lambda: len(collector.events()) >= 2 * COUNT, 60, "its events are stored", every_s=0.2)
        assert_all_fine(recorder.exchanges)
    for direction in ("Incoming", "Outgoing"):
        assert_stored_once([one for one in collector.events() if one["direction"] == direction], "node")
    assert {one["user_id"] for one in collector.events()} == {"42"}
    assert_profiles(collector, "42")
    assert [one["subscription_id"] for one in exported(collector.url, "subscriptions")] == ["s1"]
    assert sorted(one["action_name"] for one in exported(collector.url, "actions")) == ["Clicked", "Paid"]
