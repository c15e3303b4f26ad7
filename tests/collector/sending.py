"""Events, and how tests post them."""

from __future__ import annotations

from typing import Any

import orjson
import requests

from tests.collector.conftest import APPLICATION_ID

JSON = {"Content-Type": "application/json"}


def event(number: int = 0, **extra: Any) -> dict[str, Any]:
    """A valid event with a transaction_id made from `number`."""
    return {
        "request": {
            "time": "2026-10-10T13:55:36.123Z",
            "verb": "GET",
            "uri": f"https://shop.example.com/items/{number}?page=2",
            "ip_address": "203.0.113.9",
            "headers": {"User-Agent": "curl/8"},
        },
        "response": {"time": "2026-10-10T13:55:36.223Z", "status": 200, "headers": {}},
        "transaction_id": f"00000000-0000-8000-8000-{number:012x}",
        **extra,
    }


def post(
    url: str,
    document: object,
    *,
    path: str = "/v1/events/batch",
    application_id: str | None = APPLICATION_ID,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """The answer to a POST of `document` (bytes go out as they are)."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    sent = {**JSON, **({"X-Moesif-Application-Id": application_id} if application_id else {}), **(headers or {})}
    return requests.post(url + path, body, headers=sent, timeout=30, allow_redirects=False)


def many(count: int, *, first: int = 0, time: str | None = None, **extra: Any) -> list[dict[str, Any]]:
    """`count` events with ids of their own; `time` is the request's."""
    made = [event(first + number, **extra) for number in range(count)]
    if time is not None:
        for one in made:
            one["request"]["time"] = one["response"]["time"] = time
    return made
