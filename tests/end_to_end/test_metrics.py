"""Every metric that is exported moves when its thing happens."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections import deque
from pathlib import Path
from urllib.request import urlopen

from logship.status.metrics import METRICS
from tests.end_to_end.site import LINE, Site
from tests.rigs.config_page import ConfigPage
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

SAMPLE = re.compile(r"^(logship_[a-z_]+?)(?:_count)?(\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)
RULES = "{{name: probes, if: {{path: /probe}}, drop: true}}, {{name: rest, if: {{path: /rest}}, sample: 1%}}"
MAPPING = f"{{{{extends: default, rules: [{RULES}]}}}}"
SOURCE = f'{{{{name: site, paths: ["{{log}}"], format: combined, start_at: beginning, mapping: {MAPPING}}}}}'
LOOSE = '{{name: loose, paths: ["{here}/loose"], format: combined, start_at: beginning, on_unmatched: drop}}'
CONSTANT = {"logship_build_info"}


class Watch:
    """What /metrics said, and which of its numbers ever changed."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.first: dict[str, float] = {}
        self.moved: set[str] = set()

    def look(self) -> dict[str, float]:
        with urlopen(self.url, timeout=10) as answer:
            text = answer.read().decode()
        now = {name + labels: float(value) for name, labels, value in SAMPLE.findall(text)}
        self.first = self.first or now
        self.moved |= {sample.partition("{")[0] for sample in now if now[sample] != self.first.get(sample, 0.0)}
        return now

    def until(self, *names: str) -> None:
        def have_moved() -> bool:
            self.look()
            return self.moved.issuperset(names)

        wait_until(have_moved, 30, f"all of {names} to have moved")


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_every_exported_metric_moves_when_its_thing_happens(tmp_path: Path) -> None:
    port = free_port()
    page = ConfigPage({"user_sample_rate": {"ann": 0}})
    with Receiver(config=page) as receiver:
        status = f'{{listen: "127.0.0.1:{port}"}}'
        site = Site(tmp_path, receiver.url)
        site.write_config(receiver.url, sources=(SOURCE, LOOSE), status=status)
        text = site.config.read_text().replace("timeout: 30s", "timeout: 30s, max_event_age: 3650d, remote_config: on")
        site.config.write_text(text)
        (tmp_path / "loose").touch()
        site.start()
        watch = Watch(port)
        watch.look()
        try:
            _play(site, receiver, watch)
        finally:
            site.daemon.kill()
    assert {metric.name for metric in METRICS} - watch.moved - CONSTANT == set()


def _play(site: Site, receiver: Receiver, watch: Watch) -> None:
    here = site.directory
    append(site.log, "".join(LINE.format(f"/{number}") for number in range(50)))
    watch.until("logship_lines_sent_total", "logship_batches_total", "logship_body_bytes_total", "logship_posts_total")
    old = LINE.format("/old").replace("2026", "2001")
    append(site.log, LINE.format("/probe") + LINE.format("/rest") * 20 + old + "fits nothing\n" + LINE.format("/x"))
    (here / "loose").write_text("fits nothing\n" + LINE.format("/loose"))
    watch.until(
        "logship_lines_dropped_total", "logship_lines_sampled_out_total", "logship_lines_too_old_total",
        "logship_lines_dead_letters_total", "logship_dead_letters", "logship_lines_unmatched_total",
        "logship_needs_person",
    )  # fmt: skip
    assert receiver.config is not None
    receiver.config.config, receiver.config.script = (
        {"sample_rate": 99.99999, "user_sample_rate": {"ann": 0, "bob": 0}},
        deque(),
    )
    append(site.log, LINE.format("/hears"))  # the answer names another ETag
    watch.until("logship_remote_rules")
    receiver.config.always = "garbage"
    os.kill(site.daemon.pid, signal.SIGHUP)
    watch.until("logship_remote_rules_failing", "logship_remote_rules_last_success_timestamp_seconds")
    receiver.config.always, receiver.config.config = "", {}
    os.kill(site.daemon.pid, signal.SIGHUP)
    os.truncate(here / "state" / "dead-letters.ndjson", 100_000_000)
    append(site.log, "fits nothing either\n" + LINE.format("/y"))
    watch.until("logship_dead_letters_overflow_total")
    append(site.log, "\0" * 5_000 + LINE.format("/z"))
    watch.until("logship_nul_bytes_total")
    site.log.rename(here / "access.log.1")
    site.log.write_text(LINE.format("/new"))
    watch.until("logship_rotations_total")
    blocker = sqlite3.connect(here / "state" / "state.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    append(site.log, LINE.format("/blocked"))
    watch.until("logship_state_writable")
    blocker.close()
    good = site.config.read_text()
    wrong = good.replace("combined", "combind")
    for text, name in ((wrong, "logship_config_reload_failed_total"), (good, "logship_config_reloads_total")):
        site.config.write_text(text)
        os.kill(site.daemon.pid, signal.SIGHUP)
        watch.until(name)

    def is_looked_at() -> bool:
        append(site.log, LINE.format("/pay?token=s3cret"))
        watch.look()
        return {"logship_sampled_events_total", "logship_sampled_events_disclosing_total"} <= watch.moved

    wait_until(is_looked_at, 30, "a look for secrets, ten seconds after the start")
    receiver.application_ids = {"another"}
    append(site.log, "".join(LINE.format(f"/held/{number}") for number in range(20_000)))
    watch.until(
        "logship_receiver_held", "logship_receiver_up", "logship_ready", "logship_retries_total", "logship_lag_bytes",
        "logship_lag_seconds", "logship_receiver_trouble_start_timestamp_seconds", "logship_lines_waiting",
        "logship_answers_total", "logship_receiver_last_success_timestamp_seconds",
    )  # fmt: skip
    site.log.write_text(LINE.format("/after"))
    watch.until("logship_truncations_total", "logship_lost_bytes_total")
    append(site.log, "".join(LINE.format(f"/more/{number}") for number in range(5_000)))
    watch.until("logship_files")
    site.log.unlink()
    watch.until("logship_deleted_open_bytes")
    receiver.application_ids = None
    os.kill(site.daemon.pid, signal.SIGHUP)
    watch.until("logship_batches_in_flight")
