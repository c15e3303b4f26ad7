"""Alerts and dashboard speak of metrics that exist, and of every one that matters."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from logship.config import load_settings
from logship.status.metrics import METRICS, PROCESS, Histogram, render
from logship.status.model import FileReport, FileState, Status
from tests.rigs.machine import require

CONFIGS = Path(__file__).parents[2] / "configs"
NAME = re.compile(r"\blogship_[a-z_]+\b")
FILE = FileReport("shop", "/var/log/shop.log", 1, FileState.OK, 0, 0, 0, 0.0)
KNOWN = {metric.name for metric in METRICS} | {
    f"{metric.name}_{part}"
    for metric in METRICS
    if isinstance(metric, Histogram)
    for part in ("bucket", "sum", "count")
}


def alert_rules() -> list[dict[str, object]]:
    tree = yaml.safe_load((CONFIGS / "prometheus/alerts.yml").read_text())
    return [rule for group in tree["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    board = json.loads((CONFIGS / "grafana/logship.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in board["templating"]["list"]:
        yield str(variable["query"])
    for annotation in board["annotations"]["list"]:
        yield annotation["expr"]


def test_alerts_use_only_metrics_and_labels_that_exist() -> None:
    for rule in alert_rules():
        for name in NAME.findall(str(rule["expr"])):
            assert name in KNOWN, f"{rule['alert']}: {name}"


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in alert_rules():
        notes = rule["annotations"]
        assert isinstance(notes, dict)
        assert notes["summary"]
        assert notes["description"].endswith(".")
        assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})


@pytest.mark.parametrize(
    "name",
    [
        "logship_lag_seconds",
        "logship_receiver_held",
        "logship_receiver_trouble_start_timestamp_seconds",
        "logship_files",
        "logship_lines_dead_letters_total",
        "logship_lost_bytes_total",
        "logship_config_reload_failed_total",
        "logship_state_writable",
        "logship_needs_person",
    ],
)
def test_what_needs_a_person_has_an_alert(name: str) -> None:
    assert any(name in NAME.findall(str(rule["expr"])) for rule in alert_rules())


def test_promtool_has_no_objection() -> None:
    promtool = require("promtool", "prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", str(CONFIGS / "prometheus/alerts.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alert_rules())} rules found" in done.stdout


def test_promtool_has_no_objection_to_the_metrics() -> None:
    """Names, units, types and HELP as Prometheus wants them."""
    promtool = require("promtool", "prometheus")
    _, text = render(Status("running", "2026-10-10T13:55:36.000Z", "/var/lib/logship", "1.0", files=(FILE,)))
    assert len(re.findall(rb"^# HELP ", text, re.MULTILINE)) == len(METRICS) + len(PROCESS)
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_dashboard_shows_only_metrics_that_exist() -> None:
    names = {name for expression in dashboard_expressions() for name in NAME.findall(expression)}
    assert len(names) > 10
    assert names <= KNOWN


def test_the_dashboards_queries_are_balanced() -> None:
    for expression in dashboard_expressions():
        assert expression.count("(") == expression.count(")"), expression
        assert expression.count("{") == expression.count("}"), expression


def test_the_daemonset_serves_the_gateways_of_today_and_ingress_nginx_last(tmp_path: Path) -> None:
    config = next(yaml.safe_load_all((CONFIGS / "kubernetes/daemonset.yml").read_text()))["data"]["logship.yml"]
    (tmp_path / "logship.yml").write_text(config.replace("/etc/logship-secret/application_id", str(tmp_path / "id")))
    (tmp_path / "id").write_text("an-id")
    settings = load_settings(tmp_path / "logship.yml", {"NODE_NAME": "node-1"})
    names = [source.name for source in settings.sources]
    assert names == ["envoy-gateway", "istio", "traefik", "nginx-gateway", "ingress"]


def test_the_daemonset_reads_logs_and_keeps_its_positions_on_the_node() -> None:
    documents = list(yaml.safe_load_all((CONFIGS / "kubernetes/daemonset.yml").read_text()))
    pod = documents[1]["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts["logs"]["readOnly"]
    assert volumes["state"]["hostPath"]["path"] == mounts["state"]["mountPath"]
    assert set(mounts) == set(volumes)
