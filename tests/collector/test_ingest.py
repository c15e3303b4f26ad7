"""What the endpoints answer, and what is in the store afterwards."""

from __future__ import annotations

import pytest
import requests

from logship.collector import CollectorServer
from tests.collector.sending import event, post


@pytest.mark.parametrize("prefix", ["/moesifapi", "/v1"])
def test_201_means_the_event_is_in_the_store(collector: CollectorServer, prefix: str) -> None:
    assert post(collector.url, event(1), path=f"{prefix}/events").status_code == 201
    assert post(collector.url, [event(2), event(3)], path=f"{prefix}/events/batch").status_code == 201
    assert [one["transaction_id"][-1] for one in collector.events()] == ["1", "2", "3"]


def test_an_id_is_stored_once_within_and_across_batches(collector: CollectorServer) -> None:
    assert post(collector.url, [event(1), event(1), event(2)]).status_code == 201
    assert post(collector.url, [event(2), event(3)]).status_code == 201
    assert post(collector.url, event(3), path="/v1/events").status_code == 201
    assert len(collector.events()) == 3


def test_events_without_an_id_are_never_dropped(collector: CollectorServer) -> None:
    nameless = event(1)
    del nameless["transaction_id"]
    post(collector.url, [nameless, nameless, {**nameless, "transaction_id": None}, {**nameless, "transaction_id": ""}])
    assert len(collector.events()) == 4


def test_a_bad_event_keeps_its_whole_batch_out_and_is_named(collector: CollectorServer) -> None:
    answer = post(collector.url, [event(1), {}, {"request": {"time": "yesterday", "uri": "/", "verb": "GET"}}])
    assert answer.status_code == 400
    faults = answer.json()["events"]
    assert {"index": 1, "field": "request", "reason": "Field required"} in faults
    assert collector.events() == []


def test_the_seed_s_batch_example_is_not_json(collector: CollectorServer) -> None:
    answer = post(collector.url, b'[{"request": {}}, {}, ]')
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("application_id", [None, "", "someone-else"])
def test_a_wrong_application_id_is_401(collector: CollectorServer, application_id: str | None) -> None:
    assert post(collector.url, [event(1)], application_id=application_id).status_code == 401
    assert collector.events() == []


def test_a_missing_ip_address_becomes_the_peer_s(collector: CollectorServer) -> None:
    bare = event(1)
    del bare["request"]["ip_address"]
    post(collector.url, [bare])
    assert collector.events()[0]["request"]["ip_address"] == "127.0.0.1"


def test_the_page_lists_events(collector: CollectorServer) -> None:
    post(collector.url, [event(42)])
    page = requests.get(collector.url + "/", timeout=10)
    assert "/items/42" in page.text


def test_a_collector_comes_back_on_its_port_with_its_events(collector: CollectorServer) -> None:
    post(collector.url, [event(1)])
    url = collector.url
    collector.stop()
    with collector:
        assert collector.url == url
        assert post(url, [event(1), event(2)]).status_code == 201
        assert len(collector.events()) == 2
