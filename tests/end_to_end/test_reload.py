"""SIGHUP of the real process: a right configuration takes over without losing a line, a wrong one changes nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logship.cli import execute
from tests.end_to_end.site import SOURCE, Site, targets
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

OTHER = '{{name: other, paths: ["{here}/other.log"], format: combined, start_at: beginning, mapping: default}}'
TAGGED = SOURCE.replace("mapping: default", "mapping: {{extends: default, event: {{metadata: {{rules: second}}}}}}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver) -> Iterator[Site]:
    site = Site(tmp_path, receiver.url)
    site.start()
    yield site
    if site.daemon.is_running():
        assert site.daemon.terminate() == 0


def reload(site: Site) -> None:
    before = site.daemon.log().count("reloaded sources=")
    site.daemon.hang_up()
    site.daemon.wait_for_log("reloaded sources=", times=before + 1)


def test_a_source_that_is_added_is_followed_and_the_others_go_on(site: Site, receiver: Receiver) -> None:
    site.write(100)
    site.wait_for_all(receiver)
    site.write_config(receiver.url, sources=(SOURCE, OTHER))
    reload(site)
    site.write(50, site.directory / "other.log")
    site.write(50)
    site.wait_for_all(receiver)
    assert receiver.repeats == 0


def test_a_source_that_is_taken_away_and_brought_back_goes_on_where_it_was(site: Site, receiver: Receiver) -> None:
    site.write(100)
    site.wait_for_all(receiver)
    site.write_config(receiver.url, sources=(OTHER,))
    reload(site)
    site.write(30)
    site.write(30, site.directory / "other.log")
    wait_until(lambda: len(receiver.events) == 130, what="the other log's lines")
    site.write_config(receiver.url, sources=(OTHER, SOURCE))
    reload(site)
    site.wait_for_all(receiver)
    assert receiver.repeats == 0


def test_a_changed_mapping_takes_effect_at_the_next_unread_line(site: Site, receiver: Receiver) -> None:
    site.write(100)
    site.wait_for_all(receiver)
    site.write_config(receiver.url, sources=(TAGGED,))
    reload(site)
    site.write(100)
    site.wait_for_all(receiver)
    rules = {target: event.get("metadata") for target, event in zip(targets(receiver), receiver.events, strict=True)}
    assert [rules[target] for target in site.written] == [None] * 100 + [{"rules": "second"}] * 100
    assert receiver.conflicts == []


def test_events_made_before_a_reload_go_to_the_new_endpoint_as_they_are(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    site.write(1_000)
    site.daemon.wait_for_log("refused")
    with Receiver() as successor:
        site.write_config(successor.url, sources=(TAGGED,))
        reload(site)
        site.write(1)
        site.wait_for_all(successor)
        first = successor.events[targets(successor).index("/0")]
        assert "metadata" not in first
        assert successor.conflicts == []
        assert site.daemon.terminate() == 0
        site.start()
        site.write(1)
        site.wait_for_all(successor)
        assert successor.repeats == 0


def test_a_wrong_configuration_is_refused_told_and_counted_and_the_old_one_stays(
    site: Site, receiver: Receiver
) -> None:
    port = free_port()
    status = f'{{listen: "127.0.0.1:{port}"}}'
    assert site.daemon.terminate() == 0
    site.write_config(receiver.url, status=status)
    site.start()
    site.write_config("ftp://nowhere", status=status, sources=(SOURCE.replace("combined", "combind"),))
    site.daemon.hang_up()
    site.daemon.wait_for_log("the new configuration is refused, the old one stays")
    site.write(100)
    site.wait_for_all(receiver)
    said = site.daemon.log()
    assert "'ftp://nowhere' is not http(s)" in said
    assert "did you mean 'combined'" in said
    assert said.count("ERROR") == 1, "one fact, one line"
    assert "ERROR" in said
    assert _status(port)["counts"]["config_reload_failed"] == 1
    site.write_config(receiver.url, status=status)
    reload(site)
    counts = _status(port)["counts"]
    assert (counts["config_reload_failed"], counts["config_reloads"]) == (1, 1)


def _status(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("GET", "/status")
        tree: dict[str, Any] = json.loads(connection.getresponse().read())
        return tree
    finally:
        connection.close()


EXAMPLE = """\
extends: default
event: {{metadata: {{rules: third}}}}
examples:
  - name: a visit
    line: '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 17 "-" "curl/8"'
    format: combined
    event: {{response: {{status: {status}}}}}
"""


def test_a_mapping_whose_examples_do_not_hold_is_refused(
    site: Site, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = site.directory / "shop.yml"
    mapping.write_text(EXAMPLE.format(status=404))
    site.write(10)
    site.wait_for_all(receiver)
    site.write_config(receiver.url, sources=(SOURCE.replace("mapping: default", "mapping: shop.yml"),))
    site.daemon.hang_up()
    site.daemon.wait_for_log("the new configuration is refused, the old one stays")
    said = f'{mapping}:4:5: a visit fails: response.status should be "404" and is 200; see: logship test'
    assert said in site.daemon.log()
    assert execute(["check", "-c", str(site.config)]) == 78, "check tells who typed reload"
    assert "a visit fails" in capsys.readouterr().out
    site.write(10)
    site.wait_for_all(receiver)
    assert all(event.get("metadata") is None for event in receiver.events), "the old mapping is in use"
    mapping.write_text(EXAMPLE.format(status=200))
    reload(site)
    site.write(10)
    site.wait_for_all(receiver)
    assert sum((event.get("metadata") or {}).get("rules") == "third" for event in receiver.events) == 10
    mapping.write_text(EXAMPLE.format(status=404))
    assert site.daemon.terminate() == 0
    site.start()
    site.write(10)
    site.wait_for_all(receiver)
    assert site.daemon.is_running(), "a start is not refused for it: nothing would be shipped at all"
