"""An event over 1 MB keeps the beginning of its bodies, and says how long they were."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import orjson
import pytest

from logship.collector import CollectorServer
from logship.collector.checking import KEPT_BYTES
from tests.collector.sending import event, post


def with_bodies(request: Any, response: Any, number: int = 1, **more: Any) -> dict[str, Any]:
    made = event(number)
    made["request"] |= {"body": request, **more}
    made["response"] |= {"body": response}
    return made


def test_bodies_of_a_large_event_are_cut_and_of_others_not(collector: CollectorServer) -> None:
    text, document = "é" * 600_000, {"items": ["x" * 1_000] * 1_000}
    small = with_bodies("x" * 300_000, {"y": "z" * 300_000}, 2)
    assert post(collector.url, [with_bodies(text, document), small]).status_code == 201
    large, other = collector.events()
    assert other == small
    for message, whole in ((large["request"], text.encode()), (large["response"], orjson.dumps(document))):
        assert message["transfer_encoding"] == "base64"
        assert b64decode(message["body"]) == whole[:KEPT_BYTES]
        assert message["body_bytes"] == len(whole)


@pytest.mark.parametrize("short", ["", "in full", None, 7])
def test_a_body_that_is_short_stays_as_it_was(collector: CollectorServer, short: Any) -> None:
    sent = b64encode(bytes(range(256)) * 8_000).decode()
    assert (
        post(collector.url, with_bodies(sent, short, transfer_encoding="base64"), path="/v1/events").status_code == 201
    )
    stored = collector.events()[0]
    assert stored["request"]["body"] == sent[: KEPT_BYTES // 3 * 4]
    assert stored["response"] == with_bodies(sent, short)["response"]


def test_an_event_that_is_large_beside_its_bodies_is_invalid(collector: CollectorServer) -> None:
    padded = {**event(1), "metadata": {"pad": "x" * 2_500_000}}
    answer = post(collector.url, [event(2), padded])
    assert (answer.status_code, answer.json()["events"][0]["index"]) == (400, 1)
    assert "longer than 1000000 bytes" in answer.json()["message"]
    assert collector.events() == []
