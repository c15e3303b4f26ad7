"""A server's configuration that moved away from ours is told before the lines stop fitting."""

from __future__ import annotations

from pathlib import Path

import pytest

from logship.check.inspection import inspect
from logship.check.server_configs import FormatDifference, differences
from logship.cli import execute
from logship.config import load_settings
from logship.servers import Served, ServedLog
from logship.servers.served import Write

NGINX_COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
APACHE_COMBINED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


def drift(tmp_path: Path, fmt: str, *served: ServedLog) -> list[FormatDifference]:
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\norigin: web-1\n"
        f"sources:\n  - {{name: api, paths: [/logs/*.log], exclude: [/logs/debug.log], format: {fmt}}}\n"
    )
    settings = load_settings(tmp_path / "logship.yml", {})
    source = settings.sources[0]
    return list(differences(source, settings.compile_source(source), served))


def nginx(text: str, path: str = "/logs/access.log") -> ServedLog:
    return ServedLog(path, "nginx", "main", text, "/etc/nginx/nginx.conf:12")


@pytest.mark.parametrize(("mapping", "is_said"), [("$request_id", True), ("$http_x_id", False), ("null", False)])
def test_a_server_that_logs_subrequests_under_their_requests_id_is_reported(
    tmp_path: Path, mapping: str, is_said: bool
) -> None:
    conf, log = tmp_path / "etc/nginx/nginx.conf", tmp_path / "logs/access.log"
    for file in (conf, log):
        file.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    conf.write_text(
        "http { log_format ids '$remote_addr [$time_local] \"$request\" $status ${request_id}';\n"
        "log_subrequest on; server { access_log /logs/access.log ids; } }"
    )
    (tmp_path / "own.yml").write_text(f"extends: default\nevent: {{transaction_id: {mapping}}}\n")
    config = tmp_path / "logship.yml"
    config.write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\norigin: web-1\nsources:\n"
        "  - name: api\n    paths: [/logs/access.log]\n    mapping: own.yml\n"
        "    format: {nginx: '$remote_addr [$time_local] \"$request\" $status $request_id $http_x_id'}\n"
    )
    _, findings = inspect(config, {}, base=tmp_path)
    said = [one.message for one in findings if "log_subrequest" in one.message]
    assert bool(said) is is_said
    assert not is_said or said[0].startswith(
        "/etc/nginx/nginx.conf:2: log_subrequest writes a line of /logs/access.log"
    )
    conf.write_text(conf.read_text().replace("subrequest on", "subrequest off"))
    assert not [one for one in inspect(config, {}, base=tmp_path)[1] if "log_subrequest" in one.message]


@pytest.mark.parametrize(
    ("fmt", "served"),
    [
        ("combined", nginx(NGINX_COMBINED)),
        ("nginx", nginx(NGINX_COMBINED)),
        ("nginx", ServedLog("/logs/a.log", "apache", "combined", APACHE_COMBINED, "/etc/apache2/apache2.conf:3")),
        ("[nginx_timed, combined]", nginx(NGINX_COMBINED)),
    ],
)
def test_the_same_fields_in_the_same_order_are_no_drift(tmp_path: Path, fmt: str, served: ServedLog) -> None:
    assert drift(tmp_path, fmt, served) == []


def test_a_field_that_the_server_writes_too_is_named_with_the_format_to_write(tmp_path: Path) -> None:
    (difference,) = drift(tmp_path, "combined", nginx(NGINX_COMBINED + " $request_time"))
    assert difference.more == ("time_s",)
    assert difference.fewer == ()
    start = "/etc/nginx/nginx.conf:12 logs /logs/access.log as 'main', which is another format"
    assert difference.message.startswith(start)
    assert difference.hint == f"write  format: {{nginx: '{NGINX_COMBINED} $request_time'}}"


def test_a_field_that_the_server_stopped_writing_is_named(tmp_path: Path) -> None:
    (difference,) = drift(tmp_path, "combined", nginx(NGINX_COMBINED.replace(' "$http_user_agent"', "")))
    assert difference.fewer == ("request_header_user_agent",)


def test_fields_in_another_order_are_another_format(tmp_path: Path) -> None:
    swapped = NGINX_COMBINED.replace("$status $body_bytes_sent", "$body_bytes_sent $status")
    (difference,) = drift(tmp_path, "combined", nginx(swapped))
    assert "the same fields otherwise" in difference.message


def test_logs_of_others_are_left_alone(tmp_path: Path) -> None:
    others = [nginx("$status", "/elsewhere/access.log"), nginx("$status", "/logs/debug.log")]
    assert drift(tmp_path, "combined", *others) == []


def test_a_detected_format_has_nothing_to_drift_from(tmp_path: Path) -> None:
    assert drift(tmp_path, "auto", nginx("$status")) == []


def test_check_warns_of_it_beside_the_source(tmp_path: Path) -> None:
    drift(tmp_path, "combined")
    _, findings = inspect(tmp_path / "logship.yml", {}, served=Served((nginx(NGINX_COMBINED + " $host"),), ()))
    (finding,) = [finding for finding in findings if "nginx.conf:12" in finding.message]
    assert (finding.level, finding.subject) == ("warning", "api")
    assert finding.message.endswith("it also writes host")


@pytest.mark.parametrize(
    ("writes", "errors", "said"),
    [
        ((), ("/logs/error.log",), "match /logs/error.log, which the server's configuration calls an error log"),
        ((), ("/elsewhere/error.log", "/logs/debug.log"), ""),
        ((Write("a", "/logs/*.log"), Write("a", "/logs/all.log")), (), "match /logs/*.log and /logs/all.log, to which"),
        ((Write("a", "/logs/a.log"), Write("b", "/logs/b.log")), (), ""),
        (
            (Write("a", "/logs/all.log"), Write("a", "/logs/bad.log", "if=$bad")),
            (),
            "match /logs/bad.log and /logs/all",
        ),
        ((Write("a", "/logs/*.log"), Write("a", "/logs/debug.log")), (), ""),
    ],
)
def test_check_warns_of_logs_that_a_glob_matches_beside_the_requests(
    writes: tuple[Write, ...], errors: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    drift(tmp_path, "combined")
    served = Served((nginx(NGINX_COMBINED),), (), writes, errors)
    _, findings = inspect(tmp_path / "logship.yml", {}, served=served)
    found = [finding.message for finding in findings if finding.message.startswith("its paths")]
    assert [said in message for message in found] == ([True] if said else [])


def test_check_reads_the_servers_configuration_below_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drift(tmp_path, "combined")
    (tmp_path / "image/etc/nginx").mkdir(parents=True)
    (tmp_path / "image/etc/nginx/nginx.conf").write_text(
        "http {\n  log_format timed '$remote_addr - $remote_user [$time_local] \"$request\" '\n"
        '    \'$status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time\';\n'
        "  server { access_log /logs/access.log timed; }\n}\n"
    )
    assert execute(["check", "-c", str(tmp_path / "logship.yml"), "--base", str(tmp_path / "image")]) == 0
    out = capsys.readouterr().out
    assert "/etc/nginx/nginx.conf:4 logs /logs/access.log as 'timed', which is another format" in out
    assert "write  format: {nginx: '$remote_addr - $remote_user" in out


def test_a_log_whose_name_the_server_makes_is_compared_too(tmp_path: Path) -> None:
    (difference,) = drift(tmp_path, "combined", nginx(NGINX_COMBINED + " $host", "/logs/*.access.log"))
    assert difference.more == ("host",)
