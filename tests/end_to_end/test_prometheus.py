"""A real Prometheus scrapes a real daemon with the files that we give people."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.end_to_end.site import LINE, Site
from tests.house.test_monitoring import CONFIGS, alert_rules, dashboard_expressions
from tests.rigs.machine import require
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until


class Prometheus:
    """A server of its own; asked over its HTTP API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask(f"/api/v1/query?query={quote(expression)}")["result"]
        return found

    def answers(self) -> bool:
        try:
            urlopen(f"{self.url}/-/ready", timeout=10).close()
        except (URLError, ConnectionError):
            return False
        return True


@contextmanager
def prometheus(directory: Path, daemon_port: int) -> Iterator[Prometheus]:
    program, port = require("prometheus"), free_port()
    sample = (CONFIGS / "prometheus/scrape.yml").read_text().replace("127.0.0.1:9640", f"127.0.0.1:{daemon_port}")
    (directory / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}\n{sample}"
    )
    (directory / "alerts.yml").write_text((CONFIGS / "prometheus/alerts.yml").read_text())
    command = [
        program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (directory / "prometheus.log").open("w") as log:
        server = subprocess.Popen(command, cwd=directory, stdout=log, stderr=subprocess.STDOUT)
    try:
        asked = Prometheus(port)
        wait_until(asked.answers, 60, "Prometheus to answer")
        yield asked
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def test_prometheus_takes_our_files_and_sees_lines_go_by(tmp_path: Path) -> None:
    port = free_port()
    with Receiver() as receiver:
        site = Site(tmp_path, receiver.url)
        site.write_config(receiver.url, status=f'{{listen: "127.0.0.1:{port}"}}')
        site.start()
        try:
            site.log.write_text("".join(LINE.format(f"/{number}") for number in range(50)))
            with prometheus(tmp_path, port) as asked:
                wait_until(lambda: _number(asked, "logship_lines_sent_total") == 50, 60, "50 lines to be seen")
                wait_until(lambda: _number(asked, "logship_confirmation_duration_seconds_count") > 0, 60, "a batch")
                assert _number(asked, "logship_answer_duration_seconds_sum") > 0
                (start,) = asked.query("time() - process_start_time_seconds{job='logship'}")
                assert 0 < float(start["value"][1]) < 600
                for expression in dashboard_expressions():
                    if not expression.startswith("label_values"):
                        asked.query(expression.replace("$instance", ".*").replace("$__rate_interval", "1m"))
                rules = [rule for group in asked.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
                assert {rule["name"] for rule in rules} == {rule["alert"] for rule in alert_rules()}
                assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
                assert not [rule["name"] for rule in rules if rule["state"] == "firing"]
        finally:
            site.daemon.kill()


def _number(asked: Prometheus, name: str) -> float:
    return sum(float(sample["value"][1]) for sample in asked.query(name))
