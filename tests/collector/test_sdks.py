"""The public SDKs, unmodified, pointed here by their own setting."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from moesifapi.configuration import Configuration
from moesifapi.models import (
    CompanyModel,
    EventModel,
    EventRequestModel,
    EventResponseModel,
    SubscriptionModel,
    UserModel,
)

from logship.collector import CollectorServer
from tests.collector.browsing import node_package
from tests.collector.conftest import APPLICATION_ID
from tests.rigs.documents import block
from tests.rigs.machine import require

NODE_SCRIPT = """
const event = (n) => new moesif.EventModel({
  request: { time: new Date().toISOString(), uri: `https://shop.example.com/node/${n}`, verb: 'PATCH',
    headers: { 'Content-Type': 'application/json', 'X-Emoji': '\\u{1F6A2}' }, body: { total: n } },
  response: { time: new Date().toISOString(), status: 201, headers: { 'set-cookie': ['a', 'b'], 'content-length': 7 } },
  userId: 'node-user',
});
moesif.ApiController.createEvent(event(1), (error, response, context) => {
  moesif.ApiController.createEventsBatch([event(2), event(3)], (second) => {
    console.log(JSON.stringify({ errors: [error, second].filter(Boolean).map(String) }));
  });
});
"""


def pointed_at(collector: CollectorServer, shown: str) -> str:
    """What the documentation shows, with this collector's address and id in place of those in it."""
    assert shown.count("http://127.0.0.1:8080") == shown.count("local") == 1
    return shown.replace("http://127.0.0.1:8080", collector.url).replace("local", APPLICATION_ID)


@pytest.fixture
def python_sdk(collector: CollectorServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Configuration, "BASE_URI", Configuration.BASE_URI)  # put back after the test
    names: dict[str, Any] = {}
    exec(pointed_at(collector, block("collector.md", "The collector", "python")), names)
    return names["api"]


def sdk_event(path: str) -> EventModel:
    now = datetime.now(UTC)
    return EventModel(
        request=EventRequestModel(
            time=now, uri=f"https://shop.example.com{path}", verb="POST", headers={"User-Agent": "sdk"}, body={"a": [1]}
        ),
        response=EventResponseModel(time=now, status=200, headers={"X": "y"}),
        user_id="python-user",
        metadata={"plan": "gold"},
    )


def test_the_python_sdk_posts_an_event_and_a_batch_that_appear_on_the_page(
    python_sdk: Any, collector: CollectorServer
) -> None:
    python_sdk.create_event(sdk_event("/python/1"))
    python_sdk.create_events_batch([sdk_event("/python/2"), sdk_event("/python/3")])
    page = requests.get(collector.url + "/", timeout=10).text
    assert all(f"/python/{number}" in page for number in (1, 2, 3))
    stored = collector.events()
    assert [one["user_id"] for one in stored] == ["python-user"] * 3
    assert stored[0]["request"]["ip_address"] == "127.0.0.1"


def test_the_python_sdk_reads_its_config_and_rules(python_sdk: Any) -> None:
    config = python_sdk.get_app_config()
    assert json.loads(config.raw_body)["sample_rate"] == 100
    assert json.loads(python_sdk.get_governance_rules().raw_body) == []


def test_the_python_sdk_sends_profiles_that_are_merged(python_sdk: Any, collector: CollectorServer) -> None:
    """It sends null for every member that was not set: those say nothing."""
    python_sdk.update_user(UserModel(user_id="ann", company_id="acme", metadata={"a": 1, "b": {"c": 1}}))
    python_sdk.update_user(UserModel(user_id="ann", session_token="t1", metadata={"b": {"d": 2}}))
    python_sdk.update_users_batch([UserModel(user_id="ann", session_token="t2"), UserModel(user_id="bob")])
    python_sdk.update_company(CompanyModel(company_id="acme", company_domain="acme.example"))
    python_sdk.update_subscription(SubscriptionModel(subscription_id="s", company_id="acme", status="active"))
    python_sdk.update_subscriptions_batch(
        [SubscriptionModel(subscription_id="s", company_id="acme", metadata={"x": 1})]
    )
    found = requests.get(f"{collector.url}/api/user", params={"user": "ann"}, timeout=20).json()
    assert found["profile"] == {
        "user_id": "ann",
        "company_id": "acme",
        "metadata": {"a": 1, "b": {"c": 1, "d": 2}},
        "session_token": ["t1", "t2"],
    }
    assert found["company"] == {"company_id": "acme", "company_domain": "acme.example"}
    exported = requests.get(f"{collector.url}/api/export/subscriptions", timeout=20).text
    assert json.loads(exported) == {
        "subscription_id": "s",
        "company_id": "acme",
        "status": "active",
        "metadata": {"x": 1},
    }


def test_the_node_sdk_posts_an_event_and_a_batch_that_appear_on_the_page(collector: CollectorServer) -> None:
    package = node_package("moesifapi")
    shown = pointed_at(collector, block("collector.md", "The collector", "js"))
    finished = subprocess.run(
        [require("node", "nodejs"), "-e", shown + NODE_SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_PATH": str(package.parent)},
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == {"errors": []}
    page = requests.get(collector.url + "/", timeout=10).text
    assert all(f"/node/{number}" in page for number in (1, 2, 3))
    assert collector.events()[0]["request"]["headers"]["X-Emoji"] == "\U0001f6a2"
