"""What senders are told to sample: from a file, changed while the collector runs, never garbage."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from logship.cli.collector import command as collector_command
from logship.collector import CollectorServer
from logship.collector.served_config import ServedConfig
from logship.errors import ConfigError
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, post

WORKING = {
    "sample_rate": 50,
    "user_sample_rate": {"ann": 0, "bob": 0.5},
    "regex_config": [{"conditions": [{"path": "request.route", "value": "/health/.*"}], "sample_rate": 10}],
    "rules": [{"_id": "1", "name": "blocked", "type": "regex"}],
}


def asked(url: str, path: str = "/v1/config", etag: str = "", **more: str) -> requests.Response:
    headers = {"X-Moesif-Application-Id": APPLICATION_ID, **({"If-None-Match": etag} if etag else {}), **more}
    return requests.get(url + path, headers=headers, timeout=30, allow_redirects=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(WORKING))
    return path


def test_without_a_file_everything_is_kept(collector: CollectorServer) -> None:
    config = asked(collector.url).json()
    assert (config["sample_rate"], config["regex_config"], config["user_sample_rate"]) == (100, [], {})
    assert asked(collector.url, "/v1/rules").json() == []


def test_a_file_is_served_with_every_key_and_its_rules_apart(tmp_path: Path, file: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), config=file) as collector:
        answer = asked(collector.url)
        assert answer.json() == {
            "org_id": "",
            "app_id": "",
            "block_bot_traffic": False,
            "company_sample_rate": {},
            "user_rules": {},
            "company_rules": {},
            "ip_addresses_blocked_by_name": {},
            "billing_config_jsons": {},
            **{key: value for key, value in WORKING.items() if key != "rules"},
        }
        assert asked(collector.url, "/v1/rules").json() == WORKING["rules"]
        assert asked(collector.url, "/v1/config?x=y").json() == answer.json()


@pytest.mark.parametrize("path", ["/v1/config", "/v1/rules"])
@pytest.mark.parametrize("written", ['"{}"', "{}", 'W/"{}"', '"other", "{}"', "*"])
def test_what_is_known_already_is_answered_304(collector: CollectorServer, path: str, written: str) -> None:
    first = asked(collector.url, path)
    tag = first.headers["X-Moesif-Config-ETag" if path == "/v1/config" else "X-Moesif-Rules-Tag"]
    assert first.headers["ETag"] == f'"{tag}"'
    again = asked(collector.url, path, written.format(tag))
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", f'"{tag}"')
    assert asked(collector.url, path, '"other"').status_code == 200


def test_an_editors_byte_order_mark_is_no_part_of_the_file(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf{"sample_rate": 7, "own": 123456789012345678901234567890}')
    with CollectorServer(store=str(tmp_path / "events.db"), config=file) as collector:
        answer = asked(collector.url)
    assert answer.json()["sample_rate"] == 7
    assert answer.json()["own"] == 123456789012345678901234567890


def test_a_changed_file_is_told_to_those_who_post(tmp_path: Path, file: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db"), config=file) as collector:
        before = post(collector.url, [event(1)]).headers
        config_tag = asked(collector.url).headers["X-Moesif-Config-ETag"]
        assert before["X-Moesif-Config-ETag"] == config_tag
        file.write_text(json.dumps({**WORKING, "sample_rate": 51}))
        after = post(collector.url, event(2), path="/v1/events").headers
        assert after["X-Moesif-Config-ETag"] != config_tag
        assert after["X-Moesif-Rules-Tag"] == before["X-Moesif-Rules-Tag"] == after["X-Moesif-Rules-ETag"]
        changed = asked(collector.url, etag=config_tag)
        assert (changed.status_code, changed.json()["sample_rate"]) == (200, 51)


@pytest.mark.parametrize("application_id", ["", "someone-else"])
@pytest.mark.parametrize("path", ["/v1/config", "/v1/rules"])
def test_who_may_not_post_is_told_nothing(collector: CollectorServer, path: str, application_id: str) -> None:
    answer = asked(collector.url, path, **{"X-Moesif-Application-Id": application_id})
    assert answer.status_code == 401
    assert "sample_rate" not in answer.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", ":1:2: not JSON"),
        (b'{"sample_rate": 50,}', ":1:19: not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "the document: []"),
        (b'{"user_rules": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}", "nested deeper than 254"),
        (b"[" * 5_000, "not JSON"),
        (b'{"sample_rate": ' + b"[" * 1_000 + b"]" * 1_000 + b"}", "sample_rate: …"),
        (b'{"sample_rate": 101}', "sample_rate: 101"),
        (b'{"sample_rate": "50"}', 'sample_rate: "50"'),
        (b'{"sample_rate": true}', "sample_rate: true"),
        (b'{"sample_rate": null}', "sample_rate: null"),
        (b'{"user_sample_rate": {"ann": -1}}', "user_sample_rate.ann: -1"),
        (b'{"user_sample_rate": []}', "user_sample_rate: []"),
        (b'{"regex_config": [{"conditions": [{"path": "request.verb"}], "sample_rate": 1}]}', "conditions.0.value"),
        (b'{"rules": {}}', "rules: {}"),
        (b'{"sampel_rate": 10}', "unknown key 'sampel_rate'; did you mean 'sample_rate'?"),
    ],
)
def test_garbage_is_refused_with_its_place_and_the_last_good_one_stays(
    file: Path, content: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    served = ServedConfig(file)
    good = served.current()
    file.write_bytes(content)
    assert [served.current() for _ in range(3)] == [good] * 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "said once"
    assert message in caplog.text
    assert str(file) in caplog.text
    assert "the last good config stays" in caplog.text
    with pytest.raises(ConfigError):
        ServedConfig(file)
    file.write_text(json.dumps({"sample_rate": 7}))
    assert json.loads(served.current().config)["sample_rate"] == 7


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(/a", "no regular expression for most clients: missing )"),
        ("^/(?!health)", "none for clients with RE2, as logship: they leave the rule out: "),
        (r"(a)\1", "none for clients with RE2"),
        ("(?>a)", "none for clients with RE2"),
        ("a++", "none for clients with RE2"),
        ("a{1001}", "none for clients with RE2"),
    ],
)
def test_a_pattern_that_clients_can_not_read_is_served_with_a_warning(
    pattern: str, said: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rule = {"conditions": [{"path": "request.route", "value": pattern}], "sample_rate": 1}
    file.write_text(json.dumps({"regex_config": [rule]}))
    served = ServedConfig(file)
    assert json.loads(served.current().config)["regex_config"] == [rule]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"regex_config.0.conditions.0.value: {pattern!r}: {said}" in caplog.text


def test_a_file_that_vanishes_is_said_once_and_taken_when_it_is_back(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = ServedConfig(file)
    good = served.current()
    file.unlink()
    assert [served.current() for _ in range(3)] == [good] * 3
    assert len(caplog.records) == 1
    file.write_text("{}")
    assert json.loads(served.current().config)["sample_rate"] == 100


def test_a_change_within_the_same_tick_of_the_clock_is_seen(file: Path) -> None:
    """Size, inode and modification time are as before; only the content tells."""
    written_s = file.stat().st_mtime
    served = ServedConfig(file, now=lambda: written_s + 1)
    with file.open("r+b") as opened:
        opened.write(json.dumps({**WORKING, "sample_rate": 51}).encode())
    os.utime(file, (written_s, written_s))
    assert json.loads(served.current().config)["sample_rate"] == 51


def test_a_settled_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(file, (1, 1))
    served = ServedConfig(file)

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr("builtins.open", refuse)
    assert json.loads(served.current().config)["sample_rate"] == 50


def test_a_tag_differs_exactly_when_the_answer_does(file: Path) -> None:
    first = ServedConfig(file).current()
    file.write_text(json.dumps(WORKING, indent=4) + "\n")
    assert ServedConfig(file).current() == first, "only the layout is another"
    file.write_text(json.dumps({**WORKING, "rules": []}))
    second = ServedConfig(file).current()
    assert (second.config_tag == first.config_tag, second.rules_tag == first.rules_tag) == (True, False)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, file: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path):
        with pytest.raises(ConfigError, match="regular file"):
            ServedConfig(path)
    served = ServedConfig(file)
    good = served.current()
    file.unlink()
    os.mkfifo(file)
    assert served.current() == good


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_wrong_file_is_refused_before_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    command = ["--listen", "127.0.0.1:0", "--store", str(tmp_path / "e.db"), "--config", str(path)]
    done = CliRunner().invoke(collector_command, command)
    assert isinstance(done.exception, ConfigError)
    assert str(path) in str(done.exception)
    assert "listening" not in done.output
