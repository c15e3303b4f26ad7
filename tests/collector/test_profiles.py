"""Users, companies, subscriptions and actions: taken, merged, read, exported, erased; in both stores."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from click.testing import CliRunner

from logship.cli.collector_erase import command as erase_command
from logship.collector import CollectorServer
from logship.collector.items import MAX_ITEM_BYTES, MAX_ITEMS
from logship.collector.profile_model import COMPANIES, SUBSCRIPTIONS, USERS, ItemKind
from logship.collector.profiles import MAX_TOKENS, merge
from logship.collector.retention import expire
from logship.collector.server import open_database
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, post

ANN = {"user_id": "ann"}
ACTION = {"action_name": "Clicked", "request": {"uri": "https://shop.example/cart"}, "user_id": "ann"}
SUBSCRIBED = {"subscription_id": "s1", "company_id": "acme", "status": "active"}


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CollectorServer]:
    """A collector with an empty store of either kind."""
    store = str(tmp_path / "e.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with CollectorServer(store=store, application_ids=(APPLICATION_ID, "other")) as server:
        if request.param == "postgresql":
            database = open_database(store)
            with database.transaction() as run:
                run("DELETE FROM profiles", ())
                run("DELETE FROM actions", ())
            database.close()
        yield server


def send(url: str, path: str, document: object, **more: Any) -> requests.Response:
    return post(url, document, path=path, **more)


def exported(url: str, kind: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/api/export/{kind}", timeout=20)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.decode().split("\n")[:-1]]


def of_user(url: str, user_id: str) -> Any:
    return requests.get(f"{url}/api/user", params={"user": user_id}, timeout=20).json()


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        ("users", ANN),
        ("companies", {"company_id": "acme"}),
        ("subscriptions", SUBSCRIBED),
        ("actions", {**ACTION, "transaction_id": "a"}),
    ],
)
def test_one_and_several_are_taken_with_201_and_exported(
    either: CollectorServer, kind: str, one: dict[str, Any]
) -> None:
    key = {"users": "user_id", "companies": "company_id", "subscriptions": "subscription_id"}.get(
        kind, "transaction_id"
    )
    several = [{**one, key: "b", "extra": {"deep": [1, None]}}, {**one, key: "c/d ü\u2028"}]
    first = send(either.url, f"/v1/{kind}", one)
    assert (first.status_code, first.headers["X-Moesif-Config-ETag"] != "") == (201, True)
    assert send(either.url, f"/v1/{kind}/batch", several).status_code == 201
    assert send(either.url, f"/v1/{kind}/batch", []).status_code == 201
    assert sorted(exported(either.url, kind), key=itemgetter(key)) == sorted([one, *several], key=itemgetter(key))
    other = {"X-Moesif-Application-Id": "other"}
    assert send(either.url, f"/v1/{kind}", {**one, "theirs": True}, headers=other).status_code == 201
    assert len(exported(either.url, kind)) == 3, "applications are kept apart"


@pytest.mark.parametrize("written", ["42", "-0", "1e3", "42.00", "12345678901234567890123.50"])
def test_an_identifier_that_is_a_number_is_the_text_that_events_have(collector: CollectorServer, written: str) -> None:
    ids = ("user_id", "company_id", "subscription_id", "session_token", "transaction_id")
    numbers = ",".join(f'"{name}":{written}' for name in ids)
    one = orjson.dumps(event(1))[:-1].replace(b'"transaction_id"', b'"_"')
    happened = {
        "users": "",
        "companies": "",
        "subscriptions": "",
        "actions": ',"action_name":"x","request":{"uri":"/"}',
    }
    for path, body in {
        "events": one + b"," + numbers.encode() + b"}",
        **{kind: f"{{{numbers}{more}}}".encode() for kind, more in happened.items()},
    }.items():
        for whole, to in ((body, path), (b"[" + body + b"]", f"{path}/batch")):
            headers = {"X-Moesif-Application-Id": APPLICATION_ID, "Content-Type": "application/json"}
            answer = requests.post(f"{collector.url}/v1/{to}", whole, headers=headers, timeout=20)
            assert answer.status_code == 201, answer.text
    stored = [*collector.events(), *(one for kind in happened for one in exported(collector.url, kind))]
    assert len(stored) == 5, "both ways name the same"
    for found in stored:
        assert {name: found[name] for name in ids} | {"session_token": written} == dict.fromkeys(ids, written)
        assert found["session_token"] in (written, [written])


def test_updates_are_merged_in_their_order(either: CollectorServer) -> None:
    def user(**more: Any) -> dict[str, Any]:
        return {**ANN, **more}

    send(either.url, "/v1/users", user(company_id="acme", metadata={"plan": "free", "seats": {"paid": 1, "free": 2}}))
    send(either.url, "/v1/users/batch", [user(metadata={"plan": "gold"}), user(metadata={"seats": {"paid": 3}})])
    assert of_user(either.url, "ann")["profile"] == user(
        company_id="acme", metadata={"plan": "gold", "seats": {"paid": 3, "free": 2}}
    )


def merged(profile: dict[str, Any], update: dict[str, Any], kind: ItemKind) -> dict[str, Any]:
    result = copy.deepcopy(profile)
    merge(result, update, kind)
    return result


def test_merging_follows_the_documented_rules() -> None:
    before = {"user_id": "u", "a": 1, "tags": [1, 2], "metadata": {"x": 1, "y": {"z": 1}}, "session_token": ["one"]}
    after = merged(
        before, {"user_id": "u", "tags": [3], "metadata": {"x": None, "y": 5}, "session_token": "two"}, USERS
    )
    assert after == {
        "user_id": "u",
        "a": 1,
        "tags": [3],
        "metadata": {"x": None, "y": 5},
        "session_token": ["one", "two"],
    }
    said_nothing = {"user_id": "u", "company_id": None, "metadata": None, "session_token": None, "campaign": None}
    assert merged(after, said_nothing, USERS) == after, "SDKs send null for every member that was not set"
    assert merged({"user_id": "u"}, {"user_id": "u", "mine": None}, USERS) == {"user_id": "u", "mine": None}
    campaign = {"company_id": "c", "campaign": {"utm_source": "mail"}}
    assert merged(campaign, {"company_id": "c", "campaign": {"utm_source": None, "utm_term": "x"}}, COMPANIES) == {
        "company_id": "c",
        "campaign": {"utm_source": "mail", "utm_term": "x"},
    }


def test_session_tokens_are_added_once_each_and_bounded() -> None:
    profile = merged({}, {"user_id": "u", "session_token": ["a", "b", "a"]}, USERS)
    assert profile["session_token"] == ["a", "b"]
    assert merged(profile, {"user_id": "u", "session_token": "a"}, USERS)["session_token"] == ["b", "a"]
    many = merged(profile, {"user_id": "u", "session_token": [str(n) for n in range(MAX_TOKENS)]}, USERS)
    assert len(many["session_token"]) == MAX_TOKENS
    odd = {"subscription_id": "s", "company_id": "c", "session_token": 7}
    assert merged({}, odd, SUBSCRIPTIONS) == odd, "a subscription has no tokens: what is called so is any other member"


def test_an_action_is_stored_once_by_its_id(either: CollectorServer) -> None:
    for _ in range(2):
        assert send(either.url, "/v1/actions", {**ACTION, "transaction_id": "1"}).status_code == 201
    send(either.url, "/v1/actions/batch", [{**ACTION, "transaction_id": one} for one in ("1", "2", "2")])
    send(
        either.url, "/v1/actions/batch", [ACTION, {**ACTION, "transaction_id": None}, {**ACTION, "transaction_id": ""}]
    )
    assert len(exported(either.url, "actions")) == 5, "those without an id are never dropped"


def test_a_user_is_read_with_company_and_newest_actions(either: CollectorServer) -> None:
    strange = "ann/of ?&#ü"
    send(either.url, "/v1/companies", {"company_id": "acme", "company_domain": "acme.example"})
    send(either.url, "/v1/users", {"user_id": strange, "company_id": "acme"})
    for number in (2, 3, 1):
        request = {"uri": f"https://x/{number}", "time": f"2026-10-0{number}T00:00:00Z"}
        send(either.url, "/v1/actions", {**ACTION, "user_id": strange, "request": request})
    found = of_user(either.url, strange)
    assert found["profile"] == {"user_id": strange, "company_id": "acme"}
    assert found["company"] == {"company_id": "acme", "company_domain": "acme.example"}
    assert [one["request"]["uri"][-1] for one in found["actions"]] == ["3", "2", "1"]
    assert of_user(either.url, "nobody") == {"profile": None, "company": None, "actions": []}


@pytest.mark.parametrize(
    ("path", "document", "field"),
    [
        ("/v1/users", {}, "user_id"),
        ("/v1/users", {"user_id": ""}, "user_id"),
        ("/v1/users", {"user_id": True}, "user_id"),
        ("/v1/users", {"user_id": "a\x00"}, "user_id"),
        ("/v1/users", {"user_id": "u" * 300}, "user_id"),
        ("/v1/users", {**ANN, "metadata": []}, "metadata"),
        ("/v1/companies", ANN, "company_id"),
        ("/v1/subscriptions", {"subscription_id": "s"}, "company_id"),
        ("/v1/actions", {"action_name": "x"}, "request"),
        ("/v1/actions", {"action_name": "x", "request": {}}, "request.uri"),
        ("/v1/actions", {**ACTION, "request": {"uri": "/", "time": "yesterday"}}, "request.time"),
        ("/v1/users", {**ANN, "metadata": {"text": "x" * MAX_ITEM_BYTES}}, ""),
        ("/v1/users", {**ANN, "metadata": {str(number): 1 for number in range(6_000)}}, ""),
    ],
)
def test_what_is_invalid_is_named_and_nothing_of_its_batch_is_stored(
    collector: CollectorServer, path: str, document: dict[str, Any], field: str
) -> None:
    good = {"/v1/users": ANN, "/v1/companies": {"company_id": "a"}, "/v1/actions": ACTION}.get(path, SUBSCRIBED)
    answer = send(collector.url, path, document)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_items")
    assert [one["field"] for one in answer.json()["items"]] == [field]
    answer = send(collector.url, f"{path}/batch", [good, document, good])
    assert (answer.status_code, [one["index"] for one in answer.json()["items"]]) == (400, [1])
    assert exported(collector.url, path.removeprefix("/v1/")) == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/users", b"[]", "not_an_item"),
        ("/v1/users/batch", b"{}", "not_a_batch"),
        ("/v1/users", b"{", "invalid_json"),
        ("/v1/users/batch", b'[{"user_id":"a"},', "invalid_json"),
        ("/v1/users", b'{"user_id":"a","metadata":{"x":' + b"[" * 400 + b"]" * 400 + b"}}", "invalid_items"),
        ("/v1/users", b'{"user_id":"a","metadata":{"x":[' + b"0," * 300_000 + b"0]}}", "invalid_items"),
    ],
)
def test_bad_bodies_are_refused_for_their_reason(collector: CollectorServer, path: str, body: bytes, code: str) -> None:
    answer = send(collector.url, path, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_updates_at_once_lose_nothing_of_each_other(either: CollectorServer) -> None:
    """In PostgreSQL by way of two collectors that share the database."""
    with ExitStack() as opened:
        pool = opened.enter_context(ThreadPoolExecutor(8))
        urls = [either.url]
        if "://" in either.store:
            second = CollectorServer(store=either.store, application_ids=(APPLICATION_ID,))
            urls.append(opened.enter_context(second).url)

        def update(number: int) -> int:
            said = {**ANN, "metadata": {str(number): number}, "session_token": str(number)}
            return send(urls[number % len(urls)], "/v1/users", said).status_code

        assert set(pool.map(update, range(40))) == {201}
        profile = of_user(either.url, "ann")["profile"]
        assert profile["metadata"] == {str(number): number for number in range(40)}
        assert sorted(map(int, profile["session_token"])) == list(range(40))


def test_a_profile_that_would_grow_too_large_stays_as_it_is(either: CollectorServer) -> None:
    half = {"metadata": {"a": "x" * (MAX_ITEM_BYTES * 2 // 3)}}
    other = {"metadata": {"b": "x" * (MAX_ITEM_BYTES * 2 // 3)}}
    assert send(either.url, "/v1/users", {**ANN, **half}).status_code == 201
    answer = send(either.url, "/v1/users/batch", [{"user_id": "bob"}, {**ANN, **other}])
    assert (answer.status_code, "'ann' would be over" in answer.json()["message"]) == (400, True)
    assert exported(either.url, "users") == [{**ANN, **half}]
    assert send(either.url, "/v1/users", {"user_id": "bob"}).status_code == 201, "the writer lives on"


def test_more_than_one_transaction_takes_is_413(collector: CollectorServer) -> None:
    users = [{"user_id": str(number)} for number in range(MAX_ITEMS + 1)]
    assert send(collector.url, "/v1/users/batch", users).status_code == 413
    assert send(collector.url, "/v1/users/batch", users[:-1]).status_code == 201
    assert len(exported(collector.url, "users")) == MAX_ITEMS


def test_erasing_takes_profile_and_actions_and_leaves_others(either: CollectorServer) -> None:
    for user_id in ("ann", "bob"):
        send(either.url, "/v1/users", {"user_id": user_id})
        send(either.url, "/v1/actions/batch", [{**ACTION, "user_id": user_id}] * 2)
    post(either.url, [event(7_001, user_id="ann")])
    arguments = ["--store", either.store, "--user-id", "ann", "--application-id", APPLICATION_ID]
    done = CliRunner().invoke(erase_command, arguments, input="y\n")
    assert "Erase 1 event, 1 profile and 2 actions of user 'ann'?" in done.output
    assert "erased 1 event, 1 profile and 2 actions of user 'ann'" in done.output
    assert of_user(either.url, "ann") == {"profile": None, "company": None, "actions": []}
    assert exported(either.url, "users") == [{"user_id": "bob"}]
    assert [one["user_id"] for one in exported(either.url, "actions")] == ["bob", "bob"]
    assert "nothing of user 'ann'" in CliRunner().invoke(erase_command, [*arguments, "--yes"]).output


def test_an_erased_profile_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db")) as collector:
        send(collector.url, "/v1/users", {**ANN, "metadata": {"name": "ann-of-green-gables"}})
        send(collector.url, "/v1/users", {**ANN, "metadata": {"name": "ann-of-windy-poplars"}})
        send(collector.url, "/v1/actions", {**ACTION, "metadata": {"name": "ann-of-the-island"}})
    CliRunner().invoke(erase_command, ["--store", collector.store, "--user-id", "ann", "--yes"])
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ann-of" not in left


def test_old_actions_expire_as_events_do_and_profiles_stay(collector: CollectorServer) -> None:
    send(collector.url, "/v1/users", ANN)
    send(collector.url, "/v1/actions/batch", [ACTION] * 3)
    database = open_database(collector.store)
    assert expire(database, oldest_ms=0, max_bytes=None, now_ms=0) == 0
    assert expire(database, oldest_ms=1 << 60, max_bytes=None, now_ms=0) == 3
    database.close()
    assert (exported(collector.url, "actions"), exported(collector.url, "users")) == ([], [ANN])


def test_profiles_are_there_after_a_restart(collector: CollectorServer) -> None:
    send(collector.url, "/v1/users", ANN)
    collector.stop()
    with collector:
        assert exported(collector.url, "users") == [ANN]


def test_who_may_not_read_events_may_not_read_profiles(tmp_path: Path) -> None:
    token = "correct-horse-battery-staple"
    with CollectorServer(store=str(tmp_path / "e.db"), page_token=token) as server:
        for path in ("/api/user?user=ann", *(f"/api/export/{kind}" for kind in ("users", "companies", "actions"))):
            assert requests.get(server.url + path, timeout=20).status_code == 401
            headers = {"Authorization": f"Bearer {token}"}
            assert requests.get(server.url + path, headers=headers, timeout=20).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        "\x00",
        "a\x00b",
        "\U0001f6a2 \u2028 </script>",
        1e308,
        -0.0,
        2**63 - 1,
        [[]],
        {"": {"": None}},
        {"__proto__": 1},
        "%s ? {}",
    ],
)
def test_whatever_json_holds_comes_back_as_it_was(either: CollectorServer, value: Any) -> None:
    user, action = {**ANN, "metadata": {"v": value}}, {**ACTION, "metadata": {"v": value}}
    assert send(either.url, "/v1/users", user).status_code == 201
    assert send(either.url, "/v1/users", user).status_code == 201, "merged with itself"
    assert send(either.url, "/v1/actions", action).status_code == 201
    assert of_user(either.url, "ann") == {"profile": user, "company": None, "actions": [action]}


@pytest.mark.parametrize("user_id", ["' OR 1=1 --", '"', "a\\b", "ü" * 256, "%", "\x7f", "../..", "null", " "])
def test_any_text_may_be_an_id(either: CollectorServer, user_id: str) -> None:
    assert send(either.url, "/v1/users", {"user_id": user_id, "n": 1}).status_code == 201
    assert of_user(either.url, user_id)["profile"] == {"user_id": user_id, "n": 1}
    assert len(exported(either.url, "users")) == 1
