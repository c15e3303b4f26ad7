"""The read API: who may read, what they get."""

from __future__ import annotations

import csv
import hmac
import io
import json
import time
from pathlib import Path

import orjson
import pytest
import requests
from starlette.requests import Request

from logship.collector import CollectorOptions, CollectorServer
from logship.collector.access import Senders, matches
from logship.collector.read_api import inert
from logship.errors import UsageError
from logship.playground.server import _is_same
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, many, post

TOKEN = "correct-horse-battery-staple"
PRIVATE = [
    "/",
    "/events/1",
    "/api/events",
    "/api/events/1",
    "/api/summary",
    "/api/export",
    "/api/applications",
    "/report",
]
ALL = {"range": "all"}


def get(collector: CollectorServer, path: str, **parameters: str) -> requests.Response:
    return requests.get(collector.url + path, params={**ALL, **parameters}, timeout=20)


@pytest.mark.parametrize("path", PRIVATE)
def test_a_name_that_was_pointed_at_loopback_reads_nothing(collector: CollectorServer, path: str) -> None:
    post(collector.url, [event(1)])
    port = collector.url.rsplit(":", 1)[1]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        answer = requests.get(collector.url + path, headers={"Host": host}, timeout=10)
        assert answer.status_code in (400, 403), host
        assert "/items/1" not in answer.text
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert requests.get(collector.url + path, headers={"Host": host}, timeout=10).status_code == 200


def test_posting_works_under_any_name(collector: CollectorServer) -> None:
    assert post(collector.url, [event(1)], headers={"Host": "collector.internal"}).status_code == 201


@pytest.mark.parametrize("path", PRIVATE)
def test_where_a_token_is_set_nothing_is_read_without_it(tmp_path: Path, path: str) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), page_token=TOKEN) as collector:
        post(collector.url, [event(1)])
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"logship_page={TOKEN}"}):
            answer = requests.get(collector.url + path, headers=headers, timeout=10)
            assert answer.status_code == 401
            assert "/items/1" not in answer.text
        right = {"Authorization": f"Bearer {TOKEN}", "Host": "collector.internal"}
        assert requests.get(collector.url + path, headers=right, timeout=10).status_code == 200


@pytest.mark.parametrize("settings", [{}, {"application_ids": ("a",)}, {"page_token": TOKEN}])
def test_no_collector_opens_itself_to_strangers(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="not loopback"):
        CollectorOptions(store="", host="0.0.0.0", **settings)  # type: ignore[arg-type]


def test_pages_and_answers_forbid_scripts_frames_sniffing_and_keeping(collector: CollectorServer) -> None:
    for path in ("/", "/api/events", "/nowhere", "/page/page.js"):
        answer = get(collector, path)
        assert "access-control-allow-origin" not in answer.headers
        assert APPLICATION_ID not in answer.text
    headers = get(collector, "/").headers
    assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_applications_are_kept_apart_and_named_without_their_ids(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), application_ids=("alpha-id", "beta-id")) as collector:
        post(collector.url, [event(1)], application_id="alpha-id")
        post(collector.url, [event(2), event(1)], application_id="beta-id")
        labels = [one["label"] for one in get(collector, "/api/applications").json()["applications"]]
        counts = [len(get(collector, "/api/events", app=label).json()["events"]) for label in labels]
        assert counts == [1, 2]
        assert get(collector, "/api/events", app="nobody").status_code == 404
        page = get(collector, "/").text
        assert labels[1] in page
        assert "beta-id" not in page
        beta_event = get(collector, "/api/events", app=labels[1]).json()["events"][0]["id"]
        assert get(collector, f"/api/events/{beta_event}", app=labels[0]).status_code == 404


