"""The receiver excludes people, changes its mind, answers with rubbish, and the daemon dies in between.

Every line is an obligation or a prohibition: what the rules keep arrives once, and nobody excluded ever does.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logship.collector import CollectorServer
from tests.end_to_end.site import APPLICATION_ID, SOURCE, Site
from tests.mapping import obeying
from tests.rigs.config_page import BROKEN, ConfigPage
from tests.rigs.daemon import logship_command
from tests.rigs.fork import ForkedDaemon
from tests.rigs.machine import scaled
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

LINES = scaled(6_000, 100_000)
USERS = [f"user{number}" for number in range(40)]
FIRST: dict[str, Any] = {
    "sample_rate": 50,
    "user_sample_rate": dict.fromkeys(USERS[:10], 0) | dict.fromkeys(USERS[20:30], 100),
    "regex_config": [
        {"conditions": [{"path": "request.route", "value": "^/health$"}], "sample_rate": 0},
        {"conditions": [{"path": "response.status", "value": "^5"}, {"path": "request.verb", "value": "GET"}]},
        {"conditions": [{"path": "request.route", "value": "^/heavy/"}], "sample_rate": 34},
    ],
}
SECOND = FIRST | {"user_sample_rate": FIRST["user_sample_rate"] | dict.fromkeys(USERS[20:25], 0)}
TIME = "[10/Oct/2026:13:55:36 +0000]"
RUBBISH = [name for name in BROKEN if name not in ("too big", "304")]  # eight megabytes once are enough


@dataclass
class Oracle:
    """What was written, and what the rules of its time say of it."""

    site: Site
    written: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)  # target: event, config

    def write(self, count: int, config: dict[str, Any]) -> None:
        with self.site.log.open("a") as log:
            for number in range(len(self.written), len(self.written) + count):
                user = USERS[number * 7 % len(USERS)] if number % 5 else "-"
                target = f"/health?{number}" if number % 11 == 0 else f"/{'heavy' if number % 3 else 'light'}/{number}"
                status = 503 if number % 13 == 0 else 200
                log.write(
                    f'203.0.113.9 - {user} [10/Oct/2026:13:55:36 +0000] "GET {target} HTTP/1.1" {status} 1 "-" "x"\n'
                )
                event: dict[str, Any] = {
                    "request": {"verb": "GET", "uri": f"https://web-1{target}"},
                    "response": {"status": status},
                }
                self.written[target] = (event if user == "-" else event | {"user_id": user}, config)

    def surely(self) -> set[str]:
        """Targets whose events must arrive."""
        return {target for target, (event, config) in self.written.items() if obeying.rate_of(event, config) == 100}

    def check(self, receiver: Receiver) -> None:
        """All of what must, nothing of what must not, weights as documented, people as a whole."""
        assert receiver.conflicts == []
        arrived = {event["request"]["uri"].removeprefix("https://web-1"): event for event in receiver.events}
        assert len(arrived) == len(receiver.events)
        assert self.surely() <= arrived.keys()
        fates: dict[tuple[str, float], set[bool]] = defaultdict(set)
        for target, (event, config) in self.written.items():
            rate = obeying.rate_of(event, config)
            assert rate > 0 or target not in arrived, (target, event)
            if target in arrived:
                assert arrived[target].get("weight", 1) == obeying.weight_of(rate)
            if "user_id" in event:
                fates[event["user_id"], rate].add(target in arrived)
        assert all(len(fate) == 1 for fate in fates.values())
        assert len({fate.pop() for (_, rate), fate in fates.items() if rate == 50}) == 2  # some in, some out


@pytest.fixture
def page() -> ConfigPage:
    return ConfigPage(FIRST)


@pytest.fixture
def receiver(page: ConfigPage) -> Iterator[Receiver]:
    with Receiver(config=page) as receiver:
        yield receiver


def obedient(directory: Path, url: str, sources: Sequence[str] = (SOURCE,)) -> Site:
    site = Site(directory, url, sources=sources)
    text = site.config.read_text()
    site.config.write_text(
        text.replace(f"application_id: {APPLICATION_ID}", f"application_id: {APPLICATION_ID}, remote_config: on")
    )
    return site


def test_nobody_excluded_arrives_and_nothing_else_is_lost_whatever_happens(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    site = obedient(tmp_path, receiver.url)
    oracle = Oracle(site)
    daemon = ForkedDaemon(site.config, tmp_path)
    with daemon:
        oracle.write(LINES // 3, FIRST)
        receiver.go_wild(7, 0.3)
        wait_until(lambda: len(receiver.events) > LINES // 20, 60, "some events")
        daemon.kill()
        page.script.extend(RUBBISH)
        page.always = "500"
        daemon.start()  # the state's rules are those of before
        oracle.write(LINES // 3, FIRST)
        wait_until(lambda: oracle.surely() <= arrived(receiver), 120, "all that the rules keep")
        page.always, page.config = "", SECOND
        page.script.clear()
        daemon.hang_up()  # or within a minute
        wait_until(lambda: page.statuses[-1] == 200, 30, "the new rules")
        daemon.wait_for_log("the receiver's rules are new", times=2)
        oracle.write(LINES - len(oracle.written), SECOND)
        wait_until(lambda: oracle.surely() <= arrived(receiver), 120, "all that the rules keep")
        receiver.behave()
        daemon.terminate()
    oracle.check(receiver)
    # what a replay decides is what was decided
    page.config = SECOND
    events = len(receiver.events)
    assert replayed(site).returncode == 0
    assert len(receiver.events) == events
    assert receiver.repeats > 0
    oracle.check(receiver)


def arrived(receiver: Receiver) -> set[str]:
    return {event["request"]["uri"].removeprefix("https://web-1") for event in list(receiver.events)}


def replayed(site: Site) -> Any:
    return site.run("backfill", "--restart", str(site.log))


def test_a_restart_without_the_page_goes_by_the_rules_of_before(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    site = obedient(tmp_path, receiver.url)
    oracle = Oracle(site)
    oracle.write(200, FIRST)
    assert site.run("run", "--once").returncode == 0
    page.always = "garbage"
    oracle.write(200, FIRST)
    done = site.run("run", "--once")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("can't get the receiver's rules") == 1
    oracle.check(receiver)


def test_nothing_goes_out_while_the_rules_were_never_known(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    page.always = "garbage"
    site = obedient(tmp_path, receiver.url)
    oracle = Oracle(site)
    oracle.write(200, FIRST)
    done = site.run("run", "--once")
    assert done.returncode == 1
    assert "its rules are not known: the answer to GET /v1/config is no configuration" in done.stderr
    assert receiver.events == []
    page.always = ""
    assert site.run("run", "--once").returncode == 0
    oracle.check(receiver)


@pytest.mark.parametrize("refusal", ["its page is none", "its events are refused"])
def test_a_receiver_that_refuses_ends_no_run_before_the_others_have_everything(
    tmp_path: Path, receiver: Receiver, page: ConfigPage, refusal: str
) -> None:
    """Also where nothing is under way to the other: it is being asked for its rules again, a second after a 500."""
    page.script.append("500")
    is_page = refusal == "its page is none"
    with Receiver(config=ConfigPage({}, always="garbage" if is_page else "404"), application_ids={"x"}) as refusing:
        other = tmp_path / "other.log"
        endpoint = f"endpoint: {{{{url: '{refusing.url}'}}}}"
        log = f"{{{{name: other, paths: ['{other}'], format: combined, start_at: beginning, {endpoint}}}}}"
        site = obedient(tmp_path, receiver.url, (SOURCE, log))
        site.write(20, other)
        oracle = Oracle(site)
        oracle.write(200, FIRST)
        done = site.run("run", "--once")
    assert done.returncode == 1
    oracle.check(receiver)
    assert f"{receiver.url}, its rules are not known" not in done.stderr
    assert (
        f"{refusing.url}, its rules are not known: the answer" if is_page else f"{refusing.url} refuses"
    ) in done.stderr
    assert refusing.events == []


def test_the_sums_stay_sums_and_name_the_receivers_rules(tmp_path: Path, receiver: Receiver, page: ConfigPage) -> None:
    site = obedient(tmp_path, receiver.url)
    oracle = Oracle(site)
    oracle.write(500, FIRST)
    done = site.run("run", "--once")
    found = re.search(r"lines ([0-9,]+) = sent ([0-9,]+) \+ dropped by rule 0 \+ sampled out ([0-9,]+)", done.stderr)
    assert found, done.stderr
    lines, sent, sampled = (int(text.replace(",", "")) for text in found.groups())
    assert (lines, sent, sampled) == (500, len(receiver.events), 500 - len(receiver.events))


def test_receivers_that_are_not_obeyed_are_not_asked(tmp_path: Path, receiver: Receiver, page: ConfigPage) -> None:
    site = Site(tmp_path, receiver.url, sources=(SOURCE,))
    site.write(20)
    assert site.run("run", "--once").returncode == 0
    assert len(receiver.events) == 20
    assert page.asked == []


def test_a_backfill_says_which_rules_it_obeys_and_a_dry_run_goes_by_them(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    site = obedient(tmp_path, receiver.url)
    oracle = Oracle(site)
    oracle.write(500, FIRST)
    blind = site.run("backfill", "--dry-run", str(site.log))
    assert blind.returncode == 0
    assert "sampled out 0" in blind.stdout
    done = site.run("backfill", str(site.log))
    assert done.returncode == 0, done.stderr
    assert f"note  {receiver.url} obeying 24 rules of the receiver, 0." in done.stdout
    assert "rule 1: 0 % where request.route matches ^/health$" in done.stdout
    assert "user rates: 20, 10 excluded" in done.stdout
    assert "sampled out by the receiver's rule 1: " in done.stdout
    oracle.check(receiver)
    asked = len(page.asked)
    dry = site.run("backfill", "--dry-run", "--restart", str(site.log))
    assert (
        f"would be sent {len(receiver.events)} + dropped by rule 0 + sampled out {500 - len(receiver.events)}"
        in dry.stdout
    )
    assert "a dry run does not ask" in dry.stdout
    assert len(page.asked) == asked


def test_a_backfill_sends_nothing_before_the_rules_were_ever_known(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    page.always = "401"
    site = obedient(tmp_path, receiver.url)
    Oracle(site).write(20, FIRST)
    done = site.run("backfill", str(site.log))
    assert done.returncode == 1
    assert "nothing is sent, the rules of" in done.stderr
    assert "GET /v1/config is answered with 401" in done.stderr
    assert receiver.events == []


def test_status_preview_and_trace_say_what_the_receivers_rules_do(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    site = obedient(tmp_path, receiver.url)
    port = free_port()
    site.config.write_text(site.config.read_text().replace("status: null", f'status: {{listen: "127.0.0.1:{port}"}}'))
    oracle = Oracle(site)
    oracle.write(200, FIRST)
    with ForkedDaemon(site.config, tmp_path) as daemon:
        wait_until(lambda: oracle.surely() <= arrived(receiver), 60, "all that the rules keep")
        shown = site.run("status").stdout
        share = round(100 * len(receiver.events) / 200)
        assert re.search(rf"rules: 24 from the receiver, [0-9.]+ s old, {share} % kept", shown), shown
        page.always = "garbage"
        daemon.hang_up()
        daemon.wait_for_log("can't get the receiver's rules")
        assert "its rules are not available, those of" in site.run("status").stdout
    shown = site.run("status").stdout
    assert re.search(rf"{receiver.url} · rules: 24 from the receiver, [0-9.]+ s old", shown), shown
    said = site.run("preview", "-n", "0", str(site.log)).stdout
    assert "24 rules of the receiver" in said
    assert "sampled out by the receiver's rule 1" in said
    assert "kept 34 % by the receiver's rule 3" in said
    assert "kept 1 in 2 by the receiver's rate" in said
    out = next(target for target, (event, _) in oracle.written.items() if obeying.rate_of(event, FIRST) == 0)
    assert "sampled out: receiver's " in site.run("trace", out + " ").stdout
    site.config.write_text(site.config.read_text().replace("remote_config: on", "remote_config: off"))
    assert "confirmed: sent, or left out by the receiver's rules" in site.run("trace", out + " ").stdout


def test_the_collectors_own_file_is_obeyed_and_so_is_its_change(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"user_sample_rate": {"ann": 0}}))
    line = '203.0.113.9 - {} [10/Oct/2026:13:55:36 +0000] "GET /{} HTTP/1.1" 200 1 "-" "x"\n'
    with CollectorServer(store=str(tmp_path / "events.db"), config=rules) as collector:
        site = obedient(tmp_path, collector.url)
        with ForkedDaemon(site.config, tmp_path) as daemon, site.log.open("a", buffering=1) as log:
            log.writelines(line.format(user, 1) for user in ("ann", "bob"))
            wait_until(lambda: users_in(collector) == ["bob"], 30, "bob's event")
            rules.write_text(json.dumps({"user_sample_rate": {"bob": 0}, "sample_rate": 100}))
            log.writelines(line.format("cy", number) for number in range(200))  # the answer names another ETag
            daemon.wait_for_log("the receiver's rules are new", times=2)
            log.writelines(line.format(user, 2) for user in ("ann", "bob"))
            wait_until(lambda: users_in(collector) == ["ann", "bob", "cy"], 30, "ann's event, and not bob's")
        with sqlite3.connect(collector.store) as store:
            (bobs,) = store.execute("SELECT count(*) FROM events WHERE event ->> '$.user_id' = 'bob'").fetchone()
        assert bobs == 1


def users_in(collector: CollectorServer) -> list[str]:
    with sqlite3.connect(collector.store) as store:
        found = store.execute("SELECT DISTINCT event ->> '$.user_id' FROM events ORDER BY 1").fetchall()
    return [user for (user,) in found]


def test_a_dead_letter_of_somebody_excluded_meanwhile_is_not_sent_again(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    page.config = {"sample_rate": 100}
    receiver.refuses = lambda event: event.get("user_id") in ("ann", "bob")
    site = obedient(tmp_path, receiver.url)
    for user in ("ann", "bob", "cy"):
        with site.log.open("a") as log:
            log.write(f'203.0.113.9 - {user} {TIME} "GET /{user} HTTP/1.1" 200 1 "-" "x"\n')
    assert site.run("run", "--once").returncode == 1
    receiver.refuses = lambda event: False
    page.config = {"user_sample_rate": {"ann": 0}}  # no daemon has seen this
    command = logship_command("dead-letters", "retry", "-c", str(site.config))
    retried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "delivered 1 · dropped by the mapping 0 · left out by the receiver's rules 1 " in retried.stdout
    assert [event["user_id"] for event in receiver.events] == ["cy", "bob"]


def test_a_dead_letter_is_not_tried_again_where_the_rules_can_not_be_known(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    """The state and its copy are gone, and with them who is excluded."""
    page.config = {"user_sample_rate": {"ann": 0}}
    receiver.refuses = lambda event: True
    site = obedient(tmp_path, receiver.url)
    site.log.write_text(f'203.0.113.9 - bob {TIME} "GET / HTTP/1.1" 200 1 "-" "x"\n')
    assert site.run("run", "--once").returncode == 1
    receiver.refuses = lambda event: False
    for path in (tmp_path / "state").glob("*state*"):
        path.unlink()
    page.always = "garbage"
    command = logship_command("dead-letters", "retry", "-c", str(site.config))
    retried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert retried.returncode == 1
    assert "nothing is sent, the rules of" in retried.stderr
    assert receiver.events == []


def test_what_the_receiver_writes_into_its_rules_reaches_no_terminal_as_control_bytes(
    tmp_path: Path, receiver: Receiver, page: ConfigPage
) -> None:
    page.config = {"regex_config": [
        {"conditions": [{"path": "request.verb\x1b[31m", "value": "\x1b]0;x\x07"}], "sample_rate": 0},
        {"conditions": [{"path": "x", "value": "(\x1b[31m"}], "sample_rate": 0},
    ]}  # fmt: skip
    site = obedient(tmp_path, receiver.url)
    Oracle(site).write(20, FIRST)
    for arguments in (("check", "--connect"), ("backfill", str(site.log)), ("run", "--once")):
        done = site.run(*arguments)
        assert "rule 2 is left out" in done.stdout + done.stderr
        assert "\x1b[31m" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout + done.stderr
