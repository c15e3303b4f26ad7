"""Rates and weights agree with the service's own Python client, for the same rules and events.

moesifapi draws each event anew, so shares are compared within what chance allows; the rate of an event is the same.
"""

from __future__ import annotations

import json
import math
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moesifapi.app_config.app_config import AppConfig
from moesifapi.models import EventModel, EventRequestModel, EventResponseModel

from logship.conversion import compile_mapping
from logship.mapping import Constants
from logship.mapping.remote_rules import RemoteRules, weight_of
from tests.mapping.world import LOG, combined, convert, format_named, mapping

MAPPING = "event: {company_id: $request_header_referer}"
CONDITIONS = [
    ("request.route", "^/health$"), ("request.route", "/v1/.+"), ("request.verb", "GET"), ("request.verb", "PUT|POST"),
    ("response.status", "^[45]"), ("request.ip_address", r"203\.0\.113\.[0-9]"),
]  # fmt: skip
RATES = st.sampled_from([0, 1, 10, 25, 34, 60, 75, 100])
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "conditions": st.lists(
                st.sampled_from(CONDITIONS), min_size=1, max_size=3, unique_by=lambda one: one[0]
            ).map(lambda found: [{"path": path, "value": value} for path, value in found]),
            "sample_rate": RATES,
        }
    ),
    max_size=3,
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "sample_rate": RATES,
        "user_sample_rate": st.dictionaries(st.sampled_from(["ann", "bob"]), RATES.filter(bool)),
        "company_sample_rate": st.dictionaries(st.sampled_from(["acme", "zorg"]), RATES.filter(bool)),
        "regex_config": RULES,
    },
)
LINES = st.builds(
    lambda verb, path, user, company, status: combined(
        f"{verb} {path} HTTP/1.1", user=user, referer=company, status=status
    ),
    st.sampled_from(["GET", "PUT"]), st.sampled_from(["/", "/health", "/v1/x?y=/health", "/health/"]),
    st.sampled_from(["-", "ann", "bob", "cy"]), st.sampled_from(["-", "acme", "zorg", "other"]),
    st.sampled_from(["200", "404", "500"]),
)  # fmt: skip


@pytest.fixture(autouse=True)
def executor() -> str:
    """One is enough: that both agree is shown beside."""
    return "any"


def events_under(config: dict[str, Any], *lines: bytes) -> list[dict[str, Any]]:
    rules = RemoteRules.of(orjson.dumps(config))
    made = compile_mapping(mapping(MAPPING), format_named("combined"), Constants("web-1", "api"), rules)
    return [json.loads(event) for event in convert(made, *lines).events]


def their_rate(config: dict[str, Any], event: dict[str, Any]) -> float:
    request, response = event["request"], event["response"]
    model = EventModel(
        EventRequestModel(request["time"], request["uri"], request["verb"], {}, None, request["ip_address"]),
        EventResponseModel(response["time"], response["status"], {}),
    )
    return float(AppConfig().get_sampling_percentage(model, config, event.get("user_id"), event.get("company_id")))


@given(config=CONFIGS, line=LINES)
def test_the_rate_of_an_event_is_theirs(config: dict[str, Any], line: bytes) -> None:
    """Rates of 0 for a user or company are left out: there a newer client than this goes before the regex rules."""
    rules = RemoteRules.of(orjson.dumps(config))
    made = compile_mapping(mapping(MAPPING), format_named("combined"), Constants("web-1", "api"), rules)
    (plain,) = events_under({}, line)
    rate = their_rate(config, plain)
    fate = made.trace(line, 0, LOG)
    if rate == 100:
        assert fate.event == plain
    elif rate == 0:
        assert fate.event is None
    elif fate.event is not None:
        assert (
            fate.event.get("weight", 1)
            == math.floor(100 / rate)
            == weight_of(RemoteRules.of(b'{"sample_rate":%d}' % rate).rate)
        )


@pytest.mark.parametrize("rate", [1, 10, 34, 50, 75])
def test_the_share_that_is_kept_is_theirs_within_what_chance_allows(rate: int) -> None:
    config = {"regex_config": [{"conditions": [{"path": "request.verb", "value": "GET"}], "sample_rate": rate}]}
    count = 20_000
    lines = [combined(f"GET /{number} HTTP/1.1", user=f"u{number}" if number % 2 else "-") for number in range(count)]
    ours = len(events_under(config, *lines))
    (plain,) = events_under({}, lines[0])
    chance = random.Random(rate)
    theirs = sum(their_rate(config, plain) > chance.random() * 100 for _ in range(1_000)) * count / 1_000
    deviation = math.sqrt(count * rate / 100 * (1 - rate / 100))
    assert abs(ours - count * rate / 100) < 5 * deviation
    assert abs(ours - theirs) < 5 * deviation + 5 * math.sqrt(1_000 * rate / 100 * (1 - rate / 100)) * count / 1_000