def test_cursors_lead_through_everything_once(collector: CollectorServer) -> None:
    post(collector.url, many(95))
    seen: list[str] = []
    cursor = ""
    while True:
        answer = get(collector, "/api/events", limit="20", cursor=cursor).json()
        seen.extend(one["event"]["transaction_id"] for one in answer["events"])
        if answer["next_cursor"] is None:
            break
        cursor = answer["next_cursor"]
    assert len(seen) == len(set(seen)) == 95


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cursor", "nonsense"),
        ("cursor", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjE"),
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "x"),
        ("range", "1y"),
        ("since", "yesterday"),
        ("status", "2x"),
        ("verb", "V" * 25),
        ("q", "a\x00b"),
    ],
)
def test_a_wrong_parameter_is_named(collector: CollectorServer, name: str, value: str) -> None:
    answer = requests.get(collector.url + "/api/events", params={name: value}, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{name}=")


@pytest.mark.parametrize("path", ["/", "/report", "/api/events", "/api/summary", "/api/values", "/api/export"])
@pytest.mark.parametrize("name", ["user", "not-user", "status", "q", "range"])
def test_a_filter_that_is_given_twice_is_refused(collector: CollectorServer, path: str, name: str) -> None:
    answer = requests.get(collector.url + path, params=[(name, "1h"), (name, "24h")], timeout=10)
    assert answer.status_code == 400
    assert f"{name}= is given twice" in answer.text


def test_the_page_says_how_many_requests_took_no_time_and_that_there_are_more_statuses(
    collector: CollectorServer,
) -> None:
    events = [event(number) for number in range(33)]
    for number, one in enumerate(events):
        one["response"] |= {"time": one["request"]["time"], "status": 200 + number % 16}
    slow = event(50)
    slow["response"]["time"] = "2026-10-10T13:55:38.123Z"
    post(collector.url, [*events, slow])
    text = get(collector, "/").text
    assert "33 of 34 with 0 ms or less" in text
    assert "4 more" in text
    assert text.count('class="s s2xx"') < get(collector, "/", rows="100").text.count('class="s s2xx"')
    assert "more</a>" not in get(collector, "/", rows="100").text


def test_no_text_of_an_event_turns_round_what_stands_behind_it(collector: CollectorServer) -> None:
    turning = "\u202e\u2067\u200f"
    bad = event(1, user_id=f"u{turning}", metadata={"source": f"s{turning}"})
    bad["request"] |= {"uri": f"https://x/{turning}gpj.exe", "headers": {"User-Agent": f"a{turning}"}, "body": turning}
    post(collector.url, [bad])
    post(collector.url, {"user_id": f"u{turning}", "metadata": {"plan": turning}}, path="/v1/users")
    for path in ("/", "/events/1", "/report"):
        text = get(collector, path, user=f"u{turning}").text
        assert "\\u202e\\u2067\\u200fgpj.exe" in text, path
        left = text.replace(f'value="u{turning}"', "")  # the field, which is sent again
        assert not set(turning) & set(left), path


def test_no_percentile_is_over_the_slowest(collector: CollectorServer) -> None:
    post(collector.url, many(25))
    found = get(collector, "/api/summary", list="route").json()
    assert [found[name] for name in ("p50_ms", "p95_ms", "p99_ms", "slowest_ms")] == [100.0] * 4
    assert found["values"][0]["p95_ms"] == 100.0
    assert "within 5 %" in get(collector, "/").text


def test_an_export_holds_every_event_in_both_formats(collector: CollectorServer) -> None:
    post(collector.url, many(600))
    post(collector.url, [event(9_999, user_id="=cmd|' /C calc'!A0", extra="\u2028\n")])
    lines = get(collector, "/api/export").content.splitlines()
    assert len(lines) == 601
    assert {orjson.loads(line)["transaction_id"] for line in lines} == {
        one["transaction_id"] for one in collector.events()
    }
    table = list(csv.DictReader(io.StringIO(get(collector, "/api/export", format="csv").text)))
    assert len(table) == 601
    assert [row["user_id"] for row in table if row["user_id"]] == ["'=cmd|' /C calc'!A0"]
    assert len(get(collector, "/api/export", user="nobody").content) == 0


def test_the_summary_adds_weights(collector: CollectorServer) -> None:
    post(collector.url, [*many(3), event(10, weight=20)])
    deadline = time.monotonic() + 20
    while (found := get(collector, "/api/summary").json()["requests"]) != 23:  # the counts follow within moments
        assert found in (0, 3, 23)
        assert time.monotonic() < deadline


def test_what_is_stored_is_what_was_sent(collector: CollectorServer) -> None:
    sent = event(1, metadata={"deep": [{"a": None, "b": 1.5}]}, unknown={"kept": True}, tags="x,y")
    post(collector.url, [sent])
    assert json.loads(get(collector, "/api/events/1").text)["event"] == sent
    assert get(collector, "/api/events/2").status_code == 404
    assert get(collector, "/api/events/99999999999999999999999").status_code == 404


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_begins_as_a_formula_does(begin: str) -> None:
    """Source: OWASP, CSV Injection."""
    assert inert(f'{begin}HYPERLINK("http://x")') == f'\'{begin}HYPERLINK("http://x")'
    assert [inert(cell) for cell in ("a=b", "", -5, None)] == ["a=b", "", -5, None]


def test_secrets_are_compared_in_a_time_that_says_nothing_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append((given, secret))
        return real(given, secret)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert [matches(given, TOKEN) for given in (TOKEN, "wrong", "")] == [True, False, False]
    assert [_is_same(given, TOKEN) for given in (TOKEN, "wrong")] == [True, False], "of the playground's door"
    known = CollectorOptions(store="unused", application_ids=("one", "two"))
    request = Request({"type": "http", "headers": [(b"x-moesif-application-id", b"two")]})
    assert Senders(known).application_of(request) == "two"
    assert compared == [
        *((given, TOKEN.encode()) for given in (TOKEN.encode(), b"wrong", b"", TOKEN.encode(), b"wrong")),
        (b"two", b"one"),
        (b"two", b"two"),
    ]


def test_an_open_page_costs_nothing_until_something_arrives(collector: CollectorServer) -> None:
    """The script names what it shows; the answer is empty while the store and the minute are the same."""
    post(collector.url, [event(1)])
    part = {"X-Page-Part": "1"}
    for _ in range(3):  # the minute may end between two of them
        first = requests.get(f"{collector.url}/?range=all", headers=part, timeout=20)
        again = {**part, "If-None-Match": first.headers["ETag"]}
        second = requests.get(f"{collector.url}/?range=all", headers=again, timeout=20)
        if second.status_code == 304:
            break
    assert (second.status_code, second.content) == (304, b"")
    assert requests.get(f"{collector.url}/?range=30d", headers=again, timeout=20).status_code == 200
    post(collector.url, [event(2)])
    assert "/items/2" in requests.get(f"{collector.url}/?range=all", headers=again, timeout=20).text
    strange = {**again, "Host": "evil.example"}
    assert requests.get(f"{collector.url}/?range=all", headers=strange, timeout=20).status_code == 403
