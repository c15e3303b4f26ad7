"""Public test cases of other tools: every line comes out right, or is refused for a stated reason.

Where the tool itself is wrong, or takes for a success what can't become an event, the case is listed with the reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from logship.formats import Format
from tests.formats.presets import apache, nginx, parsed, preset
from tests.kernel.agreement import agreed, all_fields

CORPUS = Path(__file__).parents[1] / "corpora"


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()]


# ---- Vector

NGINX_FORMATS = {
    "combined": "nginx",
    "ingress_upstreaminfo": "ingress_nginx",
}
MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    '"$x"'
)
VECTOR_NAMES = {
    "host": "remote_host", "client": "remote_host", "remote_addr": "remote_host", "identity": "remote_logname",
    "user": "remote_user", "remote_user": "remote_user", "message": "request_first_line",
    "request": "request_first_line", "method": "request_method", "path": "request_url", "status": "status",
    "size": "response_bytes_clf", "body_bytes_size": "response_bytes_clf", "referrer": "request_header_referer",
    "referer": "request_header_referer", "http_referer": "request_header_referer",
    "agent": "request_header_user_agent", "http_user_agent": "request_header_user_agent", "compression": "x",
    "request_length": "bytes_rx", "request_time": "time_s", "upstream_addr": "upstream_addr",
    "upstream_status": "upstream_status", "req_id": "req_id", "proxy_upstream_name": "proxy_upstream_name",
    "upstream_response_time": "upstream_response_time", "upstream_response_length": "upstream_response_length",
    "proxy_alternative_upstream_name": "proxy_alternative_upstream_name",
}  # fmt: skip
NO_EVENT = {
    "log_line_valid_empty": "no time: an event needs one",
    "log_line_valid_empty_variant": "no time: an event needs one",
}
NOT_ACCESS_LOGS = ("error", "main")  # Vector reads error logs too; logship ships requests


def vector_format(case: dict[str, Any]) -> Format | None:
    """The format a person would configure for the case; None: it is no access log."""
    function, name = case["function"], case.get("format", "common")
    if function == "parse_nginx_log":
        if name == "combined":
            return nginx(MAIN) if re.search(r'" "[^"]*" "[^"]*"$', case["line"]) else preset("nginx")
        return preset(NGINX_FORMATS[name]) if name in NGINX_FORMATS else None
    if name in NOT_ACCESS_LOGS:
        return None
    if case.get("timestamp_format") == "%+":
        return apache('%h %l %u [%{%Y-%m-%dT%H:%M:%S%z}t] "%r" %>s %b')
    return preset(name)


VECTOR = [
    case
    for file in ("parse_apache_log.jsonl", "parse_common_log.jsonl", "parse_nginx_log.jsonl")
    for case in cases(f"vector/{file}")
]


@pytest.mark.parametrize("case", VECTOR, ids=lambda case: f"{case['function']}-{case['test']}")
def test_vectors_lines_come_out_as_it_says(case: dict[str, Any]) -> None:
    fmt = vector_format(case)
    line = case["line"].encode()
    if fmt is None:
        assert preset("combined").explain(line) is not None
        return
    if "error" in case or case["test"] in NO_EVENT:
        misfit = fmt.explain(line)
        assert misfit is not None
        assert misfit.expected
        return
    found = parsed(fmt, line)
    expected = {VECTOR_NAMES[key]: value for key, value in case["ok"].items() if key in VECTOR_NAMES}
    for field, value in expected.items():
        if value in ("-", ""):
            assert field not in found
        elif isinstance(value, int | float):
            assert float(str(found[field])) == value
        else:
            assert found[field] == unescape(str(value))
    check_time(fmt, found, case["ok"])


def unescape(text: str) -> str:
    r"""Vector leaves nginx's \xHH as it is; logship undoes it."""
    raw = re.sub(rb"\\x([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode())
    return raw.decode("utf-8", "replace")


def check_time(fmt: Format, found: dict[str, object], expected: dict[str, Any]) -> None:
    if "timestamp" not in expected:
        return
    (slot,) = [slot for slot in fmt.slots if slot.time]
    assert slot.time is not None
    moment = datetime.fromisoformat(expected["timestamp"].replace("Z", "+00:00"))
    assert slot.time.decoder("UTC")(str(found[slot.field])) == round(moment.timestamp() * 1000)


def test_vectors_nanosecond_trap_is_avoided() -> None:
    """Its `error_line_thread_id` reads .138633 as 138633 ns; it is 138.633 ms."""
    fmt = apache("[%{%Y-%m-%d %H:%M:%S.%f}t] %{x}n")
    found = parsed(fmt, "[2021-06-04 15:40:27.138633] php7")
    (slot,) = [slot for slot in fmt.slots if slot.time]
    assert slot.time is not None
    assert slot.time.decoder("UTC")(str(found["time_received"])) == 1622821227_138


# ---- fluent-bit, mtail, logstash, prometheus-nginxlog-exporter


def test_every_line_of_fluent_bits_ten_thousand_fits_common() -> None:
    data = (CORPUS / "fluent-bit" / "apache_10k.log").read_bytes()
    lines = data.splitlines()
    fmt = preset("common")
    assert len(lines) == 10_000
    assert [fmt.explain(line) for line in lines if fmt.parse(line) is None] == []
    assert agreed(all_fields(fmt), *lines) > 9_900


def test_mtails_combined_counters_come_out() -> None:
    requests: Counter[tuple[object, object]] = Counter()
    sizes: Counter[tuple[object, object]] = Counter()
    for line in (CORPUS / "mtail" / "apache-combined.log").read_bytes().splitlines():
        found = parsed(preset("combined"), line)
        requests[found["request_method"], found["status"]] += 1
        sizes[found["request_method"], found["status"]] += int(str(found.get("response_bytes_clf", 0)))
    assert requests == {("GET", "200"): 4, ("GET", "304"): 1}
    assert sizes["GET", "200"] == 2602


def test_mtails_timed_log_fits_its_own_format() -> None:
    fmt = apache('%h %l %u %t "%r" %>s %b %D "%{Referer}i" "%{User-Agent}i"')
    found = [parsed(fmt, line) for line in (CORPUS / "mtail" / "apache-common.log").read_bytes().splitlines()]
    assert [(line["status"], line.get("response_bytes_clf"), line["time_us"]) for line in found] == [
        ("304", None, "3551"), ("200", "1880", "8680"), ("404", "19", "2167"),
    ]  # fmt: skip


def test_mtails_lighttpd_log_fits_its_own_format() -> None:
    fmt = apache('%{X-Forwarded-For}i %h %u %t "%r" %>s %b %I %O %T "%{Referer}i" "%{User-Agent}i"')
    lines = (CORPUS / "mtail" / "lighttpd_access.log").read_bytes().splitlines()
    assert [fmt.explain(line) for line in lines] == [None] * len(lines)


LOGSTASH = cases("logstash-patterns-core/httpd_combined.jsonl")


@pytest.mark.parametrize("case", LOGSTASH, ids=lambda case: case["line"][:40])
def test_logstashs_combined_lines_come_out_as_it_says(case: dict[str, Any]) -> None:
    found = parsed(preset("combined"), case["line"])
    names = {
        "user.name": "remote_user", "http.response.body.bytes": "response_bytes_clf", "clientip": "remote_host",
        "http.request.method": "request_method", "verb": "request_method", "request": "request_url",
        "url.original": "request_url", "user_agent.original": "request_header_user_agent", "response": "status",
        "httpversion": "request_http_ver", "http.version": "request_http_ver", "bytes": "response_bytes_clf",
    }  # fmt: skip
    expected = {**case.get("ecs", {}), **case.get("legacy", {})}
    for key, value in expected.items():
        if key in names:
            assert found[names[key]] == str(value)
    if "http.response.status_code" in case.get("absent", []):
        assert "status" not in found


EXPORTER = cases("nginxlog-exporter/issues.jsonl")


@pytest.mark.parametrize("case", EXPORTER, ids=lambda case: case["test"])
def test_the_exporters_reported_lines_all_fit(case: dict[str, Any]) -> None:
    fmt = nginx(case["log_format"])
    for line in case["lines"]:
        assert parsed(fmt, line)["status"] == "200"


@pytest.mark.parametrize("issue", ["Issue 217", "Issue 224"])
def test_the_exporters_upstream_times_sum_up(issue: str) -> None:
    (case,) = [case for case in EXPORTER if case["test"].startswith(issue)]
    fmt = nginx(case["log_format"])
    total = 0.0
    for line in case["lines"]:
        times = re.split(", | : ", str(parsed(fmt, line)["upstream_response_time"]))
        total += sum(float(time) for time in times if time != "-")
    assert total == float(case["metrics_expected"][-1][0])
