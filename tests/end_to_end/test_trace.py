"""`logship trace` on files that a daemon has shipped: every line has its true fate, and the id it was sent with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.site import LINE, Site, targets
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

SOURCE = """{{name: site, paths: ["{log}"], format: combined, start_at: end, mapping: {{extends: default, rules: [
     {{name: probes, if: {{path: /health}}, drop: true}},
     {{name: rare, if: {{path: {{matches: '^/s[0-9]'}}}}, sample: 1/1000000}}]}}}}"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(refuses=lambda event: event["request"]["uri"].endswith("/poison")) as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver) -> Iterator[Site]:
    """A daemon that followed the log from its end, after /old."""
    site = Site(tmp_path, receiver.url, sources=(SOURCE,))
    write(site, "/old")
    site.start()
    yield site
    if site.daemon.is_running():
        assert site.daemon.terminate() == 0


def write(site: Site, *lines: str) -> None:
    """Targets become lines; what begins with no slash is a line as it stands."""
    with site.log.open("a") as log:
        log.write("".join(LINE.format(line) if line.startswith("/") else f"{line}\n" for line in lines))


def trace(site: Site, text: str) -> list[dict[str, Any]]:
    found = site.run("trace", text, "--json")
    assert found.stderr == ""
    records = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.returncode == (0 if records else 1)
    return records


def fate(site: Site, text: str) -> tuple[str, str]:
    (record,) = trace(site, text)
    return record["fate"], record["detail"]


def wait_for(receiver: Receiver, target: str) -> None:
    wait_until(lambda: target in targets(receiver), what=f"{target} at the receiver")


def settle(site: Site) -> None:
    """Everything that is confirmed stands in the state."""
    assert site.daemon.terminate() == 0


def test_each_line_has_its_fate(site: Site, receiver: Receiver) -> None:
    write(site, "/sent", "/health", "/s1", "no line of any format", "/poison", "/last")
    wait_for(receiver, "/last")
    settle(site)
    assert fate(site, "GET /old ") == ("before the start", "start_at: end; send it with logship backfill")
    assert fate(site, "GET /sent ") == ("confirmed", "")
    assert fate(site, "GET /health ") == ("dropped by rule", "probes")
    assert fate(site, "GET /s1 ") == ("sampled out", "rare")
    assert fate(site, "no line of") == ("dead letter", "fits no format")
    assert fate(site, "GET /poison ") == ("dead letter", "the receiver refused it")
    write(site, "/unsent")
    assert fate(site, "GET /unsent ") == ("waiting", "")
    assert trace(site, "GET /nobody ") == []


def test_the_id_is_the_one_that_was_sent(site: Site, receiver: Receiver) -> None:
    write(site, "/a", "/b")
    wait_for(receiver, "/b")
    sent = {target: event["transaction_id"] for target, event in zip(targets(receiver), receiver.events, strict=True)}
    for target in ("/a", "/b"):
        (record,) = trace(site, f"GET {target} ")
        assert record["transaction_id"] == sent[target]
        assert (record["source"], record["path"]) == ("site", str(site.log))


def test_lines_are_found_while_the_daemon_runs_and_the_receiver_is_down(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    write(site, "/a", "/b")
    site.daemon.wait_for_log("refused")
    assert fate(site, "GET /a ") == ("waiting", "")
    receiver.start()
    wait_for(receiver, "/b")
    wait_until(lambda: fate(site, "GET /a ") == ("confirmed", ""), what="the confirmation on disk")


@pytest.mark.parametrize("is_running", [True, False])
def test_a_line_in_a_rotated_gz_is_known(site: Site, receiver: Receiver, is_running: bool) -> None:
    write(site, "/before")
    wait_for(receiver, "/before")
    (before,) = trace(site, "GET /before ")
    if not is_running:
        settle(site)
    site.log.rename(site.log.with_name("access.log.1"))
    write(site, "/after")
    if is_running:
        wait_for(receiver, "/after")
        settle(site)
    rotated = site.log.with_name("access.log.1")
    site.log.with_name("access.log.2.gz").write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    (record,) = trace(site, "GET /before ")
    assert record["path"].endswith("access.log.2.gz")
    assert record["transaction_id"] == before["transaction_id"]
    assert record["fate"] == "confirmed"
    assert fate(site, "GET /after ") == ("confirmed" if is_running else "waiting", "")
    assert fate(site, "GET /old ")[0] == "before the start"


def test_nothing_of_a_hostile_line_reaches_the_terminal(site: Site) -> None:
    write(site, "needle \x1b[31mred\x07")
    shown = site.run("trace", "needle")
    assert "needle" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\x07" not in shown.stdout


def test_no_application_id_is_needed(site: Site) -> None:
    write(site, "/a")
    site.config.write_text(site.config.read_text().replace("application_id: site-application-id", "compression: none"))
    assert site.run("trace", "GET /a ").returncode == 0
