"""The quick way and the exact way of reading a body: never two opinions."""

from __future__ import annotations

import json

import orjson
import pytest

from logship.collector import intake
from logship.collector.intake import Intake
from logship.collector.refusal import RefusalError
from logship.collector.row import EventRow
from logship.collector.wire import usual_events
from tests.collector.sending import event

VALUES: list[object] = [
    *(None, True, False, 0, 1, 200, 999, 1_000, -1, 10**9, 10**9 + 1, 2**63 - 1, 2**63, -(2**63), 2**64),
    *(200.0, 1.5, 1e300),
    *("", "a", "\x00", "\U0001f600", "\u00e9\u2028", "x" * 128, "x" * 129, "x" * 256, "x" * 257, "x" * 500),
    *("2026-10-10T13:55:36.123Z", "2026-10-10 13:55", "2026-10-10T13:55:36+25:00", "2026-02-30T00:00:00Z", "yesterday"),
    *("https://a:1@b/x?y#z", "http://h#f/x", "http://h/p#f?q", "/p?q=http://x/", "https://h"),
    *("https://h?a/b", "ftp://h/x", "/\U0001f600" * 300),
    *({}, [], [1], {"time": None}, {"a": None}, {"a": "b"}, {"a": 1}, {"a": True}, {"a": 1.5}, {"a": 2**64}, {"a": {}}),
    *({"source": "web"}, {"source": ""}, {"source": 3}, {"source": "\x00"}, dict.fromkeys(map(str, range(6_000)), "")),
]
PLACES = [
    *(("request", key) for key in ("time", "uri", "verb", "ip_address", "headers", "body", "transfer_encoding", "new")),
    *(("response", key) for key in ("time", "status", "ip_address", "headers", "body", "transfer_encoding", "new")),
    *((key,) for key in ("request", "response", "transaction_id", "user_id", "company_id", "metadata", "direction")),
    *((key,) for key in ("weight", "tags", "blocked_by", "span", "session_token", "subscription_id")),
]
FRAGMENTS = [b'"', b"\\", b",", b"{", b"}", b"[", b" ", b"\n", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN"]
FRAGMENTS += [b"1e999", b"-0", b"01", b"\x00", b'"a":1,', b'"verb":"PUT",', b'"weight":7,', b"9" * 25, b"\xef\xbb\xbf"]


def outcome(body: bytes) -> tuple[object, object]:
    """The columns and the events of the rows, or the refusal; keys in any order, numbers as they are written."""
    try:
        rows = Intake().rows(body, batch=True, application_id="a", received_ms=0, peer="192.0.2.1")
    except RefusalError as exc:
        return exc.status, exc.document()
    return [row[:-1] for row in rows], [json.loads(row.event, parse_int=str, parse_float=repr) for row in rows]


def assert_both_ways_agree(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = outcome(body)
    with monkeypatch.context() as patch:
        patch.setattr(intake, "usual_events", lambda body, batch: None)
        assert quick == outcome(body), body


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_both_ways_agree_on_each_value_in_each_place(place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for value in VALUES:
        one = event(1, user_id="ann", metadata={"n": 1})
        holder = one if len(place) == 1 else one[place[0]]
        holder[place[-1]] = value
        assert_both_ways_agree(json.dumps([event(2), one]).encode(), monkeypatch)
        assert_both_ways_agree(json.dumps([one], ensure_ascii=False, indent=1).encode(), monkeypatch)
    one = event(1)
    (one if len(place) == 1 else one[place[0]]).pop(place[-1], None)
    assert_both_ways_agree(orjson.dumps([one]), monkeypatch)


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_both_ways_agree_wherever_a_body_is_spoilt(fragment: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps([event(1, user_id="ann", weight=3)])
    for at in range(len(body) + 1):
        assert_both_ways_agree(body[:at] + fragment + body[at:], monkeypatch)
        assert_both_ways_agree(body[:at] + fragment + body[at + len(fragment) :], monkeypatch)


def rows_of(document: object) -> list[EventRow]:
    return Intake().rows(orjson.dumps(document), batch=True, application_id="a", received_ms=0, peer="192.0.2.1")


def test_what_shippers_and_sdks_send_goes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("took the slow way")

    monkeypatch.setattr(intake, "checked", refuse)
    nulls = dict.fromkeys(("user_id", "company_id", "session_token", "metadata", "tags", "direction", "weight"))
    bare = event(2, **nulls, response=None)
    del bare["request"]["ip_address"]
    rows = rows_of([event(1), bare])
    assert [row.status for row in rows] == [200, None]
    assert orjson.loads(rows[0].event) == event(1)
    bare["request"]["ip_address"] = "192.0.2.1"
    assert orjson.loads(rows[1].event) == bare


def test_one_unusual_event_takes_its_batch_the_exact_way() -> None:
    unusual = event(2, span={"id": [1, {"deep": None}]})
    assert usual_events(orjson.dumps([event(1), unusual]), batch=True) is None
    assert [orjson.loads(row.event) for row in rows_of([event(1), unusual])] == [event(1), unusual]
