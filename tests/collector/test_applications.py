"""Applications have names that people read; their ids are keys and are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from logship.collector import CollectorServer
from logship.collector.applications import label_of, named_ids
from logship.errors import UsageError
from tests.collector.sending import event, post
from tests.collector.test_crash import process


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["abc"], {"abc": ""}),
        (["shop=abc"], {"abc": "shop"}),
        (["eyJhcHAiOiIxIn0="], {"eyJhcHAiOiIxIn0=": ""}),
        (["eyJhcHAiOiIxIn0=="], {"eyJhcHAiOiIxIn0==": ""}),
        (["shop=eyJhcHAiOiIxIn0=="], {"eyJhcHAiOiIxIn0==": "shop"}),
        (["a=1", "b=2", "3"], {"1": "a", "2": "b", "3": ""}),
    ],
)
def test_an_id_may_have_a_name_before_it(given: list[str], named: dict[str, str]) -> None:
    assert named_ids(given) == named


@pytest.mark.parametrize("given", [["a=1", "a=2"], ["my shop=1"], ["<b>=1"], ["=1"], ["n" * 41 + "=1"]])
def test_a_name_that_can_not_be_is_refused(given: list[str]) -> None:
    with pytest.raises(UsageError, match="--application-id"):
        named_ids(given)


def test_names_are_shown_and_asked_for_and_ids_are_not(tmp_path: Path) -> None:
    with process(tmp_path / "e.db", "--application-id", "shop=secret-1", "--application-id", "secret-2") as (_, url):
        assert post(url, [event(1)], application_id="secret-1").status_code == 201
        assert post(url, [event(2)], application_id="secret-2").status_code == 201
        assert post(url, [event(3)], application_id="shop").status_code == 401
        known = requests.get(f"{url}/api/applications", timeout=20)
        assert known.json()["applications"] == [
            {"label": label_of("secret-1"), "name": "shop"},
            {"label": label_of("secret-2"), "name": ""},
        ]
        page = requests.get(f"{url}/?range=all", timeout=20).text
        assert ">shop</option>" in page
        assert "secret" not in page + known.text
        for called in ("shop", label_of("secret-1")):
            found = requests.get(f"{url}/api/events", params={"app": called, "range": "all"}, timeout=20).json()
            assert [one["event"]["request"]["uri"][-8] for one in found["events"]] == ["1"]
        assert requests.get(f"{url}/api/events", params={"app": "nobody"}, timeout=20).status_code == 404


def test_an_application_that_sent_profiles_alone_is_known(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db")) as collector:
        for application_id in ("b", "a", "c"):
            for user_id in ("x", "y"):
                post(collector.url, {"user_id": user_id}, path="/v1/users", application_id=application_id)
        known = requests.get(f"{collector.url}/api/applications", timeout=20).json()["applications"]
        assert [one["label"] for one in known] == [label_of(one) for one in "abc"]
